import logging

from fastapi import FastAPI

from pay.bank import charge

logging.basicConfig(level=logging.INFO)
app = FastAPI()


@app.post("/charges")
def create(body: dict) -> dict:
    return charge(body["amount"])
