"""A shop with one quirk that a check once judged wrongly: python3 shop.py PORT QUIRK

Broken, and must not pass:
  bystander      repeating a PUT counts up another row, shown on that row's own page only
  cycle          each PUT moves a field on, round three values: the fourth PUT ends where the first did
  queue          each repeated PUT counts a version up a moment later, one after another
  stamped-lines  a listing of lines that begin with a time; PUT adds to the price instead of setting it
  nonce          pages of one line with a fresh token; PUT counts up, GET deletes and makes rows
  row-500        GET of a row that is not there is answered 500
  head-body      HEAD is answered with a body
  forgets        a page of 20 of more rows, nine there at the start; a key is forgotten when its work is done
  brief          a key is forgotten after a second
  one-field      the fingerprint of a payload leaves the quantity out
  one-at-a-time  looks the key up, works, then stores it; one request at a time hides the race

Good, and must not fail:
  full-page      a page of 20 of more rows, ten there at the start
  slashes        paths end with a slash; a write without it is an error
"""

import json
import queue
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer

PORT, QUIRK = int(sys.argv[1]), sys.argv[2]
WORK, PAGE = 0.3, 20
lock = threading.RLock()
items, keys, last = {}, {}, 100
orders = [{"id": n, "sku": "old"} for n in range({"forgets": 9, "full-page": 10}.get(QUIRK, 0))]
later = queue.Queue()


def work_later():
    while True:
        row = later.get()
        time.sleep(0.1)
        row["version"] += 1
        time.sleep(0.5)


def line(row):
    if QUIRK == "stamped-lines":
        return f"{row['at']},{row['id']},{row['name']},{row['price']}\n"
    return f"<li>{row['id']} {row['name']} {row['price']} v{row['version']}</li>"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=None):
        if isinstance(body, str) and QUIRK == "nonce":
            body = f"<meta name=csrf content={time.time_ns()}>{body}"
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD" or QUIRK == "head-body":
            self.wfile.write(data)

    def parts(self):
        """The path's parts, and the body as sent."""
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        if QUIRK == "slashes" and path not in ("/", "/healthz") and not path.endswith("/"):
            self.answer(500 if self.command in ("POST", "PUT", "DELETE") else 404, {"error": "no slash"})
            return None, None
        return path.strip("/").split("/"), json.loads(data or b"{}")

    def do_GET(self):
        parts, _ = self.parts()
        with lock:
            match parts:
                case None:
                    pass
                case [""] | ["healthz"]:
                    self.answer(200, {"ok": True})
                case ["orders"]:
                    paged = QUIRK in ("forgets", "full-page")
                    self.answer(200, {"data": orders[:PAGE]} if paged else orders)
                case ["items"] if QUIRK in ("stamped-lines", "nonce"):
                    self.answer(200, "".join(map(line, items.values())))
                case ["items"]:
                    self.answer(200, [{k: v for k, v in row.items() if k != "seen"} for row in items.values()])
                case ["items", number, *rest] if number.isdigit():
                    self.row(int(number), rest)
                case _:
                    self.answer(404, {})

    do_HEAD = do_GET

    def row(self, number, rest):
        if QUIRK == "nonce" and rest == ["delete"]:
            items.pop(number, None)
        elif QUIRK == "nonce" and number not in items:
            items[number] = {"id": number, "name": "ghost", "price": 0, "version": 0}
        row = items.get(number)
        if row is None or rest:
            self.answer(500 if QUIRK == "row-500" and not rest else 404, {})
        else:
            self.answer(200, line(row) if QUIRK in ("stamped-lines", "nonce") else row)

    def do_POST(self):
        global last
        parts, body = self.parts()
        if parts == ["items"]:
            with lock:
                last += 1
                at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                items[last] = {"id": last, **body, "version": 0, "seen": 0, "at": at}
                self.answer(201, items[last])
        elif parts == ["orders"]:
            self.order(body)
        elif parts:
            self.answer(404, {})

    def order(self, body):
        global last
        key = self.headers.get("Idempotency-Key")
        if key is None or "sku" not in body:
            return self.answer(400, {})
        print_of = body["sku"] if QUIRK == "one-field" else json.dumps(body)
        with lock:
            known = keys.get(key)
            done = known is not None and known[0] is not None
            if done and (QUIRK == "forgets" or QUIRK == "brief" and time.time() > known[2] + 1):
                known = None
            if known is None and QUIRK != "one-at-a-time":
                keys[key] = (None, print_of, 0)
        if known is not None:
            if known[0] is None:
                return self.answer(409, {})
            return self.answer(422, {}) if known[1] != print_of else self.answer(201, known[0])
        time.sleep(WORK)
        with lock:
            last += 1
            orders.append({"id": last, **body})
            reply = {"ok": True} if QUIRK == "forgets" else orders[-1]
            keys[key] = (reply, print_of, time.time())
        self.answer(201, reply)

    def do_PUT(self):
        parts, body = self.parts()
        if parts is None:
            return
        with lock:
            row = items.get(int(parts[1]))
            if row is None:
                return self.answer(404, {})
            again = row["name"] == body["name"]
            price = row["price"] + body["price"] if QUIRK == "stamped-lines" else body["price"]
            row.update(name=body["name"], price=price)
            if QUIRK == "nonce":
                row["version"] += 1
            elif QUIRK == "cycle":
                row["version"] = (row["version"] + 1) % 3
            elif QUIRK == "queue" and again:
                later.put(row)
            elif QUIRK == "bystander":
                for other in items.values():
                    other["seen"] += other is not row
            self.answer(200, row)

    def do_DELETE(self):
        parts, _ = self.parts()
        if parts:
            with lock:
                self.answer(200 if items.pop(int(parts[1]), None) else 404, {})


threading.Thread(target=work_later, daemon=True).start()
kind = HTTPServer if QUIRK == "one-at-a-time" else ThreadingHTTPServer
kind.request_queue_size = 128
kind(("127.0.0.1", PORT), Handler).serve_forever()
