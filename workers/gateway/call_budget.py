"""The budget of one run: money and tokens are reserved before each call of the model and settled after it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from workers.models import Usage

ATTEMPTS_PER_CALL = 4  # requests that a provider may answer with an error, for each call of the limit


@dataclass(frozen=True)
class Reservation:
    """The highest cost of a call that is under way."""

    cost_usd: float
    tokens: int


class CallBudget(Protocol):
    """Decides before each call whether it may be made, and counts its usage afterwards."""

    def reserve(self, cost_usd: float, tokens: int, deadline: float) -> Reservation | str:
        """A reservation, or the reason why there is none.

        Args:
            cost_usd, tokens: upper bounds of the call.
            deadline: on the monotonic clock; until then the answer may wait for other calls to settle.
        """

    def settle(self, reservation: Reservation, cost_usd: float, tokens: int) -> None:
        """Replace a reservation by the actual usage of the call."""

    @property
    def usage(self) -> Usage:
        """The usage so far, without calls that are under way."""


@dataclass
class RunBudget:
    """The budget of a run. A call is made only while something is left; calls at once share what is left.

    A single call may exceed the rest of the budget, because its upper bound counts every byte as a token: otherwise a
    run would end with much of its budget unspent. At most one call can exceed the limit, never two at once.
    """

    cost_usd: float
    """US dollars that the run may spend."""
    tokens: int
    calls: int
    """Calls of the model."""
    describe: str = "the run's budget is used up"
    """The refusal's text: which limit it is, and the setting that raises it."""
    on_usage: Callable[[Usage], None] = lambda _usage: None
    """Called before each call with its reservation included, and after it with its actual usage. A worker that crashes
    during a call leaves the reservation recorded."""
    before: Usage = field(default_factory=Usage)
    """Usage of an earlier part of the same run, before its worker crashed."""
    _started: float = field(default_factory=time.monotonic)
    _spent: Usage = field(default_factory=Usage)
    _reserved: list[Reservation] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _closed: bool = False
    _attempts: int = 0

    def __post_init__(self) -> None:
        self._spent = self.before

    @property
    def usage(self) -> Usage:
        """The run's usage so far, without calls that are under way."""
        return self._spent

    def reserve(self, cost_usd: float, tokens: int, deadline: float) -> Reservation | str:
        """A reservation, or the reason why there is none. Waits if calls under way may release enough budget."""
        reservation = Reservation(cost_usd, tokens)
        with self._changed:
            while not self._closed:
                if reason := self._exhausted():
                    return reason
                if not self._reserved or self._fits(reservation):
                    self._reserved.append(reservation)
                    self._attempts += 1
                    self.on_usage(self._with_reservations())
                    return reservation
                if not self._changed.wait(deadline - time.monotonic()):
                    return "the deadline has passed while other calls were under way"
            return "the run has ended"

    def settle(self, reservation: Reservation, cost_usd: float, tokens: int) -> None:
        """Replace a reservation by the actual usage of the call, and record it."""
        with self._changed:
            self._reserved.remove(reservation)
            self._spent = Usage(
                cost_usd=round(self._spent.cost_usd + cost_usd, 6),
                tokens=self._spent.tokens + tokens,
                calls=self._spent.calls + (1 if tokens else 0),  # a busy provider costs nothing
                seconds=self._seconds(),
            )
            self._changed.notify_all()
            self.on_usage(self._with_reservations())

    def close(self, seconds: float = 0.0) -> None:
        """Refuse every further call.

        Args:
            seconds: to wait at most for the calls under way, so that their usage is known.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._reserved, seconds)

    def _exhausted(self) -> str:
        spent = self._spent
        if spent.cost_usd >= self.cost_usd:
            return f"{self.describe} ({spent.cost_usd:.2f} USD)"
        if spent.tokens >= self.tokens:
            return f"the run's limit of {self.tokens:,} tokens is used up"
        is_over = spent.calls + len(self._reserved) >= self.calls
        if is_over or self._attempts >= self.calls * ATTEMPTS_PER_CALL:
            return f"the run's limit of {self.calls} calls of the model is used up"
        return ""

    def _fits(self, reservation: Reservation) -> bool:
        after = [*self._reserved, reservation]
        cost = self._spent.cost_usd + sum(reservation.cost_usd for reservation in after)
        tokens = self._spent.tokens + sum(reservation.tokens for reservation in after)
        return cost <= self.cost_usd and tokens <= self.tokens

    def _with_reservations(self) -> Usage:
        return Usage(
            cost_usd=round(self._spent.cost_usd + sum(item.cost_usd for item in self._reserved), 6),
            tokens=self._spent.tokens + sum(item.tokens for item in self._reserved),
            calls=self._spent.calls + len(self._reserved),
            seconds=self._seconds(),
        )

    def _seconds(self) -> float:
        return round(self.before.seconds + time.monotonic() - self._started, 1)
