"""Changes that make a service less safe, or hide its trouble instead of ending it. Pure heuristics over text.

Each names what it saw, so that a person can disagree; what was there before and only moved is not counted.
"""

from __future__ import annotations

import ast
import re

GROWN = {
    "it stops checking TLS certificates": re.compile(
        r"verify\s*=\s*False|rejectUnauthorized['\"]?\s*:\s*false|NODE_TLS_REJECT_UNAUTHORIZED|_create_unverified_context"
        r"|CERT_NONE|check_hostname\s*=\s*False|strictSSL['\"]?\s*:\s*false|disable_warnings\(|InsecureSkipVerify:\s*true"
        r"|ssl\s*=\s*False|sslmode['\"]?\s*[:=]\s*['\"]?(?:disable|allow)"
    ),
    "it runs text as code": re.compile(
        r"(?<![\w.])(?:eval|exec)\s*\(|\bnew Function\s*\(|\bvm\.run\w*\(|\bpickle\.loads?\(|\bmarshal\.loads?\("
        r"|\byaml\.(?:unsafe_)?load\((?![^)\n]*Safe)|__import__\s*\("
    ),
    "it starts a shell": re.compile(
        r"\bos\.(?:system|popen)\s*\(|shell\s*=\s*True|\bshell\s*:\s*true|child_process['\"]?\)?\.exec(?:Sync)?\s*\("
        r"|(?<![\w.])exec(?:Sync)?\s*\(\s*[`'\"]"
    ),
    "it opens file permissions to everybody": re.compile(r"\b0?o?777\b|\b0?o?666\b|S_IRWXO"),
    "it switches a protection of the web framework off": re.compile(
        r"csrf_exempt|csrf\w*['\"]?\s*[:=]\s*(?:False|false)|WTF_CSRF_ENABLED\s*=\s*False|skip_before_action|permit_all"
        r"|AllowAny\b|dangerouslySetInnerHTML|\bmark_safe\(|\|\s*safe\b|autoescape\s*=\s*False|contextIsolation:\s*false"
    ),
    "it lets every origin in": re.compile(
        r"Access-Control-Allow-Origin['\"]?\]?\s*[,:=]\s*['\"]\*|(?:allow_)?origins?['\"]?\s*[:=]\s*\[?\s*['\"]\*['\"]"
    ),
    "it accepts unsigned tokens": re.compile(
        r"verify_signature['\"]?\s*:\s*False|algorithms?['\"]?\s*[:=]\s*\[?\s*['\"]none['\"]|ignoreExpiration:\s*true",
        re.IGNORECASE,
    ),
    "it turns debugging on": re.compile(r"\bdebug\s*=\s*True|\bDEBUG\s*=\s*True|DEBUG_PROPAGATE"),
}
"""What was seen → what must not become more."""
GUARDS = re.compile(
    r"@\w*(?:login_required|requires?_?(?:auth|login|user|admin|role|permission)|auth\w*required|permission_required"
    r"|jwt_required|token_required|admin_only|user_passes_test|csrf_protect|UseGuards|Secured|PreAuthorize|throttle"
    r"|limiter)\w*|Depends\(\s*\w*(?:auth|user|token|permission)\w*|Security\(|permission_classes|authentication_classes"
    r"|\b(?:requireAuth|isAuthenticated|ensureAuthenticated|ensureLoggedIn|authenticate|authorize|verifyToken|checkJwt"
    r"|requireRole|requireUser|check_permissions?|has_permission|verify_signature|compare_digest|timingSafeEqual"
    r"|csrfProtection|helmet|rateLimit|constructEvent|bcrypt|escape_html|sanitize\w*)\b",
    re.IGNORECASE,
)
"""Words of protections that must not become fewer."""
EMPTY_CATCH = re.compile(
    r"\bcatch\s*(?:\([^)\n]{0,80}\))?\s*\{(?:\s|//[^\n]{0,200}\n|/\*(?:[^*]|\*(?!/)){0,400}\*/)*"
    r"(?:return(?:\s+(?:null|undefined|\[\]|\{\}|''|\"\"|0|false))?\s*;?\s*)?\}"
    r"|\.catch\(\s*(?:\(\w{0,30}\)|\w{1,30}|function\s*\(\w{0,30}\))\s*(?:=>)?\s*(?:\{\s*\}|null|undefined|\[\])\s*\)"
)
BROAD = {"Exception", "BaseException"}


def weakened_security(old: str, new: str) -> list[str]:
    """One sentence for each protection that the new text of a file has less of."""
    said = []
    for what, pattern in GROWN.items():
        found = [match[0].strip() for match in pattern.finditer(new)]
        if len(found) > len(pattern.findall(old)):
            said.append(f"{what} (`{found[-1][:60]}`)")
    guards = sorted({match[0] for match in GUARDS.finditer(old)})
    fewer = [guard for guard in guards if old.count(guard) > new.count(guard)]
    return said + [f"it removes a protection (`{guard[:60]}`)" for guard in fewer]


def swallowed(path: str, old: str, new: str) -> str | None:
    """A sentence where the patch catches everything and carries on as if nothing had happened."""
    if path.endswith(".py"):
        grown = _silent_handlers(new) > _silent_handlers(old)
    elif re.search(r"\.[cm]?[jt]sx?$", path):
        grown = len(EMPTY_CATCH.findall(new)) > len(EMPTY_CATCH.findall(old))
    else:
        return None
    return f"it swallows every error in {path} instead of mending the cause" if grown else None


def syntax_error(path: str, text: str) -> str | None:
    """A sentence where a Python file does not parse."""
    if not path.endswith(".py"):
        return None
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"{path} does not parse: {error}"
    return None


def _silent_handlers(text: str) -> int:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0
    return sum(_is_silent(node) for node in ast.walk(tree))


def _is_silent(node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
        return any(_is_broad(argument) for argument in node.args)
    return (
        isinstance(node, ast.ExceptHandler)
        and _is_broad(node.type)
        and all(_does_nothing(one) for one in node.body)
    )


def _is_broad(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(_is_broad(one) for one in kind.elts)
    return kind is None or ast.unparse(kind).rsplit(".", maxsplit=1)[-1] in BROAD


def _does_nothing(statement: ast.stmt) -> bool:
    """pass, continue, a bare constant, or giving a constant or an empty thing back."""
    if isinstance(statement, ast.Return):
        value = statement.value
        empty = (
            isinstance(value, ast.List | ast.Dict | ast.Tuple) and not list(ast.iter_child_nodes(value))[1:]
        )
        return value is None or isinstance(value, ast.Constant) or empty
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass | ast.Continue | ast.Break)
