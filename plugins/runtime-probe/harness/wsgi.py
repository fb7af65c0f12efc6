# The part of the harness for `wsgi`: plays the server, and the application behind a middleware, and notes what it sees.
import hashlib
import io
import warnings
from wsgiref.validate import validator


class Pieces:
    """A request body that comes in small pieces, as from a socket."""

    def __init__(self, body):
        self.rest, self.asked = io.BytesIO(body), 0

    def read(self, size=-1):
        if size is None or size < 0:
            return self.rest.read()
        self.asked += 1
        return self.rest.read(min(size, 1000 + self.asked % 7))

    def readline(self, size=-1):
        return self.rest.readline(size)

    def readlines(self, hint=-1):
        return self.rest.readlines(hint)

    def __iter__(self):
        return iter(self.rest)


def environ(method, path, body):
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/octet-stream",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1:8080",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": Pieces(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


class Exchange:
    """One request, and what the application does with it."""

    def __init__(self, application, method, path, body, pulled=None):
        self.starts, self.chunks, self.error, self.iterable, self.at_receipt = [], [], None, None, []
        self.body, self.is_early, self.pulled, self.parts = [], False, pulled, None
        try:
            self.parts = application(environ(method, path, body), self.start)
            self.iterable = type(self.parts).__name__
            self.steps = iter(self.parts)
        except Exception as error:
            self.fail(error)

    def fail(self, error):
        self.error, self.steps = raised(error), None

    def start(self, status, headers, exc_info=None):
        listed = headers if type(headers) is list else []
        self.starts.append({
            "status": status if type(status) is str else None,
            "list": type(headers) is list,
            "headers": [
                [pair[0], pair[1]] if type(pair) is tuple and len(pair) == 2
                and type(pair[0]) is str and type(pair[1]) is str else None
                for pair in listed
            ],
            "exception": exc_info is not None,
        })
        return self.receive

    def receive(self, chunk):
        self.chunks.append([type(chunk).__name__, len(chunk) if hasattr(chunk, "__len__") else -1])
        if type(chunk) is bytes:
            self.body.append(chunk)
            if chunk:
                self.is_early = self.is_early or not self.starts
                if self.pulled is not None:
                    self.at_receipt.append(self.pulled["pulled"])

    def step(self):
        if self.steps is None:
            return False
        try:
            self.receive(next(self.steps))
            return True
        except StopIteration:
            self.steps = None
        except Exception as error:
            self.fail(error)
        return False

    def finish(self):
        while self.step():
            pass
        try:
            if hasattr(self.parts, "close"):
                self.parts.close()
        except Exception as error:
            self.error = self.error or raised(error)
        return self.seen()

    def seen(self):
        body = b"".join(self.body)
        return {
            "starts": self.starts,
            "chunks": self.chunks[:40],
            "other": sorted({kind for kind, _ in self.chunks if kind != "bytes"}),
            "iterable": self.iterable,
            "early": self.is_early,
            "error": self.error,
            "length": len(body),
            "digest": hashlib.sha256(body).hexdigest(),
            "at_receipt": self.at_receipt,
        }


def repeated(piece, length):
    piece = piece.encode()
    return (piece * (length // len(piece) + 1))[:length]


def strictly(play):
    """With every warning of the validator an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return play()


@operation
def digest(piece, length):
    return hashlib.sha256(repeated(piece, length)).hexdigest()


@operation
def request(method, path, piece, length, checked):
    body = repeated(piece, length)
    application = THINGS["it"]
    if checked:
        return strictly(lambda: Exchange(validator(application), method, path, body).finish())
    return Exchange(application, method, path, body).finish()


@operation
def interleaved(path, pieces, length):
    """Several requests at once: started in order, and read in turns."""
    running = [Exchange(THINGS["it"], "POST", path, repeated(piece, length)) for piece in pieces]
    moving = list(running)
    while moving:
        moving = [exchange for exchange in moving if exchange.step()]
    return [exchange.finish() for exchange in running]


# What stands behind a middleware.


class Streaming:
    def __init__(self, notes, piece, count, starts=None):
        self.notes, self.piece, self.left, self.starts = notes, piece, count, starts

    def __iter__(self):
        return self

    def __next__(self):
        if self.starts is not None:
            self.starts()
            self.starts = None
        if not self.left:
            raise StopIteration
        self.left -= 1
        self.notes["pulled"] += 1
        return self.piece

    def close(self):
        self.notes["closed"] += 1


def behind(kind, piece, count, notes):
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    piece = piece.encode()

    def application(environ, start_response):
        notes["called"] += 1
        if kind == "streams":
            start_response("200 OK", list(headers))
            return Streaming(notes, piece, count)
        if kind == "starts-late":
            return Streaming(notes, piece, count, lambda: start_response("200 OK", list(headers)))
        if kind == "writes":
            write = start_response("200 OK", list(headers))
            for _ in range(count - 1):
                write(piece)
            return Streaming(notes, piece, 1)
        start_response("200 OK", list(headers))
        try:
            raise LookupError("too late")
        except LookupError:
            start_response("500 Internal Server Error", list(headers), sys.exc_info())
        return Streaming(notes, piece, count)

    return application


@operation
def through(kind, piece, count, checked):
    """A request through the middleware to an application of ours, with the validator on both sides where `checked`."""
    notes = {"called": 0, "pulled": 0, "closed": 0}
    inner = behind(kind, piece, count, notes)
    inner = validator(inner) if checked else inner
    outer = THINGS["it"](inner)
    same = outer is inner
    if not callable(outer):
        return {"callable": False}
    outer = validator(outer) if checked else outer
    play = Exchange(outer, "GET", "/", b"", notes).finish
    seen = strictly(play) if checked else play()
    return {"callable": True, "same": same, **notes, **seen}
