import os

import psycopg


def rows():
    with psycopg.connect(os.environ['DATABASE_URL']) as connection:
        return connection.execute('select 1').fetchall()
