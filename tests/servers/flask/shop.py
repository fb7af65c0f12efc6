"""The reference shop in Flask: the same HTTP interface as `src/reference/`, on a database that processes can share.

Environment:
  SHOP_STORE    sqlite:/path/to/file  unique keys and transactions; right with any number of workers
                memory                dictionaries of one process; right with one worker only (the default)
  SHOP_SLOW_MS  how long an order or a ticket takes, default 300
  SHOP_FLAW     the name of one mistake, see FLAWS below

Run it with `gunicorn shop:app`.
"""

import hashlib
import html
import json
import os
import re
import secrets
import sqlite3
import threading
import time
from contextlib import contextmanager

from flask import Flask, Response, abort, g, jsonify, make_response, redirect, request
from werkzeug.exceptions import HTTPException

SLOW = int(os.environ.get("SHOP_SLOW_MS", "300")) / 1000
CALLERS = {"Bearer alice-token": "alice", "Bearer bob-token": "bob"}


# The stores. Both give the same promises to the threads of one process; only SQLite gives them to several processes.


class MemoryStore:
    """Dictionaries behind one lock."""

    def __init__(self):
        self.lock = threading.Lock()
        self.item_rows, self.order_rows, self.ticket_rows = {}, {}, {}
        self.keys, self.ticket_by_token, self.sessions = {}, {}, {}
        self.last = {"items": 0, "orders": 0, "tickets": 0}

    def items(self):
        with self.lock:
            return [dict(self.item_rows[id]) for id in sorted(self.item_rows, key=shortlex)]

    def item(self, id):
        with self.lock:
            return self.item_rows.get(id)

    def add_item(self, name, price):
        with self.lock:
            id = self._next("items", self.item_rows)
            self.item_rows[id] = {"id": id, "name": name, "price": price}
            return self.item_rows[id]

    def put_item(self, id, name, price):
        """Sets the item; True when it is new."""
        with self.lock:
            is_new = id not in self.item_rows
            self.item_rows[id] = {"id": id, "name": name, "price": price}
            return is_new

    def delete_item(self, id):
        """Removes the item; False when there was none."""
        with self.lock:
            return self.item_rows.pop(id, None) is not None

    def orders(self):
        with self.lock:
            return list(self.order_rows.values())

    def order(self, id):
        with self.lock:
            return self.order_rows.get(id)

    def claim(self, caller, key, fingerprint):
        """Takes a free key: None. Else what is known under it: fingerprint and answer, which is None while running."""
        with self.lock:
            if (caller, key) in self.keys:
                return self.keys[caller, key]
            self.keys[caller, key] = (fingerprint, None)
            return None

    def commit_order(self, caller, key, fingerprint, draft):
        """Stores the order and the answer under its key together."""
        with self.lock:
            order = self._insert_order(caller, draft)
            self.keys[caller, key] = (fingerprint, answer_to(order))
            return order

    def release(self, caller, key):
        with self.lock:
            if self.keys.get((caller, key), (None, "done"))[1] is None:
                del self.keys[caller, key]

    def look_up(self, caller, key):
        with self.lock:
            return self.keys.get((caller, key))

    def add_order(self, caller, draft):
        with self.lock:
            return self._insert_order(caller, draft)

    def add_key(self, caller, key, fingerprint, order):
        """False when the key is there already."""
        with self.lock:
            is_new = (caller, key) not in self.keys
            self.keys.setdefault((caller, key), (fingerprint, answer_to(order)))
            return is_new

    def set_answer(self, caller, key, fingerprint, answer):
        """Keeps an answer under the key, whatever was there."""
        with self.lock:
            self.keys[caller, key] = (fingerprint, answer)

    def tickets(self):
        with self.lock:
            return list(self.ticket_rows.values())

    def ticket(self, id):
        with self.lock:
            return self.ticket_rows.get(id)

    def take_ticket(self, seat, token):
        """The ticket of the token, and whether it is new."""
        with self.lock:
            if token in self.ticket_by_token:
                return self.ticket_rows[self.ticket_by_token[token]], False
            id = self._next("tickets", self.ticket_rows)
            self.ticket_rows[id] = {"id": id, "seat": seat}
            self.ticket_by_token[token] = id
            return self.ticket_rows[id], True

    def start_session(self, old, user):
        with self.lock:
            self.sessions.pop(old, None)
            id = secrets.token_urlsafe(32)
            self.sessions[id] = user
            return id

    def end_session(self, id):
        with self.lock:
            self.sessions.pop(id, None)

    def user(self, id):
        with self.lock:
            return self.sessions.get(id)

    def _insert_order(self, caller, draft):
        id = self._next("orders", self.order_rows)
        self.order_rows[id] = {"id": id, **draft, "caller": caller}
        return self.order_rows[id]

    def _next(self, table, rows):
        while True:
            self.last[table] += 1
            if str(self.last[table]) not in rows:
                return str(self.last[table])


