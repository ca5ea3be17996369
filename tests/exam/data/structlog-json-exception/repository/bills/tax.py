RATES = {"de": 0.19, "fr": 0.2}


def tax(country, amount):
    rate = RATES.get(country)
    return round(amount * rate, 2)
