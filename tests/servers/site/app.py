"""A small site in Flask with accounts, posts, a search and notes: what the checks of `web-security` meet in the field.

Sessions are Flask's own signed cookies, passwords werkzeug's scrypt hashes, pages Jinja templates with automatic escaping,
rows SQLite's. Environment:

  SITE_DATABASE  the file that holds the rows
  SITE_FLAW      the name of one mistake, see FLAWS below
  SITE_HASH      how passwords are hashed, as werkzeug names it
  SITE_SLOWS     guessing at an account is answered more slowly each time, instead of being refused

Run it with `gunicorn app:app` in this folder (`--chdir`).
"""

import hashlib
import hmac
import os
import secrets
import sqlite3
import time

from flask import Flask, abort, g, redirect, render_template, request, session, url_for
from jinja2 import DictLoader
from markupsafe import Markup
from werkzeug.security import check_password_hash, generate_password_hash

FLAWS = {
    "sqli/concatenates": "The search puts its word into the query as it is.",
    "sqli/doubles-quotes-only": "Quotes are doubled everywhere, and a number without quotes goes into the query as it is.",
    "sqli/number-in-table": "The number of a page goes into its query as it is: a false condition shows a table without rows, a quote 500.",
    "sqli/drops-and": "The word AND is taken out of what is searched for, and the rest goes into the query as it is.",
    "sqli/refuses-quotes": "Whatever has a quote in it is answered 400.",
    "sqli/login-concatenates": "The login puts the name into its query as it is.",
    "sqli/shows-error": "A search that breaks the query answers 200 with the database's message.",
    "token-forgery/weak-key": "The session is signed with the key dev.",
    "xss/safe-filter": "One template marks the text of a post as safe.",
    "csrf/no-token": "Forms have no token, and the session cookie has Flask's own default: no SameSite.",
    "enumeration/two-messages": "An unknown name and a wrong password get different messages, as in the Flask tutorial.",
    "throttle/none": "Passwords can be guessed as fast as the site answers.",
    "throttle/slow-for-all": "Each wrong password makes every login slower, whoever logs in.",
    "password-storage/sha256": "Passwords are kept as their SHA-256.",
    "password-storage/salted-md5": "Passwords are kept as one MD5 of a salt and the password.",
    "password-storage/one-salt": "Passwords are kept as scrypt with one salt for everybody.",
}
FLAW = os.environ.get("SITE_FLAW", "")
if FLAW and FLAW not in FLAWS:
    raise SystemExit(f"no flaw is called {FLAW}")

# Wrong passwords in a row that are answered at once, and the seconds that an account waits after that.
FREE, PENALTY = 10, 3
# Seconds by which each wrong password behind those makes the next answer slower, and the longest.
SLOWER, SLOWEST = 0.5, 4
SLOWS = "SITE_SLOWS" in os.environ

LAYOUT = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ title }}</title></head><body>
<nav><a href="/">Home</a> <a href="/posts">Posts</a> <a href="/search">Search</a></nav>
{% if g.user %}<p>Signed in as {{ g.user.name }} <a href="/notes">Notes</a></p>
<form method="post" action="/logout">{{ token() }}<button>Log out</button></form>
{% else %}<p><a href="/register">Register</a> <a href="/login">Log in</a></p>{% endif %}
{% for message in get_flashed_messages() %}<p>{{ message }}</p>{% endfor %}
<h1>{{ title }}</h1>{% block content %}{% endblock %}</body></html>"""

TEMPLATES = {
    "layout.html": LAYOUT,
    "home.html": "{% extends 'layout.html' %}{% block content %}<p>Welcome.</p>{% endblock %}",
    "account.html": """{% extends 'layout.html' %}{% block content %}<p>{{ message }}</p>
