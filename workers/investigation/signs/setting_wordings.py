"""Sentences about missing or malformed settings, with the name of the setting. Pure.

Sources are the libraries' own error texts; the comment of each block names them.
"""

from __future__ import annotations

from workers.investigation.signs.wordings import Wording
from workers.models import SignKind

MISSING = SignKind.SETTING_MISSING
INVALID = SignKind.SETTING_INVALID

UPPER = r"[A-Z][A-Z0-9_]{1,60}"
"""A name in capitals, where the words around it say that it is a variable."""
VARIABLE = r"(?!ERR_|HTTP_|UND_ERR)[A-Z][A-Z0-9]{0,40}_[A-Z0-9_]{1,60}"
"""A name that has the shape of a variable: `EUR` and `GET` have not, and codes of errors only look like it."""
ANY = r"[A-Za-z_][\w.-]{1,80}"
"""A name in any case, where the sentence allows nothing else."""
Q = r"[\"'`“”‘’]?"
ENV_WORDS = r"(?:environment|env|config(?:uration)?)[ _-]?(?:var(?:iable)?|key|setting|value)s?"
ABSENT = (
    r"(?:not (?:be )?(?:set|found|defined|provided|configured|specified|present|exist|exported|available)|unset"
    r"|(?:must|needs to|has to|should) be (?:set|defined|provided|specified|present|configured)|missing|required|undefined"
    r"|empty|(?:must |can|may )not be (?:empty|blank|null|undefined)|absent|does(?:n't| not) exist|isn't set)"
)
BETWEEN = r"(?: (?:is|was|are|were|has|have|been|the|required|but|either|variable|property|value|key)){0,4} ?[:=]? ?"

GENERIC: tuple[Wording, ...] = (
    # Words that services and libraries use for their own checks: `Missing required environment variables: A, B`.
    Wording(
        MISSING,
        rf"\b(?i:missing|required|undefined|unset|no|set|define|provide|configure|expected)(?i: (?:the|a|an|all|one|following"
        rf"|these|some|required|mandatory|necessary|or|more|of|invalid|empty)){{0,4}} (?i:{ENV_WORDS})\b(?:\(s\))?"
        rf"(?i: (?:is|are|named|called|not set|not found|missing|required|for \w{{1,30}})){{0,3}}[:=]?\s{{0,4}}[\[({{]?\s{{0,4}}"
        rf"(?P<names>{Q}{UPPER}{Q}(?:(?:,|\band\b|\bor\b|[\s•*-]){{1,12}}{Q}{UPPER}{Q}){{0,12}})(?![a-z(])",
        exact_case=True,
    ),
    # `The OPENAI_API_KEY environment variable is missing or empty`, `environment variable DATABASE_URL is missing`.
    Wording(
        MISSING,
        rf"(?<![\w.]){Q}(?P<subject>{UPPER}){Q}(?i: (?:required|mandatory))?(?i: {ENV_WORDS})\b(?i:{BETWEEN}{ABSENT})\b",
        exact_case=True,
    ),
    Wording(
        MISSING,
        rf"\b(?i:{ENV_WORDS})\b(?i: (?:named|called|for|key))?:?\s{{0,2}}{Q}(?:\$\{{?)?(?P<subject>{UPPER})\}}?{Q}"
        rf"(?i:{BETWEEN}{ABSENT})\b",
        exact_case=True,
    ),
    # `environment variable not found: DATABASE_URL` (Prisma, and Rust's own words), `… not set: X`.
    Wording(
        MISSING,
        rf"\b(?i:{ENV_WORDS})\b(?i: (?:is|was))?(?i: {ABSENT})\s?[:=(]\s?{Q}(?P<subject>{UPPER})\b{Q}",
        exact_case=True,
    ),
    # `Please set DATABASE_URL in your environment`, `set the environment variable X`.
    Wording(
        MISSING,
        rf"\b(?i:set|define|provide|configure|specify|export|add)(?i: (?:the|a|your|an|value|for|required)){{0,3}}"
        rf"(?i: {ENV_WORDS})?:? {Q}(?P<subject>{UPPER}){Q}(?i: {ENV_WORDS})?"
        r"(?i: (?:in|to|as|on|inside|within)(?: (?:the|your|an?|process|system|deployment|railway))?"
        r" (?:env(?:ironment)?\b|\.env\b|variables?\b)| environment\b| env\b)",
        exact_case=True,
    ),
    Wording(
        MISSING,
        rf"(?<![\w./:-]){Q}(?P<subject>{VARIABLE}){Q}(?i: (?:is|was|are|variable|env|setting|value|config)){{0,3}} "
        r"(?i:not set|unset|must be (?:set|defined|provided|specified|configured)|not configured|not provided|isn't set"
        r"|not defined|(?:needs|has) to be set|(?:must not|cannot|can't) be (?:empty|blank)|should be set)\b"
        r"(?! (?i:by|to|on|in the (?:response|request)))",
        exact_case=True,
    ),
    # A Go, Rust or shell check that names the variable first: `DATABASE_URL: parameter not set` (bash `${X:?}`).
    Wording(
        MISSING,
        rf"\b(?P<subject>{UPPER}): (?:parameter (?:null or )?not set|unbound variable)",
        exact_case=True,
    ),
)

