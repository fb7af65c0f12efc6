"""Orders that can be retried safely: one key, one order, whatever happens in between."""

import hashlib
import json
import os
import time

import pymysql
from flask import Blueprint, abort, g, jsonify, request

from . import database
from .accounts import for_programs
from .api import tell

blueprint = Blueprint("orders", __name__, url_prefix="/orders")
blueprint.before_request(for_programs)
blueprint.register_error_handler(400, tell)
blueprint.register_error_handler(422, tell)


@blueprint.get("")
def index():
    sql = "SELECT id, sku, quantity FROM orders WHERE user_id = %s ORDER BY id"
    return jsonify(database.rows(sql, g.user["id"]))


@blueprint.post("")
def create():
    key = request.headers.get("Idempotency-Key", "")
    if not 1 <= len(key) <= 255:
        abort(400, "the header Idempotency-Key has 1 to 255 characters")
    sku, quantity = sent_order()
    fingerprint = hashlib.sha256(json.dumps([sku, quantity]).encode()).hexdigest()
    # The order is its own proof that the key was used: both are there when the transaction is committed, or neither is.
    # Who comes with the same key meanwhile waits here for that, and is refused by the unique key if it happens.
    try:
        database.execute(
            "INSERT INTO orders (user_id, idempotency_key, fingerprint, sku, quantity) VALUES (%s, %s, %s, %s, %s)",
            g.user["id"],
            key,
            fingerprint,
            sku,
            quantity,
        )
        charge(key)
        database.commit()
    except pymysql.IntegrityError as error:
        if not database.is_duplicate(error):
            raise
        database.rollback()
    order = database.row(
        "SELECT id, sku, quantity, fingerprint FROM orders WHERE user_id = %s AND idempotency_key = %s",
        g.user["id"],
        key,
    )
    if order.pop("fingerprint") != fingerprint:
        abort(422, "this Idempotency-Key was used for another order")
    return order, 201


def charge(key):
    """Stands for the payment provider, which takes the key too and some time; how long is set by who tries the shop."""
    time.sleep(int(os.environ.get("SHOP_PAYMENT_MS", "0")) / 1000)


def sent_order():
    sent = request.get_json()
    sku, quantity = (sent.get("sku"), sent.get("quantity")) if isinstance(sent, dict) else (None, None)
    if not isinstance(sku, str) or not 1 <= len(sku) <= 64:
        abort(422, "sku is a text of 1 to 64 characters")
    if type(quantity) is not int or not 1 <= quantity < 2**31:
        abort(422, "quantity is a whole number above zero")
    return sku, quantity
