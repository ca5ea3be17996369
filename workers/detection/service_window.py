"""The input of every detection rule: one service in one window with its baseline; and the way rules make findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

from workers.detection.baseline import Baseline
from workers.detection.recurrence import MIN_ALWAYS_WINDOWS
from workers.detection.sentences import TimeFormat, render_sentence
from workers.detection.statistics import clean
from workers.models import NEVER_LIVE, Deployment, Finding, FindingKind, Point, Service, Severity, Survey

# In minimum durations after a rollout: caches fill, code is compiled, old and new containers overlap.
STARTUP_AFTER = 2.0
# In minimum durations before a rollout: the platform reports a rollout up to that much late.
STARTUP_BEFORE = 0.5
CHRONIC_AGE = timedelta(days=7)  # a failure of this age is chronic where no history is known
START_EVENTS = {"deployed", "crashed", "oom", "started"}  # platform events that imply a new process
WENT_LIVE = ("SUCCESS", "CRASHED", "REMOVED")  # statuses of a deployment that served at some time
# Statuses of a deployment without containers. The containers of a deployment in DEPLOYING run already, beside those of
# the old one, so a finding may be its doing.
NOT_STARTED = NEVER_LIVE - {"DEPLOYING"}


@dataclass(frozen=True)
class ServiceWindow:
    """One service in one window, with its baseline.

    `min_duration` is the time in seconds for which a condition must hold before a rule reports it.
    """

    service: Service
    survey: Survey
    baseline: Baseline
    min_duration: float

    @cached_property
    def end(self) -> float:
        return self.survey.window.end.timestamp()

    @cached_property
    def start(self) -> float:
        return self.survey.window.start.timestamp()

    @cached_property
    def cpu(self) -> list[list[Point]]:
        """vCPU of each replica, in order of time."""
        return [clean(usage.cpu) for usage in self.service.usage]

    @cached_property
    def memory(self) -> list[list[Point]]:
        """GB of each replica, in order of time."""
        return [clean(usage.memory) for usage in self.service.usage]

    @cached_property
    def rollouts(self) -> list[float]:
        """Epoch seconds at which a deployment went live in the window or shortly before it."""
        times = [event.at.timestamp() for event in self.service.events if event.kind == "deployed"]
        deployments = {
            deployment.id: deployment
            for deployment in (self.service.serving, *self.service.deployments)
            if deployment is not None
        }
        times += [
            live_at(deployment).timestamp()
            for deployment in deployments.values()
            if deployment.status in WENT_LIVE
        ]
        rollouts: list[float] = []
        for at in sorted(times):
            # The event feed and the deployment list report the same rollout a few seconds apart.
            is_new = not rollouts or at - rollouts[-1] > STARTUP_BEFORE * self.min_duration
            if is_new and self.start - STARTUP_AFTER * self.min_duration <= at <= self.end:
                rollouts.append(at)
        return rollouts

    @cached_property
    def restarts(self) -> list[float]:
        """Epoch seconds of the known starts of a container of the service in the window."""
        events = [event.at.timestamp() for event in self.service.events if event.kind in START_EVENTS]
        return sorted({*events, *(start.at.timestamp() for start in self.service.starts)})

    def is_startup(self, first: float, last: float) -> bool:
        """Whether the period from `first` to `last` (epoch seconds) lies in the first minutes of a deployment."""
        return any(
            at - STARTUP_BEFORE * self.min_duration <= first
            and last <= at + STARTUP_AFTER * self.min_duration
            for at in self.rollouts
        )

    def is_as_old_as_history(self, at: datetime) -> bool:
        """Whether the whole history is younger than this time, or this time is older than any history."""
        ages = self.baseline.ages
        is_before = len(ages) >= MIN_ALWAYS_WINDOWS and at.timestamp() < self.start - ages[0].begin
        return is_before or self.survey.window.end - at >= CHRONIC_AGE

    def make_finding(
        self, kind: FindingKind, severity: Severity, since: float | datetime, *,
        last_seen: float | None = None, ongoing: bool = True, numbers: Mapping[str, float] | None = None,
        labels: Mapping[str, str] | None = None, deployment_id: str | None = None, confidence: float = 1.0,
        seconds_to_limit: float | None = None, is_baseline: bool = False, chronic: bool = False,
        step: float | None = None,
    ) -> Finding:  # fmt: skip
        """A finding about this service with its rendered sentence.

        Args:
            since: Onset, as a time or as epoch seconds.
            last_seen: Epoch seconds at which the condition was last observed.
            labels: Names that the sentence mentions, for example of a volume or a commit.
            deployment_id: The affected deployment. By default the deployment that was live at the onset.
            seconds_to_limit: Extrapolated time until the resource is exhausted.
            is_baseline: The service has long been like this; the severity becomes a notice.
            chronic: It is bad in absolute terms and as old as the history; the severity is a warning at most.
            step: Seconds per sample, by default those of the survey. A condition that begins in the first sample may
                have begun before the window.
        """
        onset = since if isinstance(since, datetime) else utc_time(since)
        slack = timedelta(seconds=2 * self.survey.step_seconds)
        if is_baseline or severity is Severity.NOTICE:
            severity, chronic = Severity.NOTICE, False
        elif chronic:
            severity = Severity.WARNING
        finding = Finding(
            service_id=self.service.id, service=self.service.name, kind=kind,
            severity=severity, since=onset, ongoing=ongoing,
            last_seen=None if last_seen is None else utc_time(last_seen),
            numbers=dict(numbers or {}), labels=dict(labels or {}), sentence="",
            deployment_id=deployment_id or _deployment_at(self.service, onset, slack),
            confidence=confidence, is_baseline=is_baseline, chronic=chronic,
            seconds_to_limit=None if seconds_to_limit is None else round(seconds_to_limit, 1),
        )  # fmt: skip
        return self._with_sentence(finding, step)

    def reworded(
        self, finding: Finding, *, numbers: Mapping[str, float], ongoing: bool, step: float | None = None
    ) -> Finding:
        """The finding with other numbers, and with the sentence that belongs to them."""
        changed = finding.model_copy(update={"numbers": dict(numbers), "ongoing": ongoing})
        return self._with_sentence(changed, step)

    def as_chronic(self, finding: Finding, step: float | None = None) -> Finding:
        """The finding as trouble that is as old as the history: a warning at most."""
        changed = finding.model_copy(update={"chronic": True, "severity": Severity.WARNING})
        return self._with_sentence(changed, step)

    def _with_sentence(self, finding: Finding, step: float | None) -> Finding:
        times = TimeFormat(self.survey.window, self.survey.step_seconds if step is None else step)
        return finding.model_copy(update={"sentence": render_sentence(finding, times)})


def utc_time(epoch: float) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def live_at(deployment: Deployment) -> datetime:
    """The time at which the deployment began to serve, as far as it is known.

    Railway keeps only the time of the last status change, which for a removed deployment is that of its removal.
    """
    reached = deployment.status in ("SUCCESS", "CRASHED") and deployment.status_at is not None
    return deployment.status_at if reached and deployment.status_at else deployment.created_at


def _deployment_at(service: Service, onset: datetime, slack: timedelta) -> str | None:
    """The id of the deployment that was live at the onset, or that went live at most `slack` after it."""
    deployments = {
        deployment.id: deployment
        for deployment in (service.serving, *service.deployments)
        if deployment is not None
    }
    live = [
        deployment
        for deployment in deployments.values()
        if deployment.status not in NOT_STARTED and deployment.created_at <= onset + slack
    ]
    newest = max(live, key=lambda deployment: deployment.created_at, default=None)
    return newest.id if newest else None
