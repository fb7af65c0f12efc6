"""Every form carries the token of its session; a post without it did not come from our pages."""

import hmac
import secrets

from flask import abort, request, session
from markupsafe import Markup


def init_app(app):
    app.before_request(check_token)
    app.add_template_global(token_field)


def token_field():
    token = session.setdefault("token", secrets.token_urlsafe(32))
    return Markup('<input type="hidden" name="token" value="{}">').format(token)


def check_token():
    if request.endpoint is None:
        return  # there is no such page: 404 or 405 say more
    # Requests of the API carry their credentials in a header, which no page of another site can send.
    if request.method in ("GET", "HEAD", "OPTIONS") or request.blueprint in ("items", "orders"):
        return
    sent = request.form.get("token", "")
    known = session.get("token", "")
    if not known or not hmac.compare_digest(sent.encode(), known.encode()):
        abort(403, "This form is too old: load the page again.")
