"""Occurrences of dangerous code in files without a parser here: templates, SQL, Go, Ruby and others. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from workers.remediation.policy.occurrences import Level, Occurrence, Occurrences

R = Level.REFUSAL
D = Level.DRAFT
N = Level.NOTE
PATTERNS: tuple[tuple[re.Pattern[str], Level, str], ...] = tuple(
    (re.compile(pattern, re.I), level, sentence)
    for pattern, level, sentence in (
        (
            (
                r"InsecureSkipVerify:\s*true|VERIFY_NONE|verify_peer['\"]?\s*=>\s*(?:false|0)|CURLOPT_SSL_VERIFY\w+\s*,\s*(?:false|0)|danger_accept_invalid_certs\(\s*true"
                r"|TrustAll\w*|ALLOW_ALL_HOSTNAME|ServerCertificateCustomValidationCallback|sslmode\s*=\s*(?:disable|allow)|verify_ssl:\s*false"
            ),
            R,
            "the patch disables TLS certificate checks",
        ),
        (
            (
                r"\b(?:class_eval|instance_eval|module_eval|eval|assert)\s*[(\s]\s*[\"'$@a-z]\w*\s*\)?\s*(?:;|$)|\bMarshal\.load|YAML\.(?:unsafe_)?load\b|unserialize\s*\("
                r"|ObjectInputStream|BinaryFormatter|create_function\s*\(|ScriptEngineManager|plugin\.Open|\breflect\.NewAt|\bunsafe\.Pointer"
            ),
            R,
            "the patch executes text as code",
        ),
        (
            (
                r"\bexec\.Command\b|\bsyscall\.(?:Exec|ForkExec)|\bos\.StartProcess|Runtime\.getRuntime|ProcessBuilder|\bKernel\.(?:system|exec|spawn)|\bshell_exec\b|\bpassthru\b"
                r"|\bproc_open\b|\bpopen\s*\(|\bOpen3\.|IO\.popen|%x[\[({]|Process\.Start|std::process::Command|System\.cmd|:os\.cmd|(?<![\w.])system\s*\(?[\"']"
            ),
            R,
            "the patch starts a shell",
        ),
        (
            r"(?:chmod|FileMode|mkdir\w*|umask)\w*\W{0,12}(?:0o?)?[0-7]?[0-7][0-7][2367]\b",
            R,
            "the patch opens file permissions to all users",
        ),
        (
            (
                r"\bos\.Exit\b|\bruntime\.Goexit|\bsyscall\.Kill|\bexit!|\bat_exit\b|Process\.(?:kill|exit!?)|System\.exit|\bflag\.Lookup\(|testing\.Testing\(\)|\bos\.Args\b|ObjectSpace"
                r"|\bcaller\b|\bbinding\b|\bruntime\.Caller|\bdebug\.(?:Stack|SetGC)|RUBY_ENGINE|defined\?\(\s*(?:RSpec|Minitest)"
            ),
            R,
            "the patch ends or inspects its process",
        ),
        (
            r"Getenv\(\s*\"(?:CI|\w*TEST\w*)\"|ENV(?:\[|\.fetch\()\s*[\"'](?:CI|\w*TEST\w*|R\w+_ENV)[\"']|getenv\(\s*['\"](?:CI|\w*TEST\w*)",
            R,
            "the patch looks for signs of a test run",
        ),
        (
            r"//go:(?:linkname|generate|build|embed)|#cgo|import\s+\"C\"|^\s*\"(?:unsafe|plugin|testing|os/exec|runtime/debug)\"",
            R,
            "the patch uses a directive or a package that is not allowed",
        ),
        (
            (
                r"skip_before_action|skip_authorization|permit_all|AllowAnonymous|permitAll\(|csrf\(\)\.disable|protect_from_forgery\s+with:\s*:null|html_safe\b|\braw\s*\(|\|\s*safe\b|\{!!|\{\{\{"
                r"|autoescape\s+(?:off|false)|v-html|dangerouslySetInnerHTML|\{@html|<%-|template\.HTML\(|th:utext|mark_safe"
            ),
            R,
            "the patch disables a protection of the web framework",
        ),
        (
            r"<script\b|javascript:|\bon(?:error|load|click|mouseover|focus)\s*=|<iframe\b|<object\b|<embed\b|<base\b|http-equiv|srcdoc=",
            D,
            "the patch adds active content to a page",
        ),
        (
            r"Access-Control-Allow-Origin\W{1,6}\*|AllowAllOrigins:\s*true|AllowedOrigins\W{1,12}\*|origins\s+['\"]\*",
            R,
            "the patch allows requests from every origin",
        ),
        (
            (
                r"\b(?:drop\s+(?:table|database|schema|column)|truncate\s+table|grant\s+\w|alter\s+(?:user|role)|create\s+(?:user|role|extension|trigger|function)|copy\s+\w+\s+(?:from|to)|pg_\w+\(|xp_cmdshell"
                r"|into\s+outfile|load_file\s*\(|security\s+definer|disable\s+row\s+level)\b"
            ),
            R,
            "the patch changes what a database does or allows",
        ),
        (
            r"\bdelete\s+from\s+\w+\s*;|\bupdate\s+\w+\s+set\s+[^;]{1,200};(?<!where)",
            D,
            "the patch changes rows of a database",
        ),
        (
            (
                r"rescue\s*(?:Exception|StandardError)?\s*(?:=>\s*\w+)?\s*(?:;|\n)\s*(?:nil|false|0|\[\]|\{\}|next"
                r"|return(?: nil)?)?\s*\n?\s*end|\brescue\s+(?:nil|false|0|\[\]|\{\})\s*$"
                r"|catch\s*\(\s*(?:\\?Exception|Throwable|Error)\b[^)]{0,40}\)\s*\{\s*(?:return[^;]{0,40};)?\s*\}|recover\(\)\s*;?\s*(?:\}|\n)"
            ),
            R,
            "the patch ignores every error instead of fixing the cause",
        ),
        (
            r"\bnet\.Dial|\bTCPSocket\b|\bfsockopen\b|\bUDPSocket\b|new\s+Socket\(|TcpClient\(",
            D,
            "the patch opens a connection",
        ),
        (
            r"\bhttp\.(?:Get|Post|NewRequest)\b|Net::HTTP|Faraday|HTTParty|curl_init|HttpClient\b",
            N,
            "the patch opens a connection",
        ),
        (
            r"fmt\.Sprintf\(\s*[\"`](?:select|insert|update|delete)\b[^\"`]*%|(?:where|execute|find_by_sql)\s*\(?\s*\"[^\"]*#\{",
            R,
            "the patch builds a query from text",
        ),
    )
)
PROTECTIONS = re.compile(
    r"before_action\s+:\w*(?:auth|login|admin|require)\w*|authenticate_\w+!?|authorize!?|protect_from_forgery|@(?:PreAuthorize|Secured|RolesAllowed)\b|\[Authorize\b|hmac\.Equal|ConstantTimeCompare"
    r"|secure_compare|hash_equals|password_verify|bcrypt\.\w+|\{%\s*csrf_token|csrf_field|@csrf\b|\|\s*escape\b|htmlspecialchars|sanitize\w*|RequireAuth\w*|requireAuth\w*|VerifyToken\w*|AuthMiddleware\w*",
    re.I,
)  # fmt: skip


def find_occurrences(text: str) -> Occurrences:
    """The occurrences in a file's text."""
    return Counter(
        Occurrence(level, sentence, _short(match[0]))
        for pattern, level, sentence in PATTERNS
        for match in pattern.finditer(text)
    )


def find_removed_guards(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[tuple[Level, str]]:
    """Level and sentence for each protection that occurs less often in all files together than before."""
    old = Counter(match[0] for text in before.values() for match in PROTECTIONS.finditer(text))
    new = Counter(match[0] for text in after.values() for match in PROTECTIONS.finditer(text))
    for guard in sorted(old - new):
        yield Level.REFUSAL, f"the patch removes a protection (`{_short(guard)}`)"


def _short(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[:60]
