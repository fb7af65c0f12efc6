"""A WSGI application that is right, and some that make one mistake each."""

TEXT = [("Content-Type", "text/plain; charset=utf-8")]


def body_of(environ):
    """The body, however small the pieces are that it comes in."""
    left = int(environ.get("CONTENT_LENGTH") or 0)
    pieces = []
    while left:
        piece = environ["wsgi.input"].read(min(left, 65536))
        if not piece:
            break
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def answer(environ):
    """Status and body."""
    if environ["PATH_INFO"] == "/":
        return "200 OK", b"hello"
    if environ["PATH_INFO"] == "/echo":
        return "200 OK", body_of(environ)
    return "404 Not Found", b"not here"


def application(environ, start_response):
    status, body = answer(environ)
    start_response(status, TEXT + [("Content-Length", str(len(body)))])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def generator(environ, start_response):
    status, body = answer(environ)
    start_response(status, list(TEXT))
    for at in range(0, len(body), 1000):
        yield body[at : at + 1000]


class Instance:
    """The class is the application; an instance is the answer to one request."""

    def __init__(self, environ, start_response):
        self.environ, self.start_response = environ, start_response

    def __iter__(self):
        status, body = answer(self.environ)
        self.start_response(status, list(TEXT))
        yield body


def writing(environ, start_response):
    status, body = answer(environ)
    write = start_response(status, list(TEXT))
    write(body)
    return []


# One mistake each.


def str_body(environ, start_response):
    status, body = answer(environ)
    start_response(status, list(TEXT))
    return [body.decode("latin-1")]


def bare_bytes(environ, start_response):
    status, body = answer(environ)
    start_response(status, list(TEXT))
    return body


def no_start(environ, start_response):
    return [answer(environ)[1]]


def no_type(environ, start_response):
    status, body = answer(environ)
    start_response(status, [("Content-Length", str(len(body)))])
    return [body]


def no_reason(environ, start_response):
    status, body = answer(environ)
    start_response(status[:3], list(TEXT))
    return [body]


def hop_by_hop(environ, start_response):
    status, body = answer(environ)
    start_response(status, TEXT + [("Connection", "close")])
    return [body]


def wrong_length(environ, start_response):
    status, body = answer(environ)
    start_response(status, TEXT + [("Content-Length", str(len(body) + 1))])
    return [body]


def number_header(environ, start_response):
    status, body = answer(environ)
    start_response(status, TEXT + [("X-Length", len(body))])
    return [body]


def line_in_header(environ, start_response):
    status, body = answer(environ)
    start_response(status, TEXT + [("X-Lines", "one\r\nX-Two: two")])
    return [body]


def bytes_status(environ, start_response):
    status, body = answer(environ)
    start_response(status.encode(), list(TEXT))
    return [body]


def starts_late(environ, start_response):
    status, body = answer(environ)
    yield body or b"-"
    start_response(status, list(TEXT))


def starts_twice(environ, start_response):
    status, body = answer(environ)
    start_response("200 OK", list(TEXT))
    start_response(status, list(TEXT))
    return [body]


def reads_once(environ, start_response):
    length = int(environ.get("CONTENT_LENGTH") or 0)
    status = answer({**environ, "CONTENT_LENGTH": "0"})[0]
    body = environ["wsgi.input"].read(length) if environ["PATH_INFO"] == "/echo" else b"hello"
    start_response(status, list(TEXT))
    return [body]


class Keeping:
    """Keeps the body of the request on the application."""

    def __call__(self, environ, start_response):
        self.status, self.body = answer(environ)
        start_response(self.status, list(TEXT))
        return self.parts()

    def parts(self):
        for at in range(0, max(len(self.body), 1), 1000):
            yield self.body[at : at + 1000]


keeping = Keeping()


def always_failing(environ, start_response):
    start_response("500 Internal Server Error", list(TEXT))
    return [b"no"]


def raising(environ, start_response):
    raise KeyError("no")
