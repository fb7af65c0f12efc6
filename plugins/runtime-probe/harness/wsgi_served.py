# The application that the server of `wsgi` is given: written into the copy of the learner's folder, and run by their server.
import json
import os
import sys
import time
from urllib.parse import parse_qs
from wsgiref import validate

FOLDER = os.path.dirname(os.path.abspath(__file__))
WORD = "WORD_OF_THE_RUN"
HEADERS = [("Content-Type", "text/plain; charset=utf-8")]


def path(name):
    return os.path.join(FOLDER, WORD + "." + name)


class Parts:
    """An iterable that says when it is closed."""

    def __init__(self, parts):
        self.parts = iter(parts)

    def __iter__(self):
        return self

    def __next__(self):
        return next(self.parts)

    def close(self):
        with open(path("closed"), "a") as file:
            file.write("x")


def objections(environ):
    try:
        validate.check_environ(environ)
        validate.check_input(environ["wsgi.input"])
        validate.check_errors(environ["wsgi.errors"])
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)
    return None


def told(environ):
    seen = {key: ascii(value) for key, value in environ.items() if type(key) is str and key.isupper()}
    flags = {key: repr(environ.get(key))[:100] for key in ("wsgi.version", "wsgi.url_scheme")}
    there = sorted(key for key in environ if type(key) is str and key.startswith("wsgi."))
    return {"seen": seen, "flags": flags, "there": there, "type": type(environ).__name__, "objections": objections(environ)}


def read(environ):
    left, pieces = int(environ.get("CONTENT_LENGTH") or 0), []
    while left > 0:
        piece = environ["wsgi.input"].read(left)
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def streamed():
    yield WORD.encode() + b" first\n"
    end = time.monotonic() + 2.5
    while not os.path.exists(path("go")) and time.monotonic() < end:
        time.sleep(0.01)
    yield b"in time\n" if os.path.exists(path("go")) else b"too late\n"


def broken():
    yield WORD.encode() + b" first\n"
    raise LookupError("after the beginning")


def late(start_response):
    start_response("200 OK", list(HEADERS))
    yield WORD.encode()
    yield b" started late"


def application(environ, start_response):
    do = parse_qs(environ["QUERY_STRING"])["do"][0]
    if do == "starts-late":
        return late(start_response)
    if do == "raises":
        raise LookupError("before the beginning")
    headers = list(HEADERS)
    if do == "environ":
        body = (WORD + json.dumps(told(environ))).encode()
        headers.append(("Content-Length", str(len(body))))
    elif do == "echo":
        body = read(environ)
    elif do == "length":
        body = WORD.encode()
        headers.append(("Content-Length", str(len(body))))
    else:
        body = b""
    write = start_response("200 OK", headers)
    if do == "streams":
        return Parts(streamed())
    if do == "breaks":
        return Parts(broken())
    if do == "writes":
        write(WORD.encode())
        write(b" by write,")
        return [b" and more"]
    if do == "starts-again":
        try:
            raise LookupError("after the start")
        except LookupError:
            start_response("503 Service Unavailable", headers, sys.exc_info())
        return [WORD.encode()]
    return [body]
