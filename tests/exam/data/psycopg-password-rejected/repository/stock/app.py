import os

import psycopg

CONNECTION = psycopg.connect(
    host=os.environ["PGHOST"], user="postgres", password=os.environ["PGPASSWORD"], dbname="postgres"
)
