"""Prose, code, successes and errors of the business are no signs of settings, connections, pools or missing modules."""

from __future__ import annotations

import pytest

from workers.investigation.signs import read_signs
from workers.models import SignKind

HARMLESS_KINDS = frozenset({SignKind.PROGRAMMING_ERROR, SignKind.INPUT_REJECTED, SignKind.ACCOMPANIES})
"""Kinds that a business error may be of; they blame no setting, no host and no platform."""

NO_SIGN = [
    # Business errors
    "KeyError: 'EUR'",
    "KeyError: 'access_token'",
    "KeyError: 'ORDER_ID'",
    "KeyError: 'GIFT_CARD'\n",
    'File "/app/shop/rates.py", line 3, in rate\n    return RATES[currency]\nKeyError: \'EUR\'',
    "ValueError: amount must be positive",
    "ValueError: GIFT_CARD is required for this order",
    "AssertionError: total mismatch",
    "Error: payment required",
    "requests.exceptions.HTTPError: 402 Client Error: Payment Required for url: https://api.payments.io/v1/charges",
    "AxiosError: Request failed with status code 404\n  config: { url: 'https://api.payments.io/v1' }",
    "StripeCardError: Your card was declined.",
    "JsonWebTokenError: jwt malformed",
    "JsonWebTokenError: invalid signature",
    "TokenExpiredError: jwt expired",
    "StripeSignatureVerificationError: No signatures found matching the expected signature for payload.",
    "UnauthorizedError: No authorization token was found",
    "django.core.exceptions.PermissionDenied: not your order",
    "ERROR order 17 failed: item out of stock",
    "NotFoundError: order not found",
    "Error: Insufficient funds in account GBP_MAIN",
    "ERROR invalid email address",
    "ValidationError: email is required",
    "ZodError: [ { \"code\": \"invalid_type\", \"path\": [ \"items\", 0, \"price\" ], \"message\": \"Required\" } ]",
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for OrderIn\nPRICE\n  Field required [type=missing]",
    "User not found: 17",
    "Session expired for user 17",
    "Login failed: wrong password",
    "ERROR user entered an invalid coupon code BLACK_FRIDAY",
    "Unknown discount code SUMMER_SALE",
    "ERROR invalid state transition PENDING_PAYMENT -> SHIPPED",
    "Order status is missing: ORDER_PLACED expected",
    "HTTP_CODE missing in callback",
    "ERR_PAYMENT_DECLINED is undefined behaviour of the card",
    "card was refused by the bank",
    "Refund refused: too old",
    "The customer refused the connection offer",
    # Successes and status lines
    "Server listening on port 3000",
    "INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)",
    "Connected to postgres.railway.internal:5432",
    "connection pool started with 10 connections",
    "HikariPool-1 - Start completed.",
    "HikariPool-1 - Added connection org.postgresql.jdbc.PgConnection@1b",
    "Redis connection established to redis.railway.internal:6379",
    "[ioredis] ready",
    "Database connection successful",
    "Reconnected to https://api.payments.io after 2 attempts",
    "2026/11/20 11:48:02 request to https://api.payments.io/v1 took 120ms",
    "GET https://api.payments.io/v1/charges 200 OK",
    'INFO:     100.64.0.2:0 - "GET /orders HTTP/1.1" 200 OK',
    '100.64.0.2 - - [20/Nov/2026:11:48:02 +0000] "GET /timeout HTTP/1.1" 200 503 "https://shop.acme.io" "curl"',
    "Loaded 12 environment variables from .env",
    "[dotenv@17.2.3] injecting env (3) from .env",
    "Environment: production",
    "Environments: .env, .env.production",
    "environment variables validated",
    "Settings loaded: DEBUG, SECRET_KEY, DATABASE_URL",
    "DATABASE_URL is set",
    "OPENAI_API_KEY found",
    "health check passed",
    "GET /healthcheck 200",
    "All modules loaded",
    "Memory usage: 120 MB of 512 MB",
    "GC finished: heap 120 MB",
    "JavaScript bundle built in 3.2s",
    "disk usage: 40 %",
    "Task finished in time",
    "job 17 timed in at 30 seconds",
    "0 errors, 0 warnings",
    "Retrying in 5 seconds",
    "max connections: 100",
    "pool size is 20",
    "worker booted (pid: 17)",
    "Migrations applied: 0001_initial",
    "certificate renewed",
    "TLS handshake completed",
    "TOKEN_TTL=3600",
    # Optional settings, notes and warnings
    "WARNING: SENTRY_DSN is not set, error tracking is disabled",
    "REDIS_URL not set, falling back to in-memory cache",
    "warn: LOG_LEVEL is not set; defaulting to info",
    'The "X_TOKEN" variable is not set. Defaulting to a blank string.',
    "STRIPE_KEY is missing, using test mode",
    "Using default SECRET_KEY because DJANGO_SECRET_KEY is not set",
    "note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
    "To disable this warning, set the environment variable TOKENIZERS_PARALLELISM=(true | false)",
    "Silence this warning by setting the environment variable \"KAFKAJS_NO_PARTITIONER_WARNING=1\"",
    "(Use `node --trace-warnings ...` to show where the warning was created)",
    "To turn them off, set the environment variable `TF_ENABLE_ONEDNN_OPTS=0`.",
    "Attention: Next.js now collects completely anonymous telemetry. Learn more: https://nextjs.org/telemetry",
    "You can set the PORT environment variable to change the port",
    "DeprecationWarning: DJANGO_OLD is deprecated",
    "npm notice New major version of npm available! 10.8.2 -> 11.0.0",
    "For further information visit https://errors.pydantic.dev/2.10/v/missing",
    "See https://docs.python.org/3/library/ssl.html for certificate errors",
    # Code and SQL in logs
    "const token = process.env.DISCORD_TOKEN;",
    'BOT_TOKEN = os.environ["BOT_TOKEN"]',
    "SELECT * FROM orders WHERE state = 'PENDING_PAYMENT'",
    "if (!process.env.STRIPE_KEY) return null",
    "raise ConnectionLost",
    "    return httpx.get(url, timeout=30)",
    "Executing: SELECT count(*) FROM connection_timeouts",
    '{"level":"info","msg":"request","path":"/connection-refused","status":200}',
    # Timeouts and closings that are no failed call
    "Error: write EPIPE",
    "BrokenPipeError: [Errno 32] Broken pipe",
    "starlette.requests.ClientDisconnect",
    "Error: aborted",
    "Error: request aborted",
    "psycopg2.errors.QueryCanceled: canceling statement due to statement timeout",
    "psycopg2.errors.LockNotAvailable: canceling statement due to lock timeout",
    "deadlock detected",
    "setTimeout called with 5000",
    "TimeoutError",
    "Job report timed out after 30 s waiting for lock",
    "session timeout set to 30 minutes",
    "client closed the connection",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_SIGN)
