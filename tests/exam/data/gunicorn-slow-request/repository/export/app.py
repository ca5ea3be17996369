import logging

from flask import Flask

from export.table import build

app = Flask(__name__)
logging.basicConfig(level=logging.INFO)


@app.get("/export")
def export():
    return build(range(9000))


@app.get("/health")
def health():
    return "ok"
