import asyncio

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.parts import stock, weather


async def overview(request):
    async with asyncio.TaskGroup() as group:
        parts = [group.create_task(stock(request.query_params)), group.create_task(weather())]
    return JSONResponse([part.result() for part in parts])


async def health(request):
    return JSONResponse({"ok": True})


app = Starlette(routes=[Route("/health", health), Route("/overview", overview)])
