"""Containers that began anew: started again and again, crashed, killed for their memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from workers.detection.sentences import clock, moment, since, span
from workers.detection.service_window import ServiceWindow
from workers.detection.statistics import quantile
from workers.models import Finding, Severity

FEWEST_STARTS = 3
MORE_THAN_REPLICAS = 2
"""Starts of one deployment beyond its replicas: a rollout starts each replica once, a host move too."""
FEWEST_CRASHES = 2
WAKES_TO_DOUBT = 8
"""A service that sleeps is started by its visitors; so many starts are none of theirs."""
HABIT_WINDOWS = 0.7
"""Of the earlier windows: a service that begins anew in so many of them is built that way, or known."""
FEWEST_HABIT_WINDOWS = 8
ASLEEP_SECONDS, ASLEEP_SHARE = 240.0, 0.05
"""Memory of what sleeps is below this share of its highest, or not measured at all."""
LONG_BEFORE, AROUND = 300.0, 90.0
"""Seconds: memory well before a start is compared with that around it, samples being a minute apart."""
STAYED = 0.95
"""Of the memory before: a new process begins with less."""
SAME_START_SECONDS = 45.0
"""A crash and the start after it are one event."""


def judge_restarts(case: ServiceWindow) -> list[Finding]:
    """Kills for memory, else restarts: what is told by events and what the log lines show is counted once."""
    killed = _killed(case)
    return [one for one in (killed, None if killed else _loop(case)) if one is not None]


def _killed(case: ServiceWindow) -> Finding | None:
    at = sorted(one.at.timestamp() for one in case.service.events if one.kind == "oom")
    at = [one for one in at if case.start - 60 <= one <= case.end + 60]
    if not at:
        return None
    window, ongoing = case.survey.window, case.end - at[-1] <= 0.5 * case.survey.window.seconds
    times = f"{len(at)} times" if len(at) > 1 else "once"
    limit = f" of {case.service.memory_limit:g} GB" if case.service.memory_limit else ""
    sentence = (
        f"{case.service.name} ran out of its memory{limit} and was killed {times} "
        f"{since(moment(at[0]), window, case.survey.step_seconds)}; the last time at {clock(moment(at[-1]), window)}"
    )
    numbers = {"kills": float(len(at))}
    if case.service.memory_limit:
        numbers["limit_gb"] = case.service.memory_limit
    severity = Severity.CRITICAL if ongoing and len(at) > 1 else Severity.WARNING
    return case.found("oom_killed", severity, at[0], sentence, ongoing=ongoing, numbers=numbers)


def _loop(case: ServiceWindow) -> Finding | None:
    if case.service.cron:
        return None
    logged = _by_log(case)
    return logged if logged is not None else _by_events(case)


def _by_log(case: ServiceWindow) -> Finding | None:
    service = case.service
    counts = Counter(start.deployment_id for start in service.starts)
    known = {one.id: one for one in (*service.deployments, service.latest, service.serving) if one}
    for deployment_id, count in counts.most_common():
        deployment = known.get(deployment_id)
        replicas = max(1, service.replicas, deployment.replicas if deployment else 1)
        needed = max(FEWEST_STARTS, replicas + MORE_THAN_REPLICAS, WAKES_TO_DOUBT if service.sleeps else 0)
        if count >= needed:
            at = sorted(one.at.timestamp() for one in service.starts if one.deployment_id == deployment_id)
            return _say(case, at, replicas, "container was started", deployment_id)
    return None


def _by_events(case: ServiceWindow) -> Finding | None:
    def told(kind: str) -> list[float]:
        every = sorted(one.at.timestamp() for one in case.service.events if one.kind == kind)
        return [at for at in every if case.start - 60 <= at <= case.end + 60]

    crashes, replicas = told("crashed"), max(1, case.service.replicas)
    if len(crashes) >= FEWEST_CRASHES:
        return _say(case, crashes, replicas, "process crashed", None)
    rollouts = case.rollouts
    starts = [
        at
        for at in told("started")
        if not any(-30 <= at - rolled <= 2 * 60 for rolled in rollouts) and not _woke(case, at)
    ]
    needed = max(FEWEST_STARTS, replicas + MORE_THAN_REPLICAS, WAKES_TO_DOUBT if case.service.sleeps else 0)
    if len(starts) + len(crashes) >= needed:
        return _say(case, _apart([*starts, *crashes]), replicas, "container was started", None)
    if crashes:
        return _say(case, crashes, replicas, "process crashed", None, severity=Severity.NOTICE)
    return None


def _woke(case: ServiceWindow, at: float) -> bool:
    """Whether the start interrupted nothing: nothing ran for some minutes before, or memory went on as it was."""
    every = [value for points in case.memory for _, value in points]
    if len(case.memory) == 1 and case.service.replicas == 1 and _went_on(case, at):
        return True
    before = [
        value for points in case.memory for when, value in points if at - ASLEEP_SECONDS <= when < at - 60
    ]
    return (
        bool(every)
        and all(value <= ASLEEP_SHARE * max(every) for value in before)
        and at > case.start + ASLEEP_SECONDS
    )


def _went_on(case: ServiceWindow, at: float) -> bool:
    """Whether memory, measured before and after, did not fall: another container was started beside this one."""
    before = [value for when, value in case.memory[0] if at - LONG_BEFORE <= when < at - AROUND]
    around = [value for when, value in case.memory[0] if at - AROUND <= when < at + 2 * AROUND]
    return bool(before) and bool(around) and min(around) >= STAYED * quantile(before, 0.5)


def _apart(at: Sequence[float]) -> list[float]:
    found: list[float] = []
    for one in sorted(at):
        if not found or one - found[-1] > SAME_START_SECONDS:
            found.append(one)
    return found


def _say(
    case: ServiceWindow, at: Sequence[float], replicas: int, what: str, deployment_id: str | None,
    severity: Severity | None = None,
) -> Finding:  # fmt: skip
    window = case.survey.window
    between = (at[-1] - at[0]) / (len(at) - 1) if len(at) > 1 else 0.0
    ongoing = case.end - at[-1] <= max(3 * between, 0.1 * window.seconds)
    of_replicas = f" for {replicas} replicas" if replicas > 1 else ""
    times = f"{len(at)} times" if len(at) > 1 else "once"
    sentence = (
        f"{case.service.name}'s {what} {times}{of_replicas} within {span(window.seconds)}, "
        f"{since(moment(at[0]), window, 0)}; the last time at {clock(moment(at[-1]), window)}"
    )
    numbers = {"starts": float(len(at)), "replicas": float(replicas), "seconds_between": round(between, 1)}
    restarted = [one.restarted for one in case.usual.windows if one.restarted is not None]
    usual = len(restarted) >= FEWEST_HABIT_WINDOWS and sum(restarted) >= HABIT_WINDOWS * len(restarted)
    return case.found(
        "restart_loop", severity or (Severity.CRITICAL if ongoing else Severity.WARNING), at[0], sentence,
        ongoing=ongoing, numbers=numbers, deployment_id=deployment_id, usual=usual,
    )  # fmt: skip
