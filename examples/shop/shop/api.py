"""Errors of the API are JSON, like its answers."""

from flask import jsonify


def tell(error):
    return jsonify(error=error.description), error.code
