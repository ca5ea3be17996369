"""Finds changes that make a service less safe, or hide an error instead of fixing it. Pure heuristics over text.

Occurrences are counted before and after the patch, so code that only moves is not reported. Each result quotes the
code, so that a person can disagree.
"""

from __future__ import annotations

import ast
import re

INSECURE_PATTERNS = {
    "the patch disables TLS certificate checks": re.compile(
        r"verify\s*=\s*False|rejectUnauthorized['\"]?\s*:\s*false|NODE_TLS_REJECT_UNAUTHORIZED|_create_unverified_context"
        r"|CERT_NONE|check_hostname\s*=\s*False|strictSSL['\"]?\s*:\s*false|disable_warnings\(|InsecureSkipVerify:\s*true"
        r"|ssl\s*=\s*False|sslmode['\"]?\s*[:=]\s*['\"]?(?:disable|allow)"
    ),
    "the patch executes text as code": re.compile(
        r"(?<![\w.])(?:eval|exec)\s*\(|\bnew Function\s*\(|\bvm\.run\w*\(|\bpickle\.loads?\(|\bmarshal\.loads?\("
        r"|\byaml\.(?:unsafe_)?load\((?![^)\n]*Safe)|__import__\s*\("
    ),
    "the patch starts a shell": re.compile(
        r"\bos\.(?:system|popen)\s*\(|shell\s*=\s*True|\bshell\s*:\s*true|child_process['\"]?\)?\.exec(?:Sync)?\s*\("
        r"|(?<![\w.])exec(?:Sync)?\s*\(\s*[`'\"]"
    ),
    "the patch opens file permissions to all users": re.compile(r"\b0?o?777\b|\b0?o?666\b|S_IRWXO"),
    "the patch disables a protection of the web framework": re.compile(
        r"csrf_exempt|csrf\w*['\"]?\s*[:=]\s*(?:False|false)|WTF_CSRF_ENABLED\s*=\s*False|skip_before_action|permit_all"
        r"|AllowAny\b|dangerouslySetInnerHTML|\bmark_safe\(|\|\s*safe\b|autoescape\s*=\s*False|contextIsolation:\s*false"
    ),
    "the patch allows requests from every origin": re.compile(
        r"Access-Control-Allow-Origin['\"]?\]?\s*[,:=]\s*['\"]\*|(?:allow_)?origins?['\"]?\s*[:=]\s*\[?\s*['\"]\*['\"]"
    ),
    "the patch accepts unsigned tokens": re.compile(
        r"verify_signature['\"]?\s*:\s*False|algorithms?['\"]?\s*[:=]\s*\[?\s*['\"]none['\"]|ignoreExpiration:\s*true",
        re.IGNORECASE,
    ),
    "the patch enables debug mode": re.compile(r"\bdebug\s*=\s*True|\bDEBUG\s*=\s*True|DEBUG_PROPAGATE"),
}
"""Description → pattern that must not match more often than before."""
PROTECTIONS = re.compile(
    r"@\w*(?:login_required|requires?_?(?:auth|login|user|admin|role|permission)|auth\w*required|permission_required"
    r"|jwt_required|token_required|admin_only|user_passes_test|csrf_protect|UseGuards|Secured|PreAuthorize|throttle"
    r"|limiter)\w*|Depends\(\s*\w*(?:auth|user|token|permission)\w*|Security\(|permission_classes|authentication_classes"
    r"|\b(?:requireAuth|isAuthenticated|ensureAuthenticated|ensureLoggedIn|authenticate|authorize|verifyToken|checkJwt"
    r"|requireRole|requireUser|check_permissions?|has_permission|verify_signature|compare_digest|timingSafeEqual"
    r"|csrfProtection|helmet|rateLimit|constructEvent|bcrypt|escape_html|sanitize\w*)\b",
    re.IGNORECASE,
)
"""Names of common protections, none of which may occur less often than before."""
EMPTY_CATCH = re.compile(
    r"\bcatch\s*(?:\([^)\n]{0,80}\))?\s*\{(?:\s|//[^\n]{0,200}\n|/\*(?:[^*]|\*(?!/)){0,400}\*/)*"
    r"(?:return(?:\s+(?:null|undefined|\[\]|\{\}|''|\"\"|0|false))?\s*;?\s*)?\}"
    r"|\.catch\(\s*(?:\(\w{0,30}\)|\w{1,30}|function\s*\(\w{0,30}\))\s*(?:=>)?\s*(?:\{\s*\}|null|undefined|\[\])\s*\)"
)
BROAD_EXCEPTIONS = frozenset({"Exception", "BaseException"})
QUOTE_LIMIT = 60  # characters of code that a result quotes
PARSE_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError)
"""Everything that `ast.parse` raises for hostile text: NUL bytes are a ValueError, deep nesting the last two."""


def find_security_regressions(old: str, new: str) -> list[str]:
    """One sentence for each protection that the new text of a file has less of."""
    regressions = []
    for description, pattern in INSECURE_PATTERNS.items():
        matches = [match[0].strip() for match in pattern.finditer(new)]
        if len(matches) > len(pattern.findall(old)):
            regressions.append(f"{description} (`{matches[-1][:QUOTE_LIMIT]}`)")
    protections = sorted({match[0] for match in PROTECTIONS.finditer(old)})
    removed = [protection for protection in protections if old.count(protection) > new.count(protection)]
    return regressions + [
        f"the patch removes a protection (`{protection[:QUOTE_LIMIT]}`)" for protection in removed
    ]


def find_hidden_errors(path: str, old: str, new: str) -> str | None:
    """A sentence if the patch adds a handler that catches every error and ignores it; None otherwise."""
    if path.endswith(".py"):
        increased = _silent_handlers(new) > _silent_handlers(old)
    elif re.search(r"\.[cm]?[jt]sx?$", path):
        increased = len(EMPTY_CATCH.findall(new)) > len(EMPTY_CATCH.findall(old))
    else:
        return None
    return f"the patch ignores every error in {path} instead of fixing the cause" if increased else None


def find_syntax_error(path: str, text: str) -> str | None:
    """A sentence if a Python file does not parse; None otherwise."""
    if not path.endswith(".py"):
        return None
    try:
        ast.parse(text)
    except PARSE_ERRORS as error:
        return f"{path} does not parse: {error}"
    return None


def _silent_handlers(text: str) -> int:
    try:
        tree = ast.parse(text)
    except PARSE_ERRORS:
        return 0
    return sum(_is_silent(node) for node in ast.walk(tree))


def _is_silent(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        # contextlib.suppress(Exception) is a handler too.
        return any(_is_broad(argument) for argument in node.args)
    return (
        isinstance(node, ast.ExceptHandler)
        and _is_broad(node.type)
        and all(_does_nothing(statement) for statement in node.body)
    )


def _is_broad(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_is_broad(element) for element in kind.elts)
    return kind is None or ast.unparse(kind).rsplit(".", maxsplit=1)[-1] in BROAD_EXCEPTIONS


def _does_nothing(statement: ast.stmt) -> bool:
    """True for `pass`, `continue`, `break`, a bare constant, and returning a constant or an empty collection."""
    if isinstance(statement, ast.Return):
        value = statement.value
        empty = (
            isinstance(value, ast.List | ast.Dict | ast.Tuple) and not list(ast.iter_child_nodes(value))[1:]
        )
        return value is None or isinstance(value, ast.Constant) or empty
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass | ast.Continue | ast.Break)
