"""A library without pages: accounts, books and members as JSON, and a login that answers with a bearer token.

Whoever is logged in says so by `Authorization: Bearer TOKEN`. The token is a JSON Web Token signed with HS256 that names a
session in the database, so a logout can take it back. Environment:

  SITE_DATABASE  the file that holds the rows
  SITE_KEY       what tokens are signed with
  SITE_FLAW      the name of one mistake, see FLAWS below

Run it with `gunicorn interface:app` in this folder (`--chdir`).
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import time

from flask import Flask, abort, g, jsonify, request
from werkzeug.exceptions import HTTPException
from werkzeug.security import check_password_hash, generate_password_hash

FLAWS = {
    "sqli/name-in-path": "The name in the path of a member goes into the query as it is: a quote is answered 500.",
    "token-forgery/key-random": "Tokens are signed with the key random.",
    "token-forgery/payload-only": "The claims of a token are read without looking at its signature.",
    "xss/book-as-html": "A book is answered as a page, with its secret as it was sent.",
    "csrf/token-in-cookie": "The token is kept in a cookie as well, which names no site, and a body counts as JSON whatever it says it is.",
    "enumeration/interface-tells": "An unknown name and a wrong password get different messages.",
    "access-control/book-of-others": "Whoever is logged in reads the secret of any book.",
    "access-control/rewrites-others": "Whoever is logged in changes any book by PUT.",
    "access-control/admin-in-json": "A field admin at registration is taken over.",
    "access-control/password-by-name": "Whoever is logged in sets the password of the member that the path names.",
    "register-login/interface-any-password": "Any password logs in, as long as the name is known.",
    "register-login/token-outlives-logout": "A logout is answered as done, and the token works on.",
    "session/tokens-count": "Instead of a signed token the login answers with the number of the session.",
    "throttle/interface-none": "Passwords can be guessed as fast as the interface answers.",
    "password-storage/interface-clear": "Passwords are kept as they were sent.",
}
FLAW = os.environ.get("SITE_FLAW", "")
if FLAW and FLAW not in FLAWS:
    raise SystemExit(f"no flaw is called {FLAW}")

# Wrong passwords in a row that are answered at once, and the seconds that an account waits after that.
FREE, PENALTY = 10, 3
# Seconds that a token is good for.
LIFETIME = 3600
# Where the numbers of sessions begin.
FIRST = 10_000_000

SCHEMA = """
CREATE TABLE IF NOT EXISTS members (
  id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, hash TEXT NOT NULL, admin INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS books (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL, title TEXT NOT NULL, secret TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, member INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS guesses (name TEXT PRIMARY KEY, count INTEGER NOT NULL, last REAL NOT NULL);
"""


def connect():
    database = sqlite3.connect(os.environ.get("SITE_DATABASE", "interface.db"), timeout=20, isolation_level=None)
    database.row_factory = sqlite3.Row
    return database


def kept(password):
    return password if FLAW == "password-storage/interface-clear" else generate_password_hash(password)


def is_kept(stored, password):
    if FLAW == "password-storage/interface-clear":
        return hmac.compare_digest(stored.encode(), password.encode())
    return check_password_hash(stored, password)


KEY = b"random" if FLAW == "token-forgery/key-random" else os.environ["SITE_KEY"].encode()
NOBODY = kept(secrets.token_hex(8))
app = Flask(__name__)
with connect() as prepared:
    prepared.executescript(SCHEMA)
    # Known to everybody, and nobody logs in as her.
    prepared.execute("INSERT OR IGNORE INTO members (name, hash) VALUES ('librarian', ?)", (NOBODY,))


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text):
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def signature(body):
    return encoded(hmac.new(KEY, body.encode(), hashlib.sha256).digest())


def issued(member):
    """A new session of a member, as its token."""
    if FLAW == "session/tokens-count":
        count = g.db.execute("SELECT count(*) FROM sessions").fetchone()[0]
        ticket = str(FIRST + count)
        g.db.execute("INSERT INTO sessions VALUES (?, ?)", (ticket, member["id"]))
        return ticket
    ticket = secrets.token_urlsafe(16)
    g.db.execute("INSERT INTO sessions VALUES (?, ?)", (ticket, member["id"]))
    header = encoded(json.dumps({"alg": "HS256", "typ": "JWT"}).encode())
    claims = encoded(json.dumps({"sub": member["name"], "jti": ticket, "exp": int(time.time()) + LIFETIME}).encode())
    return f"{header}.{claims}.{signature(f'{header}.{claims}')}"


def claimed(token):
    """The session and the name that a token of ours speaks of."""
    if FLAW == "session/tokens-count":
        return token, None
    try:
        header, claims, signed = token.split(".")
        if FLAW != "token-forgery/payload-only":
            if decoded(header).get("alg") != "HS256" or not hmac.compare_digest(signed, signature(f"{header}.{claims}")):
                return None, None
        claims = decoded(claims)
        if claims["exp"] <= time.time():
            return None, None
        return claims["jti"], claims["sub"]
    except (ValueError, KeyError, AttributeError, TypeError):
        return None, None


@app.before_request
def begin():
    g.db, g.member = connect(), None
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if FLAW == "csrf/token-in-cookie" and not token:
        kind, token = "Bearer", request.cookies.get("auth_token", "")
    g.session, name = claimed(token) if kind == "Bearer" else (None, None)
    found = "SELECT members.* FROM members JOIN sessions ON members.id = member WHERE sessions.id = ?"
    g.member = g.db.execute(found, (g.session,)).fetchone()
    if g.member and name:
        g.member = g.db.execute("SELECT * FROM members WHERE name = ?", (name,)).fetchone()


@app.teardown_request
def end(_error):
    if "db" in g:
        g.db.close()


@app.errorhandler(HTTPException)
def refused(error):
    return jsonify(error=error.name), error.code


def sent(*names):
    """Those fields of the body, each a text."""
    body = request.get_json(silent=True, force=FLAW == "csrf/token-in-cookie")
    if not isinstance(body, dict) or any(not isinstance(body.get(name), str) for name in names):
        abort(400)
    return [body[name] for name in names]


def member():
    return g.member or abort(401)


@app.get("/")
def home():
    return jsonify(name="library")


@app.post("/register")
def register():
    name, password = sent("username", "password")
    if not 1 <= len(name.strip()) <= 80 or not 8 <= len(password) <= 256:
        return jsonify(error="Names have 1 to 80 characters, passwords 8 to 256."), 422
    admin = FLAW == "access-control/admin-in-json" and request.get_json().get("admin") is True
    try:
        g.db.execute("INSERT INTO members (name, hash, admin) VALUES (?, ?, ?)", (name, kept(password), admin))
    except sqlite3.IntegrityError:
        return jsonify(error="This name is taken."), 409
    return jsonify(username=name), 201


@app.post("/login")
def login():
    name, password = sent("username", "password")
    wait = waits(name)
    if wait > 0:
        return jsonify(error="Too many wrong passwords."), 429, {"Retry-After": str(int(wait) + 1)}
    known = g.db.execute("SELECT * FROM members WHERE name = ?", (name,)).fetchone()
    right = is_kept(known["hash"] if known else NOBODY, password)
    if known and (right or FLAW == "register-login/interface-any-password"):
        g.db.execute("DELETE FROM guesses WHERE name = ?", (name,))
        answer = jsonify(auth_token=issued(known))
        if FLAW == "csrf/token-in-cookie":
            answer.set_cookie("auth_token", answer.get_json()["auth_token"], httponly=True)
        return answer
    count(name)
    if FLAW == "enumeration/interface-tells":
        return jsonify(error="Password is not correct." if known else "Username does not exist."), 401
    return jsonify(error="Username or password is not correct."), 401


def waits(name):
    if FLAW == "throttle/interface-none":
        return 0
    row = g.db.execute("SELECT * FROM guesses WHERE name = ?", (name,)).fetchone()
    return row["last"] + PENALTY - time.time() if row and row["count"] > FREE else 0


def count(name):
    row = g.db.execute("SELECT * FROM guesses WHERE name = ?", (name,)).fetchone()
    known = row["count"] if row else 0
    # After a penalty a few more tries are free.
    known = FREE - 2 if known > FREE else known
    g.db.execute("REPLACE INTO guesses VALUES (?, ?, ?)", (name, known + 1, time.time()))


@app.post("/logout")
def logout():
    member()
    if FLAW != "register-login/token-outlives-logout":
        g.db.execute("DELETE FROM sessions WHERE id = ?", (g.session,))
    return "", 204


@app.get("/me")
def me():
    return jsonify(username=member()["name"])


@app.get("/members")
def members():
    if not member()["admin"]:
        abort(403)
    return jsonify([row["name"] for row in g.db.execute("SELECT name FROM members")])


@app.get("/members/<name>")
def one_member(name):
    if FLAW == "sqli/name-in-path":
        found = g.db.execute(f"SELECT name FROM members WHERE name = '{name}'").fetchone()
    else:
        found = g.db.execute("SELECT name FROM members WHERE name = ?", (name,)).fetchone()
    return jsonify(username=found["name"]) if found else abort(404)


@app.put("/members/<name>/password")
def new_password(name):
    if name != member()["name"] and FLAW != "access-control/password-by-name":
        abort(403)
    (password,) = sent("password")
    if not 8 <= len(password) <= 256:
        abort(422)
    g.db.execute("UPDATE members SET hash = ? WHERE name = ?", (kept(password), name))
    return "", 204


@app.get("/books")
def books():
    return jsonify([dict(row) for row in g.db.execute("SELECT id, title FROM books ORDER BY id")])


@app.post("/books")
def new_book():
    title, secret = sent("title", "secret")
    row = (member()["id"], title, secret)
    made = g.db.execute("INSERT INTO books (owner, title, secret) VALUES (?, ?, ?)", row).lastrowid
    return jsonify(id=made, title=title), 201, {"Location": f"/books/{made}"}


def own_book(wanted, whose_ever):
    row = g.db.execute("SELECT * FROM books WHERE id = ?", (wanted,)).fetchone()
    if not row or (row["owner"] != member()["id"] and FLAW != whose_ever):
        abort(404)
    return row


@app.get("/books/<int:wanted>")
def book(wanted):
    member()
    row = own_book(wanted, "access-control/book-of-others")
    if FLAW == "xss/book-as-html":
        return f"<h1>{row['title']}</h1><p>{row['secret']}</p>"
    return jsonify(id=row["id"], title=row["title"], secret=row["secret"])


@app.put("/books/<int:wanted>")
def change_book(wanted):
    member()
    own_book(wanted, "access-control/rewrites-others")
    g.db.execute("UPDATE books SET title = ?, secret = ? WHERE id = ?", (*sent("title", "secret"), wanted))
    return "", 204


@app.delete("/books/<int:wanted>")
def delete_book(wanted):
    member()
    own_book(wanted, None)
    g.db.execute("DELETE FROM books WHERE id = ?", (wanted,))
    return "", 204
