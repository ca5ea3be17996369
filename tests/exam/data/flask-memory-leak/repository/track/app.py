from flask import Flask, request

from track.seen import remember

app = Flask(__name__)


@app.get("/pixel/<name>")
def pixel(name):
    return {"visits": remember(name, request.headers.get("X-Request-Id", ""))}
