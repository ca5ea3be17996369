DAYS = {"private": 14, "company": 30}


def due_date(kind):
    if kind in DAYS:
        days = DAYS[kind]
    elif kind == "state":
        period = 60
    return f"in {days} days"
