"""Sentences of Python frameworks and clients about missing or malformed settings. Pure."""

from __future__ import annotations

from workers.investigation.signs.setting_wordings import ANY, INVALID, MISSING, UPPER
from workers.investigation.signs.wordings import Wording

PYTHON: tuple[Wording, ...] = (
    # django.conf: `Settings.__init__`, `django/core/exceptions`; django-environ: `Set the X environment variable`.
    Wording(MISSING, rf"(?:ImproperlyConfigured: |^)Set the (?P<subject>{ANY}) environment variable"),
    Wording(MISSING, rf"\bThe (?P<subject>{UPPER}) setting must not be empty", exact_case=True),
    Wording(MISSING, r"you must either define the environment variable (?P<subject>DJANGO_SETTINGS_MODULE)"),
    Wording(MISSING, r"settings\.DATABASES is improperly configured\. Please supply the", "DATABASE_URL"),
    # dj-database-url, django-environ: an empty or broken URL.
    Wording(INVALID, r"^.{0,120}ParseError: This string is not a valid url", "DATABASE_URL"),
    # python-decouple: `X not found. Declare it as envvar or define a default value.`
    Wording(MISSING, rf"\b(?P<subject>{ANY}) not found\. Declare it as envvar"),
    # environs: `Environment variable "X" not set`, `Environment variable "X" invalid: […]`.
    Wording(MISSING, rf"\bEnvironment variable \"(?P<subject>{ANY})\" not set"),
    Wording(INVALID, rf"\bEnvironment variable \"(?P<subject>{ANY})\" invalid"),
    # starlette.config: `Config 'X' is missing, and has no default.`, `Config 'X' has value '…'. Not a valid int.`
    Wording(MISSING, rf"\bConfig '(?P<subject>{ANY})' is missing, and has no default"),
    Wording(INVALID, rf"\bConfig '(?P<subject>{ANY})' has value '.{{0,200}}'\. Not a valid"),
    # dynaconf: `X is required in env main`, `X must … but it is … in env main`.
    Wording(MISSING, rf"\b(?P<subject>{ANY}) is required in env \w"),
    Wording(
        INVALID,
        rf"ValidationError: (?P<subject>{ANY}) must [^\n]{{1,120}} but it is [^\n]{{0,200}} in env \w",
    ),
    # Flask and its extensions.
    Wording(MISSING, r"The session is unavailable because no secret key was set", "SECRET_KEY"),
    Wording(MISSING, r"Either '?(?P<subject>SQLALCHEMY_DATABASE_URI)'?(?: or|,)[^\n]{1,60} must be set"),
    Wording(MISSING, r"(?P<subject>JWT_SECRET_KEY) or flask \"?SECRET_KEY\"? must be set"),
    # SQLAlchemy: an empty or broken URL; the text is None or the URL itself, which is not quoted on.
    Wording(INVALID, r"Could not parse SQLAlchemy URL from", "DATABASE_URL"),
    Wording(INVALID, r"Could not parse rfc1738 URL from", "DATABASE_URL"),
    Wording(MISSING, r"Expected string or URL object, got None", "DATABASE_URL"),
    Wording(INVALID, r"Can't load plugin: sqlalchemy\.dialects:postgres$", "DATABASE_URL"),
    # asyncpg, pymongo, databases.
    Wording(INVALID, r"invalid DSN: scheme is expected to be", "DATABASE_URL"),
    Wording(INVALID, r"Invalid URI scheme: URI must begin with 'mongodb://'", "MONGODB_URI"),
    # pydantic-settings: a list or model that is no JSON.
    Wording(INVALID, r"SettingsError: error parsing value for field \"(?P<subject>\w{1,80})\""),
    # redis-py `Redis.from_url`; celery's default broker when none is set is found by its address instead.
    Wording(INVALID, r"Redis URL must specify one of the following schemes", "REDIS_URL"),
    # openai-python, anthropic, stripe, boto3, google-auth, sentry, discord.py, python-telegram-bot, supabase.
    Wording(
        MISSING,
        rf"api_key client option must be set either by passing api_key to the client or by setting the (?P<subject>{UPPER})",
        exact_case=True,
    ),
    Wording(
        MISSING, r"Could not resolve authentication method\. Expected [^\n]{0,80}api_key", "ANTHROPIC_API_KEY"
    ),
    Wording(MISSING, r"No API key provided\. \(HINT: set your API key using", "STRIPE_SECRET_KEY"),
    Wording(MISSING, r"You did not provide an API key", "API_KEY"),
    Wording(MISSING, r"Unable to locate credentials", "AWS_ACCESS_KEY_ID"),
    Wording(MISSING, r"You must specify a region", "AWS_DEFAULT_REGION"),
    Wording(
        MISSING,
        r"(?:Your default credentials were not found|Could not (?:load the default credentials|automatically determine credentials))",
        "GOOGLE_APPLICATION_CREDENTIALS",
    ),
    Wording(MISSING, r"Missing key inputs argument! To use the Google AI API", "GOOGLE_API_KEY"),
    Wording(MISSING, r"You haven't specified an A[Pp][Ii][- ][Kk]ey", "PINECONE_API_KEY"),
    # PostgreSQL, MySQL, Prisma P1003, SQL Server, Active Record: the address names a database that is not there.
    Wording(
        INVALID, r"\bdatabase \"[\w-]{1,63}\" does not exist|Unknown database '[\w-]{1,63}'", "DATABASE_URL"
    ),
    Wording(
        INVALID,
        r"Database `[\w.-]{1,80}` does not exist on the database server|ActiveRecord::NoDatabaseError",
        "DATABASE_URL",
    ),
    Wording(
        INVALID,
        r"Cannot open database \"[\w-]{1,63}\" requested by the login",
        "ConnectionStrings__DefaultConnection",
    ),
    Wording(INVALID, r"BadDsn: ", "SENTRY_DSN"),
    Wording(
        MISSING, r"TwilioException: Credentials are required to create a TwilioClient", "TWILIO_ACCOUNT_SID"
    ),
    Wording(MISSING, r"expected token to be a str, received NoneType instead", "DISCORD_TOKEN"),
    Wording(MISSING, r"You must pass the token you received from", "TELEGRAM_TOKEN"),
    Wording(MISSING, r"SupabaseException: (?P<subject>supabase_url|supabase_key) is required"),
    # uvicorn, gunicorn, hypercorn, waitress: a port that is no number.
    Wording(INVALID, r"'?\$?\{?(?P<subject>PORT)\}?'? is not a valid port number", exact_case=True),
    Wording(INVALID, r"Invalid value for '--port': '\$?\{?(?P<subject>PORT)\}?'? is not a valid integer"),
    Wording(INVALID, r"Invalid value for '--port': '[^\n']{0,60}' is not a valid integer", "PORT"),
)
