import os

import psycopg2
from flask import Flask, jsonify

app = Flask(__name__)
connection = None


def query(sql):
    global connection
    if connection is None or connection.closed:
        connection = psycopg2.connect(os.environ["DATABASE_URL"])
    with connection, connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


@app.get("/balance")
def balance():
    return jsonify(query("select 42")[0])