class SqliteStore:
    """One file; every write is one transaction, and the unique keys are the database's."""

    SCHEMA = """
        CREATE TABLE IF NOT EXISTS items (id TEXT PRIMARY KEY, name TEXT NOT NULL, price INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS numbers (last INTEGER PRIMARY KEY AUTOINCREMENT);
        CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY AUTOINCREMENT, sku TEXT NOT NULL,
            quantity INTEGER NOT NULL, caller TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS tickets (id INTEGER PRIMARY KEY AUTOINCREMENT, seat TEXT NOT NULL,
            token TEXT NOT NULL UNIQUE);
        CREATE TABLE IF NOT EXISTS keys (caller TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL,
            worker INTEGER NOT NULL, answer TEXT, PRIMARY KEY (caller, key));
        CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, user TEXT NOT NULL);
    """

    def __init__(self, path):
        self.path = path
        with self.transaction() as database:
            for statement in self.SCHEMA.split(";"):
                database.execute(statement)

    @contextmanager
    def transaction(self):
        database = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        database.row_factory = sqlite3.Row
        try:
            # The write lock is taken at once: a transaction that reads first and writes later could be refused half way.
            database.execute("BEGIN IMMEDIATE")
            with database:
                yield database
        finally:
            database.close()

    def query(self, statement, *values):
        database = sqlite3.connect(self.path, timeout=10, isolation_level=None)
        database.row_factory = sqlite3.Row
        try:
            return [document(row) for row in database.execute(statement, values)]
        finally:
            database.close()

    def items(self):
        return self.query("SELECT id, name, price FROM items ORDER BY length(id), id")

    def item(self, id):
        return first(self.query("SELECT id, name, price FROM items WHERE id = ?", id))

    def add_item(self, name, price):
        with self.transaction() as database:
            while True:
                id = str(database.execute("INSERT INTO numbers DEFAULT VALUES").lastrowid)
                row = (id, name, price)
                if database.execute("INSERT INTO items VALUES (?, ?, ?) ON CONFLICT DO NOTHING", row).rowcount:
                    return {"id": id, "name": name, "price": price}

    def put_item(self, id, name, price):
        with self.transaction() as database:
            is_new = not database.execute("SELECT 1 FROM items WHERE id = ?", (id,)).fetchone()
            database.execute("INSERT OR REPLACE INTO items VALUES (?, ?, ?)", (id, name, price))
            return is_new

    def delete_item(self, id):
        with self.transaction() as database:
            return database.execute("DELETE FROM items WHERE id = ?", (id,)).rowcount == 1

    def orders(self):
        return self.query("SELECT id, sku, quantity, caller FROM orders ORDER BY id")

    def order(self, id):
        return first(self.query("SELECT id, sku, quantity, caller FROM orders WHERE CAST(id AS TEXT) = ?", id))

    def claim(self, caller, key, fingerprint):
        with self.transaction() as database:
            row = (caller, key, fingerprint, os.getpid())
            insert = "INSERT INTO keys VALUES (?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING"
            if database.execute(insert, row).rowcount:
                return None
            known = database.execute("SELECT * FROM keys WHERE caller = ? AND key = ?", (caller, key)).fetchone()
            if known["answer"] is None and known["fingerprint"] == fingerprint and not is_alive(known["worker"]):
                # Its worker died before it had an effect, for the effect comes together with the answer.
                take_over = "UPDATE keys SET worker = ? WHERE caller = ? AND key = ?"
                database.execute(take_over, (os.getpid(), caller, key))
                return None
            return known["fingerprint"], known["answer"]

    def commit_order(self, caller, key, fingerprint, draft):
        with self.transaction() as database:
            order = self._insert_order(database, caller, draft)
            done = "UPDATE keys SET answer = ? WHERE caller = ? AND key = ? AND fingerprint = ?"
            database.execute(done, (answer_to(order), caller, key, fingerprint))
            return order

    def release(self, caller, key):
        with self.transaction() as database:
            free = "DELETE FROM keys WHERE caller = ? AND key = ? AND answer IS NULL"
            database.execute(free, (caller, key))

    def look_up(self, caller, key):
        row = first(self.query("SELECT fingerprint, answer FROM keys WHERE caller = ? AND key = ?", caller, key))
        return row and (row["fingerprint"], row["answer"])

    def add_order(self, caller, draft):
        with self.transaction() as database:
            return self._insert_order(database, caller, draft)

    def add_key(self, caller, key, fingerprint, order):
        with self.transaction() as database:
            row = (caller, key, fingerprint, os.getpid(), answer_to(order))
            insert = "INSERT INTO keys VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
            return database.execute(insert, row).rowcount == 1

    def set_answer(self, caller, key, fingerprint, answer):
        with self.transaction() as database:
            row = (caller, key, fingerprint, os.getpid(), answer)
            upsert = "INSERT INTO keys VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET answer = excluded.answer"
            database.execute(upsert, row)

    def tickets(self):
        return self.query("SELECT id, seat FROM tickets ORDER BY id")

    def ticket(self, id):
        return first(self.query("SELECT id, seat FROM tickets WHERE CAST(id AS TEXT) = ?", id))

    def take_ticket(self, seat, token):
        with self.transaction() as database:
            insert = "INSERT INTO tickets (seat, token) VALUES (?, ?) ON CONFLICT DO NOTHING"
            is_new = database.execute(insert, (seat, token)).rowcount == 1
            row = database.execute("SELECT id, seat FROM tickets WHERE token = ?", (token,)).fetchone()
            return document(row), is_new

    def start_session(self, old, user):
        id = secrets.token_urlsafe(32)
        with self.transaction() as database:
            database.execute("DELETE FROM sessions WHERE id = ?", (old,))
            database.execute("INSERT INTO sessions VALUES (?, ?)", (id, user))
        return id

    def end_session(self, id):
        with self.transaction() as database:
            database.execute("DELETE FROM sessions WHERE id = ?", (id,))

    def user(self, id):
        row = first(self.query("SELECT user FROM sessions WHERE id = ?", id))
        return row and row["user"]

    @staticmethod
    def _insert_order(database, caller, draft):
        insert = "INSERT INTO orders (sku, quantity, caller) VALUES (?, ?, ?)"
        id = database.execute(insert, (draft["sku"], draft["quantity"], caller)).lastrowid
        return {"id": str(id), **draft, "caller": caller}


