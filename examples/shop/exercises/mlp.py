"""MLP/1: an operation a line in, an answer a line out."""

import json
import sys


class Refused(Exception):
    """The answer is an error: Refused("INDEX")."""


def serve(name, operations, has=()):
    """Answers until the input ends; `operations` has a function for each name."""
    sys.stdin.readline()
    say({"hello": "mlp/1", "impl": name, "has": list(has)})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            say({"i": asked["i"], "ok": operations[asked["op"]](*asked["a"])})
        except Refused as refused:
            say({"i": asked["i"], "err": str(refused)})


def say(value):
    print(json.dumps(value), flush=True)
