import httpx

BANK = "http://api.bank-example.com/v2"


def charge(amount: int) -> dict:
    response = httpx.post(f"{BANK}/charges", json={"amount": amount}, timeout=2)
    response.raise_for_status()
    return response.json()
