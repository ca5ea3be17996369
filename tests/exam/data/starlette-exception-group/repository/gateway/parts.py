import asyncio


async def weather():
    await asyncio.sleep(0.01)
    return {"sky": "clear"}


async def stock(params):
    await asyncio.sleep(0)
    limit = int(params.get("limit", ""))
    return {"items": list(range(limit))}
