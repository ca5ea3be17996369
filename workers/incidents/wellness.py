"""Whether a window shows that a service is well in the way in which it was sick. Pure.

That the detector finds nothing is not enough: without requests nothing fails, and without samples nothing is full.
Every kind of trouble therefore names the measurement that shows its end. The numbers of the trouble, and those of the
time before its onset, are what the measurement is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from workers.incidents.traffic_wellness import (
    assess_client_errors,
    assess_latency,
    assess_server_errors,
    assess_traffic_lost,
)
from workers.incidents.wellness_case import HALVED, Case, Wellness
from workers.models import Finding, FindingKind, GapPart, Service, Summary, Survey

CPU_FREE_SHARE = 0.8  # of the limit: below it CPU does not count as high
RESOURCE_FACTOR = 1.2  # multiple of the highest level before the onset
MEMORY_FREE_SHARE = 0.85  # of the limit: the detector's threshold of a warning lies above
MEMORY_FALLEN = 0.75  # of the level that a leak had reached
VOLUME_FALLEN_PERCENT = 1.0  # percentage points by which a volume must be emptier than when it was reported

RUNNING_STATUSES = {"SUCCESS", "SLEEPING"}
IN_PROGRESS_STATUSES = {
    "BUILDING", "DEPLOYING", "INITIALIZING", "QUEUED", "WAITING", "NEEDS_APPROVAL",
}  # fmt: skip
DEAD_STATES = {"CRASHED", "EXITED", "STOPPED"}

KILL_QUIET_MINUTES = 120.0  # after a kill for memory: a container that has just been restarted looks well
MAX_QUIET_MINUTES = 24 * 60.0


def assess_kind(
    kind: str, trouble: Sequence[Finding], service: Service, survey: Survey, before: Sequence[Summary]
) -> Wellness:
    """The state of trouble of this kind in the window; a kind without a measurement of its own counts as well."""
    rule = RULES.get(kind)
    return rule(Case(trouble, service, survey, before)) if rule else Wellness.WELL


def quiet_minutes(trouble: Sequence[Finding]) -> float:
    """The time without the trouble after which it counts as over.

    A leak is over when memory has not grown for as long as it took to see the leak.
    """
    needed = [0.0]
    for finding in trouble:
        if finding.kind == "memory_growth":
            needed.append(finding.numbers.get("minutes_seen", 60 * finding.numbers.get("hours_seen", 0.0)))
        if finding.kind == "oom_killed" or "restarts" in finding.numbers:
            needed.append(KILL_QUIET_MINUTES)
    return min(MAX_QUIET_MINUTES, max(needed))


# ---- resources -------------------------------------------------------------------------------


def _tail_level(case: Case, name: str) -> float | None:
    """The mean of the replica with the highest usage at the end of the window; None without samples."""
    means = []
    for usage in case.service.usage:
        values = [value for at, value in getattr(usage, name) if at >= case.tail_start]
        if values:
            means.append(sum(values) / len(values))
    return max(means, default=None)


def _cpu(case: Case) -> Wellness:
    level = _tail_level(case, "cpu")
    if level is None:
        return Wellness.UNKNOWN
    limit = case.service.cpu_limit or 0.0
    usual = max(case.earlier(lambda window: window.cpu_peak), default=case.worst("baseline_vcpu") or 0.0)
    above_usual = "baseline_vcpu" in (case.trouble[0].numbers if case.trouble else {})
    free = 0.0 if above_usual else CPU_FREE_SHARE * limit
    return Wellness.WELL if level <= max(free, RESOURCE_FACTOR * usual) else Wellness.SICK


def _worker_idle(case: Case) -> Wellness:
    level = _tail_level(case, "cpu")
    if level is None:
        return Wellness.UNKNOWN
    lowest = min(case.earlier(lambda window: window.cpu_mean), default=case.worst("baseline_low_vcpu") or 0.0)
    return Wellness.WELL if level > 0 and level >= HALVED * lowest else Wellness.SICK


def _egress(case: Case) -> Wellness:
    if not case.service.egress:
        return Wellness.UNKNOWN
    rate = sum(value for _, value in case.service.egress) / (case.survey.window.seconds / 3600)
    usual, trouble = case.worst("baseline_gb_per_hour") or 0.0, case.worst("gb_per_hour") or 0.0
    return Wellness.WELL if rate <= usual + HALVED * max(0.0, trouble - usual) else Wellness.SICK


def _memory(case: Case) -> Wellness:
    level = _tail_level(case, "memory")
    if level is None:
        return Wellness.UNKNOWN
    limit = case.service.memory_limit or 0.0
    usual = max(case.earlier(lambda window: window.memory_high), default=0.0)
    return Wellness.WELL if level <= max(MEMORY_FREE_SHARE * limit, usual) else Wellness.SICK


def _memory_growth(case: Case) -> Wellness:
    level = _tail_level(case, "memory")
    if level is None:
        return Wellness.UNKNOWN
    limit = case.service.memory_limit or 0.0
    usual = max(case.earlier(lambda window: window.memory_high), default=0.0)
    reached = (case.worst("now_percent") or 0.0) / 100 * limit
    return Wellness.WELL if level <= max(MEMORY_FALLEN * reached, RESOURCE_FACTOR * usual) else Wellness.SICK


def _volume(case: Case) -> Wellness:
    names = {finding.labels.get("volume") for finding in case.trouble}
    volumes = [volume for volume in case.service.volumes if volume.name in names and volume.size_mb > 0]
    now = max((100 * volume.used_mb / volume.size_mb for volume in volumes), default=0.0)
    worst = case.worst("used_percent")
    return Wellness.SICK if worst is not None and now > worst - VOLUME_FALLEN_PERCENT else Wellness.WELL


def _error_logs(case: Case) -> Wellness:
    if any(gap.part is GapPart.ERROR_LINES for gap in case.survey.failed_reads):
        return Wellness.UNKNOWN
    lines = sum(count for _, count in case.service.error_lines)
    usual = max(case.earlier(lambda window: window.error_lines), default=0.0)
    return Wellness.WELL if lines <= max(usual, HALVED * (case.worst("lines") or 0.0)) else Wellness.SICK


# ---- containers and deployments --------------------------------------------------------------


def is_running(service: Service) -> bool:
    """Whether a deployment serves, by its status and the states of its instances. A job runs only at times."""
    serving = service.serving
    if serving is None or serving.status not in RUNNING_STATUSES:
        return False
    if service.cron or service.sleeps:
        return True
    states = [state for state in serving.instance_states if state not in ("REMOVING", "REMOVED")]
    return not serving.stopped and not (states and all(state in DEAD_STATES for state in states))


def _running(case: Case) -> Wellness:
    return Wellness.WELL if is_running(case.service) else Wellness.SICK


def _newest_deployment(case: Case) -> Wellness:
    """The newest deployment works. One that was skipped repairs nothing, and one in progress shows nothing yet."""
    newest = case.service.latest
    if newest is None or not is_running(case.service):
        return Wellness.SICK
    if newest.status in IN_PROGRESS_STATUSES:
        return Wellness.UNKNOWN
    return Wellness.SICK if newest.status in ("FAILED", "CRASHED", "SKIPPED") else Wellness.WELL


def _job_began(case: Case) -> Wellness:
    """A run of the job began in the window; a window without one shows nothing."""
    window = case.survey.window
    starts = [start.at for start in case.service.starts]
    starts += [event.at for event in case.service.events if event.kind in ("started", "deployed")]
    return Wellness.WELL if any(window.start <= at <= window.end for at in starts) else Wellness.UNKNOWN


def _job_ran(case: Case) -> Wellness:
    """A run of the job began in the window, or left samples in it: not every start leaves a line."""
    begin = case.survey.window.start.timestamp()
    samples = [point for usage in case.service.usage for point in (*usage.memory, *usage.cpu)]
    ran = any(at >= begin and value > 0 for at, value in samples)
    return Wellness.WELL if ran else _job_began(case)


Rule = Callable[[Case], Wellness]

RULES: Mapping[FindingKind | str, Rule] = {
    "server_errors": assess_server_errors,
    "client_errors": assess_client_errors,
    "latency": assess_latency,
    "traffic_lost": assess_traffic_lost,
    "cpu": _cpu,
    "worker_idle": _worker_idle,
    "memory": _memory,
    "memory_growth": _memory_growth,
    "volume": _volume,
    "error_logs": _error_logs,
    "crashed": _running,
    "stopped": _running,
    "missing": _running,
    "oom_killed": _running,
    "restart_loop": _running,
    "failed_deployment": _newest_deployment,
    "stuck_deployment": _newest_deployment,
    "cron_missed": _job_ran,
    "cron_overlap": _job_began,
    "cron_slower": _job_began,
    "egress": _egress,
}
"""How a kind of trouble shows its end."""

NEEDS_REQUESTS = frozenset({"server_errors", "client_errors", "latency", "traffic_lost"})
"""Kinds whose end only requests can show."""
