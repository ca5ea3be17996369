"""An incident with its evidence, and the questions that several rules ask about them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from workers.investigation.diagnosis.citations import Citations
from workers.investigation.diagnosis.error_causes import (
    ROOT_SIGNS,
    Cause,
    accompanies,
    deciding_sign,
    leads_to,
    rank_causes,
)
from workers.investigation.onset import onset_of, request_rates
from workers.models import (
    CodeLocation,
    Finding,
    GapPart,
    LogPattern,
    SignKind,
)

DOMINANT_SHARE = 0.5  # share of the refused requests with one status from which they count as one failure
LOAD_EXPLAINS_GROWTH = 1.8
"""Growth of the request rate that explains a failure without any other cause. Above `NOTABLE_LOAD_GROWTH` in evidence
on purpose: services are usually sized for half as much load again, but not for nearly twice the load."""
# A surge that begins later after the onset is a consequence: callers retry failed requests.
SURGE_SLACK = timedelta(minutes=5)
NEAR_LIMIT_PERCENT = 70.0  # below this share of its limit, a resource is higher than usual but not exhausted
ONE_ROUTE_SHARE = 0.8  # share of the slow requests on one route that makes its handler the suspect
SOON_AFTER = timedelta(hours=2)  # a failure within this time of a deployment is attributed to it
RIGHT_AFTER = timedelta(minutes=15)  # a failure within this time of a deployment rarely is a coincidence
# A deployment that was healthy for longer is not suspected of a slow leak either.
LONG_AFTER = timedelta(days=14)
LOG_PARTS = frozenset({GapPart.DEPLOYMENT_LOGS, GapPart.ERROR_LOGS, GapPart.BUILD_LOGS})
"""Parts whose gaps leave the service's own logs incomplete."""
WINDOW_START_SHARE = 0.1  # an onset in this first share of the window may lie before the window
START_KINDS = frozenset({"crashed", "restart_loop", "failed_deployment", "stopped"})
"""Findings of a service that ends at or soon after its start: each start logs its cause once."""
FAILING_KINDS = START_KINDS | {"server_errors", "error_logs"}
"""Findings that some line of the log explains if anything does."""
SAME_MOMENT = timedelta(seconds=1)  # lines of one failure are printed within this time
AFTER_START = timedelta(minutes=2)  # errors that end within this time of a start belong to the start
QUIET_AFTER_START = timedelta(minutes=3)  # time without further errors that shows that the start succeeded
QUIET_LEVELS = frozenset({"info", "debug", "trace"})


