"""The frames of Python tracebacks: chains, exception groups, loguru and rich. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from workers.investigation.code.frame_syntax import MARKS, Frame, frame_of

START = "Traceback (most recent call last)"
CAUSE = "The above exception was the direct cause of the following exception"
INNERMOST_FIRST = "(most recent call first)"  # `faulthandler`, of a crash of the interpreter
HANDLING = "During handling of the above exception, another exception occurred"


class _Link(Enum):
    """How an exception of a record relates to the exceptions printed before it."""

    NONE = "none"
    CAUSED = "caused"  # by the exception before it
    HANDLING = "handling"  # raised while the exception before it was handled


@dataclass
class _Traceback:
    depth: int
    """Column of the bar of an exception group; 0 outside of groups."""
    link: _Link
    frames: list[Frame] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    """The source line that is printed below each frame, or an empty text."""


def python_frames(lines: Sequence[str]) -> list[Frame]:
    """The frames, innermost first, of the exception that points to the fault first.

    The cause comes before what was raised `from` it. An exception that was raised while another one was handled comes
    first, because it is the one that was not caught, unless the handler raised it deliberately. The exceptions of a
    group come before the group.
    """
    if any(INNERMOST_FIRST in line for line in lines):
        return [frame for line in lines if (frame := frame_of(line))]
    ordered: list[_Traceback] = []
    group = 0  # tracebacks at the beginning of `ordered` that belong to the group that is being read
    for traceback in _tracebacks(lines):
        is_member = bool(ordered) and traceback.link is _Link.NONE and traceback.depth > 0
        if is_member:
            ordered.insert(group, traceback)
            group += 1
        elif traceback.link is _Link.HANDLING and not _is_deliberate(ordered, traceback):
            ordered.insert(0, traceback)
        else:
            ordered.append(traceback)
    return [frame for traceback in ordered for frame in reversed(traceback.frames)]


def _tracebacks(lines: Sequence[str]) -> list[_Traceback]:
    tracebacks: list[_Traceback] = []
    link = _Link.NONE
    for line in lines:
        frame = frame_of(line)
        if START in line:
            tracebacks.append(_Traceback(_depth(line), link))
            link = _Link.NONE
        elif CAUSE in line or HANDLING in line:
            link = _Link.CAUSED if CAUSE in line else _Link.HANDLING
        elif frame is not None:
            if not tracebacks:
                tracebacks.append(_Traceback(_depth(line), link))
            tracebacks[-1].frames.append(frame)
            tracebacks[-1].code.append("")
        elif tracebacks and tracebacks[-1].code and not tracebacks[-1].code[-1]:
            tracebacks[-1].code[-1] = line.strip(MARKS)
    return tracebacks


def _depth(line: str) -> int:
    prefix = line[: len(line) - len(line.lstrip(" |+-"))]
    return max(prefix.find("|"), prefix.find("+"), 0)


def _is_deliberate(earlier: Sequence[_Traceback], traceback: _Traceback) -> bool:
    """True if the function that caught the exception before it raised the new one by a `raise` statement."""
    if not traceback.frames or not earlier or not earlier[-1].frames:
        return False
    raised, caught = traceback.frames[-1], earlier[-1].frames[0]
    is_same = (raised.path, raised.function) == (caught.path, caught.function)
    return is_same and traceback.code[-1].startswith("raise")
