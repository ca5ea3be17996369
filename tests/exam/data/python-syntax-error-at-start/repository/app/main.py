from flask import Flask

from app.texts import GREETING

app = Flask(__name__)


@app.get("/")
def home():
    return GREETING
