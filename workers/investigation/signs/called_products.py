"""Which product a failed call was for, as its client shows: a datastore, a broker, a mail server, HTTP. Pure."""

from __future__ import annotations

import re

from workers.investigation.signs.wordings import may_match

# Classes, modules, ports and schemes of clients. The order decides where a record shows several: a task queue on Redis
# shows both, and its broker is the product that was called.
PRODUCTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "postgres",
        re.compile(
            r"psycopg|asyncpg|postgres|/pg/|pg-pool|PSQLException|[Nn]pgsql|\bPG::|\bpq: |\bpgx|SCRAM-SERVER|:5432\b|port 5432\b|PrismaClientInit"
        ),
    ),
    (
        "mysql",
        re.compile(
            r"pymysql|MySQL|/mysql2?/|mysql://|com\.mysql|Mysql2::|MySqlConnector|SQLSTATE\[HY000\] \[2002\]|:3306\b|port 3306\b|Communications link failure"
        ),
    ),
    ("mongodb", re.compile(r"[Mm]ongo(?:ose|db|Error|Server|Network|Topology)?|:27017\b")),
    ("rabbitmq", re.compile(r"\bpika\b|amqp|AMQP|[Rr]abbit[Mm][Qq]|Bunny::|:5672\b|port 5672\b")),
    ("kafka", re.compile(r"[Kk]afka|:9092\b")),
    ("redis", re.compile(r"[Rr]edis|[Vv]alkey|Lettuce|Jedis|Predis|:6379\b|port 6379\b")),
    ("elasticsearch", re.compile(r"[Ee]lastic[Ss]earch|OpenSearch|:9200\b")),
    (
        "smtp",
        re.compile(r"\bsmtp|\bSMTP|nodemailer|:587\b|:465\b|port (?:25|465|587)\b|Net::SMTP|Swift_Transport"),
    ),
    (
        "http",
        re.compile(
            r"https?://|\burllib|\bhttpx\b|\bhttpcore\b|\baiohttp\b|requests[./]|[Aa]xios|\bgot[/]|fetch|undici|superagent|\bky[/]|Faraday"
            r"|Net::HTTP|HTTParty|[Rr]est(?:Template|Client)|WebClient|okhttp|HttpRequestException|HttpClient|[Gg]uzzle|cURL|reqwest|hyper"
            r"|Mint\.|Finch|HTTPoison|Tesla|net/http|botocore|grpc|openai|anthropic|stripe"
        ),
    ),
)
MAX_CHARS = 20_000  # of a record that are searched; the client stands beside the message


def product_of(text: str) -> str:
    """The product that a text shows: a host with its port, a message, or a whole record; empty if it shows none."""
    text = text[-MAX_CHARS:]
    lowered = text.lower()
    for product, pattern in PRODUCTS:
        if may_match(pattern.pattern, lowered) and pattern.search(text):
            return product
    return ""
