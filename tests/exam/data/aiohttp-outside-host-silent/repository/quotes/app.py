import logging

import aiohttp
from aiohttp import web

from quotes.rates import fetch_rate

logging.basicConfig(level=logging.INFO, format="%(levelname)s:%(name)s:%(message)s")
# Docs of the client: https://docs.aiohttp.org/en/stable/client_reference.html
MAPS = "https://tiles.maps-example.com/v1"


async def quote(request):
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1.5)) as session:
        rate = await fetch_rate(session, request.match_info["currency"])
    return web.json_response({"rate": rate})


app = web.Application()
app.router.add_get("/quotes/{currency}", quote)

if __name__ == "__main__":
    web.run_app(app, port=8080, print=None)
