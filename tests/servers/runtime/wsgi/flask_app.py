"""The same in Flask."""
from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/")
def page():
    return "hello"


@app.post("/echo")
def echo():
    return Response(request.get_data(), mimetype="application/octet-stream")
