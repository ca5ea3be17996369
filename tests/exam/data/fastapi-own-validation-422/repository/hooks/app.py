import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from hooks.schema import Delivery

logging.basicConfig(level=logging.INFO)
log = logging.getLogger("hooks")
app = FastAPI()


@app.exception_handler(RequestValidationError)
async def invalid(request: Request, error: RequestValidationError):
    for problem in error.errors():
        log.info("rejected %s: %s at %s", request.url.path, problem["msg"], ".".join(map(str, problem["loc"])))
    return JSONResponse({"detail": "invalid"}, status_code=422)


@app.post("/deliveries")
def deliver(delivery: Delivery) -> dict:
    return {"id": delivery.id}
