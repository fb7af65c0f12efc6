"""The server of the standard library: python3 standard.py MODULE:NAME PORT"""
import importlib
import sys
from wsgiref.simple_server import make_server

module, _, name = sys.argv[1].partition(":")
make_server("127.0.0.1", int(sys.argv[2]), getattr(importlib.import_module(module), name)).serve_forever()
