"""Finds values that are secret because of the name before them, as in `password=…`. Pure.

The names are found by one pattern; what follows decides about the value. An expression such as `os.environ["TOKEN"]` is
no secret and is evidence; a sentence such as `TokenError: an invalid token` is none either.
"""

from __future__ import annotations

import re

MAX_LIST_CHARS = 4000  # characters of a list of values that are searched for its end

# Parts of names whose values are secret. Each alternative contains one of HINTS.
NAMES = (
    r"pass(?:word|wd|phrase|code)|passwort|mot_de_passe|pwd|secret(?!ar)"
    r"|token(?!s|i[sz]|[_-]?(?:count|limit|type|usage))"
    r"|(?:api|access|private|signing|encryption|master|account|shared|service|deploy|licen[cs]e|ssh|storage|webhook|admin"
    r"|host|function|hmac|app|client|server|auth|subscription|stripe|sendgrid|twilio|openai|anthropic)"
    r"[ _-]?(?:access)?[_-]?key"
    r"|credential|session[_-]?id|sessid|signature|passkey|jwt|bearer|otp_?(?:code|secret|seed)"
    r"|(?<![a-z])(?:cvv2?|cvc|ssn)(?![a-z])"
    r"|(?<![A-Za-z])(?:pass|auth|sig)(?![A-Za-z])"
)
HEADERS = (
    r"(?:proxy-)?authorization|(?:set-)?cookie2?"
    r"|x-(?:[a-z]{1,20}-){0,3}(?:key|token|secret|auth|signature|session)"
)
HINTS = (
    "pass", "pwd", "secret", "token", "key", "credential", "sess", "signature", "auth", "sig", "cookie", "jwt",
    "bearer",
    "otp", "cv", "ssn", "x-", "identified",
)  # fmt: skip
QUOTE = r"\\{0,15}[\"'`]"
# A name with its separator: `password=`, `"client_secret": `, `user[password]=`, `'token' => `, `--password `, and the
# same in escaped or URL-encoded JSON. The name of a header may also be an element of a pair: `("Cookie", "…")`.
NAMED = re.compile(
    rf"""(?P<name>(?>(?P<header>(?<![\w-])(?:{HEADERS})(?![\w-]))|(?:{NAMES})[\w-]{{0,30}}))"""
    rf"""(?P<close>(?:{QUOTE})?\]?(?:{QUOTE})?\]?|%22)"""
    r"""(?P<separator>\s{0,3}(?:=>|[:=](?!=)|(?<!-)>|%3[AaDd])\s{0,3}(?:%22)?|(?<=["'`])\s{0,3},\s{0,3})""",
    re.IGNORECASE,
)
QUERY = re.compile(
    r"([?&;](?:key|code|sig|sign|auth|hmac|ticket|otp|sid)=)(?P<value>(?!\[redacted\])[^\s&;\"'<>\\)\]},]+)",
    re.IGNORECASE,
)
FLAG = re.compile(
    rf"((?<![\w-])--?(?:[\w-]{{0,20}}-)?(?:{NAMES})\s{{1,3}}[\"']?)(?![-\[])[^\s\"']+",
    re.IGNORECASE,
)
USER_FLAG = re.compile(
    r"""((?<![\w-])(?:-u|-U|--user|--proxy-user|--creds)[\s=]{0,3}["']?[^\s:"'/@]{1,64}:)(?!\[redacted\])([^\s"']{1,200})"""
)
COMMANDS = re.compile(
    r"""(\b(?:mysql|mysqldump|mysqladmin|mariadb|sshpass|mongo|mongosh|mongodump|redis-cli|valkey-cli|docker login"""
    r"""|7z)\b[^\n|;]{0,200}?\s-(?:p|a)\s{0,2}["']?)(?![\s\[-])([^\s"']{3,200})"""
)
"""Commands that take a password in a short flag, with or without a space."""
SPOKEN = re.compile(
    r"""(?<![A-Za-z])(?P<name>pass(?:word|wd|phrase|code)|secret|token|api[ _-]?key|pwd|credentials?)s?"""
    r"""(?P<link>\s{1,3}(?:is|was|now|of|to|for\s\S{1,60}\s(?:is|was))?\s{0,3})"""
    r"""(?P<quote>["'“‘`]?)(?P<value>[^\s"'”’`<>()]{4,200})""",
    re.IGNORECASE,
)
"""`the password is hunter2`, `token 3f2504e0-…`."""
WRAPPED = re.compile(
    r"""(\b(?:(?:Secret(?:Str|Bytes|Value|String)?|Password|ApiKey|Token|Credentials?|Redacted|Sensitive)\(\s{0,3}"""
    r"""|(?:HTTP)?BasicAuth\(\s{0,3}["'][^"'\n]{0,80}["'],\s{0,3})(?:[\w.]{1,30}=)?(?P<prefix>[bru]{0,2})(?P<quote>["']))(?!\[redacted\]|\*{3})"""
)
NETRC = re.compile(r"(\blogin\s{1,3}\S{1,80}\s{1,3}password\s{1,3})(?!\[redacted\])\S+")
SQL = re.compile(
    r"""(\b(?:identified\s(?:with\s\S{1,40}\s)?by|password|encrypted\spassword)\s{1,3}(?P<quote>'))(?!\[redacted\])""",
    re.IGNORECASE,
)

