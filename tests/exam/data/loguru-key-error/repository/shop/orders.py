from loguru import logger

from shop.pricing import total


def create(items):
    try:
        return total(items)
    except Exception:
        logger.exception("order failed")
        raise
