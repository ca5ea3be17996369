"""The fault and the change that a reproduction is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workers.remediation.changed_code import ChangedCode
from workers.remediation.counter_checks import ControlFiles


@dataclass(frozen=True)
class Fault:
    """The fault that a fix is made for, as the evidence names it.

    Attributes:
        file: the culprit; None if nothing is known.
        lines: the lines of its function on the base commit; empty if no line is known.
        exceptions: names of exception types of the error log; empty if there is none.
    """

    file: str | None = None
    lines: range = range(0)
    exceptions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """The patch's changes, as far as the host can read the languages.

    Attributes:
        code: file → changed code.
        unread: changed source files whose language the host cannot follow while it runs.
        controls: the counter-checks that ran.
        observed: the language's runner reports executed lines.
        reproduction: path of the test or script.
    """

    code: Mapping[str, ChangedCode] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    controls: Sequence[ControlFiles] = ()
    observed: bool = True
    reproduction: str = ""
