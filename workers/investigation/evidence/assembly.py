"""From what was read about one service to its evidence. Pure: the same material gives the same evidence.

Records, code and names of hosts are looked at as they are. Text is redacted when it enters a model, and nothing that is
redacted is decided on here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from workers.investigation.code.assumed_places import UNREADABLE
from workers.investigation.code.own_imports import with_imports
from workers.investigation.code.routes import route_locations
from workers.investigation.code.tree import Tree
from workers.investigation.evidence import facts
from workers.investigation.evidence.cause_facts import (
    declaration_facts,
    dropped_line_facts,
    network_facts,
    sibling_facts,
    sign_facts,
)
from workers.investigation.evidence.code_changes import changed_locations
from workers.investigation.evidence.declarations import find_declarations
from workers.investigation.evidence.log_reading import UNTRACED_KINDS
from workers.investigation.evidence.pattern_reading import (
    PROBLEM_LEVELS,
    ReadGroup,
    all_signs,
    merge_locations,
    read_build_groups,
    read_groups,
)
from workers.investigation.evidence.setting_uses import find_setting_uses
from workers.investigation.evidence.upstreams import MAX_UPSTREAMS, count_blamed_hosts, hosts_in_code
from workers.investigation.logs.log_records import LogRecord
from workers.investigation.onset import onset_of
from workers.models import (
    CodeLocation,
    Deployment,
    Evidence,
    Fact,
    Gap,
    Incident,
    LogPattern,
    LogSource,
    ModuleDeclaration,
    Network,
    Repository,
    RequestPattern,
    Service,
    SettingUse,
    Sign,
    Suspect,
    Upstream,
)
from workers.runtime.redaction import redact

UpstreamState = Literal["operational", "degraded", "down", "unknown"]
MAX_STATUS_CHARS = 300  # description on an outside host's status page
LAST_BUILD_PATTERNS = 3  # patterns kept from the end of a build log: a build fails in its last lines


@dataclass(frozen=True)
class Material:
    """The material that was read about one incident. It is not redacted and never leaves the process."""

    run_log: Sequence[LogRecord] = ()
    build_log: Sequence[LogRecord] = ()
    requests: tuple[RequestPattern, ...] = ()
    examined: Deployment | None = None
    """The deployment whose logs and commit were read."""
    repository: Repository | None = None
    tree: Tree | None = None
    """The code at the deployed commit; None if it could not be read."""
    suspect: Suspect | None = None
    changed: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Lines that the suspect commit changed, by file."""
    network: Network = field(default_factory=Network)
    starts_read: bool = True
    """False if nothing is known about the starts of containers."""


@dataclass(frozen=True)
class Examination:
    """The findings in logs and code, before status pages are read."""

    patterns: tuple[LogPattern, ...]
    build_patterns: tuple[LogPattern, ...]
    locations: tuple[CodeLocation, ...]
    modules: tuple[ModuleDeclaration, ...]
    settings: tuple[SettingUse, ...]
    signs: tuple[Sign, ...]
    """The signs in both logs."""
    blamed: Counter[str]
    """Log errors and warnings about a failed call, by its outside host."""
    hosts: tuple[str, ...]
    """Outside hosts that the evidence lists: those of failed calls, most frequent first, then those of the code."""
    in_code: Mapping[str, tuple[str, ...]]
    """The outside hosts that the service's own sources name, with these files."""

    def upstream(self, host: str, state: UpstreamState, description: str = "") -> Upstream:
        """The host as evidence, with the state that its status page reports."""
        return Upstream(
            host=host, errors=self.blamed[host], in_code=host in self.in_code, files=self.in_code.get(host, ()),
            state=state, description=redact(description)[:MAX_STATUS_CHARS],
        )  # fmt: skip


def examine(incident: Incident, material: Material, known_hosts: Mapping[str, str]) -> Examination:
    """The patterns, code locations and outside hosts in the material.

    Args:
        known_hosts: status pages by outside host. These hosts count even if they are inside the project.
    """
    tree = material.tree
    run, build = read_groups(material.run_log, tree), read_build_groups(material.build_log, tree)
    groups = (*build, *run)
    blamed = count_blamed_hosts(
        (wording for group in groups if group.is_problem for wording in group.wordings), known_hosts
    )
    signs = all_signs(groups)
    coded = hosts_in_code(tree, known_hosts) if tree else {}
    hosts = sorted(blamed, key=lambda host: (-blamed[host], host))
    hosts += [host for host in coded if host not in blamed]
    return Examination(
        patterns=tuple(group.pattern() for group in run),
        build_patterns=tuple(group.pattern() for group in build),
        # Without a clone the traces alone name places: a diagnosis does not wait for access to the repository.
        locations=_locations(incident, material, groups, tree)
        if tree
        else merge_locations((group for group in run if group.is_problem), UNREADABLE),
        modules=find_declarations(signs, tree) if tree else (),
        settings=find_setting_uses(tree, material.changed) if tree else (),
        signs=tuple(signs),
        blamed=blamed,
        hosts=tuple(hosts[:MAX_UPSTREAMS]),
        in_code=coded,
    )


