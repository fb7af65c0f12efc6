"""An application as WSGI (PEP 3333) has it, without a framework."""


def application(environ, start_response):
    status, body = answer(environ)
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


def answer(environ):
    match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
        case "GET", "/":
            return "200 OK", b"hello"
        case "POST", "/echo":
            return "200 OK", body_of(environ)
    return "404 Not Found", b"not here"


def body_of(environ):
    """The whole body: read() may give less than was asked for."""
    left, pieces = int(environ.get("CONTENT_LENGTH") or 0), []
    while left and (piece := environ["wsgi.input"].read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
