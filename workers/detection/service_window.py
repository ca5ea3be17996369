"""What every rule is given: one service, its window, its past. And how a rule says what it found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from workers.detection.baseline import Baseline
from workers.detection.sentences import deployment_near, live_at, moment
from workers.detection.statistics import clean
from workers.models import Finding, FindingKind, Point, Service, Severity, Survey

JUST_STARTED = 2.0
"""Times the persist time, after a deployment: caches fill, code is compiled, old and new containers overlap."""
JUST_BEFORE = 0.5
BEGINS = {"deployed", "crashed", "oom", "started"}


@dataclass(frozen=True)
class ServiceWindow:
    """One service in one window, with its past. `persist` is how long a condition must hold, in seconds."""

    service: Service
    survey: Survey
    usual: Baseline
    persist: float

    @cached_property
    def end(self) -> float:
        return self.survey.window.end.timestamp()

    @cached_property
    def start(self) -> float:
        return self.survey.window.start.timestamp()

    @cached_property
    def cpu(self) -> list[list[Point]]:
        """vCPU of each replica, in order of time."""
        return [clean(one.cpu) for one in self.service.usage]

    @cached_property
    def memory(self) -> list[list[Point]]:
        """GB of each replica, in order of time."""
        return [clean(one.memory) for one in self.service.usage]

    @cached_property
    def rollouts(self) -> list[float]:
        """When a deployment of the service went live in or just before the window, epoch seconds."""
        told = [one.at.timestamp() for one in self.service.events if one.kind == "deployed"]
        known = {one.id: one for one in (self.service.serving, *self.service.deployments) if one is not None}
        told += [
            live_at(one).timestamp()
            for one in known.values()
            if one.status in ("SUCCESS", "CRASHED", "REMOVED")
        ]
        found: list[float] = []
        for at in sorted(told):
            begun = (
                not found or at - found[-1] > JUST_BEFORE * self.persist
            )  # the feed and the list tell of the same
            if begun and self.start - JUST_STARTED * self.persist <= at <= self.end:
                found.append(at)
        return found

    @cached_property
    def restarts(self) -> list[float]:
        """When a container of the service began anew in the window, epoch seconds, as far as that was told."""
        told = [one.at.timestamp() for one in self.service.events if one.kind in BEGINS]
        return sorted({*told, *(one.at.timestamp() for one in self.service.starts)})

    def starting_up(self, first: float, last: float) -> bool:
        """Whether a stretch lies in the first minutes of a deployment."""
        return any(
            at - JUST_BEFORE * self.persist <= first and last <= at + JUST_STARTED * self.persist
            for at in self.rollouts
        )

    def found(
        self, kind: FindingKind, severity: Severity, since: float | datetime, sentence: str, *,
        ongoing: bool = True, numbers: dict[str, float] | None = None, deployment_id: str | None = None,
        confidence: float = 1.0, harm_in_seconds: float | None = None, usual: bool = False,
    ) -> Finding:  # fmt: skip
        """A finding about this service; without a deployment of its own it gets the one next to its onset."""
        onset = since if isinstance(since, datetime) else moment(since)
        slack = timedelta(seconds=2 * self.survey.step_seconds)
        return Finding(
            service_id=self.service.id, service=self.service.name, kind=kind,
            severity=Severity.NOTICE if usual else severity, since=onset, ongoing=ongoing,
            numbers=numbers or {}, sentence=sentence + (", as it usually is" if usual else ""),
            deployment_id=deployment_id or deployment_near(self.service, onset, slack),
            confidence=confidence, seconds_to_limit=harm_in_seconds, is_baseline=usual,
        )  # fmt: skip
