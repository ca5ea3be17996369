"""Missing and malformed settings are read with their names, in the words of each framework.

The texts are the libraries' own: printed by the library, or its message with the invented name of a variable.
"""

from __future__ import annotations

import pytest

from workers.investigation.signs import read_signs
from workers.investigation.signs.setting_names import likely_name
from workers.models import SignKind

NODE_TRACE = "\n    at Object.<anonymous> (/app/src/index.js:3:1)\n    at Module._compile (node:internal/modules/cjs/loader:1554:14)"

MISSING = {
    # Python
    "django.core.exceptions.ImproperlyConfigured: Set the SECRET_KEY environment variable": "SECRET_KEY",
    "django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.": "SECRET_KEY",
    "django.core.exceptions.ImproperlyConfigured: Requested setting DEBUG, but settings are not configured. You must "
    "either define the environment variable DJANGO_SETTINGS_MODULE or call settings.configure() before accessing settings.": "DJANGO_SETTINGS_MODULE",
    "django.core.exceptions.ImproperlyConfigured: settings.DATABASES is improperly configured. Please supply the "
    "ENGINE value. Check settings documentation for more details.": "DATABASE_URL",
    "decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define a default value.": "SECRET_KEY",
    'environs.exceptions.EnvError: Environment variable "SECRET_KEY" not set': "SECRET_KEY",
    "KeyError: \"Config 'DATABASE_URL' is missing, and has no default.\"": "DATABASE_URL",
    "dynaconf.validator.ValidationError: DATABASE_URL is required in env main": "DATABASE_URL",
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings\nDATABASE_URL\n  Field required "
    "[type=missing, input_value={}, input_type=dict]\n    For further information visit https://errors.pydantic.dev/2.10/v/missing": "DATABASE_URL",
    "pydantic.error_wrappers.ValidationError: 1 validation error for AppConfig\nredis_url\n  field required (type=value_error.missing)": "REDIS_URL",
    "RuntimeError: The session is unavailable because no secret key was set.  Set the secret_key on the application to "
    "something unique and secret.": "SECRET_KEY",
    "RuntimeError: Either 'SQLALCHEMY_DATABASE_URI' or 'SQLALCHEMY_BINDS' must be set.": "SQLALCHEMY_DATABASE_URI",
    'RuntimeError: JWT_SECRET_KEY or flask SECRET_KEY must be set when using symmetric algorithm "HS256"': "JWT_SECRET_KEY",
    "sqlalchemy.exc.ArgumentError: Expected string or URL object, got None": "DATABASE_URL",
    "openai.OpenAIError: The api_key client option must be set either by passing api_key to the client or by setting "
    "the OPENAI_API_KEY environment variable": "OPENAI_API_KEY",
    "openai.OpenAIError: Missing credentials. Please pass an `api_key`, `workload_identity`, `admin_api_key`, or set "
    "the `OPENAI_API_KEY` or `OPENAI_ADMIN_KEY` environment variable.": "OPENAI_API_KEY",
    'TypeError: "Could not resolve authentication method. Expected either api_key or auth_token to be set. Or for one '
    'of the `X-Api-Key` or `Authorization` headers to be explicitly omitted"': "ANTHROPIC_API_KEY",
    'stripe._error.AuthenticationError: No API key provided. (HINT: set your API key using "stripe.api_key = <API-KEY>").': "STRIPE_SECRET_KEY",
    "botocore.exceptions.NoCredentialsError: Unable to locate credentials": "AWS_ACCESS_KEY_ID",
    "botocore.exceptions.NoRegionError: You must specify a region.": "AWS_DEFAULT_REGION",
    "google.auth.exceptions.DefaultCredentialsError: Your default credentials were not found. To set up Application "
    "Default Credentials, see https://cloud.google.com/docs/authentication/external/set-up-adc for more information.": "GOOGLE_APPLICATION_CREDENTIALS",
    "TypeError: expected token to be a str, received NoneType instead": "DISCORD_TOKEN",
    "telegram.error.InvalidToken: You must pass the token you received from https://t.me/Botfather!": "TELEGRAM_TOKEN",
    "supabase._sync.client.SupabaseException: supabase_url is required": "SUPABASE_URL",
    "twilio.base.exceptions.TwilioException: Credentials are required to create a TwilioClient": "TWILIO_ACCOUNT_SID",
    # Node.js
    "Error: ❌ Invalid environment variables: { DATABASE_URL: [ 'Required' ], PORT: [ 'Required' ] }": "DATABASE_URL",
    "❌ Invalid environment variables: [\n  {\n    expected: 'string',\n    code: 'invalid_type',\n    path: [ 'DATABASE_URL' ],\n"
    "    message: 'Invalid input: expected string, received undefined'\n  }\n]": "DATABASE_URL",
    "❌ Invalid environment variables: {\n  DATABASE_URL: [ 'Invalid input: expected string, received undefined' ]\n}": "DATABASE_URL",
    'Invalid environment variables: {\n  "_errors": [],\n  "DATABASE_URL": {\n    "_errors": [\n      "Required"\n    ]\n  }\n}': "DATABASE_URL",
    "Invalid env: ✖ Invalid input: expected string, received undefined\n  → at DATABASE_URL": "DATABASE_URL",
    'ZodError: [\n  {\n    "code": "invalid_type",\n    "expected": "string",\n    "received": "undefined",\n    "path": [\n'
    '      "STRIPE_SECRET_KEY"\n    ],\n    "message": "Required"\n  }\n]' + NODE_TRACE: "STRIPE_SECRET_KEY",
    "================================\n Missing environment variables:\n    DATABASE_URL: undefined\n"
    "================================\n\n Exiting with error code 1": "DATABASE_URL",
    'EnvVarError: env-var: "DATABASE_URL" is a required variable, but it was not set'
    + NODE_TRACE: "DATABASE_URL",
    "MissingEnvVarsError: The following variables were defined in .env.example but are not present in the environment:\n"
    "  DATABASE_URL, JWT_SECRET\nMake sure to add them to .env or directly to the environment.": "DATABASE_URL",
    'Error: Config validation error: "DATABASE_URL" is required' + NODE_TRACE: "DATABASE_URL",
    'Error: Config validation error: DATABASE_URL: "DATABASE_URL" is required\nJWT_SECRET: "JWT_SECRET" is required': "DATABASE_URL",
    "[Error [ValidationError]: \"DATABASE_URL\" is required] {\n  details: [ { type: 'any.required' } ]\n}": "DATABASE_URL",
    'TypeError: Configuration key "JWT_SECRET" does not exist' + NODE_TRACE: "JWT_SECRET",
    "PrismaClientInitializationError: \nInvalid `prisma.user.findMany()` invocation:\n\n\nerror: Environment variable not "
    'found: DATABASE_URL.\n  -->  schema.prisma:10\n   | \n 9 |   provider = "postgresql"\n10 |   url      = env("DATABASE_URL")': "DATABASE_URL",
    "Error: Prisma schema validation - (get-config wasm)\nError code: P1012\nerror: Environment variable not found: "
    "DIRECT_URL.\n  -->  prisma/schema.prisma:8": "DIRECT_URL",
    "OpenAIError: The OPENAI_API_KEY environment variable is missing or empty; either provide it, or instantiate the OpenAI "
    "client with an apiKey option, like new OpenAI({ apiKey: 'My API Key' }).": "OPENAI_API_KEY",
    "Error: Could not resolve authentication method. Expected one of apiKey, authToken, credentials, config, or profile to "
    'be set. Or for the "Authorization" header to be explicitly omitted': "ANTHROPIC_API_KEY",
    "Error: Neither apiKey nor config.authenticator provided" + NODE_TRACE: "STRIPE_SECRET_KEY",
    "Error: supabaseUrl is required." + NODE_TRACE: "SUPABASE_URL",
    "Error: supabaseKey is required." + NODE_TRACE: "SUPABASE_KEY",
    "Error: @clerk/nextjs: Missing publishableKey. You can get your key at https://dashboard.clerk.com/last-active?path=api-keys.": "CLERK_PUBLISHABLE_KEY",
    "Error: Missing Clerk Secret Key. Go to https://dashboard.clerk.com and get your key for your instance.": "CLERK_SECRET_KEY",
    "[next-auth][error][NO_SECRET] \nhttps://next-auth.js.org/errors#no_secret Please define a `secret` in production.": "NEXTAUTH_SECRET",
    "MissingSecret: Please define a `secret`. Read more at https://errors.authjs.dev#missingsecret": "NEXTAUTH_SECRET",
    "Error: secretOrPrivateKey must have a value" + NODE_TRACE: "JWT_SECRET",
    "JsonWebTokenError: secret or public key must be provided" + NODE_TRACE: "JWT_SECRET",
    "TypeError: JwtStrategy requires a secret or key" + NODE_TRACE: "JWT_SECRET",
    "TypeError: OAuth2Strategy requires a clientID option" + NODE_TRACE: "CLIENT_ID",
    "Error: secret option required for sessions" + NODE_TRACE: "SESSION_SECRET",
    "Error: username is required" + NODE_TRACE: "TWILIO_ACCOUNT_SID",
    'Error: Missing API key. Pass it to the constructor `new Resend("re_123")`'
    + NODE_TRACE: "RESEND_API_KEY",
    "CredentialsProviderError: Could not load credentials from any providers"
    + NODE_TRACE: "AWS_ACCESS_KEY_ID",
    "Error: Region is missing" + NODE_TRACE: "AWS_REGION",
    "Error: Could not load the default credentials. Browse to https://cloud.google.com/docs/authentication/getting-started "
    "for more information.": "GOOGLE_APPLICATION_CREDENTIALS",
    "Error: Unable to detect a Project Id in the current environment.": "GOOGLE_APPLICATION_CREDENTIALS",
    "DiscordjsError [TokenInvalid]: An invalid token was provided.": "DISCORD_TOKEN",
    "error: [polling_error] EFATAL: Telegram Bot Token not provided!": "TELEGRAM_TOKEN",
    "Error: SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string" + NODE_TRACE: "DATABASE_URL",
    'MongooseError: The `uri` parameter to `openUri()` must be a string, got "undefined". Make sure the first parameter to '
    "`mongoose.connect()` or `mongoose.createConnection()` is a string.": "MONGODB_URI",
    "Error: No database connection string was provided to `neon()`. Perhaps an environment variable has not been set?": "DATABASE_URL",
    "VercelPostgresError - 'missing_connection_string': You did not supply a 'connectionString' and no 'POSTGRES_URL' env var was found.": "POSTGRES_URL",
    "Error: Dialect needs to be explicitly supplied as of v4.0.0": "DATABASE_URL",
    "Error: Missing required environment variables: STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRET": "STRIPE_SECRET_KEY",
    "Error: Missing required env var STRIPE_SECRET_KEY" + NODE_TRACE: "STRIPE_SECRET_KEY",
    "Error: Missing environment variable: S3_BUCKET" + NODE_TRACE: "S3_BUCKET",
    "Error: process.env.DATABASE_URL is not defined" + NODE_TRACE: "DATABASE_URL",
    "Error: Please add your MONGODB_URI to .env.local": "MONGODB_URI",
    "Error: Please define the MONGODB_URI environment variable inside .env.local": "MONGODB_URI",
    "Error: STRIPE_SECRET_KEY is missing" + NODE_TRACE: "STRIPE_SECRET_KEY",
    "Error: DATABASE_URL is required" + NODE_TRACE: "DATABASE_URL",
    "Error: DATABASE_URL must be set. Did you forget to provision a database?" + NODE_TRACE: "DATABASE_URL",
    "error: env must have required property 'DATABASE_URL'": "DATABASE_URL",
    # Go
    "2026/11/20 11:48:02 required key DATABASE_URL missing value": "DATABASE_URL",
    'panic: env: required environment variable "DATABASE_URL" is not set': "DATABASE_URL",
    'env: environment variable "JWT_SECRET" should not be empty': "JWT_SECRET",
    "2026/11/20 11:48:02 JWTSecret: missing required value: JWT_SECRET": "JWT_SECRET",
    'config error: field "DatabaseURL" is required but the value is not provided': "DATABASE_URL",
    "2026/11/20 11:48:02 DATABASE_URL environment variable not set\nexit status 1": "DATABASE_URL",
    "panic: missing required environment variable DATABASE_URL": "DATABASE_URL",
    '{"level":"fatal","msg":"environment variable STRIPE_KEY is required"}': "STRIPE_KEY",
    "2026/11/20 11:48:02 $PORT must be set": "PORT",
    # Java
    "java.lang.IllegalArgumentException: Could not resolve placeholder 'JWT_SECRET' in value \"${JWT_SECRET}\"": "JWT_SECRET",
    "org.springframework.util.PlaceholderResolutionException: Could not resolve placeholder 'stripe.api-key' in value \"${stripe.api-key}\"": "STRIPE_APIKEY",
    "Description:\n\nFailed to configure a DataSource: 'url' attribute is not specified and no embedded datasource could be "
    "configured.\n\nReason: Failed to determine a suitable driver class": "SPRING_DATASOURCE_URL",
    "io.micronaut.context.exceptions.ConfigurationException: Could not resolve placeholder ${JWT_SECRET}": "JWT_SECRET",
    "io.smallrye.config.ConfigValidationException: SRCFG00014: The config property stripe.key is required but it could not "
    "be found in any config source": "STRIPE_KEY",
    "java.util.NoSuchElementException: SRCFG00011: Could not expand value DATABASE_URL in property quarkus.datasource.jdbc.url": "DATABASE_URL",
    # Ruby, PHP, Elixir
    '/app/config/initializers/stripe.rb:1:in `fetch\': key not found: "STRIPE_SECRET_KEY" (KeyError)': "STRIPE_SECRET_KEY",
    "ArgumentError: Missing `secret_key_base` for 'production' environment, set this string with `bin/rails credentials:edit`": "SECRET_KEY_BASE",
    "Missing encryption key to decrypt file with. Ask your team for your master key and write it to /app/config/master.key "
    "or put it in the ENV['RAILS_MASTER_KEY'].": "RAILS_MASTER_KEY",
    'Figaro::MissingKeys: Missing required configuration keys: ["STRIPE_KEY", "S3_BUCKET"]': "STRIPE_KEY",
    'Dotenv::MissingKeys: Missing required configuration key: ["DATABASE_URL"]': "DATABASE_URL",
    "[2026-11-20 11:48:02] production.ERROR: No application encryption key has been specified. "
    '{"exception":"[object] (Illuminate\\\\Encryption\\\\MissingAppKeyException(code: 0)': "APP_KEY",
    'Symfony\\Component\\DependencyInjection\\Exception\\EnvNotFoundException: Environment variable not found: "MAILER_DSN".': "MAILER_DSN",
    "Dotenv\\Exception\\ValidationException: One or more environment variables failed assertions: DB_HOST is missing.": "DB_HOST",
    "System.InvalidOperationException: Mail key is needed (environment variable Mail__Key)": "Mail__Key",
    "System.InvalidOperationException: Mail:Key is not configured": "Mail__Key",
    '** (System.EnvError) could not fetch environment variable "POOL_SECRET" because it is not set': "POOL_SECRET",
    "** (RuntimeError) environment variable DATABASE_URL is missing.\nFor example: ecto://USER:PASS@HOST/DATABASE": "DATABASE_URL",
    "ERROR! Config provider Config.Reader failed with:\n** (RuntimeError) environment variable SECRET_KEY_BASE is missing.\n"
    "You can generate one by calling: mix phx.gen.secret": "SECRET_KEY_BASE",
    "** (ArgumentError) cookie store expects conn.secret_key_base to be set": "SECRET_KEY_BASE",
    # .NET, Rust, shells
    "System.ArgumentNullException: Value cannot be null. (Parameter 'connectionString')": "ConnectionStrings__DefaultConnection",
    "System.InvalidOperationException: The ConnectionString property has not been initialized.": "ConnectionStrings__DefaultConnection",
    "System.InvalidOperationException: Connection string 'ShopContext' not found.": "ShopContext",
    "System.InvalidOperationException: Section 'Jwt' not found in configuration.": "Jwt",
    "Microsoft.Extensions.Options.OptionsValidationException: DataAnnotation validation failed for 'StripeOptions' members: "
    "'ApiKey' with the error: 'The ApiKey field is required.'.": "ApiKey",
    "thread 'main' panicked at src/main.rs:12:40:\nDATABASE_URL must be set: NotPresent": "DATABASE_URL",
    "Error: missing value for field database_url": "DATABASE_URL",
    'Error: missing configuration field "database_url"': "DATABASE_URL",
    "/app/start.sh: line 3: DATABASE_URL: parameter not set": "DATABASE_URL",
    "/app/entrypoint.sh: line 4: REDIS_URL: unbound variable": "REDIS_URL",
}
INVALID = {
    "ValueError: Config 'DEBUG' has value 'maybe'. Not a valid bool.": "DEBUG",
    "environs.exceptions.EnvValidationError: Environment variable \"PORT\" invalid: ['Not a valid integer.']": "PORT",
    "pydantic_core._pydantic_core.ValidationError: 1 validation error for Config\nport\n  Input should be a valid integer, "
    "unable to parse string as an integer [type=int_parsing, input_value='$PORT', input_type=str]": "PORT",
    'pydantic_settings.exceptions.SettingsError: error parsing value for field "allowed_hosts" from source "EnvSettingsSource"': "ALLOWED_HOSTS",
    "sqlalchemy.exc.ArgumentError: Could not parse SQLAlchemy URL from given URL string": "DATABASE_URL",
    "sqlalchemy.exc.NoSuchModuleError: Can't load plugin: sqlalchemy.dialects:postgres": "DATABASE_URL",
    'asyncpg.exceptions._base.ClientConfigurationError: invalid DSN: scheme is expected to be either "postgresql" or '
    "\"postgres\", got 'postgres+asyncpg'": "DATABASE_URL",
    "ValueError: Redis URL must specify one of the following schemes (redis://, rediss://, unix://)": "REDIS_URL",
    "pymongo.errors.InvalidURI: Invalid URI scheme: URI must begin with 'mongodb://' or 'mongodb+srv://'": "MONGODB_URI",
    "sentry_sdk.utils.BadDsn: Unsupported scheme ''": "SENTRY_DSN",
    "Error: '$PORT' is not a valid port number.": "PORT",
    "Error: Invalid value for '--port': '$PORT' is not a valid integer.": "PORT",
    "Error: Invalid supabaseUrl: Must be a valid HTTP or HTTPS URL." + NODE_TRACE: "SUPABASE_URL",
    "Error: accountSid must start with AC" + NODE_TRACE: "TWILIO_ACCOUNT_SID",
    "FirebaseAppError: Failed to parse private key: Error: Invalid PEM formatted message.": "FIREBASE_PRIVATE_KEY",
    'FirebaseAppError: Service account object must contain a string "project_id" property.': "FIREBASE_SERVICE_ACCOUNT",
    'MongoParseError: Invalid scheme, expected connection string to start with "mongodb://" or "mongodb+srv://"': "MONGODB_URI",
    "error: Error validating datasource `db`: the URL must start with the protocol `postgresql://` or `postgres://`.": "DATABASE_URL",
    "RangeError [ERR_SOCKET_BAD_PORT]: options.port should be >= 0 and < 65536. Received type number (NaN).": "PORT",
    '================================\n Invalid environment variables:\n    PORT: Invalid port input: "abc"\n': "PORT",
    'EnvVarError: env-var: "PORT" should be a valid integer': "PORT",
    'ZodError: [\n  {\n    "code": "invalid_type",\n    "expected": "number",\n    "received": "nan",\n    "path": [\n'
    '      "PORT"\n    ],\n    "message": "Expected number, received nan"\n  }\n]': "PORT",
    'env: parse error on field "Port" of type "int": strconv.ParseInt: parsing "abc": invalid syntax': "Port",
    "envconfig.Process: assigning SHOP_PORT to Port: converting 'abc' to type int. details: strconv.ParseInt: parsing \"abc\": invalid syntax": "SHOP_PORT",
    "RuntimeException: Unsupported cipher or incorrect key length. Supported ciphers are: aes-128-cbc, aes-256-cbc.": "APP_KEY",
    "ActiveSupport::MessageEncryptor::InvalidMessage: ActiveSupport::MessageEncryptor::InvalidMessage": "RAILS_MASTER_KEY",
    "System.ArgumentException: Format of the initialization string does not conform to specification starting at index 0.": "ConnectionStrings__DefaultConnection",
    "java.lang.IllegalArgumentException: Driver org.postgresql.Driver claims to not accept jdbcUrl, postgres://u@h/d": "SPRING_DATASOURCE_URL",
}
IN_CODE = [
    # text, code around the innermost own frame, variable, kind
    ("KeyError: 'BOT_TOKEN'", 'BOT_TOKEN = os.environ["BOT_TOKEN"]', "BOT_TOKEN", SignKind.SETTING_MISSING),
    ("KeyError: 'EUR'", 'rate = float(os.environ["EUR"])', "EUR", SignKind.SETTING_MISSING),
    (
        "KeyError: 'STRIPE_KEY'",
        "stripe.api_key = app.config['STRIPE_KEY']",
        "STRIPE_KEY",
        SignKind.SETTING_MISSING,
    ),
    (
        "Error: GIFT_MODE is required",
        "if (!process.env.GIFT_MODE) throw new Error('GIFT_MODE is required')",
        "GIFT_MODE",
        SignKind.SETTING_MISSING,
    ),
    (
        "TypeError: Cannot read properties of undefined (reading 'split')",
        "const o = process.env.ALLOWED_ORIGINS.split(',')",
        "ALLOWED_ORIGINS",
        SignKind.SETTING_MISSING,
    ),
    (
        "AttributeError: 'NoneType' object has no attribute 'split'",
        'origins = os.getenv("ALLOWED_ORIGINS").split(",")',
        "ALLOWED_ORIGINS",
        SignKind.SETTING_MISSING,
    ),
    (
        "AttributeError: 'NoneType' object has no attribute 'startswith'",
        'r = redis.Redis.from_url(os.getenv("REDIS_URL"))',
        "REDIS_URL",
        SignKind.SETTING_MISSING,
    ),
    (
        "TypeError: int() argument must be a string, a bytes-like object or a real number, not 'NoneType'",
        'n = int(os.environ.get("WORKER_COUNT"))',
        "WORKER_COUNT",
        SignKind.SETTING_MISSING,
    ),
    (
        "undefined method `split' for nil:NilClass (NoMethodError)",
        'HOSTS = ENV["ALLOWED_HOSTS"].split(",")',
        "ALLOWED_HOSTS",
        SignKind.SETTING_MISSING,
    ),
    (
        "TypeError: Invalid URL\n  code: 'ERR_INVALID_URL',\n  input: 'undefined/v1'",
        "await fetch(`${process.env.API_URL}/v1`)",
        "API_URL",
        SignKind.SETTING_MISSING,
    ),
    (
        "Error: secretOrPrivateKey must have a value",
        "return jwt.sign(user, process.env.ACCESS_TOKEN_SECRET)",
        "ACCESS_TOKEN_SECRET",
        SignKind.SETTING_MISSING,
    ),
    (
        "Error: SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string",
        "new Pool({ user: process.env.PGUSER, password: process.env.PGPASSWORD })",
        "PGPASSWORD",
        SignKind.SETTING_MISSING,
    ),
    (
        "Error: supabaseUrl is required.",
        "createClient(process.env.NEXT_PUBLIC_SUPABASE_URL, process.env.SUPABASE_KEY)",
        "NEXT_PUBLIC_SUPABASE_URL",
        SignKind.SETTING_MISSING,
    ),
    (
        "ValueError: invalid literal for int() with base 10: 'many'",
        'n = int(os.environ["WORKER_COUNT"])',
        "WORKER_COUNT",
        SignKind.SETTING_INVALID,
    ),
    (
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        'c = json.loads(os.environ["GOOGLE_CREDENTIALS"])',
        "GOOGLE_CREDENTIALS",
        SignKind.SETTING_INVALID,
    ),
    (
        'panic: strconv.Atoi: parsing "abc": invalid syntax',
        'n, err := strconv.Atoi(os.Getenv("WORKERS"))',
        "WORKERS",
        SignKind.SETTING_INVALID,
    ),
    (
        "ValueError: invalid literal for int() with base 10: 'abc'",
        "PORT = config('PORT', cast=int)",
        "PORT",
        SignKind.SETTING_INVALID,
    ),
]


