from fastapi import FastAPI

from app.config import settings

app = FastAPI(title="catalogue")


@app.get("/items")
def items() -> dict[str, int]:
    return {"page_size": settings.page_size}
