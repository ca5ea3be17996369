"""Orders the errors of an incident: the first in time and the deepest is the cause, and the rest accompanies it. Pure.

Decides by the signs, exceptions, locations, counts and times of log patterns, never by their text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from workers.investigation.signs.host_names import host_of
from workers.models import LogPattern, Sign, SignKind

ROOT_SIGNS = frozenset(
    {
        SignKind.SETTING_MISSING, SignKind.SETTING_INVALID, SignKind.CREDENTIALS_REJECTED, SignKind.WRONG_ADDRESS,
        SignKind.PORT_IN_USE, SignKind.RUNTIME_CEILING, SignKind.OUT_OF_MEMORY, SignKind.DISK_FULL,
        SignKind.MODULE_MISSING, SignKind.LIBRARY_MISSING, SignKind.COMMAND_MISSING, SignKind.ARCHIVING_BEHIND,
    }
)  # fmt: skip
"""Signs that are causes wherever they occur: nothing else in a log leads to them."""
CALL_SIGNS = frozenset(
    {
        SignKind.CONNECTION_REFUSED, SignKind.UNREACHABLE, SignKind.NOT_READY, SignKind.CONNECTION_CLOSED,
        SignKind.UNKNOWN_HOST, SignKind.NO_RESPONSE, SignKind.ERROR_RESPONSE, SignKind.TLS_FAILED,
    }
)  # fmt: skip
"""Signs of a failed call to another service."""
CAUSAL_SIGNS = (ROOT_SIGNS | CALL_SIGNS) | {
    SignKind.POOL_EXHAUSTED,
    SignKind.WORKER_TIMEOUT,
    SignKind.PROGRAMMING_ERROR,
}
"""Signs that can decide a verdict. The others describe a consequence or a circumstance."""
HARD_SIGNS = frozenset(
    {SignKind.CONNECTION_REFUSED, SignKind.UNREACHABLE, SignKind.NOT_READY, SignKind.UNKNOWN_HOST}
)
"""Signs of a call that cannot succeed by chance: as the first error of a failure, a few records are enough."""
WEAK_SIGNS = frozenset({SignKind.POOL_EXHAUSTED, SignKind.WORKER_TIMEOUT})
"""Signs that often follow from a slow or refused call which is logged as a warning only."""
RECURSION_OPTIONS = frozenset({"-Xss", "recursion"})
"""Ceilings of the stack: only endless recursion reaches them, which is an error of the code."""
MATERIAL_SHARE = (
    0.2  # of the most frequent cause: a rarer one has gone on beside it, and is not the failure itself
)
JUST_BEFORE_ONSET = timedelta(minutes=1)  # a cause begins at the onset, as exactly as it is measured
TOGETHER = timedelta(
    seconds=5
)  # causes that begin within this time count as simultaneous: clocks and buffers differ
OUTNUMBERED = 3  # a simultaneous cause with this many times more records is the likelier one
BEFORE_ONSET = timedelta(
    minutes=5
)  # an error that began this long before the onset went on before the failure, too


@dataclass(frozen=True)
class Cause:
    """One possible cause: the log patterns that show the same sign about the same subject."""

    sign: Sign | None
    """None for an exception in own code without any sign, and for an error that shows nothing."""
    patterns: tuple[LogPattern, ...]
    """The first in time first."""

    @property
    def kind(self) -> SignKind | None:
        return self.sign.kind if self.sign else None

    @property
    def subject(self) -> str:
        return self.sign.subject if self.sign else ""

    @property
    def first(self) -> datetime:
        return self.patterns[0].first

    @property
    def last(self) -> datetime:
        return max(pattern.last for pattern in self.patterns)

    @property
    def count(self) -> int:
        return sum(pattern.count for pattern in self.patterns)

    @property
    def places(self) -> tuple[str, ...]:
        """Own code that the traces name as `file:line`, innermost first."""
        return tuple(dict.fromkeys(place for pattern in self.patterns for place in pattern.locations))

    @property
    def files(self) -> frozenset[str]:
        """Own files that the traces name."""
        return frozenset(place.rpartition(":")[0] for place in self.places)

    @property
    def shows_exception(self) -> bool:
        """True if only the code itself can raise it."""
        return self.kind is SignKind.PROGRAMMING_ERROR

    def subjects(self) -> tuple[str, ...]:
        """All subjects that its patterns name with signs of its kind, in their order."""
        signs = [sign for pattern in self.patterns for sign in pattern.signs if sign.kind is self.kind]
        return tuple(dict.fromkeys(sign.subject for sign in signs if sign.subject))

    def number(self, key: str) -> float:
        """A number of its sign; 0.0 if no pattern states it."""
        signs = [sign for pattern in self.patterns for sign in pattern.signs if sign.kind is self.kind]
        return next((sign.numbers[key] for sign in signs if key in sign.numbers), 0.0)


def rank_causes(
    patterns: Iterable[LogPattern],
    onset: datetime,
    *,
    at_start: bool,
    confirmed: frozenset[str] = frozenset(),
) -> tuple[Cause, ...]:
    """The possible causes, the likeliest first. An error that only accompanies another failure is none of them.

    Args:
        at_start: the service ends at or soon after its start: then a cause needs to be logged only once per start.
        confirmed: outside hosts whose status pages report trouble: calls to them come first.
    """
    causes = _group(pattern for pattern in patterns if not accompanies(pattern))
    recent = [cause for cause in causes if cause.first >= onset - BEFORE_ONSET] or causes
    classified = [cause for cause in recent if _is_classified(cause)]
    most = max((cause.count for cause in classified or recent), default=0)

    def is_root(cause: Cause) -> bool:
        return _leads(cause, classified, onset) or (at_start and cause.kind in ROOT_SIGNS)

    material = [
        cause for cause in classified or recent if cause.count >= MATERIAL_SHARE * most or is_root(cause)
    ]
    begin = min((cause.first for cause in material), default=onset)
    together = [cause for cause in material if cause.first <= begin + TOGETHER]
    most_together = max((cause.count for cause in together), default=0)

    def rank(cause: Cause) -> tuple[bool, bool, bool, int, int, datetime, str, str]:
        outnumbered = cause.count * OUTNUMBERED < most_together and not is_root(cause)
        order = (_depth(cause), -cause.count, cause.first, cause.kind or "", cause.subject)
        return (host_of(cause.subject) not in confirmed, cause not in together, outnumbered, *order)

    others = [cause for cause in causes if cause not in material]
    return (*sorted(material, key=rank), *sorted(others, key=rank))


def _leads(cause: Cause, causes: list[Cause], onset: datetime) -> bool:
    """True if a call failed for certain at the onset, before anything else did."""
    others = [other.first for other in causes if other is not cause]
    is_new = cause.first >= onset - JUST_BEFORE_ONSET
    is_certain = cause.kind in HARD_SIGNS and bool(cause.subject)
    return is_certain and is_new and all(cause.first < first for first in others)


def leads_to(warnings: tuple[Cause, ...], errors: tuple[Cause, ...]) -> bool:
    """True if the likeliest warning explains the likeliest error: a failed call, and an exception without a sign.

    Clients log each failed attempt as a warning, and the service then raises an exception of its own.
    """
    if not warnings or not errors or errors[0].sign is not None:
        return False
    call = warnings[0]
    return call.kind in CALL_SIGNS and bool(call.subject) and call.first <= errors[0].first + TOGETHER


def accompanies(pattern: LogPattern) -> bool:
    """True if the record follows from another failure and names no cause of its own.

    An exception that is traced to own code is a cause, whatever else its record says.
    """
    if pattern.exception and pattern.locations:
        return False
    return bool(pattern.signs) and pattern.signs[0].kind is SignKind.ACCOMPANIES


def deciding_sign(pattern: LogPattern) -> Sign | None:
    """The sign of the pattern that can decide a verdict: the strongest one."""
    return next(
        (
            sign
            for sign in pattern.signs
            if sign.kind in CAUSAL_SIGNS and sign.subject not in RECURSION_OPTIONS
        ),
        None,
    )


def port_of(subject: str) -> int:
    """The port of a subject that names one, else 0."""
    host, _, port = subject.rpartition(":")
    return int(port) if host_of(subject) != subject and host and port.isdigit() else 0


def _group(patterns: Iterable[LogPattern]) -> list[Cause]:
    groups: dict[tuple[str, ...], tuple[Sign | None, list[LogPattern]]] = {}
    for pattern in sorted(patterns, key=lambda pattern: pattern.first):
        sign = deciding_sign(pattern)
        key = _key(pattern, sign)
        groups.setdefault(key, (sign, []))[1].append(pattern)
    return [Cause(sign, tuple(members)) for sign, members in groups.values()]


def _key(pattern: LogPattern, sign: Sign | None) -> tuple[str, ...]:
    if sign is None or sign.kind is SignKind.PROGRAMMING_ERROR:
        return ("exception", pattern.exception, *(pattern.locations[:1] or (pattern.template,)))
    if sign.kind in (SignKind.SETTING_MISSING, SignKind.SETTING_INVALID):
        return (sign.kind,)
    return (sign.kind, host_of(sign.subject) if sign.kind in CALL_SIGNS else sign.subject)


def _is_classified(cause: Cause) -> bool:
    return cause.sign is not None or bool(cause.places) or bool(cause.patterns[0].exception)


def _depth(cause: Cause) -> int:
    """The place of a cause in the usual chain of consequences: 0 leads to the others."""
    if cause.kind in ROOT_SIGNS:
        return 0
    if cause.kind in CALL_SIGNS:
        return 1 if cause.subject else 4
    if cause.kind in WEAK_SIGNS:
        return 3 if cause.kind is SignKind.POOL_EXHAUSTED else 5
    return 2 if cause.places or cause.sign else 6
