"""Complaints about settings are read by their form: names and words of absence, lists below headings, code beside."""

from __future__ import annotations

import pytest

from workers.investigation.signs import read_signs
from workers.models import SignKind

BY_FORM = {
    "Error: Errors found while parsing environment:\n  [LLM_KEY]:\n    This field is required.\n    (received undefined)": "LLM_KEY",
    "The following environment variables are required but not set\n  - QUEUE_URL\n  - HMAC_KEY": "QUEUE_URL",
    'ValiError: Invalid key: Expected "SESSION_SECRET" but received undefined': "SESSION_SECRET",
    "StructError: At path: BOT_TOKEN -- Expected a string, but received: undefined": "BOT_TOKEN",
    "ValidationError: SMTP_PORT is a required field": "SMTP_PORT",
    'Error: Configuration error: "SMS_GATEWAY" has no value': "SMS_GATEWAY",
    "1 error(s) decoding: env STORAGE_BUCKET: value required": "STORAGE_BUCKET",
    "Error: The server must be started with a session secret. Provide one via SESSION_PASSPHRASE.": "SESSION_PASSPHRASE",
    "ERROR: No API key found. Did you set MISTRAL_API_KEY?": "MISTRAL_API_KEY",
    "panic: invalid configuration: field Secret is required (set APP_SECRET)": "APP_SECRET",
    "/app/entrypoint.sh: line 5: APP_SECRET: Please provide APP_SECRET": "APP_SECRET",
    "error: the following required arguments were not provided:\n  --database-url <DATABASE_URL>\n": "DATABASE_URL",
    "environ.exceptions.MissingEnvValueError: APP_MODE": "APP_MODE",
    "ConfigError: GRACE_PERIOD": "GRACE_PERIOD",
    "slack_bolt.error.BoltError: Either an env variable `SLACK_BOT_TOKEN` or `token` argument in the constructor is required.": "SLACK_BOT_TOKEN",
    "panic: missing required config key: payments.api_key (env PAYMENTS_KEY)": "PAYMENTS_KEY",
    "panic: missing required setting: mail.from-address": "MAIL_FROM_ADDRESS",
    "SRCFG00014: The config property shop.webhook-secret is required but it could not be found": "SHOP_WEBHOOK_SECRET",
    'Error: missing field `webhook_secret` for key "default.webhook_secret" in environment variable(s)': "WEBHOOK_SECRET",
    "Error: environment variable not found\n\nCaused by:\n    0: reading NATS_URL\n    1: environment variable not found": "NATS_URL",
    'Description:\n\n    Property: shop.payment.apiKey\n    Value: "null"\n    Reason: must not be blank\n': "SHOP_PAYMENT_APIKEY",
    "The following config parameters for `PaymentsConfig(config_name: payments)` are missing or empty: api_key": "PAYMENTS_API_KEY",
}

BY_CODE = [
    (
        "SystemExit: set WAREHOUSE_AREA first",
        "if not os.environ.get('WAREHOUSE_AREA'):\n    raise SystemExit('set WAREHOUSE_AREA first')",
        "WAREHOUSE_AREA",
    ),
    (
        "Error: Missing Supabase env vars",
        "const url = process.env.SUPABASE_URL\nconst region = process.env.REGION",
        "SUPABASE_URL",
    ),
    (
        'NullPointerException: Cannot invoke "String.split(String)" because the return value of "java.lang.System.getenv(String)" is null',
        'var hosts = System.getenv("PEER_HOSTS").split(",");',
        "PEER_HOSTS",
    ),
    (
        "AppInitializationError: signingSecret is required to initialize the default receiver.",
        "new App({ token: process.env.SLACK_TOKEN, signingSecret: process.env.SLACK_SIGNING_SECRET })",
        "SLACK_SIGNING_SECRET",
    ),
    (
        "InvalidEndpointError: Invalid endPoint : undefined",
        "new Client({ endPoint: process.env.S3_ENDPOINT, secretKey: process.env.S3_SECRET })",
        "S3_ENDPOINT",
    ),
    (
        "TypeError: unsupported operand type(s) for +: 'NoneType' and 'str'",
        "PREFIX = os.getenv('BUCKET_PREFIX')\n\ndef key(name):\n    return PREFIX + '/' + name",
        "BUCKET_PREFIX",
    ),
    (
        "System.ArgumentNullException: Value cannot be null. (Parameter 'connectionString')",
        'o.UseNpgsql(builder.Configuration.GetConnectionString("Orders"))',
        "ConnectionStrings__Orders",
    ),
]

UNUSABLE = [
    (
        "binascii.Error: Incorrect padding",
        "KEY = base64.b64decode(os.environ['SIGNING_CERT'])",
        "SIGNING_CERT",
    ),
    ("RangeError: Invalid key length", "const key = Buffer.from(process.env.SEAL_KEY, 'hex')", "SEAL_KEY"),
    (
        "ValueError: Fernet key must be 32 url-safe base64-encoded bytes.",
        "f = Fernet(os.environ['FIELD_KEY'])",
        "FIELD_KEY",
    ),
]

