"""The formats of secrets: tokens that services publish, key blocks, addresses with a password, cookies. Pure.

Every pattern starts at a rare literal or has a bounded length, and none backtracks far.
"""

from __future__ import annotations

import re
from itertools import pairwise

# Share of adjacent characters of different kinds (lower case, upper case, digit) above which a text is random. Random
# text has 0.6 on average; names in CamelCase and paths stay below 0.35.
RANDOM_CHANGES = 0.4
RANDOM_SAMPLE = 512  # characters of a long text that are examined
LUHN_LENGTHS = range(13, 20)  # digits of a payment card number (ISO/IEC 7812)
SEPARATOR_SPACING = 12  # characters per separator; a text with more separators is a path or a name

PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----.*?(?:-----END[^\n-]{0,60}-----|\Z)",
    re.DOTALL,
)
KEY_START = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----")
KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,20}-----")
KEY_LINE = re.compile(
    r"[^A-Za-z0-9+/=]{0,40}[A-Za-z0-9+/=]{1,90}\W{0,10}\Z|\s*(?:Proc-Type|DEK-Info|Version|Comment):"
    r"|(?:\S{1,60}\s{1,4}){1,6}(?:(?=\S*\d)(?=\S*[A-Za-z])[A-Za-z0-9+/]{10,90}|[A-Za-z0-9+/]{0,90}=)={0,2}\W{0,4}\Z"
)
"""A line inside a key block; a logger may put quotes, a time or a level before it."""

