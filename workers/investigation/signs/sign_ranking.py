"""Order of signs, and which sign takes the place of another one in the same record. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from workers.investigation.signs.host_names import host_of
from workers.models import Sign, SignKind

MAX_SIGNS = 12  # signs of one record: the actions of a verdict name the first few
ORDER = tuple(SignKind)
"""The kinds from the most exact statement about a cause to the least: as they are declared."""

CONNECTION_KINDS = frozenset(
    {
        SignKind.UNKNOWN_HOST,
        SignKind.TLS_FAILED,
        SignKind.CONNECTION_REFUSED,
        SignKind.UNREACHABLE,
        SignKind.NO_RESPONSE,
        SignKind.CONNECTION_CLOSED,
    }
)
REPLACES: dict[SignKind, frozenset[SignKind]] = {
    # A pool that is exhausted says "timed out" although every host answers.
    SignKind.POOL_EXHAUSTED: frozenset({SignKind.NO_RESPONSE, SignKind.CONNECTION_CLOSED}),
    # The error that a missing setting raises is of a class of programming errors, or looks like a rejected key.
    SignKind.SETTING_MISSING: frozenset({SignKind.PROGRAMMING_ERROR, SignKind.CREDENTIALS_REJECTED}),
    SignKind.SETTING_INVALID: frozenset({SignKind.PROGRAMMING_ERROR, SignKind.CREDENTIALS_REJECTED}),
    # A wrong address is refused; a host that nobody knows was never connected to.
    SignKind.WRONG_ADDRESS: frozenset(
        {SignKind.CONNECTION_REFUSED, SignKind.UNREACHABLE, SignKind.NO_RESPONSE}
    ),
    SignKind.UNKNOWN_HOST: CONNECTION_KINDS - {SignKind.UNKNOWN_HOST},
    SignKind.TLS_FAILED: CONNECTION_KINDS - {SignKind.TLS_FAILED, SignKind.UNKNOWN_HOST},
    SignKind.CONNECTION_REFUSED: frozenset(
        {SignKind.UNREACHABLE, SignKind.NO_RESPONSE, SignKind.CONNECTION_CLOSED}
    ),
    SignKind.NO_RESPONSE: frozenset({SignKind.UNREACHABLE, SignKind.CONNECTION_CLOSED}),
    SignKind.NOT_READY: frozenset({SignKind.CONNECTION_CLOSED, SignKind.UNREACHABLE}),
    # A full disk that holds the write-ahead log is about archiving.
    SignKind.ARCHIVING_BEHIND: frozenset({SignKind.DISK_FULL}),
    SignKind.MODULE_MISSING: frozenset({SignKind.PROGRAMMING_ERROR, SignKind.COMMAND_MISSING}),
    SignKind.LIBRARY_MISSING: frozenset({SignKind.PROGRAMMING_ERROR}),
    SignKind.WORKER_TIMEOUT: frozenset({SignKind.OUT_OF_MEMORY, SignKind.TERMINATED}),
    SignKind.RUNTIME_CEILING: frozenset({SignKind.OUT_OF_MEMORY}),
}
"""Kind → kinds that are dropped from the same record beside it."""


def ranked(signs: Iterable[Sign]) -> tuple[Sign, ...]:
    """The signs without repetition and without those that another one replaces, the most exact kind first."""
    kept: dict[tuple[SignKind, str], Sign] = {}
    for item in signs:
        kept.setdefault((item.kind, _identity(item)), item)
    kinds = {item.kind for item in kept.values()}
    dropped = set().union(*(REPLACES.get(kind, frozenset()) for kind in sorted(kinds)))
    if kinds - {SignKind.ACCOMPANIES}:
        dropped.add(SignKind.ACCOMPANIES)
    named = {kind for kind, identity in kept if identity}
    remaining = [
        item
        for (kind, identity), item in kept.items()
        if kind not in dropped and (identity or kind not in named)
    ]
    return tuple(sorted(remaining, key=lambda item: ORDER.index(item.kind))[:MAX_SIGNS])


def _identity(item: Sign) -> str:
    """What makes two signs of a kind the same: the host without its port, or the subject."""
    return host_of(item.subject) if item.kind in CONNECTION_KINDS else item.subject
