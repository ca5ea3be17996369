PRICES = {"mug": 900, "cap": 1500}


def total(items: list[str]) -> int:
    """The sum in cents."""
    return sum(price(item) for item in items)


def price(item: str) -> int:
    return PRICES[item]