<form method="post">{{ token() }}<input name="username" required><input type="password" name="password" required>
<button>{{ title }}</button></form>{% endblock %}""",
    "posts.html": """{% extends 'layout.html' %}{% block content %}
{% if g.user %}<form method="post">{{ token() }}<input name="title"><textarea name="body"></textarea><button>Post</button></form>{% endif %}
{% for post in posts %}<article title="{{ post.title }}"><h2><a href="/post?id={{ post.id }}">{{ post.title }}</a></h2>
<div>{% if raw %}{{ post.body|safe }}{% else %}{{ post.body }}{% endif %}</div></article>{% endfor %}{% endblock %}""",
    "post.html": """{% extends 'layout.html' %}{% block content %}<article><div>{{ post.body }}</div></article>{% endblock %}""",
    "table.html": """{% extends 'layout.html' %}{% block content %}<table>
{% for post in posts %}<tr><td>{{ post.id }}</td><td>{{ post.author }}</td><td>{{ post.title }}</td><td>{{ post.body }}</td></tr>
{% endfor %}</table>{% endblock %}""",
    "search.html": """{% extends 'layout.html' %}{% block content %}<form><input name="q" value="{{ q }}"><button>Search</button></form>
{% if q %}<p>{{ posts|length }} found for {{ q }}</p>{% endif %}
<ul>{% for post in posts %}<li>{{ post.title }}</li>{% endfor %}</ul>{% endblock %}""",
    "notes.html": """{% extends 'layout.html' %}{% block content %}
<form method="post">{{ token() }}<textarea name="text"></textarea><button>Keep</button></form>
{% for note in notes %}<p><a href="/notes/{{ note.id }}">{{ note.text|truncate(40) }}</a></p>{% endfor %}{% endblock %}""",
    "note.html": """{% extends 'layout.html' %}{% block content %}<p>{{ note.text }}</p>
<form method="post">{{ token() }}<textarea name="text">{{ note.text }}</textarea><button>Change</button></form>
<form method="post" action="/notes/{{ note.id }}/delete">{{ token() }}<button>Delete</button></form>{% endblock %}""",
}

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, author INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS guesses (name TEXT PRIMARY KEY, count INTEGER NOT NULL, last REAL NOT NULL);
"""


def connect():
    database = sqlite3.connect(os.environ.get("SITE_DATABASE", "site.db"), timeout=20, isolation_level=None)
    database.row_factory = sqlite3.Row
    return database


