"""Names of settings: how code reads them, and how the environment spells them. Pure."""

from __future__ import annotations

import re

from workers.investigation.signs.setting_wordings import UPPER, Q
from workers.investigation.signs.wordings import compiled, matches, may_match

# How code reads a variable, with its name: Python, Node.js, Vite, Deno and Bun, Ruby, PHP, Go, Rust, Elixir, Java, .NET.
ACCESS = (
    r"(?:environ(?:\.get|\.pop)?\s?[\[(]|getenv\(|process\.env(?:\.|\[|\?\.)|import\.meta\.env\.|env\.get\(|\bENV(?:\.fetch)?[(\[]"
    r"|\benv\(|os\.Getenv\(|LookupEnv\(|env::var(?:_os)?\(|env!\(|fetch_env!\(|get_env\(|System\.getenv\(|Bun\.env\."
    r"|EnvironmentVariable\(|\bconfig\(|\benv\.\w{1,12}\(|(?i:config|configuration|settings|env)(?:Service)?(?:\.get(?:OrThrow)?(?:<\w{1,20}>)?\(|\[))"
    rf"\s?{Q}(?P<subject>{UPPER})\b"
)
# `const {DATABASE_URL, PORT} = process.env`
DESTRUCTURED = r"\{\s?(?P<names>[\w,\s:='\"]{2,400})\}\s?=\s?process\.env\b"
# .NET reads `ConnectionStrings:Orders` from the variable ConnectionStrings__Orders.
CONNECTION_STRING = r"GetConnectionString\(\"(?P<subject>\w{1,60})\"\)"
# Names that only settings have.
SETTING_SHAPE = re.compile(
    r"(?:^|_)(?:URL|URI|DSN|KEY|KEYS|TOKEN|SECRET|PASSWORD|PASSWD|PASS|PASSPHRASE|CERT|HOST|HOSTNAME|PORT|BUCKET|REGION|CREDENTIALS|ENDPOINT"
    r"|API_BASE|KEY_BASE|SALT|CLIENT_ID|APP_ID|PROJECT_ID|ACCOUNT_ID|TENANT_ID|USERNAME|WEBHOOK|DATABASE|SID|ORIGIN|ORIGINS|DOMAIN)$"
    r"|^(?:NEXT_PUBLIC|VITE|REACT_APP|DB|DATABASE|POSTGRES|PG|MYSQL|REDIS|MONGO|MONGODB|AWS|S3|SMTP|JWT|STRIPE|OPENAI|SENTRY"
    r"|RAILWAY|DJANGO|FLASK|RAILS|SUPABASE|FIREBASE|GOOGLE|AUTH0|TWILIO)_"
)


# Further parts of names that a setting has in many services. A database address is often split into variables; the
# password is the part whose absence clients complain about.
OTHER_WORDS = {
    "DATABASE_URL": ("DATABASE", "POSTGRES", "PGPASS", "DB", "DSN", "PG", "PASSWORD"),
    "MONGODB_URI": ("MONGO",),
    "JWT_SECRET": ("TOKEN_SECRET", "AUTH_SECRET"),
    "DISCORD_TOKEN": ("BOT",),
    "TELEGRAM_TOKEN": ("BOT",),
    "NEXTAUTH_SECRET": ("AUTH_SECRET",),
    "AWS_ACCESS_KEY_ID": ("S3_ACCESS", "AWS"),
    "ConnectionStrings__DefaultConnection": ("ConnectionStrings__",),
}
SORTS = (
    frozenset({"KEY", "TOKEN", "SECRET", "PASSWORD", "PASS", "CREDENTIALS", "SID", "ID"}),
    frozenset({"URL", "URI", "HOST", "DSN", "ENDPOINT", "DATABASE", "DB"}),
)
"""Words of names that stand for the same sort of setting."""


def variables_read(code: str) -> list[str]:
    """The variables that the code reads from the environment, in its order, each once."""
    lowered = code.lower()
    if "env" not in lowered and "config" not in lowered and "settings" not in lowered:
        return []
    names = [match["subject"] for match in compiled(ACCESS, True).finditer(code)]
    if "connectionstring" in lowered:
        names += [f"ConnectionStrings__{match['subject']}" for match in matches(CONNECTION_STRING, code)]
    for match in matches(DESTRUCTURED, code, exact_case=True) if may_match(DESTRUCTURED, lowered) else ():
        names += re.findall(UPPER, match["names"])
    return list(dict.fromkeys(names))


def nearest_name(usual: str, read: list[str]) -> str:
    """The variable that the code beside an error reads for a setting; empty if none is likely.

    Args:
        usual: the name that the setting usually has; empty if any name may be meant.
        read: variables that this code reads.
    """
    named = likely_name(usual, read) or next(
        (name for word in usual.split("_") for name in read if word in name), ""
    )
    if named or len(read) != 1:
        return named
    # A single variable of the same sort: a secret for a secret, an address for an address.
    words = set(usual.split("_"))
    return read[0] if any(sort & words and sort & set(read[0].split("_")) for sort in SORTS) else ""


def likely_name(usual: str, read: list[str]) -> str:
    """The variable that a whole service reads for a setting, by the words that only this setting has; else empty."""
    if usual in read:
        return usual
    own_words = [word for word in usual.split("_") if word and not any(word in sort for sort in SORTS)]
    words = (*OTHER_WORDS.get(usual, ()), *own_words)
    named = next((name for word in words for name in read if word in name), "")
    if named or own_words:
        return named
    # `SECRET_KEY` has no word of its own: the only variable that begins like it is meant.
    alike = [name for name in dict.fromkeys(read) if usual.partition("_")[0] in name.split("_")]
    return alike[0] if len(alike) == 1 else ""


def environment_name(name: str) -> str:
    """The variable of a setting: `jwt.secret` of Spring is JWT_SECRET, `Stripe:Key` of .NET is Stripe__Key."""
    if " " in name:
        return name.replace("connection string", "url").replace(" ", "_").upper()
    if ":" in name:
        return name.replace(":", "__")
    if re.fullmatch(r"[a-z][A-Za-z0-9]*(?:[._-][A-Za-z0-9\[\]]+)+", name):
        return re.sub(r"[.\[\]]+", "_", name.replace("-", "")).strip("_").upper()
    return name


def underscored(name: str) -> str:
    """The name in capitals with underscores between its words: `webhook-secret` and `WebhookSecret` are WEBHOOK_SECRET."""
    return re.sub(r"[^A-Za-z0-9]+", "_", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)).strip("_").upper()