def _locations(
    incident: Incident, material: Material, groups: Sequence[ReadGroup], tree: Tree
) -> tuple[CodeLocation, ...]:
    traced = merge_locations((group for group in groups if group.is_problem), tree)
    routed = route_locations(material.requests, tree)
    kinds = {finding.kind for finding in incident.findings}
    # A stack trace is the better evidence; a commit changes many lines that have nothing to do with it.
    touched = changed_locations(material.changed, tree) if not traced or kinds & UNTRACED_KINDS else ()
    return with_imports((*traced, *routed, *touched), tree)


def assemble(
    incident: Incident,
    service: Service,
    material: Material,
    examination: Examination,
    upstreams: tuple[Upstream, ...],
    gaps: Sequence[Gap] = (),
) -> Evidence:
    """The evidence, with its numbered facts.

    Args:
        upstreams: the hosts of the examination, with the state that their status pages report.
        gaps: reads that failed.
    """
    return Evidence(
        facts=facts.number_facts(_all_facts(incident, service, material, examination, upstreams)),
        patterns=examination.patterns,
        build_patterns=_relevant_build_patterns(examination.build_patterns),
        requests=material.requests,
        locations=examination.locations,
        suspect=material.suspect,
        upstreams=upstreams,
        repository=material.repository,
        network=material.network,
        modules=examination.modules,
        settings=examination.settings,
        raw_chars=sum(len(record.text) + 1 for record in (*material.run_log, *material.build_log)),
        failed_reads=tuple(dict.fromkeys((*incident.failed_reads, *gaps))),
    )


def _all_facts(
    incident: Incident, service: Service, material: Material, examination: Examination,
    upstreams: tuple[Upstream, ...],
) -> Iterator[Fact]:  # fmt: skip
    """The best facts first: `number_facts` keeps a limited number, and the brief of the agent a part of these."""
    onset, signs = onset_of(incident), examination.signs
    yield from facts.own_finding_facts(incident)
    yield from sign_facts(examination.build_patterns, LogSource.BUILD)
    yield from sign_facts(examination.patterns, LogSource.DEPLOYMENT)
    yield from facts.top_log_facts(examination.build_patterns, LogSource.BUILD)
    yield from facts.top_log_facts(examination.patterns, LogSource.DEPLOYMENT)
    yield from facts.location_facts(examination.locations)
    yield from declaration_facts(examination.modules, examination.settings, signs)
    yield from facts.suspect_facts(material.suspect, onset)
    yield from facts.upstream_facts(upstream for upstream in upstreams if upstream.errors)
    yield from network_facts(material.network, signs, {finding.kind for finding in incident.findings})
    yield from sibling_facts(incident.siblings, signs)
    yield from facts.request_facts(material.requests)
    yield from dropped_line_facts(examination.patterns)
    yield from facts.log_facts(examination.build_patterns, len(material.build_log), LogSource.BUILD)
    yield from facts.log_facts(examination.patterns, len(material.run_log), LogSource.DEPLOYMENT)
    yield from facts.upstream_facts(upstreams)
    yield from facts.load_facts(service, onset)
    yield from facts.domain_facts(incident, service)
    yield from facts.ruled_out_facts(incident, starts_read=material.starts_read)
    yield from facts.symptom_facts(incident)
    yield from facts.deployment_facts(service, material.examined)


def _relevant_build_patterns(build_patterns: tuple[LogPattern, ...]) -> tuple[LogPattern, ...]:
    """The errors and warnings of a build and its last lines. Its progress is no evidence."""
    problems = [pattern for pattern in build_patterns if pattern.level in PROBLEM_LEVELS or pattern.signs]
    last = sorted(build_patterns, key=lambda pattern: pattern.last)[-LAST_BUILD_PATTERNS:]
    return (*problems, *(pattern for pattern in last if pattern not in problems))
