from fastapi import APIRouter

from shop.pricing import total

router = APIRouter()
ORDERS = {1: ["mug", "cap"], 2: ["mug", "voucher"]}


@router.get("/orders/{number}")
def order(number: int) -> dict:
    items = ORDERS[1 + number % 2]
    return {"number": number, "total": total(items)}