# The token formats that services publish so that scanners can find leaked tokens: a part that each of them contains,
# and the pattern. A search for a word costs a hundredth of a search for a pattern.
TOKEN_FORMATS = (
    ("rnd_", r"(?<![A-Za-z0-9])rnd_[A-Za-z0-9]{20,}"),
    ("v1.0-", r"(?<!\w)v1\.0-[0-9a-f]{24}-[0-9a-f]{80,}"),
    ("GR1348941", r"GR1348941[\w-]{16,}"),
    ("tvly-", r"tvly-[\w-]{16,}"),
    ("fc-", r"(?<![\w-])fc-[0-9a-f]{32}"),
    ("-us", r"(?<![0-9a-f])[0-9a-f]{32}-us\d{1,2}\b"),
    ("gh", r"gh[pousr]_[A-Za-z0-9]{16,}"),
    ("github_pat_", r"github_pat_\w{20,}"),
    ("gl", r"gl(?:pat|dt|rt|cbt|ptt|ft|agent|oas|soat|imt)-[\w.-]{16,}"),
    ("sk-", r"sk-[A-Za-z0-9_-]{16,}"),
    ("k_", r"[srp]k_(?:live|test)_[A-Za-z0-9]{8,}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{8,}"),
    ("xox", r"xox[a-z](?:\.xox[a-z])?-[\w-]{8,}"),
    ("xapp-", r"xapp-[\w-]{8,}"),
    ("hooks.slack.com/", r"(?<=hooks\.slack\.com/services/)[\w/-]{8,}"),
    ("hooks.slack.com/", r"(?<=hooks\.slack\.com/triggers/)[\w/-]{8,}"),
    ("hooks.slack.com/", r"(?<=hooks\.slack\.com/workflows/)[\w/-]{8,}"),
    ("/api/webhooks/", r"(?<=/api/webhooks/)[\w/-]{8,}"),
    ("/IncomingWebhook/", r"(?<=/IncomingWebhook/)[\w/-]{8,}"),
    ("/webhookb2/", r"(?<=/webhookb2/)[\w/@-]{8,}"),
    ("IA", r"(?<![A-Za-z0-9])A[KSB]IA[A-Z0-9]{16}"),
    ("ACCA", r"(?<![A-Za-z0-9])ACCA[A-Z0-9]{16}"),
    ("AIza", r"AIza[\w-]{30,}"),
    ("ya29.", r"ya29\.[\w-]{16,}"),
    ("GOCSPX-", r"GOCSPX-[\w-]{16,}"),
    ("/0", r"(?<![\w/])[14]//?0[\w-]{20,}"),
    ("eyJ", r"(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*){0,3}"),  # JWS and JWE, RFC 7515 and 7516
    ("npm_", r"npm_[A-Za-z0-9]{30,}"),
    ("pypi-", r"pypi-[\w-]{30,}"),
    ("hf_", r"hf_[A-Za-z0-9]{20,}"),
    ("_v1_", r"do[por]_v1_[a-f0-9]{32,}"),
    ("rubygems_", r"rubygems_[a-f0-9]{40,}"),
    ("SG.", r"(?<![\w-])SG\.[\w-]{16,}\.[\w-]{16,}"),
    ("key-", r"key-[0-9a-f]{32}"),
    ("shp", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    ("lin_api_", r"lin_api_\w{20,}"),
    ("SK", r"(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![0-9a-f])"),
    ("AC", r"(?<=AC[0-9a-f]{32}:)[0-9a-f]{32}"),
    (":AA", r"(?<!\d)\d{8,10}:AA[\w-]{30,}"),
    (".", r"(?<![\w-])[MNO][A-Za-z\d_-]{22,27}\.[\w-]{6}\.[\w-]{25,}"),  # of a Discord bot
    ("sb_", r"sb_(?:secret|publishable)_\w{16,}"),
    ("sbp_", r"sbp_[0-9a-f]{40}"),
    ("re_", r"(?<![A-Za-z0-9])re_(?=\w{0,30}\d)[A-Za-z0-9]{6,}_[A-Za-z0-9]{16,}"),
    ("hv", r"(?<!\w)hv[sbr]\.[\w-]{20,}"),
    ("dapi", r"dapi[0-9a-f]{32}"),
    ("ntn_", r"ntn_[A-Za-z0-9]{30,}"),
    ("figd_", r"figd_[\w-]{20,}"),
    ("PMAK-", r"PMAK-[\w-]{30,}"),
    ("NRAK-", r"NRAK-[A-Z0-9]{20,}"),
    ("sntry", r"sntry[su]_[\w+/=-]{20,}"),
    ("TT3", r"AT(?:A|C)TT3[\w=-]{20,}"),
    ("sq0", r"sq0(?:atp|csp)-[\w-]{20,}"),
    ("dckr_", r"dckr_(?:pat|oat)_[\w-]{20,}"),
    ("gls", r"glsa_\w{20,}"),
    ("glc_", r"glc_[\w=+/]{20,}"),
    ("gsk_", r"gsk_[A-Za-z0-9]{20,}"),
    ("xai-", r"xai-[A-Za-z0-9]{20,}"),
    ("r8_", r"r8_[A-Za-z0-9]{20,}"),
    ("pscale_", r"pscale_(?:tkn|pw|oauth)_[\w.-]{20,}"),
    ("fm", r"fm[12][ar]?_[\w+/=-]{20,}"),
    ("nfp_", r"nfp_[A-Za-z0-9]{20,}"),
    ("dp.", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[\w.-]{20,}"),
    ("HRKU-", r"HRKU-[\w-]{20,}"),
    ("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{40,}"),
    ("tskey-", r"tskey-[\w-]{16,}"),
    ("8Q~", r"[A-Za-z0-9_~.-]{3}8Q~[\w~.-]{30,36}"),
    ("CCIPAT_", r"CCIPAT_\w{20,}"),
    ("bkua_", r"bkua_[0-9a-f]{30,}"),
    (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{40,}"),
    ("EAA", r"(?<!\w)EAA[A-Z][A-Za-z0-9]{60,}"),
    ("access-", r"(?<!\w)access-(?:sandbox|development|production)-[0-9a-f-]{36}"),
)
TOKENS = tuple((hint, re.compile(pattern)) for hint, pattern in TOKEN_FORMATS)
USERINFO = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]{1,20}://)(?!\[redacted\]@)[^\s/"'<>?#]{1,300}@""")
PASSWORD_USERINFO = re.compile(
    r"""([A-Za-z][A-Za-z0-9+.-]{1,20}://)(?!\[redacted\]@)[^\s/:@"'<>?#]{0,100}:(?!\d{1,5}[/?#])[^\s"'<>@]{1,200}@(?=[\w.-])"""
)
"""Besides USERINFO, because a password may contain an unescaped slash, `?` or `#`."""
# The last `@` ends the password, which may contain others; an address without one has no password.
DATABASE_USERINFO = re.compile(
    r"""((?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|valkeys?|amqps?|mssql|clickhouse|cockroachdb|ldaps?|smtps?)"""
    r"""(?:\+\w{1,20})?://)(?!\[redacted\]@)[^\s"'<>]{1,300}@(?=[\w.\[-])""",
    re.IGNORECASE,
)
DRIVER_USERINFO = re.compile(r"""(?<![\w/.-])[\w.-]{1,60}:[^\s"'@]{1,100}@(?=(?:tcp|unix)\()""")
"""`user:password@tcp(host:3306)/name`, the form of Go's MySQL driver."""
BEARER = re.compile(
    r"\b(bearer|basic|token|apikey|negotiate|digest)\s{1,3}(?!username=)(?=[A-Za-z0-9._~+/-]{0,80}[\d=])[A-Za-z0-9._~+/=-]{8,}",
    re.IGNORECASE,
)
COOKIE = re.compile(
    r"""(?<![\w.-])([\w.-]{1,80}=)(?!\[redacted\])[^\s;"',]{1,4096}(?=;\s?(?:path|domain|expires|max-age|httponly|secure|samesite)\b)""",
    re.IGNORECASE,
)
"""A cookie with one of its attributes (RFC 6265, section 4.1), wherever it stands."""
DIGEST = re.compile(r"""(\b(?:response|nonce|cnonce|opaque)=\\?")(?!\[redacted\])[^"\\\s]{8,200}""")
"""The fields of a `Digest` header (RFC 7616) that prove a password."""
ORACLE_USERINFO = re.compile(r"""(jdbc:oracle:\w{1,10}:[^\s/@]{1,60}/)(?!\[redacted\])[^\s@"']{1,200}(?=@)""")
QUOTED_USERINFO = re.compile(
    r"""(["'`][A-Za-z][A-Za-z0-9+.-]{1,20}://)(?!\[redacted\]@)[^\s:@"'`]{0,100}:[^"'`\n@]{1,200}@"""
)
"""In quotes a password may contain a space."""
EMAIL = re.compile(
    r"(?<![\w.%+-])(?!git@)[\w.%+-]{1,256}@(?!\dx\.)(?:[A-Za-z0-9-]{1,63}\.){1,6}(?!(?:internal|local)\b)[A-Za-z]{2,24}\b"
    r"(?!\.(?:internal|local)\b)"
)
CARD = re.compile(r"(?<![\w.])[2-6]\d(?:[ -]?\d){11,17}(?![\w])")
RANDOM = re.compile(r"(?<![A-Za-z0-9+/_-])(?!sha(?:1|256|384|512)-)[A-Za-z0-9+/_-]{40,}={0,2}")


def is_card(digits: str) -> bool:
    """Luhn's check (ISO/IEC 7812-1, annex B). One number in ten passes it by chance."""
    numbers = [int(digit) for digit in digits if digit.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in numbers[-2::-2]]
    return len(numbers) in LUHN_LENGTHS and (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


def is_random(text: str) -> bool:
    """True for a key or a line of one: all kinds of characters, without a pattern. False for a hex hash."""
    has_all_kinds = (
        any(map(str.isdigit, text)) and any(map(str.islower, text)) and any(map(str.isupper, text))
    )
    separators = text.count("/") + text.count("-") + text.count("_")
    if not has_all_kinds or separators > len(text) / SEPARATOR_SPACING:
        return False
    sample = text[:RANDOM_SAMPLE]
    classes = [(char.isdigit(), char.isupper()) for char in sample]
    changes = sum(left != right for left, right in pairwise(classes))
    return changes >= RANDOM_CHANGES * len(sample)
