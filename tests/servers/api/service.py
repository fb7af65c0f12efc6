"""A small service in Flask with rows, routes, a slow page and a large one, all of it right.

gunicorn --bind 127.0.0.1:8000 --worker-class gthread --threads 64 service:app
"""

import itertools
import time

from flask import Flask, abort, jsonify, request

app = Flask(__name__)
items = {}
ids = itertools.count(1)


def fields():
    sent = request.get_json()
    if not isinstance(sent, dict) or not isinstance(sent.get("name"), str):
        abort(422)
    if not isinstance(sent.get("price", 0), (int, float)):
        abort(422)
    return sent


@app.get("/")
def front():
    return "<p>It works."


@app.get("/items")
def index():
    return jsonify(list(items.values()))


@app.post("/items")
def create():
    sent = fields()
    number = next(ids)
    items[number] = {**sent, "id": number}
    return jsonify(items[number]), 201, {"Location": f"/items/{number}"}


@app.get("/items/<int:number>")
def read(number):
    return jsonify(items.get(number) or abort(404))


@app.put("/items/<int:number>")
def replace(number):
    if number not in items:
        abort(404)
    items[number] = {**fields(), "id": number}
    return jsonify(items[number])


@app.delete("/items/<int:number>")
def remove(number):
    if items.pop(number, None) is None:
        abort(404)
    return "", 204


@app.get("/users/me")
def me():
    return jsonify(user="you")


@app.get("/users/<int:id>")
def user(id):
    return jsonify(id=id)


@app.get("/tags/new")
def new_tag():
    return "the form for a new one"


@app.route("/tags/<name>", methods=["GET", "POST"])
def tag(name):
    return jsonify(name=name)


@app.get("/prices/<float:price>")
def price(price):
    return jsonify(price=price)


@app.get("/files/<path:path>")
def file(path):
    return jsonify(path=path)


@app.get("/shops/<uuid:shop>")
def shop(shop):
    return jsonify(shop=str(shop))


@app.route("/list/", methods=["GET", "POST"])
def rows():
    return jsonify([])


@app.post("/notes")
def notes():
    return f"{len(request.get_data())} bytes"


@app.get("/slow")
def slow():
    time.sleep(0.6)
    return "done"


@app.get("/broken")
def broken():
    return str(1 / 0)


@app.get("/big")
def big():
    return b"b" * (12 << 20)