def secret_key():
    """One key for all workers and restarts, kept beside the rows."""
    if FLAW == "token-forgery/weak-key":
        return "dev"
    path = os.environ.get("SITE_DATABASE", "site.db") + ".key"
    own = f"{path}.{os.getpid()}"
    with open(own, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
    # Whole from the moment it is there: another worker may be looking for it just now.
    try:
        os.link(own, path)
    except FileExistsError:
        pass
    os.unlink(own)
    with open(path, encoding="ascii") as file:
        return file.read()


app = Flask(__name__)
app.jinja_loader = DictLoader(TEMPLATES)
app.config.update(SECRET_KEY=secret_key())
if FLAW != "csrf/no-token":
    app.config.update(SESSION_COOKIE_SAMESITE="Lax")
with connect() as prepared:
    prepared.executescript(SCHEMA)


def kept(password):
    """What is stored of a new password."""
    if FLAW == "password-storage/sha256":
        return hashlib.sha256(password.encode()).hexdigest()
    if FLAW == "password-storage/salted-md5":
        salt = secrets.token_hex(8)
        return f"{salt}${hashlib.md5((salt + password).encode()).hexdigest()}"
    if FLAW == "password-storage/one-salt":
        salt = "SaltOfTheSite"
        digest = hashlib.scrypt(password.encode(), salt=salt.encode(), n=32768, r=8, p=1, maxmem=64 << 20)
        return f"scrypt:32768:8:1${salt}${digest.hex()}"
    return generate_password_hash(password, os.environ.get("SITE_HASH", "scrypt"))


def is_kept(stored, password):
    if FLAW == "password-storage/sha256":
        return hmac.compare_digest(stored, kept(password))
    if FLAW == "password-storage/salted-md5":
        salt, _, digest = stored.partition("$")
        return hmac.compare_digest(digest, hashlib.md5((salt + password).encode()).hexdigest())
    return check_password_hash(stored, password)


NOBODY = kept(secrets.token_hex(8))


@app.before_request
def begin():
    g.db = connect()
    g.user = g.db.execute("SELECT * FROM users WHERE id = ?", (session.get("user"),)).fetchone()
    if request.method == "POST" and FLAW != "csrf/no-token":
        sent = request.form.get("csrf_token", "")
        if not hmac.compare_digest(sent.encode(), session.get("token", secrets.token_hex()).encode()):
            abort(403)
    if FLAW == "sqli/refuses-quotes" and any("'" in value for value in request.values.values()):
        abort(400)


@app.teardown_request
def end(_error):
    if "db" in g:
        g.db.close()


@app.template_global()
def token():
    value = session.setdefault("token", secrets.token_hex(16))
    return Markup('<input type="hidden" name="csrf_token" value="{}">').format(value)


@app.after_request
def protect(response):
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Server"] = "site"
    return response


@app.get("/")
def home():
    return render_template("home.html", title="Home")


@app.route("/register", methods=["GET", "POST"])
def register():
    message, status = "", 200
    if request.method == "POST":
        name, password = request.form.get("username", ""), request.form.get("password", "")
        if not 1 <= len(name.strip()) <= 80 or not 8 <= len(password) <= 256:
            message, status = "Names have 1 to 80 characters, passwords 8 to 256.", 422
        else:
            try:
                g.db.execute("INSERT INTO users (name, hash) VALUES (?, ?)", (name, kept(password)))
                return redirect(url_for("login"), 303)
            except sqlite3.IntegrityError:
                message, status = "This name is taken.", 409
    return render_template("account.html", title="Register", message=message), status


@app.route("/login", methods=["GET", "POST"])
def login():
    message, status = "", 200
    if request.method == "POST":
        name, password = request.form.get("username", ""), request.form.get("password", "")
        wait = waits(name)
        if wait > 0:
            page = render_template("account.html", title="Log in", message="Too many wrong passwords. Wait a moment.")
            return page, 429, {"Retry-After": str(int(wait) + 1)}
        user = find_user(name)
        right = is_kept(user["hash"] if user else NOBODY, password)
        if FLAW == "sqli/login-concatenates" and user and user["right"]:
            right = True
        if user and right:
            g.db.execute("DELETE FROM guesses WHERE name = ?", (name,))
            session.clear()
            session["user"] = user["id"]
            session["login"] = secrets.token_hex(8)
            return redirect(url_for("home"), 303)
        count(name)
        message, status = "Wrong name or password.", 401
        if FLAW == "enumeration/two-messages" and not user:
            message = "There is no such user."
    return render_template("account.html", title="Log in", message=message), status


def find_user(name):
    if FLAW == "sqli/login-concatenates":
        # As it is often written: the password is compared in the query, and a comment cuts that off.
        password = request.form.get("password", "").replace("'", "''")
        query = f"SELECT *, 1 AS right FROM users WHERE name = '{name}' AND hash = '{password}'"
        try:
            found = g.db.execute(query).fetchone()
        except sqlite3.Error:
            found = None
        return found or g.db.execute("SELECT *, 0 AS right FROM users WHERE name = ?", (name,)).fetchone()
    return g.db.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchone()


def waits(name):
    if FLAW == "throttle/none":
        return 0
    if FLAW == "throttle/slow-for-all":
        known = g.db.execute("SELECT total(count) FROM guesses").fetchone()[0]
        time.sleep(min(SLOWEST, SLOWER * max(0, known - FREE)))
        return 0
    row = g.db.execute("SELECT * FROM guesses WHERE name = ?", (name,)).fetchone()
    if SLOWS:
        time.sleep(min(SLOWEST, SLOWER * max(0, row["count"] - FREE if row else 0)))
        return 0
    return row["last"] + PENALTY - time.time() if row and row["count"] > FREE else 0


def count(name):
    row = g.db.execute("SELECT * FROM guesses WHERE name = ?", (name,)).fetchone()
    known = row["count"] if row else 0
    # After a penalty a few more tries are free.
    known = FREE - 2 if known > FREE and not SLOWS and FLAW != "throttle/slow-for-all" else known
    g.db.execute("REPLACE INTO guesses VALUES (?, ?, ?)", (name, known + 1, time.time()))


@app.post("/logout")
def logout():
    session.clear()
    return redirect(url_for("home"), 303)


@app.route("/posts", methods=["GET", "POST"])
def posts():
    if request.method == "POST":
        if not g.user:
            return redirect(url_for("login"), 303)
        row = (g.user["id"], request.form.get("title", ""), request.form.get("body", ""))
        g.db.execute("INSERT INTO posts (author, title, body) VALUES (?, ?, ?)", row)
        return redirect(url_for("posts"), 303)
    found = g.db.execute("SELECT * FROM posts ORDER BY id DESC LIMIT 30").fetchall()
    return render_template("posts.html", title="Posts", posts=found, raw=FLAW == "xss/safe-filter")


@app.get("/post")
def post():
    wanted = request.args.get("id", "")
    if FLAW == "sqli/number-in-table":
        rows = g.db.execute(f"SELECT * FROM posts WHERE id = {wanted}").fetchall()
        return render_template("table.html", title="Post", posts=rows)
    if FLAW == "sqli/doubles-quotes-only":
        doubled = wanted.replace("'", "''")
        try:
            found = g.db.execute(f"SELECT * FROM posts WHERE id = {doubled}").fetchone()
        except sqlite3.Error:
            found = None
    else:
        found = g.db.execute("SELECT * FROM posts WHERE id = ?", (wanted,)).fetchone() if wanted.isdecimal() else None
    if not found:
        abort(404)
    return render_template("post.html", title="Post", post=found)


@app.get("/search")
def search():
    wanted = request.args.get("q", "")
    if FLAW in ("sqli/concatenates", "sqli/drops-and", "sqli/shows-error"):
        word = wanted
        if FLAW == "sqli/drops-and":
            word = word.replace("AND", "").replace("and", "")
        query = f"SELECT * FROM posts WHERE title LIKE '%{word}%' ORDER BY id DESC LIMIT 30"
        try:
            found = g.db.execute(query).fetchall() if wanted else []
        except sqlite3.Error as error:
            if FLAW == "sqli/shows-error":
                return f"sqlite3.OperationalError: {error}", 200, {"Content-Type": "text/plain; charset=utf-8"}
            found = []
    else:
        query = "SELECT * FROM posts WHERE instr(title, ?) ORDER BY id DESC LIMIT 30"
        found = g.db.execute(query, (wanted,)).fetchall() if wanted else []
    return render_template("search.html", title="Search", posts=found, q=wanted)


@app.route("/notes", methods=["GET", "POST"])
def notes():
    if not g.user:
        return redirect(url_for("login"), 303)
    if request.method == "POST":
        row = (g.user["id"], request.form.get("text", ""))
        made = g.db.execute("INSERT INTO notes (author, text) VALUES (?, ?)", row).lastrowid
        return redirect(f"/notes/{made}", 303)
    found = g.db.execute("SELECT * FROM notes WHERE author = ? ORDER BY id DESC", (g.user["id"],)).fetchall()
    return render_template("notes.html", title="Notes", notes=found)


def own_note(wanted):
    if not g.user:
        abort(403)
    row = g.db.execute("SELECT * FROM notes WHERE id = ? AND author = ?", (wanted, g.user["id"])).fetchone()
    return row or abort(404)


@app.route("/notes/<int:wanted>", methods=["GET", "POST"])
def note(wanted):
    found = own_note(wanted)
    if request.method == "POST":
        g.db.execute("UPDATE notes SET text = ? WHERE id = ?", (request.form.get("text", ""), wanted))
        return redirect(f"/notes/{wanted}", 303)
    return render_template("note.html", title="Note", note=found)


@app.post("/notes/<int:wanted>/delete")
def delete_note(wanted):
    own_note(wanted)
    g.db.execute("DELETE FROM notes WHERE id = ?", (wanted,))
    return redirect("/notes", 303)
