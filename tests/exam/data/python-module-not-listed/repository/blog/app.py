from flask import Flask
from slugify import slugify

app = Flask(__name__)


@app.get("/slug/<title>")
def slug(title):
    return slugify(title)
