"""One connection a request, given back when the request ends."""

import os

import pymysql
from flask import current_app, g

DUPLICATE = 1062


def init_app(app):
    app.config["DATABASE"] = {
        "host": os.environ.get("SHOP_DB_HOST", "127.0.0.1"),
        "port": int(os.environ.get("SHOP_DB_PORT", "3306")),
        "user": "shop",
        "password": os.environ["SHOP_DB_PASSWORD"],
        "database": "shop",
        "charset": "utf8mb4",
        "cursorclass": pymysql.cursors.DictCursor,
    }
    app.teardown_appcontext(close)


def connection():
    if "connection" not in g:
        g.connection = pymysql.connect(**current_app.config["DATABASE"])
    return g.connection


def close(_error):
    if "connection" in g:
        # What was not committed is rolled back by the server.
        g.pop("connection").close()


def execute(sql, *values):
    """Runs one statement; whoever writes says when to commit."""
    cursor = connection().cursor()
    cursor.execute(sql, values)
    return cursor


def rows(sql, *values):
    return execute(sql, *values).fetchall()


def row(sql, *values):
    return execute(sql, *values).fetchone()


def commit():
    connection().commit()


def rollback():
    connection().rollback()


def is_duplicate(error):
    return error.args[0] == DUPLICATE