def first(rows):
    return rows[0] if rows else None


def document(row):
    """A row as JSON shows it: ids are strings."""
    return {name: str(row[name]) if name == "id" else row[name] for name in row.keys()}


def shortlex(id):
    return len(id), id


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # It is there, but belongs to somebody else.
    return True


def open_store(name):
    kind, _, path = name.partition(":")
    if kind == "memory" and not path:
        return MemoryStore()
    if kind == "sqlite" and path:
        return SqliteStore(path)
    raise ValueError(f"SHOP_STORE is sqlite:/path or memory, not {name!r}")


app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = 64 * 1024
store = open_store(os.environ.get("SHOP_STORE", "memory"))


# What is the same for every path.


@app.before_request
def identify():
    credentials = request.headers.get("Authorization")
    if credentials is None:
        g.caller = "anonymous"
    elif credentials in CALLERS:
        g.caller = CALLERS[credentials]
    else:
        answer = jsonify(error="the bearer token is unknown")
        return answer, 401, {"WWW-Authenticate": "Bearer"}


@app.errorhandler(HTTPException)
def tell(error):
    answer = make_response(jsonify(error=error.description), error.code)
    if getattr(error, "valid_methods", None):
        answer.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return answer


def member(body, name, kind, is_right):
    """A member of the body; 400 when it is not there or not right. `true` is no number."""
    value = body.get(name) if isinstance(body, dict) else None
    if type(value) is not kind or not is_right(value):
        abort(400, f"{name} is missing or invalid")
    return value