# Values that are no secrets although their name says so, as in `password: required`.
HARMLESS = frozenset(
    [
        "none",
        "null",
        "nil",
        "undefined",
        "true",
        "false",
        "empty",
        "missing",
        "required",
        "invalid",
        "expired",
        "expected",
        "wrong",
        "not",
        "is",
        "was",
        "must",
        "str",
        "string",
        "include",
        "omit",
        "same-origin",
        "yes",
        "no",
        "on",
        "off",
        "optional",
        "unknown",
        "any",
        "bytes",
        "int",
        "number",
        "object",
        "function",
        "boolean",
        "default",
        "failed",
        "incorrect",
        "error",
        "nan",
        "unset",
        "revoked",
        "denied",
        "rejected",
        "malformed",
        "absent",
        "used",
        "ok",
        "unauthorized",
        "forbidden",
    ]
)
# A value that is one of these begins a sentence.
SENTENCE_STARTS = HARMLESS | frozenset(
    [
        "a",
        "an",
        "the",
        "could",
        "cannot",
        "can't",
        "can",
        "please",
        "has",
        "have",
        "had",
        "should",
        "failure",
        "jwt",
        "signature",
        "signatures",
        "too",
        "unable",
        "you",
        "your",
        "we",
        "it",
        "its",
        "no",
        "there",
        "this",
        "that",
        "these",
        "those",
        "in",
        "at",
        "for",
        "from",
        "with",
        "by",
        "does",
        "did",
        "do",
        "are",
        "were",
        "will",
        "would",
        "when",
        "while",
        "if",
        "and",
        "or",
        "already",
        "only",
        "field",
        "value",
        "name",
        "user",
        "request",
        "provided",
        "mismatch",
        "check",
        "checking",
        "using",
        "set",
        "to",
        "bad",
        "could",
        "got",
        "saw",
        "unexpected",
        "authentication",
        "authorization",
        "permission",
        "access",
        "login",
        "session",
        "token",
        "password",
        "credentials",
    ]
)
WORD_ENDINGS = re.compile(
    r"(?:ed|ing|ent|able|ible|id|ect|ive|ous|less|ful|en|ong|ort|eak|pty|ary|ory|ial|ual|lly|ss|es|rs|ts)\.?\Z"
)
CLASS_NAME = re.compile(
    r"(?:Error|Exception|Invalid|Expired|Missing|NotFound|Mismatch|Failed|Failure|Required|Warning|Fault|Unauthorized)"
)
EXPRESSION_ROOTS = frozenset(
    [
        "os",
        "process",
        "self",
        "this",
        "cls",
        "config",
        "cfg",
        "conf",
        "settings",
        "env",
        "ENV",
        "environ",
        "req",
        "request",
        "res",
        "response",
        "ctx",
        "context",
        "app",
        "options",
        "opts",
        "params",
        "args",
        "kwargs",
        "props",
        "user",
        "data",
        "body",
        "event",
        "Deno",
        "Bun",
        "System",
        "Environment",
        "state",
        "session",
        "current_app",
        "secrets",
        "st",
        "flask",
        "django",
        "import",
        "Rails",
        "ENV.fetch",
        "event",
        "payload",
        "account",
        "client",
        "form",
        "input",
        "input_data",
        "schema",
        "values",
        "vars",
        "credentials",
    ]
)
DOTTED = re.compile(r"[A-Za-z_$][A-Za-z_$]*\d?(?:\??\.[A-Za-z_$][A-Za-z_$]*\d?)+!?\Z")
CALL = re.compile(r"(?:await\s|new\s|yield\s)?[A-Za-z_$][\w$.?]{0,80}(?:<[\w, ]{1,40}>)?[(\[]")
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)
BARE = re.compile(r"""[^\s"',;&|)}\]<\\]+""")
HEADER_VALUE = re.compile(r"""[^"'\\\r\n]+""")
