import os

DEBUG = os.environ.get("DEBUG") == "1"
CURRENCY = os.environ.get("CURRENCY", "EUR")
STRIPE_API_KEY = os.environ["STRIPE_API_KEY"]
