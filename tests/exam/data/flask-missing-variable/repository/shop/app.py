from flask import Flask, jsonify

from shop import settings

app = Flask(__name__)


@app.get("/orders/<int:number>")
def order(number):
    return jsonify(number=number, currency=settings.CURRENCY)
