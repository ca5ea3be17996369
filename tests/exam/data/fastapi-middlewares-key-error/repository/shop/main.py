import logging
import time

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.middleware.gzip import GZipMiddleware

from shop.orders import router

log = logging.getLogger("shop")
app = FastAPI()
app.add_middleware(CORSMiddleware, allow_origins=["*"])
app.add_middleware(GZipMiddleware, minimum_size=500)


@app.middleware("http")
async def timing(request: Request, call_next):
    began = time.perf_counter()
    response = await call_next(request)
    response.headers["Server-Timing"] = f"app;dur={1000 * (time.perf_counter() - began):.1f}"
    return response


app.include_router(router)
