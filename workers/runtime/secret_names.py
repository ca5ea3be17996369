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
    r"|mnemonic|(?:seed|recovery)[ _-]?phrase"
    r"|credential|session[_-]?id|sessid|_csrf|signature|passkey|jwt|bearer|otp_?(?:code|secret|seed)"
    r"|(?<![a-z])(?:cvv2?|cvc|ssn)(?![a-z])"
    r"|(?<![A-Za-z])(?:pass|auth|sig)(?![A-Za-z])"
)
PROPERTY = re.compile(
    r"[_-]?(?:length|len|ttl|expir\w{0,6}|lifetime|age|seconds|minutes|hours|days|ms|count|limit|size|methods?|types?|policy"
    r"|names?|fields?|headers?|providers?|ur[li]|path|file|dir|enabled|required|strategy|algo(?:rithm)?|version|rounds"
    r"|rotation|status|store|min|max|format|domain|secure|samesite|httponly"
    r"|refreshed|created|updated|refresher|service|worker|manager|client|handler|middleware|controller|guard|job"
    r"|hashers?|issuer|audience|backend|driver|scheme|realm|scope|model|class"
    r"|reset|gateway|proxy|portal|sync|cron|queue|web|api|app|frontend|server)"
    r"(?:[_-](?:seconds|minutes|hours|days|ms|s|at|in))?\Z",
    re.IGNORECASE,
)
"""The end of a name that is a property of a secret and no secret itself: `TOKEN_TTL`, `password_length`."""
HEADERS = (
    r"(?:http_)?(?:proxy[_-])?authorization|(?:http_)?(?:set[_-])?cookie2?"
    r"|(?:[a-z0-9]{1,20}-){1,3}signature(?:-256)?"
    r"|(?:http_)?x[_-](?:[a-z]{1,20}[_-]){0,3}(?:key|token|secret|auth|signature|session)"
)
HINTS = (
    "pass", "pwd", "secret", "token", "key", "credential", "sess", "signature", "auth", "sig", "cookie", "jwt",
    "bearer",
    "otp", "csrf", "cv", "ssn", "x-", "identified", "mnemonic", "phrase",
)  # fmt: skip
QUOTE = r"(?:\\{0,15}[\"'`]|&quot;|&#(?:34|39|x27);)"
# A name with its separator: `password=`, `"client_secret": `, `user[password]=`, `'token' => `, `--password `, and the
# same in escaped or URL-encoded JSON. The name of a header may also be an element of a pair: `("Cookie", "…")`.
NAMED = re.compile(
    rf"""(?P<name>(?>(?P<header>(?<![\w-])(?:{HEADERS})(?![\w-]))|(?:{NAMES})[\w-]{{0,30}}))"""
    rf"""(?P<close>(?:{QUOTE})?\]?(?:{QUOTE})?\]?|%22)"""
    r"""(?:\s\([\w ]{1,12}\)(?=:\s))?"""
    r"""(?P<separator>\s{0,3}(?:=>|[:=](?![=:])|(?<!-)>|%3[AaDd])\s{0,3}(?:%22)?|(?<=["'`])\s{0,3},\s{0,3})""",
    re.IGNORECASE,
)
QUERY = re.compile(
    r"([?&;](?:key|code|sig|sign|auth|hmac|ticket|otp|sid)=)(?P<value>(?!\[redacted\])[^\s&;\"'<>\\)\]},]+)",
    re.IGNORECASE,
)
FLAG = re.compile(
    rf"((?<![\w-])--?(?:[\w-]{{0,20}}-)?(?:{NAMES})(?:\s{{1,3}}[\"']?|[\"'],\s{{0,3}}[\"']))(?![-\[])[^\s\"']+",
    re.IGNORECASE,
)
USER_FLAG = re.compile(
    r"""((?<![\w-])(?:-u|-U|--user|--proxy-user|--creds)[\s=]{0,3}["']?[^\s:"'/@]{1,64}:)(?!\[redacted\])([^\s"']{1,200})"""
)
COMMANDS = (
    (
        ("mysql", "mariadb", "7z"),
        re.compile(
            r"""(\b(?:mysql|mysqldump|mysqladmin|mariadb|7z)\b[^\n|;]{0,200}?\s-p["']?)(?![\s\[-])([^\s"']{3,200})"""
        ),
    ),
    (
        ("sshpass", "mongo", "docker login"),
        re.compile(
            r"""(\b(?:sshpass|mongo|mongosh|mongodump|docker login)\b[^\n|;]{0,200}?\s-p\s{0,2}["']?)"""
            r"""(?![\s\[-])([^\s"']{3,200})"""
        ),
    ),
    (
        ("redis-cli", "valkey-cli"),
        re.compile(
            r"""(\b(?:redis-cli|valkey-cli)\b[^\n|;]{0,200}?\s-a\s{1,2}["']?)(?![\s\[-])([^\s"']{3,200})"""
        ),
    ),
    (
        ("openssl",),
        re.compile(r"""(\bopenssl\b[^\n|;]{0,200}?\s-k\s{1,2}["']?)(?![\s\[-])([^\s"']{3,200})"""),
    ),
    (
        ("htpasswd",),
        re.compile(
            r"""(\bhtpasswd\s{1,2}-\w{0,8}b\w{0,8}\s{1,2}\S{1,100}\s{1,2}\S{1,60}\s{1,2}["']?)(?![\s\[])([^\s"']{3,200})"""
        ),
    ),
    (
        ("requirepass", "masterauth"),
        re.compile(r"""(\b(?:requirepass|masterauth)\s{1,3}["']?)(?![\s\[])([^\s"']{3,200})"""),
    ),
    (
        ("setuser",),
        re.compile(r"(\bSETUSER\s{1,2}[^\n]{1,200}?\s>)(?!\[redacted\])([^\s]{3,200})", re.IGNORECASE),
    ),
    (
        ("set", "export", "env"),
        re.compile(
            rf"""((?<![\w.])(?:set|setx|setenv|export|env)\s{{1,2}}[\w-]{{0,40}}(?:{NAMES})[\w-]{{0,30}}\s{{1,2}}["']?)"""
            r"""(?=[^\s"']{0,200}\d)(?=[^\s"']{0,200}[A-Za-z])([^\s"'=:]{6,200})""",
            re.IGNORECASE,
        ),
    ),
    (
        ("auth ",),
        re.compile(
            r"""(?<![\w.])(AUTH\s{1,2}(?:[\w-]{1,40}\s{1,2})?["']?)(?=[^\s"']{0,200}\d)(?=[^\s"']{0,200}[A-Za-z])([^\s"']{4,200})"""
        ),
    ),
)
"""Commands that take a password in a flag or as an argument, each with a word that it contains.

MySQL's programs take it without a space only; `AUTH password` is a command of Redis.
"""
COOKIE_JAR = re.compile(r"(<Cookie\s[\w.-]{1,80}=)(?!\[redacted\])[^\s>]{1,4096}")
"""A cookie as Python's `http.cookiejar` prints it."""
COOKIES = re.compile(
    r"cookies(?:[\"']?\]?)\s{0,3}(?:=>|[:=])\s{0,3}(?=[\[{(<]|[\w.]{1,60}[\[({]{2})", re.IGNORECASE
)
"""The name of a container of cookies, in which every value may be a session."""
ARROW = re.compile(
    r"(?P<head>(?<![A-Za-z])(?:pass(?:word|wd|phrase)|secret|token|api[_-]?key)\s{0,3}->\s{0,3})"
    r"(?P<value>(?=\S*\d)(?=\S*[A-Za-z])[^\s,;()\[\]]{6,200})",
    re.IGNORECASE,
)
ATTRIBUTE = re.compile(
    rf"""(\b(?:name|key|id)=(?P<outer>["'])[\w.:-]{{0,60}}(?:{NAMES})[\w.:-]{{0,30}}(?P=outer)\s[^<>\n]{{0,200}}?\bvalue=(?P<quote>["']))(?!\[redacted\])""",
    re.IGNORECASE,
)
"""An element of HTML or XML that holds a name and its value: `<add key="ApiKey" value="…"/>`."""
PATH = re.compile(
    r"(/(?:keys?|tokens?|secrets?|access_token|api_?key)/)(?P<value>[A-Za-z0-9_-]{16,200})(?![\w-])",
    re.IGNORECASE,
)
"""A part of a path after a part that announces a secret."""
VALIDATED = (
    re.compile(
        rf"""((?:{NAMES})[^\n]{{0,80}}\n[ \t]+[^\n]{{0,400}}?\binput_value=(?P<quote>["']))(?!\[redacted\])""",
        re.IGNORECASE,
    ),
    re.compile(
        rf"""(path["']?:\s{{0,3}}\[[^\]]{{0,80}}(?:{NAMES})[^\]]{{0,40}}\][^{{}}]{{0,300}}?\b(?:received|input)["']?:\s{{0,3}}(?P<quote>["']))(?!\[redacted\]|undefined|string|number|nan|null)""",
        re.IGNORECASE,
    ),
    re.compile(
        rf"""(\b(?:received|input)["']?:\s{{0,3}}(?P<quote>["'])(?=[^{{}}]{{0,300}}path["']?:\s{{0,3}}\[[^\]]{{0,80}}(?:{NAMES})))(?!\[redacted\]|undefined|string|number|nan|null)""",
        re.IGNORECASE,
    ),
)
"""A rejected value of a sensitive setting, as pydantic (`input_value=`) and zod (`received:` by `path:`) print it."""
BRACKETED = re.compile(r"[<(]?[^\s\"',;&|()}\]<>\\]{1,200}[>)]")
SPOKEN = re.compile(
    r"""(?<![A-Za-z])(?P<name>pass(?:word|wd|phrase|code)|secret|token|api[ _-]?key|pwd|credentials?)s?"""
    r"""(?P<link>\s{1,3}(?:is|was|now|of|to|for\s\S{1,60}\s(?:is|was))?\s{0,3})"""
    r"""(?P<quote>["'“‘`(]?)(?P<value>[^\s"'”’`<>()]{4,200})""",
    re.IGNORECASE,
)
"""`the password is hunter2`, `token 3f2504e0-…`."""
WRAPPED = re.compile(
    r"""(\b(?:(?:Secret(?:Str|Bytes|Value|String)?|Password|ApiKey|Token|Credentials?|Redacted|Sensitive)\(\s{0,3}"""
    r"""|(?:HTTP)?BasicAuth\(\s{0,3}["'][^"'\n]{0,80}["'],\s{0,3})(?:[\w.]{1,30}=)?(?P<prefix>[bru]{0,2})(?P<quote>["']))(?!\[redacted\]|\*{3})"""
)
NETRC = re.compile(r"(\blogin\s{1,3}\S{1,80}\s{1,3}password\s{1,3})(?!\[redacted\])\S+")
SQL = re.compile(
    r"""(\b(?:identified\s(?:with\s\S{1,40}\s)?by|password|encrypted\spassword|password\sfor\s\S{1,80}\s=)\s{1,3}"""
    r"""(?P<quote>'))(?!\[redacted\])""",
    re.IGNORECASE,
)

