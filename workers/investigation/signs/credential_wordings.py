"""Sentences in which a product rejects a password or a key. Pure."""

from __future__ import annotations

from workers.investigation.signs.wordings import Wording
from workers.models import SignKind

REJECTED = SignKind.CREDENTIALS_REJECTED

# Products that reject a password or key, in their own words. The subject is the product, which has one setting.
CREDENTIALS: tuple[Wording, ...] = (
    # PostgreSQL server messages; the same through JDBC, Npgsql, Prisma P1000.
    Wording(REJECTED, r"password authentication failed for user", "postgres"),
    Wording(REJECTED, r"Authentication failed against (?:the )?database server", "postgres"),
    Wording(REJECTED, r"no password supplied|SCRAM-SERVER-FINAL-MESSAGE", "postgres"),
    Wording(
        REJECTED,
        r"no pg_hba\.conf entry for host(?![^\n]{0,160}(?:SSL off|no encryption))|pg_hba\.conf rejects connection",
        "postgres",
    ),
    Wording(REJECTED, r"FATAL:\s{1,3}role \"[^\"\n]{1,63}\" does not exist", "postgres"),
    Wording(REJECTED, r"\brole \"[^\"\n]{1,63}\" does not exist$", "postgres"),
    # MySQL 1045, MongoDB code 18, Redis 6 ACLs, RabbitMQ, Kafka SASL, SMTP, Elasticsearch.
    Wording(REJECTED, r"Access denied for user", "mysql"),
    Wording(REJECTED, r"Login failed for user '", "sqlserver"),
    Wording(
        REJECTED,
        r"Mongo(?:Server)?Error: (?:bad auth|Authentication failed)|bad auth : [Aa]uthentication failed|OperationFailure: Authentication failed|\(AuthenticationFailed\)",
        "mongodb",
    ),
    Wording(
        REJECTED,
        r"\bWRONGPASS\b|\bNOAUTH\b|ERR invalid password|ERR AUTH <password> called without"
        r"|HELLO must be called with the client already authenticated",
        "redis",
    ),
    Wording(
        REJECTED,
        r"AuthenticationError: Authentication required|invalid username-password pair|Client sent AUTH, but no password is set"
        r"|HELLO must be called with the client already authenticated",
        "redis",
    ),
    Wording(REJECTED, r"ACCESS[_-]REFUSED", "rabbitmq"),
    Wording(
        REJECTED,
        r"SASL authentication (?:error|failed)|SaslAuthenticationException|SASL PLAIN authentication failed",
        "kafka",
    ),
    Wording(REJECTED, r"SMTPAuthenticationError|\bEAUTH\b|Invalid login: 535|\b535[ -]5\.7\.\d", "smtp"),
    # Keys of providers, in the provider's words.
    Wording(REJECTED, r"Incorrect API key provided", "api.openai.com"),
    Wording(REJECTED, r"invalid x-api-key", "api.anthropic.com"),
    Wording(REJECTED, r"API key not valid\. Please pass a valid API key", "googleapis.com"),
    Wording(
        REJECTED,
        r"StripeAuthenticationError|stripe[\w.]{0,20}\.AuthenticationError|(?:Invalid|Expired) API Key provided: ",
        "api.stripe.com",
    ),
    Wording(
        REJECTED,
        r"\b(?:InvalidAccessKeyId|SignatureDoesNotMatch|InvalidClientTokenId|UnrecognizedClientException|ExpiredToken(?:Exception)?)\b",
        "amazonaws.com",
    ),
    Wording(
        REJECTED,
        r"Improper token has been passed|\[TokenInvalid\]|An invalid token was provided",
        "discord.com",
    ),
    Wording(
        REJECTED,
        r"telegram\.error\.InvalidToken|ETELEGRAM: 401 Unauthorized|TelegramError: 401: Unauthorized|TelegramUnauthorizedError",
        "api.telegram.org",
    ),
    Wording(REJECTED, r"\b(?:invalid_auth|token_revoked|not_authed)\b", "slack.com"),
    Wording(
        REJECTED,
        r"Bad credentials[^\n]{0,120}(?:github|https://docs\.github)|HttpError: Bad credentials",
        "api.github.com",
    ),
    Wording(
        REJECTED,
        r"\[?20003\]?[^\n]{0,40}[Aa]uthenticat(?:e|ion)|TwilioRestException: HTTP 401",
        "api.twilio.com",
    ),
    Wording(
        REJECTED,
        r"\binvalid_(?:grant|client)\b: (?:Invalid JWT|The OAuth client|Bad Request|Unauthorized)",
        "googleapis.com",
    ),
)
