"""Names of protections in Python, JavaScript and TypeScript. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_GUARD_LENGTH = 500  # characters of a function whose purpose is to turn requests away; pages are longer
COMPARING = re.compile(r"compare_digest|timingSafeEqual|checkpw|check_password_hash|jwt\.(?:decode|verify)")
PROTECTING = re.compile(
    COMPARING.pattern
    + r"|\b40[13]\b|Unauthori[sz]ed|Forbidden|PermissionDenied|NotAuthenticated|PermissionError"
)
WRAPPING = re.compile(r"^\s+(?:async )?def \w|\bnext\(\)", re.M)
FUNCTION_START = re.compile(
    r"^(?:async )?def (\w+)|^(?:export )?(?:async )?(?:function )(\w+)"
    r"|^(?:export )?(?:(?:const|let|var) |module\.exports\.|exports\.)(\w+) = (?:async )?(?:function|\(|\w+ =>)",
    re.M,
)

GUARDS = re.compile(
    r"login_?required|requires?_?(?:auth|login|user|admin|role|permission|scope|token|signature|owner|session)|auth\w*_?required"
    r"|permissions?_?(?:required|classes)|jwt_?required|token_?required|admin_?(?:only|required)|staff_member_required"
    r"|user_passes_test|csrf_?(?:protect|protection|token)|^csrf$|csurf|UseGuards|AuthGuard|Secured|PreAuthorize|throttl|rate_?limit|limiter"
    r"|authentication_classes|is_?authenticated|ensure_?(?:auth\w*|logged\w*|admin|owner|permission)|authenticate|authori[sz]e"
    r"|verify_?(?:token|jwt|signature|password|session|csrf|hmac|webhook|request|user|access|otp|code)|^verify$|check_?(?:jwt|auth\w*"
    r"|permissions?|access|token|password|signature|owner\w*|role|csrf|quota|session|credentials)|has_?(?:perm\w*|role|access|scope)"
    r"|compare_?digest|timing_?safe_?equal|helmet|construct_?event|bcrypt|checkpw|check_password_hash|validate_?(?:token|signature|csrf|session"
    r"|password|origin|host|redirect)|current_?(?:user|active_user|admin)|get_?current_?(?:user|active_user|admin)|assert_?(?:owner|access|can|permission)"
    r"|is_?(?:signed|verified|authentic\b)|valid_?(?:signature|token|session|csrf)|(?:check|verify|validate)_?sign\w*"
    r"|can_?access|is_?(?:admin|owner|allowed|authori[sz]ed|safe_url|trusted|staff|superuser)|^guard\w*|requireAuth\w*|passport|protect(?:ed)?_?route",
    re.IGNORECASE,
)
"""Names of checks that decide who may do what: access, signatures, forgery, and limits of requests."""
ESCAPES = re.compile(
    r"^escape(?:_?html|_?attr|_?js|_?url|_?sql)?$|html_?escape|sanitiz\w*|sanitis\w*|^bleach\b|DOMPurify|xss\w*|quote_?identifier|shell_?quote"
    r"|encodeURIComponent|secure_filename|safe_join|strip_?tags|clean_?html",
    re.IGNORECASE,
)
"""Names of functions that make text harmless. Escaping twice is a fault as well, so removing one makes a draft."""
ANSWERS = re.compile(
    r"compare_?digest|timing_?safe_?equal|(?:^|[._])(?:is|has|can)_?[A-Za-z]|checkpw|check_password\w*|verify_?(?:password|signature|token|hmac)|^verify$"
    r"|validate_?(?:signature|token|csrf)|safe_url|user_passes|check_?(?:signature|token|password)",
    re.IGNORECASE,
)
"""Guards that answer with true or false: a call whose answer is unused protects nothing."""


@dataclass(frozen=True)
class GuardNames:
    """The names of protections of one service: the usual ones, and functions of its own that protect."""

    own: frozenset[str] = frozenset()
    strict: frozenset[str] = frozenset()
    """Names in `own` that wrap pages or compare signatures; the others may be pages that reject requests."""

    def matches(self, name: str) -> bool:
        """True if the name is that of a protection."""
        plain = name.lstrip("@")
        return is_guard(plain) or plain.partition("(")[0].rpartition(".")[2] in self.own

    def guards(self, name: str) -> bool:
        """True if a function of this name is itself a protection."""
        return is_guard(name) or name in self.strict


def is_guard(name: str) -> bool:
    """True if the name is one that protections usually have."""
    return GUARDS.search(name) is not None or ESCAPES.search(name) is not None


def find_own_guards(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Names of short functions of a file that compare signatures or turn requests away, in Python or JavaScript.

    Returns:
        All of them, and those that wrap pages or compare signatures.
    """
    if not PROTECTING.search(text):
        return frozenset(), frozenset()
    starts = list(FUNCTION_START.finditer(text))
    ends = [match.start() for match in starts[1:]] + [len(text)]
    names, strict = set(), set()
    for match, end in zip(starts, ends, strict=True):
        body = text[match.end() : min(end, match.end() + MAX_GUARD_LENGTH)]
        is_short = end - match.end() <= MAX_GUARD_LENGTH
        if COMPARING.search(body) or (is_short and PROTECTING.search(body)):
            name = match[1] or match[2] or match[3]
            names.add(name)
            strict |= {name} if COMPARING.search(body) or WRAPPING.search(body) else set()
    return frozenset(names), frozenset(strict)
