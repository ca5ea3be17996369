import requests


def charge(order):
    response = requests.post("https://api.cards-example.com/v1/charges", json=order, timeout=5)
    response.raise_for_status()
    return response.json()