@dataclass(frozen=True)
class DiagnosisContext(Citations):
    """The input of every rule."""

    @property
    def service_name(self) -> str:
        return self.incident.subject.name

    @property
    def kinds(self) -> set[str]:
        return {finding.kind for finding in self.alerting}

    @property
    def onset(self) -> datetime:
        return onset_of(self.incident)

    @property
    def errors(self) -> tuple[LogPattern, ...]:
        """Patterns of level error that are no mere consequence, those of the failed build first."""
        patterns = (*self.evidence.build_patterns, *self.evidence.patterns)
        return tuple(pattern for pattern in patterns if pattern.level == "error" and not accompanies(pattern))

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """The possible causes that the logs show, the likeliest first.

        Warnings count only where no error explains the failure: many of them describe what a service copes with. Where
        neither explains it, other lines count, too: a logger may write errors in a form whose level is not known.
        """
        errors, warnings = self._rank(self.errors), self._rank(self.warnings)
        causes = warnings + errors if leads_to(warnings, errors) else errors + warnings
        is_explained = any(cause.kind or cause.places for cause in causes)
        return causes if is_explained or not self.kinds & FAILING_KINDS else causes + self._rank(self.quiet)

    def _rank(self, patterns: tuple[LogPattern, ...]) -> tuple[Cause, ...]:
        return rank_causes(
            patterns, self.onset, at_start=bool(self.kinds & START_KINDS), confirmed=self.troubled_hosts
        )

    @property
    def warnings(self) -> tuple[LogPattern, ...]:
        """Patterns below level error that show a cause: warnings, standard error, and fatal signs at any level."""
        patterns = (*self.evidence.build_patterns, *self.evidence.patterns)
        return tuple(
            pattern
            for pattern in patterns
            if pattern.level != "error" and (sign := deciding_sign(pattern)) is not None
            and (pattern.level not in QUIET_LEVELS or sign.kind in ROOT_SIGNS)
        )  # fmt: skip

    @property
    def quiet(self) -> tuple[LogPattern, ...]:
        """Patterns below a warning that show a failed call or an exception in own code."""
        return tuple(
            pattern
            for pattern in self.evidence.patterns
            if pattern.level in QUIET_LEVELS
            and (deciding_sign(pattern) is not None or (pattern.exception and pattern.locations))
        )

    @property
    def troubled_hosts(self) -> frozenset[str]:
        """Outside hosts whose status pages report trouble."""
        return frozenset(
            upstream.host for upstream in self.evidence.upstreams if upstream.state in ("degraded", "down")
        )

    def has_sign(self, *kinds: SignKind) -> bool:
        """True if a log pattern of any level shows one of these signs as its strongest."""
        return bool(self.patterns_with(*kinds))

    def patterns_with(self, *kinds: SignKind) -> tuple[LogPattern, ...]:
        """The patterns of any level and either log that show one of these signs, the first in time first."""
        patterns = (*self.evidence.build_patterns, *self.evidence.patterns)
        matching = [pattern for pattern in patterns if any(sign.kind in kinds for sign in pattern.signs)]
        return tuple(sorted(matching, key=lambda pattern: pattern.first))

    def locations(self, *reasons: str) -> tuple[CodeLocation, ...]:
        """Code locations found for one of the reasons: `stack`, `route`, `changed`."""
        return tuple(location for location in self.evidence.locations if location.why in reasons)

    # ---- questions of several rules ----

    @property
    def logs_missing(self) -> bool:
        return any(gap.part in LOG_PARTS for gap in self.evidence.failed_reads)

    @property
    def killed_for_memory(self) -> bool:
        """True if a finding shows that the platform ended the service because its memory ran out."""
        return any(
            finding.kind == "oom_killed" or (finding.kind == "memory" and finding.numbers.get("restarts"))
            for finding in self.alerting
        )

    @property
    def out_of_memory(self) -> bool:
        """True if memory ran out, by a finding or as the likeliest cause that the logs show."""
        kinds = (SignKind.OUT_OF_MEMORY, SignKind.RUNTIME_CEILING)
        return self.killed_for_memory or bool(self.causes and self.causes[0].kind in kinds)

    @property
    def disk_full(self) -> bool:
        """True if a volume is full and the logs show nothing before it."""
        return "volume" in self.kinds and bool(self.causes and self.causes[0].kind is SignKind.DISK_FULL)

    @property
    def replicas(self) -> int:
        return self.incident.service.replicas if self.incident.service else 1

    @property
    def busy(self) -> bool:
        """True if CPU is far above its baseline and far below its limit, as in an endless loop."""
        cpu = [finding for finding in self.alerting if finding.kind == "cpu"]
        return bool(cpu) and not any(is_saturated(finding) for finding in cpu)

    def began_within(self, limit: timedelta) -> bool:
        """True if the failure began at most `limit` after the suspect was deployed."""
        suspect = self.evidence.suspect
        return suspect is not None and self.onset - suspect.at <= limit

    def is_related(self, files: frozenset[str]) -> bool:
        """True if the suspect commit changed one of the files, or a file that they import.

        Args:
            files: own files in which the failure shows.
        """
        suspect = self.evidence.suspect
        if suspect is None:
            return False
        imported = {
            name
            for location in self.evidence.locations
            if location.file in files
            for name in location.imports
        }
        return bool((files | imported) & set(suspect.files))

    @property
    def changed_sources(self) -> tuple[CodeLocation, ...]:
        """The changes of the suspect commit to source files."""
        return self.locations("changed")

    def location_at(self, place: str) -> CodeLocation | None:
        """The code location for `file:line`, as log patterns name it."""
        return next(
            (
                location
                for location in self.evidence.locations
                if f"{location.file}:{location.line}" == place and location.why != "changed"
            ),
            None,
        )

    def first_location(self, cause: Cause) -> CodeLocation | None:
        """The innermost place in own code that the cause names.

        An exception without a trace of its own is at the place that another record names in the same moment.
        """
        beside = [
            place
            for pattern in self.evidence.patterns
            if cause.shows_exception and abs(pattern.first - cause.first) <= SAME_MOMENT
            for place in pattern.locations
        ]
        for place in cause.places or beside:
            if (location := self.location_at(place)) is not None:
                return location
        return None

    @property
    def suspect_commit(self) -> str:
        """The suspect's commit; empty if it is unknown."""
        suspect = self.evidence.suspect
        return (suspect.commit or "") if suspect else ""

    @property
    def starts(self) -> tuple[datetime, ...]:
        """Known starts of the service: of its containers and of its deployments."""
        service = self.incident.service
        starts = [start.at for start in service.starts] if service else []
        starts += [event.at for event in service.events if event.kind == "started"] if service else []
        if service and service.serving:
            starts.append(service.serving.status_at or service.serving.created_at)
        if self.evidence.suspect is not None:
            starts.append(self.evidence.suspect.at)
        return tuple(sorted(starts))

    def ends_after_start(self, cause: Cause) -> bool:
        """True if the errors came within minutes of a start and then no more: the start succeeded in the end."""
        quiet = self.incident.window.end - cause.last >= QUIET_AFTER_START
        return quiet and any(
            start - AFTER_START <= cause.first and cause.last <= start + AFTER_START for start in self.starts
        )

    @property
    def began_before_window(self) -> bool:
        """True if the failure was there when the window began: its true onset is unknown then."""
        window = self.incident.window
        return self.onset - window.start <= WINDOW_START_SHARE * (window.end - window.start)

    @property
    def one_route(self) -> bool:
        """True if nearly all slow requests ask for one route, and the code of a route is known."""
        failing_status = 400 if self.refuses_requests else 500
        slow = [request.count for request in self.evidence.requests if request.status < failing_status]
        return bool(self.locations("route")) and sum(slow) > 0 and max(slow) >= ONE_ROUTE_SHARE * sum(slow)

    @property
    def is_over(self) -> bool:
        """True if no alerting finding is ongoing."""
        return not any(finding.ongoing for finding in self.alerting)

    @property
    def refuses_requests(self) -> bool:
        return "client_errors" in self.kinds

    @property
    def load_grew(self) -> bool:
        """True if the load grew enough to explain the failure; False if too little traffic was measured."""
        surges = [finding for finding in self.incident.findings if finding.kind == "traffic_surge"]
        if any(surge.since <= self.onset + SURGE_SLACK for surge in surges):
            return True
        service = self.incident.service
        rates = request_rates(service, self.onset) if service else None
        return rates is not None and rates.growth >= LOAD_EXPLAINS_GROWTH


def is_saturated(cpu: Finding) -> bool:
    """True if the limit throttles the CPU.

    A finding against the baseline names either its share of the limit or, if the limit is unknown, only the baseline:
    then nothing shows that a limit throttles it.
    """
    fallback = 0.0 if "baseline_vcpu" in cpu.numbers else 100.0
    return cpu.numbers.get("mean_percent", fallback) >= NEAR_LIMIT_PERCENT
