import structlog

from bills.tax import tax

structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.dict_tracebacks,
        structlog.processors.JSONRenderer(),
    ]
)
log = structlog.get_logger()


def main():
    for number, country in enumerate(["de", "fr", "us", "de", "us", "us"]):
        try:
            log.info("bill", number=number, tax=tax(country, 100))
        except Exception:
            log.exception("bill failed", number=number)


main()