# Values that are no secrets although their name says so, as in `password: required`.
HARMLESS = frozenset([
    "none", "null", "nil", "undefined", "true", "false", "empty", "missing", "required", "invalid",
    "expired", "expected", "wrong", "not", "is", "was", "must", "str", "string", "include", "omit",
    "same-origin", "yes", "no", "on", "off", "optional", "unknown", "any", "bytes", "int", "number",
    "object", "function", "boolean", "default", "failed", "incorrect", "error", "nan", "unset", "revoked",
    "denied", "rejected", "malformed", "absent", "used", "ok", "unauthorized", "forbidden", "disabled",
    "enabled", "valid", "eof", "active", "inactive", "blocked", "loaded", "present", "provided", "found",
    "set", "sent", "given", "accepted", "verified", "stored", "changed", "updated", "refreshed", "rotated",
    "generated", "supplied", "configured", "weak", "strong", "secretstr", "secretbytes", "bool", "uuid",
    "raise", "return", "throw", "break", "continue", "pass", "await", "yield", "assert", "print", "reset",
    "created", "deleted", "option", "vec", "list", "array", "maybe",
])  # fmt: skip
# A value that is one of these begins a sentence.
SENTENCE_STARTS = HARMLESS | frozenset([
    "a", "an", "the", "could", "cannot", "can't", "can", "please", "has", "have", "had", "should",
    "failure", "jwt", "signature", "signatures", "too", "unable", "you", "your", "we", "it", "its", "there",
    "this", "that", "these", "those", "in", "at", "for", "from", "with", "by", "does", "did", "do", "are",
    "were", "will", "would", "when", "while", "if", "and", "or", "already", "only", "field", "value",
    "name", "user", "request", "mismatch", "check", "checking", "using", "to", "bad", "got", "saw",
    "unexpected", "authentication", "authorization", "permission", "access", "login", "session", "token",
    "password", "credentials", "called",
])  # fmt: skip
WORD_ENDINGS = re.compile(
    r"(?:ed|ing|ent|able|ible|id|ect|ive|ous|less|ful|en|ong|ort|eak|pty|ary|ory|ial|ual|lly|ss|es|rs|ts)\.?\Z"
)
CLASS_NAME = re.compile(
    r"(?:Error|Exception|Invalid|Expired|Missing|NotFound|Mismatch|Failed|Failure|Required|Warning|Fault|Unauthorized)"
)
EXPRESSION_ROOTS = frozenset([
    "os", "process", "self", "this", "cls", "config", "cfg", "conf", "settings", "env", "ENV", "environ",
    "req", "request", "res", "response", "ctx", "context", "app", "options", "opts", "params", "args",
    "kwargs", "props", "user", "data", "body", "event", "Deno", "Bun", "System", "Environment", "state",
    "session", "current_app", "secrets", "st", "flask", "django", "import", "Rails", "ENV.fetch", "payload",
    "account", "client", "form", "input", "input_data", "schema", "values", "vars", "credentials",
])  # fmt: skip
DOTTED = re.compile(r"[A-Za-z_$][A-Za-z_$]*\d?(?:\??\.[A-Za-z_$][A-Za-z_$]*\d?)+!?\Z")
CALL = re.compile(r"(?:await\s|new\s|yield\s)?[A-Za-z_$](?:[\w$.?]|::|->){0,80}!?(?:<[\w, ]{1,40}>)?[(\[]")
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE)
BARE = re.compile(r"""[^\s"',;&|)}\]<\\]{1,2000}""")
BARE_REST = re.compile(r"""[^\s"',;&|)}\]<\\]*""")
LINE_REST = re.compile(r"""[^\s"'\]]{0,200}""")
"""The rest of a value longer than BARE reads: it is redacted too, but not examined again for each name inside it."""
HEADER_VALUE = re.compile(r"""[^"'\\\r\n]+""")
