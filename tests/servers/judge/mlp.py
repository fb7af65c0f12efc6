"""MLP/1 for a program in Python: lines in, lines out (docs/judge.md)."""

import json
import sys


class Refused(Exception):
    """An answer that is an error: Refused("KEY")."""


def serve(name, operations, has=()):
    """Answers operations until the input ends. `operations` names a function for each."""
    json.loads(sys.stdin.readline())
    print(json.dumps({"hello": "mlp/1", "impl": name, "has": list(has)}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"i": asked["i"], "ok": operations[asked["op"]](*asked["a"])}
        except Refused as refused:
            answer = {"i": asked["i"], "err": str(refused)}
        print(json.dumps(answer), flush=True)
