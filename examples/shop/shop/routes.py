"""A route for each converter: what Flask makes of an address before our code sees it."""

from flask import Blueprint, jsonify

blueprint = Blueprint("routes", __name__)


@blueprint.get("/tags/new")
def new_tag():
    return "The form for a new tag.\n"


@blueprint.get("/tags/<name>")
def tag(name):
    return jsonify(name=name)


@blueprint.get("/pages/<int:number>")
def page(number):
    return jsonify(number=number)


@blueprint.get("/prices/<float:price>")
def price(price):
    return jsonify(price=price)


@blueprint.get("/guides/<path:path>")
def guide(path):
    return jsonify(path=path)


@blueprint.get("/shelves/<uuid:shelf>")
def shelf(shelf):
    return jsonify(shelf=str(shelf))


@blueprint.get("/branches/")
def branches():
    return jsonify([])
