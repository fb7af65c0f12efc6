"""What people write for everybody to read, and a search in it."""

from flask import Blueprint, abort, g, redirect, render_template, request, url_for

from . import database
from .accounts import for_people

blueprint = Blueprint("reviews", __name__)

LATEST = "SELECT id, title, text FROM reviews ORDER BY id DESC LIMIT 30"
SEARCH = "SELECT id, title, text FROM reviews WHERE LOCATE(%s, title) > 0 ORDER BY id DESC LIMIT 30"


@blueprint.get("/reviews")
def index():
    return render_template("reviews.html", reviews=database.rows(LATEST))


@blueprint.post("/reviews")
@for_people
def create():
    title, text = request.form.get("title", "").strip(), request.form.get("text", "").strip()
    if not 1 <= len(title) <= 200 or not 1 <= len(text) <= 4000:
        abort(422, "A title has 1 to 200 characters, a review 1 to 4000.")
    insert = "INSERT INTO reviews (user_id, title, text) VALUES (%s, %s, %s)"
    database.execute(insert, g.user["id"], title, text)
    database.commit()
    return redirect(url_for("reviews.index"), 303)


@blueprint.get("/reviews/<int:id>")
def review(id):
    found = database.row("SELECT id, title, text FROM reviews WHERE id = %s", id) or abort(404)
    return render_template("review.html", review=found)


@blueprint.get("/search")
def search():
    wanted = request.args.get("q", "")
    found = database.rows(SEARCH, wanted) if wanted else []
    return render_template("search.html", wanted=wanted, reviews=found)