PYTHON: tuple[Wording, ...] = (
    # django.conf: `Settings.__init__`, `django/core/exceptions`; django-environ: `Set the X environment variable`.
    Wording(MISSING, rf"\bSet the (?P<subject>{ANY}) environment variable"),
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
    Wording(MISSING, r"(?P<subject>JWT_SECRET_KEY) or flask \"SECRET_KEY\" must be set"),
    # SQLAlchemy: an empty or broken URL; the text is None or the URL itself, which is not quoted on.
    Wording(INVALID, r"Could not parse SQLAlchemy URL from", "DATABASE_URL"),
    Wording(INVALID, r"Could not parse rfc1738 URL from", "DATABASE_URL"),
    Wording(MISSING, r"Expected string or URL object, got None", "DATABASE_URL"),
    Wording(INVALID, r"Can't load plugin: sqlalchemy\.dialects:postgres$", "DATABASE_URL"),
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
    Wording(INVALID, r"BadDsn: ", "SENTRY_DSN"),
    Wording(MISSING, r"expected token to be a str, received NoneType instead", "DISCORD_TOKEN"),
    Wording(MISSING, r"You must pass the token you received from", "TELEGRAM_TOKEN"),
    Wording(MISSING, r"SupabaseException: (?P<subject>supabase_url|supabase_key) is required"),
    # uvicorn, gunicorn, hypercorn, waitress: a port that is no number.
    Wording(INVALID, r"'?\$?\{?(?P<subject>PORT)\}?'? is not a valid port number", exact_case=True),
    Wording(INVALID, r"Invalid value for '--port': '\$?\{?(?P<subject>PORT)\}?'? is not a valid integer"),
    Wording(INVALID, r"Invalid value for '--port': '[^\n']{0,60}' is not a valid integer", "PORT"),
)

RUBY_PHP_ELIXIR: tuple[Wording, ...] = (
    # Rails: ActiveSupport::EncryptedConfiguration, Rails::Application#secrets; Figaro; dotenv `require_keys`.
    Wording(MISSING, r"Missing [`']?(?P<subject>secret_key_base)[`']? for"),
    Wording(MISSING, r"Missing encryption key to decrypt file with", "RAILS_MASTER_KEY"),
    Wording(INVALID, r"ActiveSupport::MessageEncryptor::InvalidMessage", "RAILS_MASTER_KEY"),
    Wording(MISSING, r"Missing required configuration keys?: \[?(?P<names>[\"\w, ]{2,400})"),
    Wording(
        MISSING,
        rf"Missing required configuration[^\n]{{0,40}}: \[?(?P<names>\"?{UPPER}[\"\w, ]{{0,400}})",
        exact_case=True,
    ),
    Wording(MISSING, rf"Missing environment variable:? {Q}(?P<subject>{ANY})"),
    # Laravel: Illuminate\Encryption\MissingAppKeyException; `Unsupported cipher or incorrect key length`.
    Wording(MISSING, r"No application encryption key has been specified", "APP_KEY"),
    Wording(INVALID, r"Unsupported cipher or incorrect key length", "APP_KEY"),
    # Symfony: EnvNotFoundException; vlucas/phpdotenv: `One or more environment variables failed assertions`.
    Wording(MISSING, rf"Environment variable not found: \"(?P<subject>{ANY})\""),
    Wording(
        MISSING,
        rf"One or more environment variables failed assertions: (?P<subject>{ANY}) (?:is missing|is empty)",
    ),
    # Elixir: System.fetch_env!/1; Phoenix's config/runtime.exs.
    Wording(MISSING, rf"could not fetch environment variable \"(?P<subject>{ANY})\" because it is not set"),
    Wording(MISSING, rf"environment variable (?P<subject>{ANY}) is missing\b"),
    Wording(MISSING, r"missing the :(?:url|database) key in options", "DATABASE_URL"),
    Wording(MISSING, r"cookie store expects conn\.secret_key_base", "SECRET_KEY_BASE"),
)
