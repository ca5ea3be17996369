"""The input and the result of the rules in `wellness`. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from workers.models import Finding, Service, Summary, Survey

# Part of the window that shows the present state; its beginning may hold the rest of the trouble.
TAIL_SHARE = 1 / 3
HALVED = 0.5  # of the level of the trouble, or of the time before: what lies beyond is nearer to the other


class Wellness(StrEnum):
    """The state of trouble of one kind in a window."""

    WELL = "well"
    UNKNOWN = "unknown"
    """The window holds no measurement that could show it."""
    SICK = "sick"


class Case(NamedTuple):
    """The input of a rule.

    Attributes:
        trouble: the findings of one kind that the incident is about.
        before: the windows before the onset; empty if they are unknown.
    """

    trouble: Sequence[Finding]
    service: Service
    survey: Survey
    before: Sequence[Summary]

    def worst(self, name: str) -> float | None:
        """The highest value of a number of the trouble."""
        return max((item.numbers[name] for item in self.trouble if name in item.numbers), default=None)

    @property
    def tail_start(self) -> float:
        """The beginning of the end of the window, in epoch seconds."""
        window = self.survey.window
        return window.end.timestamp() - TAIL_SHARE * window.seconds

    def earlier(self, values: Callable[[Summary], float | None]) -> list[float]:
        """The known values of the windows before the onset."""
        return [value for window in self.before if (value := values(window)) is not None]
