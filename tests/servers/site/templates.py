"""Pages that Mako makes, for everybody: a greeting, and notes that are stored.

Environment:

  SITE_FLAW  the name of one mistake, see FLAWS below

Run it with `gunicorn templates:app` in this folder (`--chdir`).
"""

import os
import sqlite3

from flask import Flask, jsonify, redirect, request
from mako.lookup import TemplateLookup
from markupsafe import escape

FLAWS = {
    "template-escape/default": "Mako as it comes: it escapes nothing.",
    "template-escape/raw-field": "One value is put out with `| n`.",
    "template-escape/twice": "Values are escaped before they come to templates that escape.",
    "template-escape/when-stored": "Values are escaped when they are stored, and put out with `| n`.",
    "template-escape/quotes": "A filter escapes angle brackets and leaves quotes alone.",
}
FLAW = os.environ.get("SITE_FLAW", "")
if FLAW and FLAW not in FLAWS:
    raise SystemExit(f"no flaw is called {FLAW}")

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${title}</title></head><body>
<nav><a href="/">Home</a> <a href="/hello">Hello</a> <a href="/notes">Notes</a></nav>
${self.body()}</body></html>"""

HELLO = """<%inherit file="page.html"/>
<form><input name="name" value="${name}"><button>Greet</button></form><p>Hello, ${name}!</p>"""

NOTES = """<%inherit file="page.html"/>
<form method="post"><textarea name="note"></textarea><button>Keep</button></form>
<ul>
% for note in notes:
<li title="${note}">${note}</li>
% endfor
</ul>"""


def lookup():
    filters, imports = ["h"], []
    if FLAW == "template-escape/default":
        filters = ["str"]
    if FLAW == "template-escape/quotes":
        filters, imports = ["brackets"], ["from templates import brackets"]
    made = TemplateLookup(default_filters=filters, imports=imports)
    notes = NOTES
    if FLAW == "template-escape/raw-field":
        notes = notes.replace(">${note}<", ">${note | n}<")
    if FLAW == "template-escape/when-stored":
        notes = notes.replace("${note}", "${note | n}")
    # A block that another template made is markup already.
    made.put_string("page.html", PAGE.replace("${self.body()}", "${capture(self.body) | n}"))
    made.put_string("hello.html", HELLO)
    made.put_string("notes.html", notes)
    return made


def brackets(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def connect():
    database = sqlite3.connect(os.environ.get("SITE_DATABASE", "templates.db"), timeout=20, isolation_level=None)
    database.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, note TEXT NOT NULL)")
    return database


app = Flask(__name__)
TEMPLATES = lookup()


def render(page, /, **values):
    return TEMPLATES.get_template(page).render(title=page.partition(".")[0].capitalize(), **values)


def handed_over(text):
    return str(escape(text)) if FLAW == "template-escape/twice" else text


@app.get("/")
def home():
    return redirect("/hello")


@app.get("/hello")
def hello():
    return render("hello.html", name=handed_over(request.args.get("name", "")))


def stored():
    return [note for (note,) in connect().execute("SELECT note FROM notes ORDER BY id DESC LIMIT 30")]


@app.get("/notes")
def notes():
    return render("notes.html", notes=[handed_over(note) for note in stored()])


@app.get("/notes.json")
def notes_as_data():
    return jsonify(stored())


@app.post("/notes")
def add_note():
    note = request.form.get("note", "")
    if FLAW == "template-escape/when-stored":
        note = str(escape(note))
    connect().execute("INSERT INTO notes (note) VALUES (?)", (note,))
    return redirect("/notes", 303)