def page(title, body):
    answer = make_response(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
        f"<body><h1>{title}</h1>{body}</body></html>\n"
    )
    answer.add_etag()
    return answer


@app.get("/")
def home():
    return page("Shop", '<p>A small shop: <a href="/items">items</a>, <a href="/about">about</a>.</p>')


@app.get("/about")
def about():
    return page("About", "<p>The reference service of mustdo, in Flask.</p>")


@app.get("/healthz")
def health():
    return Response("ok", mimetype="text/plain")


# Items: PUT and DELETE may be repeated.


def read_item():
    body = request.get_json()
    return member(body, "name", str, lambda name: True), member(body, "price", int, lambda price: price >= 0)


def check_id(id):
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id):
        abort(404)


@app.get("/items")
def list_items():
    return jsonify(items=store.items())


@app.post("/items")
def create_item():
    item = store.add_item(*read_item())
    return jsonify(item), 201, {"Location": f"/items/{item['id']}"}


@app.get("/items/<id>")
def show_item(id):
    answer = jsonify(store.item(id) or abort(404))
    answer.add_etag()
    return answer


@app.put("/items/<id>")
def put_item(id):
    check_id(id)
    name, price = read_item()
    is_new = store.put_item(id, name, price)
    answer = jsonify(id=id, name=name, price=price)
    return (answer, 201, {"Location": f"/items/{id}"}) if is_new else (answer, 200)


@app.delete("/items/<id>")
def delete_item(id):
    if not store.delete_item(id):
        abort(404)
    return "", 204


@app.get("/items/<id>/delete")
def confirm_delete(id):
    if not store.item(id):
        abort(404)
    name = html.escape(id)
    return page("Delete?", f'<form method="post"><button>Delete item {name}</button></form>')


@app.post("/items/<id>/delete")
def delete_by_form(id):
    if not store.delete_item(id):
        abort(404)
    return redirect("/items", 303)


# Orders: a POST that may be repeated, because it carries a key
# (draft-ietf-httpapi-idempotency-key-header).


def read_key():
    """The key as the client meant it: quoted (RFC 9651, section 3.3.3) or bare, 1 to 255 characters."""
    field = request.headers.get("Idempotency-Key")
    if field is None:
        abort(400, "send an Idempotency-Key")
    if re.fullmatch(r'"(?:[ !#-\[\]-~]|\\["\\])*"', field):
        key = re.sub(r"\\(.)", r"\1", field[1:-1])
    elif re.fullmatch(r'[!-~]*', field) and not set(field) & set('"\\,;'):
        key = field
    else:
        abort(400, "the Idempotency-Key is neither a quoted string nor a plain word")
    if not 1 <= len(key) <= 255:
        abort(400, "the Idempotency-Key must have 1 to 255 characters")
    return key


