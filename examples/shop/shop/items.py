"""What is for sale, as a REST resource."""

from flask import Blueprint, abort, jsonify, request, url_for

from . import database
from .accounts import for_programs
from .api import tell

blueprint = Blueprint("items", __name__, url_prefix="/items")
blueprint.before_request(for_programs)
blueprint.register_error_handler(400, tell)
blueprint.register_error_handler(404, tell)
blueprint.register_error_handler(422, tell)

COLUMNS = "id, name, price"


@blueprint.get("")
def index():
    return jsonify(database.rows(f"SELECT {COLUMNS} FROM items ORDER BY id"))


@blueprint.post("")
def create():
    name, price = sent_item()
    id = database.execute("INSERT INTO items (name, price) VALUES (%s, %s)", name, price).lastrowid
    database.commit()
    return {"id": id, "name": name, "price": price}, 201, {"Location": url_for("items.read", id=id)}


@blueprint.get("/<int:id>")
def read(id):
    return database.row(f"SELECT {COLUMNS} FROM items WHERE id = %s", id) or abort(404)


@blueprint.put("/<int:id>")
def replace(id):
    read(id)
    name, price = sent_item()
    database.execute("UPDATE items SET name = %s, price = %s WHERE id = %s", name, price, id)
    database.commit()
    return {"id": id, "name": name, "price": price}


@blueprint.delete("/<int:id>")
def delete(id):
    if not database.execute("DELETE FROM items WHERE id = %s", id).rowcount:
        abort(404)
    database.commit()
    return "", 204


def sent_item():
    sent = request.get_json()
    name, price = (sent.get("name"), sent.get("price")) if isinstance(sent, dict) else (None, None)
    if not isinstance(name, str) or not 1 <= len(name) <= 200:
        abort(422, "name is a text of 1 to 200 characters")
    if type(price) is not int or not 0 <= price < 2**31:
        abort(422, "price is a whole number of cents")
    return name, price
