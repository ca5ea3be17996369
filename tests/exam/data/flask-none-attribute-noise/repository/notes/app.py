import logging

from flask import Flask, jsonify, request

from notes.render import as_html

logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(name)s - %(levelname)s - %(message)s")
log = logging.getLogger("notes.web")
app = Flask(__name__)
NOTES = {1: {"title": "Shopping", "body": "milk"}, 2: {"title": "Trip", "body": None}}


@app.get("/notes/<int:number>")
def note(number):
    log.info("note %d requested, errors so far: 0", number)
    log.info("cache enabled, executing query for %d", number)
    return as_html(NOTES[2 - number % 2])


@app.get("/health")
def health():
    log.info("health check executed")
    return jsonify(ok=True)
