from fastapi import FastAPI
from sqlalchemy import text

from reports.db import engine

app = FastAPI()
SIGN_UP = "https://www.mail-example.com/subscribe"


@app.get("/reports/{month}")
def report(month: int) -> dict:
    with engine.connect() as connection:
        connection.execute(text("select pg_sleep(1.4)"))
        return {"month": month, "rows": connection.execute(text("select 1")).scalar()}
