"""Orders under a number of the client's choice, in MySQL or MariaDB: good, or with one flaw.

gunicorn --bind 127.0.0.1:8000 --worker-class gthread --workers 2 --threads 16 orders:application

DB_PORT and DB_NAME say where the database is (user root, no password, loopback); FLAW is the name of a flaw or empty. The
table `orders` is there already: what is wrong with it is an affair of its definition.
"""

import os
import time

import pymysql
from flask import Flask, jsonify, request

FLAW = os.environ.get("FLAW", "")
DUPLICATE = 1062

application = Flask(__name__)


def connect():
    return pymysql.connect(
        host="127.0.0.1",
        port=int(os.environ["DB_PORT"]),
        user="root",
        database=os.environ["DB_NAME"],
        charset="utf8mb4",
    )


def find(cursor, number):
    cursor.execute("SELECT id, no, sku, quantity FROM orders WHERE no = %s", (number,))
    row = cursor.fetchone()
    return row and dict(zip(("id", "no", "sku", "quantity"), row))


def insert(cursor, order):
    ignore = "IGNORE " if FLAW == "insert-ignore" else ""
    cursor.execute(
        f"INSERT {ignore}INTO orders (user_id, no, sku, quantity) VALUES (1, %s, %s, %s)",
        (order["no"], order["sku"], order["quantity"]),
    )


@application.post("/orders")
def create():
    order = request.get_json()
    if FLAW != "insert-ignore" and len(order["sku"]) > 64:
        return jsonify(error="sku has 64 characters at most"), 422
    with connect() as connection, connection.cursor() as cursor:
        if FLAW == "select-then-insert":
            there = find(cursor, order["no"])
            if there:
                return jsonify(there), 200
            time.sleep(0.05)
        if FLAW == "looks-first":
            if find(cursor, order["no"]):
                return jsonify(error="there is such an order"), 409
            time.sleep(0.05)
        try:
            insert(cursor, order)
            connection.commit()
            status = 201
        except pymysql.err.IntegrityError as error:
            if error.args[0] != DUPLICATE or FLAW in ("losers-500", "looks-first"):
                raise
            connection.rollback()
            status = 200
        return jsonify(find(cursor, order["no"])), status


@application.get("/")
def index():
    return "orders"
