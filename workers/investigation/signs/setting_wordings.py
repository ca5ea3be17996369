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

DEMAND = (
    r"(?:[Pp]lease|[Mm]ust|[Nn]eeds? to|ha(?:ve|s) to|[Ss]hould|forget to|sure (?:to|you)|Error:|Exception:|[Rr]equired|[Mm]issing"
    r"|[Nn]ot (?:found|set)[.,:])[^\n]{0,60}?"
)
"""Before an instruction to set a variable: without a demand it is a hint, such as how to silence a warning."""

GENERIC: tuple[Wording, ...] = (
    # Words that services and libraries use for their own checks: `Missing required environment variables: A, B`.
    Wording(
        MISSING,
        rf"\b(?i:missing|required|undefined|unset|no|expected|absent)(?i: (?:the|a|an|all|one|following"
        rf"|these|some|required|mandatory|necessary|or|more|of|invalid|empty)){{0,4}} (?i:{ENV_WORDS})\b(?:\(s\))?"
        rf"(?i: (?:is|are|named|called|not set|not found|missing|required|for \w{{1,30}})){{0,3}}[:=]?\s{{0,4}}[\[({{]?\s{{0,4}}(?:[-*•] )?"
        rf"(?P<names>{Q}{UPPER}{Q}(?:(?:,|\band\b|\bor\b|[\s•*-]){{1,12}}{Q}{UPPER}{Q}){{0,12}})(?![a-z(])",
        exact_case=True,
    ),
    Wording(
        MISSING, rf"\b(?i:missing)(?: required)? env:? {Q}(?P<subject>{UPPER})\b(?![a-z])", exact_case=True
    ),
    # `JWT secret is not defined`, `Stripe API key missing`: settings in prose, of products whose settings are meant.
    Wording(
        MISSING,
        r"\b(?P<subject>(?:JWT|Stripe|OpenAI|Supabase|Firebase|AWS|SendGrid|Resend|Twilio|Database|MongoDB|Mongo|Redis|Postgres|Sentry|Discord"
        r"|Telegram|Slack|GitHub|Clerk|Anthropic) (?:secret(?: key)?|API key|api key|URL|URI|DSN|connection string|bot token))"
        r" (?:is |was )?(?:not (?:defined|set|configured|provided|found)|missing|undefined|required)\b",
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
    # `Missing credentials. Please pass an `apiKey`, or set the `OPENAI_API_KEY` or `OPENAI_ADMIN_KEY` environment variable.`
    Wording(
        MISSING,
        rf"(?:[Mm]issing|[Rr]equired|must|[Pp]lease|[Ee]ither|[Nn]ot (?:found|set)|[Nn]o |[Cc]ould not)[^\n]{{0,200}}\b(?:set|setting|via|through|using|define) (?:the )?{Q}"
        rf"(?P<subject>{VARIABLE}){Q}(?: (?:or|and|/) {Q}{VARIABLE}{Q})? environment variable",
        exact_case=True,
    ),
    # `Please set DATABASE_URL in your environment`, `you must set the environment variable X`.
    Wording(
        MISSING,
        rf"{DEMAND}\b(?i:set|define|provide|configure|specify|export|add)(?i: (?:the|a|your|an|value|for|required)){{0,3}}"
        rf"(?i: {ENV_WORDS})?:? {Q}(?P<subject>{UPPER}){Q}(?! ?=)(?i: {ENV_WORDS})?"
        r"(?i: (?:in|to|as|on|inside|within)(?: (?:the|your|an?|process|system|deployment|railway))?"
        r" (?:env(?:ironment)?\b|\.env\b|variables?\b)| environment\b| env\b)",
        exact_case=True,
    ),
    Wording(
        MISSING,
        rf"{DEMAND}\b(?i:set|define|provide|configure|specify|export|add)(?i: (?:the|a|your|an|following)){{0,2}}"
        rf"(?i: {ENV_WORDS}):? {Q}(?P<subject>{UPPER})\b(?! ?=)",
        exact_case=True,
    ),
    Wording(
        MISSING,
        rf"(?<![\w./:-]){Q}(?P<subject>{VARIABLE}){Q}(?i: (?:is|was|are|variable|env|setting|value|config)){{0,3}} "
        r"(?i:not set|unset|must be (?:set|defined|provided|specified|configured)|to be (?:set|defined)|not configured|not provided|isn't set"
        r"|not defined|(?:needs|has) to be set|(?:must not|cannot|can't) be (?:empty|blank|null|undefined)|should be set)\b"
        r"(?! (?i:by|to|on|in the (?:response|request)))",
        exact_case=True,
    ),
    # `Please ensure the 'X' environment variable is set`, `could not find environment variable X`.
    Wording(
        MISSING,
        rf"(?i:ensure|make sure|check|verify|expected)(?i: that)?(?i: the)? {Q}(?P<subject>{UPPER}){Q}(?i: {ENV_WORDS})?"
        r" (?i:is|are|has been|to be) (?i:set|defined|configured|present|provided)\b",
        exact_case=True,
    ),
    Wording(
        MISSING,
        rf"(?i:cannot|could not|couldn't|can't|unable to|failed to) (?i:find|read|get|load|resolve|access|retrieve)"
        rf"(?i: (?:the|required|value|of|for|from)){{0,3}}(?i: {ENV_WORDS}):? {Q}(?P<subject>{UPPER})\b",
        exact_case=True,
    ),
    Wording(
        MISSING,
        rf"^(?:\w{{0,30}}Error: )?(?:Please )?[Ss]et (?P<subject>{VARIABLE}) (?:before|and (?:restart|redeploy|try))",
        exact_case=True,
    ),
    # `Either an env variable `SLACK_BOT_TOKEN` or `token` argument in the constructor is required.`
    Wording(
        MISSING,
        rf"(?i:{ENV_WORDS}):? {Q}(?P<subject>{UPPER}){Q}[^\n.]{{0,80}} (?i:(?:is|are) (?:required|missing|needed)|must be (?:set|given|provided|passed))",
        exact_case=True,
    ),
    # The official images of PostgreSQL and MySQL.
    Wording(MISSING, rf"must specify (?P<subject>{VARIABLE}) to a non-empty value", exact_case=True),
    Wording(
        MISSING,
        rf"specify one of the following as an environment variable:\s{{1,8}}- (?P<subject>{VARIABLE})",
        exact_case=True,
    ),
    Wording(MISSING, rf"\$(?P<subject>{UPPER}) must be set", exact_case=True),
    # A name that a shell should have replaced, and values of the wrong form.
    Wording(
        INVALID,
        rf"(?i:invalid|parsing|not a valid)[^\n]{{0,60}}['\"]\$\{{?(?P<subject>{UPPER})\}}?['\"]",
        exact_case=True,
    ),
    Wording(
        INVALID,
        rf"(?<![\w./:-]){Q}(?P<subject>{UPPER}){Q}(?i: {ENV_WORDS})(?i: (?:is|was))? (?i:invalid|malformed|not valid|not a valid"
        r"|(?:must|should) (?:start with|be a|be an|contain|match|begin with|be one of|be at least))\b",
        exact_case=True,
    ),
    Wording(INVALID, rf"does not match the (?P<subject>{VARIABLE}) env var", exact_case=True),
    Wording(
        MISSING, rf"\bprocess\.env\.(?P<subject>{UPPER}){Q}(?i: (?:is|was))?(?i: {ABSENT})\b", exact_case=True
    ),
    # A Go, Rust or shell check that names the variable first: `DATABASE_URL: parameter not set` (bash `${X:?}`).
    Wording(
        MISSING,
        rf"\b(?P<subject>{UPPER}): (?:parameter (?:null or )?not set|unbound variable)",
        exact_case=True,
    ),
)
