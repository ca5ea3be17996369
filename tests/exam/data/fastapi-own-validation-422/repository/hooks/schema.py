from pydantic import BaseModel


class Delivery(BaseModel):
    id: int
    carrier: str
    parcel_locker: str
