"""A small WSGI server: python3 server.py [--flaw NAME] MODULE:NAME PORT"""
import importlib
import socket
import sys
import threading
import traceback
from urllib.parse import unquote

FLAW = sys.argv[2] if sys.argv[1] == "--flaw" else ""
NAME, PORT = sys.argv[-2], int(sys.argv[-1])


class Body:
    """wsgi.input: what came with the head, and then what comes, up to its length."""

    def __init__(self, stream, length):
        self.stream, self.left = stream, length

    def take(self, read, size):
        size = self.left if size is None or size < 0 else min(size, self.left)
        data = read(size) if size else b""
        self.left = 0 if FLAW == "one-read" and data else self.left - len(data)
        return data

    def read(self, size=-1):
        return self.take(self.stream.read1 if FLAW == "one-read" else self.stream.read, size)

    def readline(self, size=-1):
        return self.take(self.stream.readline, size)

    def readlines(self, hint=-1):
        return list(self)

    def __iter__(self):
        return iter(self.readline, b"")


def headers_of(stream):
    found = {}
    while (line := stream.readline().strip()):
        name, _, value = line.decode("latin-1").partition(":")
        key = name.upper().replace("-", "_")
        if FLAW == "last-header" or key not in found:
            found[key] = value.strip()
        else:
            found[key] += "," + value.strip()
    return found


def environ_of(stream):
    method, target, protocol = stream.readline().decode("latin-1").split()
    path, _, query = target.partition("?")
    headers = headers_of(stream)
    length = headers.pop("CONTENT_LENGTH", "")
    environ = {"HTTP_" + key: value for key, value in headers.items() if key != "CONTENT_TYPE"}
    environ.update({
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": {"unicode-path": unquote(path), "raw-path": path}.get(FLAW, unquote(path, "latin-1")),
        "QUERY_STRING": unquote(query) if FLAW == "unquoted-query" else query,
        "CONTENT_TYPE": headers.get("CONTENT_TYPE", ""),
        "CONTENT_LENGTH": int(length or 0) if FLAW == "number-length" else length,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": str(PORT),
        "SERVER_PROTOCOL": protocol,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": Body(stream, int(length or 0)),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    })
    if FLAW == "no-errors":
        del environ["wsgi.errors"]
    if FLAW == "content-as-http":
        environ["HTTP_CONTENT_TYPE"] = environ.pop("CONTENT_TYPE")
    return environ


class Reply:
    def __init__(self, link, environ):
        self.link, self.method = link, environ["REQUEST_METHOD"]
        self.started, self.sent, self.is_chunked = None, False, False

    def start(self, status, headers, exc_info=None):
        try:
            if exc_info and self.sent:
                raise exc_info[1].with_traceback(exc_info[2])
            if not exc_info and self.started:
                raise AssertionError("started twice")
        finally:
            exc_info = None
        if not self.started or FLAW != "first-start":
            self.started = (status, headers)
        return None if FLAW == "no-write" else self.write

    def head(self):
        if not self.started:
            raise AssertionError("a part came before start_response")
        status, headers = self.started
        names = {name.lower() for name, _ in headers}
        has_length = "content-length" in names
        self.is_chunked = not has_length and (self.method != "HEAD" or FLAW == "head-in-chunks")
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "Connection: close"]
        if self.is_chunked:
            lines.append("Transfer-Encoding: chunked")
        if FLAW == "both-lengths" and self.is_chunked:
            lines.append("Content-Length: 3")
        self.link.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        self.sent = True

    def write(self, data):
        if not data:
            return
        if not self.sent:
            self.head()
        if self.method == "HEAD":
            return
        if self.is_chunked:
            size = str(len(data)) if FLAW == "decimal-sizes" else f"{len(data):x}"
            data = size.encode() + b"\r\n" + data + b"\r\n"
        self.link.sendall(data)

    def end(self):
        if not self.sent:
            self.head()
        if self.is_chunked:
            self.link.sendall(b"0\r\n\r\n")


def answer(link, application):
    environ = environ_of(link.makefile("rb"))
    reply, parts = Reply(link, environ), ()
    try:
        parts = application(environ, reply.start)
        if FLAW == "joins":
            parts, whole = [b"".join(parts)], parts
            parts = type("Parts", (list,), {"close": lambda self: getattr(whole, "close", lambda: None)()})(parts)
        if FLAW == "head-too-early":
            reply.head()
        for part in parts:
            reply.write(part)
        reply.end()
    except Exception:
        traceback.print_exc()
        if FLAW == "dies":
            link.close()
            import os
            os._exit(1)
        if not reply.sent or FLAW == "second-head":
            link.sendall(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        elif FLAW == "ends-well":
            reply.end()
        if FLAW == "closes-when-well":
            return
    else:
        if FLAW == "closes-twice":
            getattr(parts, "close", lambda: None)()
    if FLAW != "never-closes":
        getattr(parts, "close", lambda: None)()


def serve(link, application):
    with link:
        try:
            answer(link, application)
        except Exception:
            traceback.print_exc()


if __name__ == "__main__":
    sys.path.insert(0, ".")
    module, _, name = NAME.partition(":")
    application = getattr(importlib.import_module(module), name)
    with socket.create_server(("127.0.0.1", PORT)) as listener:
        while True:
            threading.Thread(target=serve, args=(listener.accept()[0], application), daemon=True).start()
