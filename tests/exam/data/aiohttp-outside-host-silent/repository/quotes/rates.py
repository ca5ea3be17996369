BASE = "http://api.exchange-example.com"


async def fetch_rate(session, currency):
    async with session.get(f"{BASE}/latest/{currency}") as response:
        response.raise_for_status()
        return (await response.json())["rate"]
