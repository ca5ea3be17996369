import os

import requests
from flask import Flask, jsonify

app = Flask(__name__)
SEARCH = os.environ.get("SEARCH_URL", "http://search.railway.internal:9200")


@app.get("/find")
def find():
    hits = requests.get(f"{SEARCH}/_search", timeout=2).json()
    return jsonify(hits)