@pytest.mark.parametrize("text", MISSING)
def test_a_missing_setting_is_read_with_its_name(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == (SignKind.SETTING_MISSING, MISSING[text]), signs


@pytest.mark.parametrize("text", INVALID)
def test_a_malformed_setting_is_read_with_its_name(text: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == (SignKind.SETTING_INVALID, INVALID[text]), signs


@pytest.mark.parametrize(("text", "code", "name", "kind"), IN_CODE)
def test_the_code_beside_an_error_names_the_variable(text: str, code: str, name: str, kind: SignKind) -> None:
    signs = read_signs(text, [code])

    assert (signs[0].kind, signs[0].subject) == (kind, name), signs


def test_every_missing_setting_of_a_list_is_a_sign() -> None:
    text = 'Error: Config validation error: "DATABASE_URL" is required. "JWT_SECRET" is required'

    assert [sign.subject for sign in read_signs(text)] == ["DATABASE_URL", "JWT_SECRET"]


def test_a_frame_of_the_environment_proves_that_a_key_is_a_variable() -> None:
    trace = (
        'Traceback (most recent call last):\n  File "/app/bot.py", line 12, in <module>\n    main()\n'
        "  File \"<frozen os>\", line 714, in __getitem__\nKeyError: 'BOT'"
    )

    assert [(sign.kind, sign.subject) for sign in read_signs(trace)] == [(SignKind.SETTING_MISSING, "BOT")]


def test_a_name_that_only_the_library_suggests_is_marked() -> None:
    (sign,) = read_signs("Error: secretOrPrivateKey must have a value")

    assert (sign.subject, sign.numbers) == ("JWT_SECRET", {"usual_name": 1.0})


def test_a_value_that_no_shell_replaced_is_marked() -> None:
    unexpanded = read_signs("Error: Invalid value for '--port': '$PORT' is not a valid integer.")[0]
    malformed = read_signs("Error: Invalid value for '--port': 'abc' is not a valid integer.")[0]

    assert "unexpanded" in unexpanded.numbers
    assert "unexpanded" not in malformed.numbers


@pytest.mark.parametrize(
    ("usual", "read", "name"),
    [
        ("DATABASE_URL", ["SMTP_PASSWORD", "DB_URL"], "DB_URL"),
        ("DATABASE_URL", ["API_URL", "PGPASSWORD_APP"], "PGPASSWORD_APP"),
        ("DATABASE_URL", ["API_URL"], ""),
        ("JWT_SECRET", ["STRIPE_SECRET", "APP_JWT_SECRET"], "APP_JWT_SECRET"),
        ("JWT_SECRET", ["STRIPE_SECRET"], ""),
    ],
)
def test_only_a_name_with_the_words_of_a_setting_is_likely(usual: str, read: list[str], name: str) -> None:
    assert likely_name(usual, read) == name


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings", [""]),
        ("DATABASE_URL\n  Field required [type=missing, input_value={}, input_type=dict]", ["DATABASE_URL"]),
        ("2 validation errors for Settings\n\nAPI_ID\n\n  Field required [type=missing]\n\nAPI_HASH\n\n  Field required", ["API_ID", "API_HASH"]),
    ],
)  # fmt: skip
def test_a_block_that_is_torn_apart_is_still_about_settings(text: str, names: list[str]) -> None:
    assert [(sign.kind, sign.subject) for sign in read_signs(text)] == [
        (SignKind.SETTING_MISSING, name) for name in names
    ]