def read_order():
    body = request.get_json()
    return {"sku": member(body, "sku", str, bool), "quantity": member(body, "quantity", int, lambda n: n >= 1)}


def fingerprint():
    return hashlib.sha256(request.get_data()).hexdigest()


def answer_to(order):
    """The body of the first answer, kept as it was sent."""
    return json.dumps({name: order[name] for name in ("id", "sku", "quantity")})


def created(answer):
    location = f"/orders/{json.loads(answer)['id']}"
    return Response(answer, 201, {"Location": location}, mimetype="application/json")


def replayed(answer):
    reply = created(answer)
    reply.headers["Idempotent-Replayed"] = "true"
    return reply


@app.get("/orders")
def list_orders():
    orders = store.orders()
    return jsonify(count=len(orders), orders=orders)


@app.get("/orders/<id>")
def show_order(id):
    return Response(answer_to(store.order(id) or abort(404)), mimetype="application/json")


def repetition(known, payload):
    """The answer under a key that is known."""
    first_payload, answer = known
    if first_payload != payload:
        abort(422, "this key was used with another payload; take a new one")
    if answer is None:
        abort(409, "a request with this key is still running; try again later")
    return replayed(answer)


@app.post("/orders")
def place_order():
    key, draft, payload = read_key(), read_order(), fingerprint()
    known = store.claim(g.caller, key, payload)
    if known is not None:
        return repetition(known, payload)
    try:
        time.sleep(SLOW)
        return created(answer_to(store.commit_order(g.caller, key, payload, draft)))
    finally:
        # Only a key without an answer is freed: the work was interrupted, and nothing has happened.
        store.release(g.caller, key)


# Tickets: a POST that may be repeated, because its token is unique.


@app.get("/tickets")
def list_tickets():
    tickets = store.tickets()
    return jsonify(count=len(tickets), tickets=tickets)


@app.get("/tickets/<id>")
def show_ticket(id):
    return jsonify(store.ticket(id) or abort(404))


@app.post("/tickets")
def issue_ticket():
    body = request.get_json()
    ticket, is_new = store.take_ticket(member(body, "seat", str, bool), member(body, "token", str, bool))
    location = f"/tickets/{ticket['id']}"
    if not is_new:
        return "", 303, {"Location": location}
    time.sleep(SLOW)
    return jsonify(ticket), 201, {"Location": location}


# The session.


@app.post("/login")
def login():
    user = member(request.get_json(), "user", str, bool)
    answer = make_response("", 204)
    session = store.start_session(request.cookies.get("session"), user)
    answer.set_cookie("session", session, httponly=True, samesite="Lax", path="/")
    return answer


@app.post("/logout")
def logout():
    store.end_session(request.cookies.get("session"))
    answer = make_response("", 204)
    answer.delete_cookie("session", httponly=True, samesite="Lax", path="/")
    return answer


@app.get("/session")
def show_session():
    return jsonify(user=store.user(request.cookies.get("session")))


# The mistakes. Each one takes the place of a function above; the names are those of `src/reference/flaw.rs`.


def check_then_insert():
    """Between the look and the insert there is time for another request to look."""
    key, draft, payload = read_key(), read_order(), fingerprint()
    if known := store.look_up(g.caller, key):
        return replayed(known[1])
    time.sleep(SLOW)
    order = store.add_order(g.caller, draft)
    store.add_key(g.caller, key, payload, order)
    return created(answer_to(order))


def browser_only():
    """A page is not the only client, and a reload is not a click."""
    read_key()
    draft = read_order()
    time.sleep(SLOW)
    return created(answer_to(store.add_order(g.caller, draft)))


