"""Middleware: an application to the server, and a server to the application inside it."""

import uuid


class RequestId:
    """Gives each request an id, which the application finds in its environ and the client in a header."""

    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        request_id = uuid.uuid4().hex

        def start(status, headers, exc_info=None):
            return start_response(status, [*headers, ("X-Request-Id", request_id)], exc_info)

        # What comes back goes on as it is: chunk by chunk, and closed by who asked.
        return self.application({**environ, "shop.request_id": request_id}, start)