def test_a_harmless_text_blames_nothing(text: str) -> None:
    blaming = [sign for sign in read_signs(text) if sign.kind not in HARMLESS_KINDS]

    assert blaming == []


def test_a_business_error_beside_code_that_reads_other_variables_is_no_setting() -> None:
    code = ['RATES = load(os.environ["RATES_FILE"])', "return RATES[currency]"]

    assert [sign.kind for sign in read_signs("KeyError: 'EUR'", code)] == [SignKind.PROGRAMMING_ERROR]


def test_an_undefined_value_beside_a_variable_with_a_default_is_no_setting() -> None:
    code = ["const port = process.env.PORT || 3000", "return order.items.length"]

    signs = read_signs("TypeError: Cannot read properties of undefined (reading 'length')", code)

    assert [sign.kind for sign in signs] == [SignKind.PROGRAMMING_ERROR]


def test_an_error_of_json_that_another_service_sent_is_no_programming_error() -> None:
    assert read_signs("SyntaxError: Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON") == ()


def test_a_list_of_codes_in_the_options_of_a_client_is_no_failure() -> None:
    dump = "HTTPError: Response code 404 (Not Found)\n  errorCodes: Set(3) {\n    'ETIMEDOUT',\n    'EADDRINUSE',\n    'ENOTFOUND'\n  }"

    assert read_signs(dump) == ()
