"""WSGI middleware that is right, and some that make one mistake each."""


class Middleware:
    """Adds a header, and hands on whatever comes as it comes."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("X-Seen", "yes")], exc_info)

        return self.application(environ, start)


def counting(application):
    """Counts bytes as they pass."""

    def counted(environ, start_response):
        result = application(environ, start_response)
        try:
            for chunk in result:
                counted.bytes += len(chunk)
                yield chunk
        finally:
            if hasattr(result, "close"):
                result.close()

    counted.bytes = 0
    return counted


def shouting(application):
    """Changes the body, chunk by chunk."""

    def shouted(environ, start_response):
        def start(status, headers, exc_info=None):
            write = start_response(status, headers, exc_info)
            return lambda chunk: write(chunk.upper())

        result = application(environ, start)
        try:
            for chunk in result:
                yield chunk.upper()
        finally:
            if hasattr(result, "close"):
                result.close()

    return shouted


# One mistake each.


def joins(application):
    def joined(environ, start_response):
        result = application(environ, start_response)
        try:
            return [b"".join(result)]
        finally:
            if hasattr(result, "close"):
                result.close()

    return joined


def forgets_close(application):
    def passing(environ, start_response):
        for chunk in application(environ, start_response):
            yield chunk

    return passing


def closes_twice(application):
    def passing(environ, start_response):
        result = application(environ, start_response)
        try:
            for chunk in result:
                yield chunk
        finally:
            result.close()
            result.close()

    return passing


def drops_exc_info(application):
    def passing(environ, start_response):
        def start(status, headers, exc_info=None):
            if exc_info:
                return lambda chunk: None
            return start_response(status, headers)

        return application(environ, start)

    return passing


def two_arguments(application):
    def passing(environ, start_response):
        return application(environ, lambda status, headers: start_response(status, headers))

    return passing


def no_write(application):
    def passing(environ, start_response):
        def start(status, headers, exc_info=None):
            start_response(status, headers, exc_info)
            return lambda chunk: None

        return application(environ, start)

    return passing


def looks_too_early(application):
    """Takes the status for known once the application has returned."""

    def passing(environ, start_response):
        seen = []

        def start(status, headers, exc_info=None):
            seen[:] = [status, headers, exc_info]
            return start_response(status, headers, exc_info)

        result = application(environ, start)
        return result if seen else [b""]

    return passing


def hop_by_hop(application):
    def passing(environ, start_response):
        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("Keep-Alive", "timeout=5")], exc_info)

        return application(environ, start)

    return passing


def calls_twice(application):
    def passing(environ, start_response):
        application(environ, lambda status, headers, exc_info=None: lambda chunk: None).close()
        return application(environ, start_response)

    return passing


def nothing(application):
    return application


def answers_itself(application):
    def answering(environ, start_response):
        start_response("401 Unauthorized", [("Content-Type", "text/plain")])
        return [b"who are you?"]

    return answering
