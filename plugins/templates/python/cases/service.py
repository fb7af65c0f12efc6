"""A list in pages, right or with one flaw: `python3 cases/service.py PORT [FLAW]`. Port 0 takes a free one."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

FLAWS = ("skips", "repeats", "circles", "no-links")
ROWS = [{"id": f"row-{number}"} for number in range(20)]


def answer(path: str, flaw: str | None = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a GET."""
    asked = urlsplit(path)
    if asked.path != "/items":
        return 404, {}, b""
    query = {name: int(values[0]) for name, values in parse_qs(asked.query).items()}
    size, start = query.get("limit", 10), query.get("start", 0)
    page = ROWS[start : start + size]
    following = start + size + {"skips": 1, "repeats": -1}.get(flaw, 0)
    more = start + size < len(ROWS)
    if flaw == "circles" and not more:
        following, more = 0, True
    headers = {"Content-Type": "application/json"}
    if more and flaw != "no-links":
        headers["Link"] = f'</items?limit={size}&start={following}>; rel="next"'
        if following == 0:
            headers["Link"] = f'</items?limit={size}>; rel="next"'
    return 200, headers, json.dumps(page).encode()


def main(port: str, flaw: str | None = None) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, body = answer(self.path, flaw)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    if flaw is not None and flaw not in FLAWS:
        sys.exit(f"unknown flaw {flaw!r}: one of {', '.join(FLAWS)}")
    with ThreadingHTTPServer(("127.0.0.1", int(port)), Handler) as server:
        print(f"listening on {server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
