"""The service under the standard library's own server, which serves one connection after the other.

Run it with `python -m one_at_a_time PORT`.
"""

import sys
from wsgiref.simple_server import ServerHandler, make_server

from service import app

# It does not say what it is, so that only how it serves tells.
ServerHandler.server_software = "service"
make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
