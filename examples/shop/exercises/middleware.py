"""Middleware as an onion: each layer goes around what is inside it, and keeps nothing of a request on itself."""

from functools import wraps

from mlp import serve


class Failed(Exception):
    """What a handler raises."""


class Request:
    """One call on its way in and out."""

    def __init__(self, asked):
        self.path = asked.get("path")
        self.token = asked.get("token")
        self.asked = asked
        self.fails = asked.get("fail", 0)
        self.trace = []
        self.counted = 0
        self.inner = None


def response(status, body):
    return {"status": status, "body": body, "headers": {}}


def log(name, argument):
    return lambda request, inner: inner(request)


def auth(name, argument):
    return lambda request, inner: inner(request) if request.token == argument else response(401, name)


def cache(name, argument):
    kept = {}

    def layer(request, inner):
        if request.path not in kept:
            answer = inner(request)
            if answer["status"] != 200:
                return answer
            kept[request.path] = copy(answer)
        return copy(kept[request.path])

    return layer


def copy(answer):
    """Of what is kept: layers further out put headers into the answer of one request."""
    return {**answer, "headers": dict(answer["headers"])}


def retry(name, argument):
    def layer(request, inner):
        for _ in range(argument - 1):
            try:
                return inner(request)
            except Failed:
                pass
        return inner(request)

    return layer


def header(name, argument):
    def layer(request, inner):
        answer = inner(request)
        answer["headers"][argument] = name
        return answer

    return layer


def catch(name, argument):
    def layer(request, inner):
        try:
            return inner(request)
        except Failed as failed:
            return response(500, str(failed))

    return layer


def count(name, argument):
    def layer(request, inner):
        request.counted += 1
        own = request.counted
        answer = inner(request)
        answer["headers"][f"count-{name}"] = own
        return answer

    return layer


SERVICES = {}


def service(name, argument):
    # One of each, for all layers and all requests.
    own = SERVICES.setdefault(argument, len(SERVICES) + 1)

    def layer(request, inner):
        answer = inner(request)
        answer["headers"][f"service-{argument}"] = own
        return answer

    return layer


KINDS = {kind.__name__: kind for kind in (log, auth, cache, retry, header, catch, count, service)}


def around(name, layer, inner):
    """What is inside with one layer more, which writes down who comes and goes."""

    @wraps(inner)
    def outer(request):
        request.trace.append(f">{name}")
        try:
            answer = layer(request, inner)
        except Failed:
            request.trace.append(f"!{name}")
            raise
        request.trace.append(f"<{name}")
        return answer

    return outer


class Application:
    def __init__(self, name):
        self.layers = []

        def handle(request):
            request.trace.append(f"={name}")
            if request.fails > 0:
                request.fails -= 1
                raise Failed("BOOM")
            if "add" in request.asked:
                self.register(*request.asked["add"])
            if "then" in request.asked:
                request.inner = self.call(request.asked["then"])
            return response(200, f"{name}:{request.path}")

        handle.__name__ = name
        self.handle = handle

    def register(self, name, kind, argument):
        self.layers.append((name, KINDS[kind](name, argument)))

    def onion(self):
        """The handler with the layers of this moment around it, the first outermost."""
        whole = self.handle
        for name, layer in reversed(self.layers):
            whole = around(name, layer, whole)
        return whole

    def call(self, asked):
        request = Request(asked)
        told = {"trace": request.trace}
        try:
            told["response"] = self.onion()(request)
        except Failed as failed:
            told["error"] = str(failed)
        return {**told, "inner": request.inner}


application = Application("none")


def handler(name):
    global application
    application = Application(name)


serve(
    "middleware",
    {
        "HANDLER": handler,
        "REGISTER": lambda *layer: application.register(*layer),
        "NAME": lambda: application.onion().__name__,
        "CALL": lambda asked: application.call(asked),
    },
)
