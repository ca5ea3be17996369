SENDER = "hello@shop.example"


def footer() -> str:
    return f"-- {SENDER}"
