"""Marks for one reply, and their totals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tests.exam.incidents import Exercise
from tests.exam.products import Reply

NOT_CODE = frozenset({"upstream", "platform", "configuration"})
"""Categories that must never be told as `code`, because an agent would then change what is not wrong."""
FIRST_PLACES = 3
LINK = re.compile(r"https?://\S{1,2000}")


class Mark(NamedTuple):
    """One incident, one product."""

    exercise: Exercise
    reply: Reply

    @property
    def category_right(self) -> bool:
        return self.reply.category in self.exercise.answer.category

    @property
    def called_code(self) -> bool:
        """An upstream, platform or configuration that was told as code."""
        return self.reply.category == "code" and set(self.exercise.answer.category) <= NOT_CODE

    @property
    def expects_place(self) -> bool:
        """True if the logs name the place of the fault."""
        return self.exercise.answer.trace

    @property
    def first_right(self) -> bool:
        """The first place is in the right file."""
        return bool(self._files(1) & self.exercise.answer.files)

    @property
    def line_right(self) -> bool:
        """The first place is the right line."""
        return self.reply.places[:1] != () and self.reply.places[0] in self.exercise.answer.places

    @property
    def among_first_right(self) -> bool:
        """One of the first three places is in the right file."""
        return bool(self._files(FIRST_PLACES) & self.exercise.answer.files)

    @property
    def count_right(self) -> bool:
        """A group of log records shows the fault as often as the logs do: one occurrence is one record."""
        answer = self.exercise.answer
        return any(
            count == answer.occurrences and answer.occurrence in text for count, text in self.reply.patterns
        )

    @property
    def action_right(self) -> bool:
        """The category is right, summary or action name what they must, and nobody innocent is named.

        A link inside a quoted log line names nobody.
        """
        text = f"{self.reply.summary} {self.reply.action}".lower()
        named = all(any(name.lower() in text for name in group) for group in self.exercise.answer.names)
        told = LINK.sub("", text)
        return (
            self.category_right
            and named
            and not any(host.lower() in told for host in self.exercise.answer.innocent)
        )

    def _files(self, count: int) -> set[str]:
        """The files of the first places, each file once."""
        files = dict.fromkeys(place.rpartition(":")[0] for place in self.reply.places)
        return set(list(files)[:count]) if count > 1 else set(list(files)[:1])


class Totals(NamedTuple):
    """The marks of several incidents, counted."""

    incidents: int
    categories: int
    called_code: int
    traces: int
    first: int
    lines: int
    among_first: int
    occurrences: int
    counts: int
    actions: int
    model_calls: int
    milliseconds: float


def total(marks: Sequence[Mark]) -> Totals:
    """Count the marks: those for places and counts where the logs show them."""
    traced = [mark for mark in marks if mark.expects_place]
    counted = [mark for mark in marks if mark.exercise.answer.occurrences]
    return Totals(
        incidents=len(marks),
        categories=_count(mark.category_right for mark in marks),
        called_code=_count(mark.called_code for mark in marks),
        traces=len(traced),
        first=_count(mark.first_right for mark in traced),
        lines=_count(mark.line_right for mark in traced),
        among_first=_count(mark.among_first_right for mark in traced),
        occurrences=len(counted),
        counts=_count(mark.count_right for mark in counted),
        actions=_count(mark.action_right for mark in marks),
        model_calls=sum(mark.reply.model_calls for mark in marks),
        milliseconds=sum(mark.reply.milliseconds for mark in marks),
    )


def _count(values: Iterable[bool]) -> int:
    return sum(values)


MIN_CATEGORY_SHARE = 0.95
MIN_FIRST_SHARE = 0.85
MIN_AMONG_FIRST_SHARE = 0.95


def missed_goals(totals: Totals) -> list[str]:
    """The goals that these totals miss, each as a sentence."""
    goals = [
        (totals.categories >= MIN_CATEGORY_SHARE * totals.incidents, "the category is right in 95 %"),
        (totals.called_code == 0, "no upstream, platform or configuration is called code"),
        (totals.first >= MIN_FIRST_SHARE * totals.traces, "the true file is first in 85 % of the traces"),
        (totals.among_first >= MIN_AMONG_FIRST_SHARE * totals.traces, "the true file is among three in 95 %"),
    ]
    return [goal for is_met, goal in goals if not is_met]