def token_after_work():
    """The unique key guards the token and not the effect."""
    key, draft, payload = read_key(), read_order(), fingerprint()
    if known := store.look_up(g.caller, key):
        return replayed(known[1])
    order = store.add_order(g.caller, draft)
    time.sleep(SLOW)
    if not store.add_key(g.caller, key, payload, order):
        abort(409, "this was submitted before")
    return created(answer_to(order))


process_lock = threading.Lock()


def lock_per_process():
    """Right with one worker; the second has a lock of its own."""
    with process_lock:
        return check_then_insert()


def reuse_replays():
    """Looks at the key and never at the payload."""
    key = read_key()
    known = store.look_up(g.caller, key)
    return replayed(known[1]) if known and known[1] else place_order()


def shared_keys():
    """All callers are one."""
    g.caller = "anonymous"
    return place_order()


# What only a crash shows. The keys of running requests are in memory, which a crash rightly forgets; one worker is assumed.
running = MemoryStore()


def while_running(work):
    """Does the work of a key that nobody is at work on, unless its answer is known."""
    key, draft, payload = read_key(), read_order(), fingerprint()
    if running.claim(g.caller, key, payload) is not None:
        abort(409, "a request with this key is still running; try again later")
    try:
        if known := store.look_up(g.caller, key):
            if known[0] != payload:
                abort(422, "this key was used with another payload; take a new one")
            return replayed(known[1]) if known[1] else ("", 200)
        return created(work(key, draft, payload))
    finally:
        running.release(g.caller, key)


def key_before_effect():
    """Marked as done first, so that nobody does it twice. After a crash nobody does it at all."""

    def work(key, draft, payload):
        store.set_answer(g.caller, key, payload, "")
        time.sleep(SLOW)
        answer = answer_to(store.add_order(g.caller, draft))
        store.set_answer(g.caller, key, payload, answer)
        return answer

    return while_running(work)


def effect_before_key():
    """First the order, then the mail that confirms it, then the key. After a crash in between the order is made again."""

    def work(key, draft, payload):
        time.sleep(SLOW / 2)
        answer = answer_to(store.add_order(g.caller, draft))
        time.sleep(SLOW / 2)
        store.set_answer(g.caller, key, payload, answer)
        return answer

    return while_running(work)


def keys_in_memory():
    """The orders are in the database, and the keys in a dictionary beside it."""
    key, draft, payload = read_key(), read_order(), fingerprint()
    known = running.claim(g.caller, key, payload)
    if known is not None:
        return repetition(known, payload)
    time.sleep(SLOW)
    answer = answer_to(store.add_order(g.caller, draft))
    running.set_answer(g.caller, key, payload, answer)
    return created(answer)


def put_appends(id):
    """Keeps every PUT as a revision, in the table that the list shows."""
    answer = put_item(id)
    if answer[1] == 200:
        store.add_item(*read_item())
    return answer


def get_deletes(id):
    """A crawler that follows the links empties the shelf."""
    if not store.delete_item(id):
        abort(404)
    return page("Deleted", f"<p>Item {html.escape(id)} is gone.</p>")


FLAWS = {
    "double-submit/check-then-insert": {"place_order": check_then_insert},
    "double-submit/browser-only": {"place_order": browser_only},
    "double-submit/token-after-work": {"place_order": token_after_work},
    "double-submit/lock-per-process": {"place_order": lock_per_process},
    "key-protocol/reuse-replays": {"place_order": reuse_replays},
    "key-protocol/shared-keys": {"place_order": shared_keys},
    "key-protocol/key-before-effect": {"place_order": key_before_effect},
    "key-protocol/effect-before-key": {"place_order": effect_before_key},
    "key-protocol/keys-in-memory": {"place_order": keys_in_memory},
    "repeat-effect/put-appends": {"put_item": put_appends},
    "safe-get/get-deletes": {"confirm_delete": get_deletes},
}

if flaw := os.environ.get("SHOP_FLAW"):
    app.view_functions.update(FLAWS[flaw])
