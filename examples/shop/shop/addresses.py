"""Where to deliver: each person sees, changes and removes their own."""

from flask import Blueprint, abort, g, redirect, render_template, request, url_for

from . import database
from .accounts import for_people

blueprint = Blueprint("addresses", __name__, url_prefix="/addresses")


@blueprint.route("", methods=["GET", "POST"])
@for_people
def index():
    if request.method == "POST":
        database.execute("INSERT INTO addresses (user_id, text) VALUES (%s, %s)", g.user["id"], sent_text())
        database.commit()
        return redirect(url_for("addresses.index"), 303)
    found = database.rows("SELECT id, text FROM addresses WHERE user_id = %s ORDER BY id DESC", g.user["id"])
    return render_template("addresses.html", addresses=found)


@blueprint.route("/<int:id>", methods=["GET", "POST"])
@for_people
def address(id):
    found = own(id)
    if request.method == "POST":
        database.execute("UPDATE addresses SET text = %s WHERE id = %s", sent_text(), id)
        database.commit()
        return redirect(url_for("addresses.address", id=id), 303)
    return render_template("address.html", address=found)


@blueprint.post("/<int:id>/delete")
@for_people
def delete(id):
    own(id)
    database.execute("DELETE FROM addresses WHERE id = %s", id)
    database.commit()
    return redirect(url_for("addresses.index"), 303)


def own(id):
    """The address, if it is the user's; 404 else, as for one that does not exist."""
    sql = "SELECT id, text FROM addresses WHERE id = %s AND user_id = %s"
    return database.row(sql, id, g.user["id"]) or abort(404)


def sent_text():
    text = request.form.get("text", "").strip()
    if not 1 <= len(text) <= 1000:
        abort(422, "An address has 1 to 1000 characters.")
    return text