NOT_ABOUT_SETTINGS = [
    ("ERROR discounts: customer must enter CARD_TYPE before checkout", ""),
    ("INFO please set your LOGIN_TOKEN in the profile page", ""),
    ("ValueError: PRODUCT_CODE must be at least 4 characters", ""),
    ("KeyError: 'STRIPE_KEY is not set'", ""),
    ("ValueError: invalid literal for int() with base 10: 'PORT must be set'", ""),
    ("ERROR form rejected: title='DATABASE_URL is missing' user=17", ""),
    ("ValidationError: BILLING_ADDRESS is required", ""),
    ("Error: Missing required parameter: user_id", ""),
    ("Configured secrets:\n - STRIPE_KEY\n - JWT_SECRET\nall good", ""),
    ("Environment:\n  NODE_ENV production\n  PORT 8080", ""),
    ("missing required attribute key: user.name in the payload", ""),
    ("TypeError: total() takes 2 arguments", "KEY = os.getenv('API_KEY')\ntotal(KEY)"),
    ("ValueError: order is required", "stripe.api_key = os.environ['STRIPE_KEY']"),
]


@pytest.mark.parametrize("text", BY_FORM)
def test_a_missing_setting_is_read_by_its_form(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == (SignKind.SETTING_MISSING, BY_FORM[text]), signs


@pytest.mark.parametrize(("text", "code", "name"), BY_CODE)
def test_the_code_names_the_variable_that_a_client_misses(text: str, code: str, name: str) -> None:
    signs = read_signs(text, code.split("\n"))

    assert (signs[0].kind, signs[0].subject) == (SignKind.SETTING_MISSING, name), signs


@pytest.mark.parametrize(("text", "code", "name"), UNUSABLE)
def test_a_key_that_a_cipher_cannot_use_is_a_malformed_setting(text: str, code: str, name: str) -> None:
    signs = read_signs(text, [code])

    assert (signs[0].kind, signs[0].subject) == (SignKind.SETTING_INVALID, name), signs


@pytest.mark.parametrize(("text", "code"), NOT_ABOUT_SETTINGS)
def test_data_and_business_errors_are_about_no_setting(text: str, code: str) -> None:
    kinds = {sign.kind for sign in read_signs(text, code.split("\n"))}

    assert not kinds & {SignKind.SETTING_MISSING, SignKind.SETTING_INVALID}


CALLS = [
    ("ConnectTimeoutError: Operation timed out after 5s to api.acme.com", "", "api.acme.com"),
    ("dial error: couldn't connect to wss://stream.acme.com/ws: unexpected response", "", "stream.acme.com"),
    ("TimeoutError: timed out", "ftp = ftplib.FTP('ftp.acme.com', timeout=5)", "ftp.acme.com"),
    (
        "socket.gaierror: [Errno -2] Name or service not known",
        "pool = create_pool('postgresql://u:p@postgres.railway.internal:5432/d')",
        "postgres.railway.internal",
    ),
    (
        "ConnectionRefusedError: [Errno 111] Connection refused",
        "smtplib.SMTP('smtp.acme.com', 587)",
        "smtp.acme.com",
    ),
    (
        "HostConnectException: Connect to api.acme.com:443 [api.acme.com/198.51.100.9] failed: connect timed out",
        "",
        "api.acme.com:443",
    ),
]


@pytest.mark.parametrize(("text", "code", "host"), CALLS)
def test_the_code_or_any_position_with_a_port_names_the_host(text: str, code: str, host: str) -> None:
    signs = read_signs(text, code.split("\n"))

    assert signs[0].subject == host, signs


POOLS = [
    "ERROR shop.db: all connections in the pool are busy; waited 10s for a free one",
    "Acquire operation took too long: connection pool 'orders' has no idle connections",
    "acme.db.PoolExhaustedError: gave up",
    "TimeoutError: operation timed out\n    at /app/node_modules/tarn/dist/PendingOperation.js:18:27\n    at async list (/app/a.js:3:5)",
]


@pytest.mark.parametrize("text", POOLS)
def test_an_exhausted_pool_is_read_by_its_form(text: str) -> None:
    assert read_signs(text)[0].kind is SignKind.POOL_EXHAUSTED


@pytest.mark.parametrize(
    "text",
    [
        "swimming pool is full: booking 7 rejected",
        "connection pool started with 10 connections",
        "no connections available for merge",
    ],
)
def test_other_pools_are_not_exhausted(text: str) -> None:
    assert SignKind.POOL_EXHAUSTED not in {sign.kind for sign in read_signs(text)}
