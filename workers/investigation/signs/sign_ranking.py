"""Order of signs, and which sign takes the place of another one in the same record. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from workers.investigation.signs.host_names import host_of, is_address
from workers.models import Sign, SignKind

MAX_SIGNS = 12  # signs of one record: the actions of a verdict name the first few
ORDER = (
    SignKind.SETTING_MISSING,
    SignKind.SETTING_INVALID,
    SignKind.MODULE_MISSING,
    SignKind.LIBRARY_MISSING,
    SignKind.COMMAND_MISSING,
    SignKind.ARCHIVING_BEHIND,
    SignKind.DISK_FULL,
    SignKind.POOL_EXHAUSTED,
    SignKind.RUNTIME_CEILING,
    SignKind.WRONG_ADDRESS,
    SignKind.UNKNOWN_HOST,
    SignKind.TLS_FAILED,
    SignKind.CREDENTIALS_REJECTED,
    SignKind.NOT_READY,
    SignKind.CONNECTION_REFUSED,
    SignKind.UNREACHABLE,
    SignKind.NO_RESPONSE,
    SignKind.CONNECTION_CLOSED,
    SignKind.ERROR_RESPONSE,
    SignKind.PORT_IN_USE,
    SignKind.OUT_OF_MEMORY,
    SignKind.WORKER_TIMEOUT,
    SignKind.PROGRAMMING_ERROR,
    SignKind.INPUT_REJECTED,
    SignKind.LINES_DROPPED,
    SignKind.HEALTH_CHECK_FAILED,
    SignKind.TERMINATED,
    SignKind.ACCOMPANIES,
)
"""The kinds from the most exact statement about a cause to the least."""

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
CALL_KINDS = CONNECTION_KINDS | {
    SignKind.WRONG_ADDRESS,
    SignKind.NOT_READY,
    SignKind.POOL_EXHAUSTED,
    SignKind.CREDENTIALS_REJECTED,
    SignKind.ERROR_RESPONSE,
}
"""Kinds of failed calls: the record shows which product was called."""
REPLACES: dict[SignKind, frozenset[SignKind]] = {
    # A pool that is exhausted says "timed out" although every host answers.
    SignKind.POOL_EXHAUSTED: frozenset(
        {SignKind.NO_RESPONSE, SignKind.CONNECTION_CLOSED, SignKind.UNREACHABLE}
    ),
    # The error that a missing setting raises has a class of programming errors, or looks like a rejected key.
    SignKind.SETTING_MISSING: frozenset(
        {
            SignKind.PROGRAMMING_ERROR,
            SignKind.CREDENTIALS_REJECTED,
            SignKind.INPUT_REJECTED,
            SignKind.PORT_IN_USE,
        }
    ),
    SignKind.SETTING_INVALID: frozenset(
        {
            SignKind.PROGRAMMING_ERROR,
            SignKind.CREDENTIALS_REJECTED,
            SignKind.INPUT_REJECTED,
            SignKind.MODULE_MISSING,
        }
    ),
    # A wrong address is refused; a host that nobody knows was never connected to.
    SignKind.WRONG_ADDRESS: CONNECTION_KINDS - {SignKind.TLS_FAILED},
    SignKind.UNKNOWN_HOST: CONNECTION_KINDS - {SignKind.UNKNOWN_HOST},
    SignKind.TLS_FAILED: CONNECTION_KINDS - {SignKind.TLS_FAILED, SignKind.UNKNOWN_HOST},
    SignKind.CONNECTION_REFUSED: frozenset(
        {SignKind.UNREACHABLE, SignKind.NO_RESPONSE, SignKind.CONNECTION_CLOSED}
    ),
    SignKind.CREDENTIALS_REJECTED: frozenset({SignKind.UNREACHABLE, SignKind.ERROR_RESPONSE}),
    SignKind.NO_RESPONSE: frozenset({SignKind.UNREACHABLE, SignKind.CONNECTION_CLOSED}),
    SignKind.CONNECTION_CLOSED: frozenset({SignKind.UNREACHABLE}),
    SignKind.NOT_READY: frozenset({SignKind.CONNECTION_CLOSED, SignKind.UNREACHABLE}),
    # A full disk that holds the write-ahead log is about archiving.
    SignKind.ARCHIVING_BEHIND: frozenset({SignKind.DISK_FULL}),
    SignKind.DISK_FULL: frozenset({SignKind.RUNTIME_CEILING}),
    SignKind.MODULE_MISSING: frozenset({SignKind.PROGRAMMING_ERROR, SignKind.COMMAND_MISSING}),
    SignKind.LIBRARY_MISSING: frozenset(
        {SignKind.PROGRAMMING_ERROR, SignKind.COMMAND_MISSING, SignKind.MODULE_MISSING}
    ),
    SignKind.WORKER_TIMEOUT: frozenset({SignKind.OUT_OF_MEMORY, SignKind.TERMINATED, SignKind.NO_RESPONSE}),
    SignKind.RUNTIME_CEILING: frozenset({SignKind.OUT_OF_MEMORY}),
}
"""Kind → kinds that are dropped from the same record beside it."""


def ranked(signs: Iterable[Sign]) -> tuple[Sign, ...]:
    """The signs without repetition and without those that another one replaces, the most exact kind first."""
    kept: dict[tuple[SignKind, str], Sign] = {}
    for item in signs:
        kept.setdefault((item.kind, _identity(item)), item)
    kinds = {item.kind for item in kept.values()}
    dropped = {other for kind in kinds for other in REPLACES.get(kind, ())}
    if kinds - {SignKind.ACCOMPANIES}:
        dropped.add(SignKind.ACCOMPANIES)
    named = {kind for kind, identity in kept if identity}
    remaining = [
        item
        for (kind, identity), item in kept.items()
        if kind not in dropped and (identity or kind not in named)
    ]
    return tuple(sorted(remaining, key=_rank)[:MAX_SIGNS])


def _rank(item: Sign) -> tuple[int, bool]:
    """By kind; within connections a name comes before an address, as both belong to one call more often than not."""
    return ORDER.index(item.kind), item.kind in CONNECTION_KINDS and is_address(host_of(item.subject))


def _identity(item: Sign) -> str:
    """The subject by which two signs of a kind are compared: the host without its port, or the subject."""
    return host_of(item.subject) if item.kind in CONNECTION_KINDS else item.subject
