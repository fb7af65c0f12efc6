"""Registration, login, logout, and who is asking."""

import hashlib
import secrets
from functools import wraps
from urllib.parse import urlsplit

import pymysql
from flask import Blueprint, g, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash

from . import database, guesses

blueprint = Blueprint("accounts", __name__)

# Checked for names that nobody has, so that they take as long as the others.
NOBODY = generate_password_hash(secrets.token_hex(16))


def init_app(app):
    app.before_request(identify)


def identify():
    """Sets `g.user`: a person by the session, a program by its bearer token, or None."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        g.user = database.row("SELECT id, name FROM users WHERE token_digest = %s", digest(token))
    elif "login" in session:
        g.user = database.row(
            "SELECT users.id, users.name FROM logins JOIN users ON users.id = logins.user_id WHERE logins.digest = %s",
            digest(session["login"]),
        )
    else:
        g.user = None


def digest(secret):
    """Of what is random and long already: a password needs a slow hash instead."""
    return hashlib.sha256(secret.encode()).hexdigest()


def for_people(view):
    """Who is not logged in goes to the login page, and comes back."""

    @wraps(view)
    def guarded(*args, **kwargs):
        if g.user is None:
            return redirect(url_for("accounts.login", next=request.path), 303)
        return view(*args, **kwargs)

    return guarded


def for_programs():
    """Before a request of the API: 401 without a valid token."""
    if g.user is None or "Authorization" not in request.headers:
        return {"error": "a bearer token is required"}, 401, {"WWW-Authenticate": "Bearer"}
    return None


@blueprint.route("/register", methods=["GET", "POST"])
def register():
    if request.method == "GET":
        return render_template("register.html")
    name, password = request.form.get("name", ""), request.form.get("password", "")
    if not 1 <= len(name) <= 80 or name != name.strip():
        return render_template("register.html", message="A name has 1 to 80 characters."), 422
    if not 8 <= len(password) <= 256:
        return render_template("register.html", message="A password has 8 to 256 characters."), 422
    try:
        insert = "INSERT INTO users (name, password) VALUES (%s, %s)"
        database.execute(insert, name, generate_password_hash(password))
        database.commit()
    except pymysql.IntegrityError as error:
        if not database.is_duplicate(error):
            raise
        return render_template("register.html", message="This name is taken."), 409
    return redirect(url_for("accounts.login"), 303)


@blueprint.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "GET":
        return render_template("login.html")
    name, password = request.form.get("name", ""), request.form.get("password", "")
    wait = guesses.seconds_to_wait(name)
    if wait:
        message = "Too many wrong passwords: wait a moment."
        return render_template("login.html", message=message), 429, {"Retry-After": str(wait)}
    user = database.row("SELECT id, password FROM users WHERE name = %s", name)
    is_right = check_password_hash(user["password"] if user else NOBODY, password)
    if not (user and is_right):
        guesses.count(name)
        return render_template("login.html", message="Wrong name or password."), 401
    guesses.forget(name)
    log_in(user["id"])
    return redirect(own_page(request.args.get("next", "")), 303)


def log_in(user_id):
    """A new session: nothing of the old one, which somebody else may know, goes on."""
    session.clear()
    session["login"] = secrets.token_urlsafe(32)
    database.execute("INSERT INTO logins (digest, user_id) VALUES (%s, %s)", digest(session["login"]), user_id)
    database.commit()


def own_page(wanted):
    """The page to go on to, if it is one of ours: `//other.example` and `/\\other.example` are not."""
    parts = urlsplit(wanted)
    is_own = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return wanted if is_own else url_for("home")


@blueprint.post("/logout")
def logout():
    if "login" in session:
        database.execute("DELETE FROM logins WHERE digest = %s", digest(session["login"]))
        database.commit()
    session.clear()
    return redirect(url_for("home"), 303)


@blueprint.route("/password", methods=["GET", "POST"])
@for_people
def password():
    if request.method == "GET":
        return render_template("password.html")
    user = database.row("SELECT password FROM users WHERE id = %s", g.user["id"])
    if not check_password_hash(user["password"], request.form.get("old", "")):
        return render_template("password.html", message="The old password is wrong."), 403
    new = request.form.get("new", "")
    if not 8 <= len(new) <= 256:
        return render_template("password.html", message="A password has 8 to 256 characters."), 422
    update = "UPDATE users SET password = %s WHERE id = %s"
    database.execute(update, generate_password_hash(new), g.user["id"])
    # Whoever else was logged in with the old one is not any more.
    database.execute("DELETE FROM logins WHERE user_id = %s", g.user["id"])
    log_in(g.user["id"])
    return redirect(url_for("home"), 303)
