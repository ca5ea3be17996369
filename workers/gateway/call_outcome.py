"""The outcome of a call of the model: its record, its billed usage, and its failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from workers.gateway.call_admission import Call
from workers.gateway.formats import Format, TokenUsage
from workers.gateway.streams import AnswerReader


class CallLog(Protocol):
    """The record of a run's calls."""

    def add(self, call: CallRecord) -> None:
        """Record a call that has ended."""


@dataclass(frozen=True)
class CallRecord:
    """One call of the model, once it has ended."""

    api: Format
    request: Mapping[str, Any]
    is_stream: bool
    status: int
    """The status that the agent got; 0 if its connection was reset."""
    events: list[dict[str, Any]]
    """The answer in its short form, empty for an error."""
    complete: bool
    """True if the answer has a proper end."""
    cut: bool
    """True if `events` is not the whole answer."""
    note: str
    usage: TokenUsage
    cost_usd: float


@dataclass(frozen=True)
class Failure:
    """An attempt that failed before the agent received any part of an answer."""

    status: int
    reason: str
    retry_after: float | None = None
    again: bool = True


@dataclass(frozen=True)
class Outcome:
    """The end of an attempt: the status that the agent got (0 for a reset connection), or a failure to handle."""

    status: int
    note: str = ""
    failure: Failure | None = None


def billed_usage(call: Call, reader: AnswerReader) -> TokenUsage:
    """The billed usage. Every byte counts as a token if the provider reports nothing."""
    estimate = TokenUsage(input=len(call.body), output=min(reader.received, call.max_output))
    reported = reader.usage
    if reported is None or not reported.total:
        return estimate
    if reader.finished:
        return reported
    # An answer that broke off has reported a part at most: Anthropic's begins with the input.
    has_input = reported.total > reported.output
    return TokenUsage(
        reported.input if has_input else estimate.input, reported.cache_read, reported.cache_write,
        max(reported.output, estimate.output),
    )  # fmt: skip
