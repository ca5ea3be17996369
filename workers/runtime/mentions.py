"""Finds names of services in text that other tools wrote. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

# A URL or an email says where something is, not which service is in trouble: `https://checkout.example.com/x`.
_ADDRESS = re.compile(
    r"""[a-z][a-z0-9+.-]{1,20}://[^\s<>"'|]{1,2000} | [\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*""",
    re.IGNORECASE | re.VERBOSE,
)
# The same for a bare host or file name (`api.stripe.com`, `src/api/index.ts`) and for a path (`/api/orders`).
_HOST_OR_PATH = re.compile(
    r"""
    (?<![\w./-])(?:[\w-]{1,63}[./]){1,12}[\w-]{0,63}\.[a-z]{2,24}(?::\d{1,5})?(?:/[^\s<>"'|]{0,2000})?(?![\w-])
    | (?<![\w.-])[\w-]{1,63}\.[a-z]{2,24}(?::\d{1,5})?(?:/[^\s<>"'|]{0,2000})?(?![\w-])
    | (?<![\w.>])/[\w.~%-][^\s<>"'|]{0,2000}
    """,
    re.IGNORECASE | re.VERBOSE,
)


def mentioned(text: str, names: Iterable[str]) -> list[str]:
    """Those of the names that the text contains as words of their own, in any case.

    A part of another word is no mention, and nothing inside a URL, a host name, a file name or a path is one. Only a
    name that has a dot itself may look like a host.
    """
    with_hosts = _ADDRESS.sub(" ", text)
    without_hosts = _HOST_OR_PATH.sub(" ", with_hosts)
    return [name for name in names if _contains(with_hosts if "." in name else without_hosts, name)]


def mentions(text: str, name: str) -> bool:
    """True if the text contains the name as a word of its own (`mentioned`)."""
    return bool(mentioned(text, [name]))


def _contains(text: str, name: str) -> bool:
    if not name.strip():
        return False
    # `#api` is a channel and `@api` a person.
    pattern = rf"(?<![\w.#@-]){re.escape(name.strip())}(?![\w-])(?!\.\w)"
    return re.search(pattern, text, re.IGNORECASE) is not None
