"""A small shop: accounts, reviews and addresses for people, items and orders for programs."""

import os

from flask import Flask, render_template

from . import accounts, addresses, database, forms, items, orders, reviews, routes


def create_app():
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=os.environ["SHOP_SECRET_KEY"],
        MAX_CONTENT_LENGTH=64 * 1024,
        SESSION_COOKIE_HTTPONLY=True,
        # Forms of other sites come without the session, beside the token that they can not know.
        SESSION_COOKIE_SAMESITE="Lax",
    )
    for part in (database, forms, accounts):
        part.init_app(app)
    for part in (accounts, addresses, reviews, items, orders, routes):
        app.register_blueprint(part.blueprint)
    app.after_request(protect)

    @app.get("/")
    def home():
        return render_template("home.html")

    return app


def protect(response):
    response.headers.setdefault(
        "Content-Security-Policy",
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    )
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response
