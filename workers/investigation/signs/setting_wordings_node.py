"""Sentences of Node.js frameworks and clients about missing or malformed settings. Pure."""

from __future__ import annotations

from workers.investigation.signs.setting_wordings import ANY, INVALID, MISSING, UPPER
from workers.investigation.signs.wordings import Wording

NODE: tuple[Wording, ...] = (
    # Prisma: P1012 and the query engine.
    Wording(MISSING, rf"Environment variable not found: (?P<subject>{ANY})"),
    Wording(INVALID, r"the URL must start with the protocol `?[\w+]{1,20}", "DATABASE_URL"),
    Wording(INVALID, r"The provided database string is invalid|P1013", "DATABASE_URL"),
    # envalid, env-var, convict, dotenv-safe, @nestjs/config.
    Wording(MISSING, rf"env-var: \"(?P<subject>{ANY})\" is a required variable, but it was not set"),
    Wording(INVALID, rf"env-var: \"(?P<subject>{ANY})\" (?:should|must) "),
    Wording(
        MISSING,
        rf"defined in [\w./-]{{1,80}} but are not (?:defined|present) in the environment:\s{{0,4}}(?P<names>{UPPER}(?:, {UPPER}){{0,20}})",
        exact_case=True,
    ),
    Wording(
        MISSING,
        rf"Config validation error: [^\n]{{0,200}}?\"(?P<subject>{ANY})\" is (?:required|not allowed to be empty)",
    ),
    Wording(INVALID, rf"Config validation error: \"(?P<subject>{ANY})\" must be "),
    Wording(MISSING, rf"Configuration key \"(?P<subject>{ANY})\" does not exist"),
    # openai-node, @anthropic-ai/sdk, stripe-node, supabase-js, clerk, next-auth, passport, jsonwebtoken, twilio, resend.
    Wording(
        MISSING, rf"\bThe (?P<subject>{UPPER}) environment variable is missing or empty", exact_case=True
    ),
    Wording(MISSING, r"Neither apiKey nor config\.authenticator provided", "STRIPE_SECRET_KEY"),
    Wording(MISSING, r"supabaseUrl is required", "SUPABASE_URL"),
    Wording(MISSING, r"supabaseKey is required", "SUPABASE_KEY"),
    Wording(
        MISSING,
        r"Could not resolve authentication method\. Expected [^\n]{0,80}apiKey",
        "ANTHROPIC_API_KEY",
    ),
    Wording(
        MISSING, r"Unable to detect a Project Id in the current environment", "GOOGLE_APPLICATION_CREDENTIALS"
    ),
    Wording(INVALID, r"Invalid supabaseUrl", "SUPABASE_URL"),
    Wording(MISSING, r"Your project's URL and Key are required to create a Supabase client", "SUPABASE_URL"),
    Wording(MISSING, r"Missing publishableKey", "CLERK_PUBLISHABLE_KEY"),
    Wording(MISSING, r"Missing (?:Clerk )?(?:secretKey|Secret Key)", "CLERK_SECRET_KEY"),
    Wording(INVALID, r"publishableKey passed to Clerk is invalid", "CLERK_PUBLISHABLE_KEY"),
    Wording(MISSING, r"Please define a `secret`|\[NO_SECRET\]|MissingSecret(?:Error)?\b", "NEXTAUTH_SECRET"),
    Wording(MISSING, r"secretOrPrivateKey must have a value", "JWT_SECRET"),
    Wording(MISSING, r"secret or public key must be provided", "JWT_SECRET"),
    Wording(
        MISSING,
        r"(?:JwtStrategy requires a secret or key|secretOrKey\b[^\n]{0,40}(?:undefined|required))",
        "JWT_SECRET",
    ),
    Wording(MISSING, r"OAuth2Strategy requires a (?:clientID|clientSecret) option", "CLIENT_ID"),
    Wording(MISSING, r"secret option required for sessions", "SESSION_SECRET"),
    Wording(MISSING, r"^(?:\w*Error: )?username is required$", "TWILIO_ACCOUNT_SID"),
    Wording(INVALID, r"accountSid must start with AC", "TWILIO_ACCOUNT_SID"),
    Wording(MISSING, r"Missing API key\. Pass it to the constructor", "RESEND_API_KEY"),
    Wording(INVALID, r"API key does not start with \"SG\.\"", "SENDGRID_API_KEY"),
    Wording(MISSING, r"Could not load credentials from any providers", "AWS_ACCESS_KEY_ID"),
    Wording(MISSING, r"Missing credentials in config", "AWS_ACCESS_KEY_ID"),
    Wording(MISSING, r"^.{0,80}\bRegion is missing", "AWS_REGION"),
    Wording(
        INVALID,
        r"Service account object must contain a string \"\w{1,30}\" property",
        "FIREBASE_SERVICE_ACCOUNT",
    ),
    Wording(INVALID, r"Failed to parse private key", "FIREBASE_PRIVATE_KEY"),
    Wording(MISSING, r"\[TokenInvalid\]|An invalid token was provided", "DISCORD_TOKEN"),
    Wording(MISSING, r"\[TokenMissing\]|token was unavailable to the client", "DISCORD_TOKEN"),
    Wording(MISSING, r"Telegram Bot Token not provided", "TELEGRAM_TOKEN"),
    Wording(INVALID, r"Invalid Sentry Dsn", "SENTRY_DSN"),
    # node-postgres: an undefined password; mongoose and the MongoDB driver: an undefined URI.
    Wording(MISSING, r"client password must be a string", "DATABASE_URL"),
    Wording(
        MISSING, r"The `uri` parameter to `openUri\(\)` must be a string, got \"undefined\"", "MONGODB_URI"
    ),
    Wording(INVALID, r"Invalid scheme, expected connection string to start with", "MONGODB_URI"),
    Wording(INVALID, r"MongoParseError: [^\n]{0,40}(?:connection string|URI)", "MONGODB_URI"),
    # drizzle, neon, vercel: a connection string that is not there.
    Wording(MISSING, r"No database connection string was provided to `neon\(\)`", "DATABASE_URL"),
    Wording(MISSING, r"missing_connection_string", "POSTGRES_URL"),
    Wording(MISSING, r"Either connection \"url\" or \"host\", \"database\" are required", "DATABASE_URL"),
    # Strapi, Payload, Keystone, Cloudinary, PostHog, Algolia.
    Wording(MISSING, r"Missing jwtSecret\. Please, set configuration variable", "JWT_SECRET"),
    Wording(MISSING, r"App keys are required\. Please set app\.keys", "APP_KEYS"),
    Wording(MISSING, r"missing secret key\. A secret key is needed to secure Payload", "PAYLOAD_SECRET"),
    Wording(INVALID, r"sessionSecret must be at least|The session secret must be at least", "SESSION_SECRET"),
    Wording(MISSING, r"Must supply (?:api_key|cloud_name|api_secret)\b", "CLOUDINARY_URL"),
    Wording(MISSING, r"You must pass your PostHog project's api key", "POSTHOG_API_KEY"),
    Wording(MISSING, r"`?(?:appId|apiKey)`? is missing\.?$", "ALGOLIA_API_KEY"),
    Wording(
        MISSING,
        r"Please provide required params[^\n]{0,60}:\s{1,8}\[x\] (?:url|host): undefined",
        "DATABASE_URL",
    ),
    Wording(MISSING, rf"[Ee]ither (?P<names>{UPPER}(?: (?:and|or) {UPPER}){{1,4}}) env", exact_case=True),
    Wording(MISSING, r"No value provided for input HTTP label: Bucket", "S3_BUCKET"),
    Wording(MISSING, r"ConfigError: Missing region in config", "AWS_REGION"),
    # Node itself.
    Wording(MISSING, rf"of 'process\.env\.(?P<subject>{UPPER})' as it is undefined", exact_case=True),
    Wording(INVALID, r"options\.port should be >= 0 and < 65536[^\n]{0,60}", "PORT"),
    Wording(MISSING, r"ERR_INVALID_URL[^\n]{0,20},?\s{1,8}input: ['\"]undefined"),
    Wording(MISSING, r"Dialect needs to be explicitly supplied", "DATABASE_URL"),
)
