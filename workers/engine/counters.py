"""Counters of what the workers do, in one hash in Redis, for the metrics of the web process.

A counter is raised in the transaction that records what it counts, and once per journal: a stage that runs again after
a crash, or that a person retries, counts nothing twice. Labels have few values; no counter names a service.

A field of the hash is `<metric>|<label>|<label>`. A histogram has a field for each bucket, `<metric>|<upper limit>`,
and `<metric>|sum`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workers.engine import records
from workers.engine.codec import Record
from workers.engine.journal_store import JournalStore
from workers.engine.schema import COUNTERS, EndedAs, journal_id
from workers.models import (
    Decision,
    DecisionKind,
    Finding,
    Incident,
    Outcome,
    SlackMessage,
    Usage,
    Verdict,
    Verification,
    alerting_findings,
)


@dataclass(frozen=True)
class Metric:
    """A counter or a histogram.

    Args:
        help: what it counts, for the reader of the metrics.
        labels: names of its labels, in the order of the hash's fields.
        limits: upper limits of the buckets of a histogram, in seconds; () for a counter.
        is_gauge: True if it may fall.
    """

    help: str
    labels: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    is_gauge: bool = False


SWEEP_LIMITS = ("1", "2", "5", "10", "20", "30", "60", "120", "300")
# Up to TRACKWALKER_ACK_SECONDS (60 by default), and what lies beyond it when something is away.
ACK_LIMITS = ("1", "2", "5", "10", "20", "30", "60", "90", "120", "300", "900")
OUTCOME_LIMITS = ("10", "30", "60", "120", "300", "600", "1200", "1800", "3600", "10800", "28800")

METRICS: dict[str, Metric] = {
    "sweeps": Metric("Sweeps that ended, by how they ended", ("result",)),
    "sweep_seconds": Metric("Time from the request of a sweep to its end", limits=SWEEP_LIMITS),
    "findings": Metric("Findings of all sweeps", ("kind", "severity")),
    "incidents": Metric("Incidents opened, once for each kind of their findings", ("kind", "severity")),
    "incidents_ended": Metric("Incidents that ended, by how they ended", ("result",)),
    "verdicts": Metric("Verdicts of incidents", ("category",)),
    "outcomes": Metric("Outcomes of incidents", ("kind",)),
    "fixes": Metric("Verified fixes, by the decision of the verification", ("result",)),
    "pull_requests": Metric("Pull requests opened"),
    "acknowledgement_seconds": Metric(
        "Time from the alert, or from the incident, to the first message about it", limits=ACK_LIMITS
    ),
    "outcome_seconds": Metric("Time from the opening of an incident to its outcome", limits=OUTCOME_LIMITS),
    "agent_cost_usd": Metric("Cost of the agent's model calls in US dollars"),
    "agent_tokens": Metric("Tokens of the agent's model calls"),
    "agent_calls": Metric("Model calls of the agent"),
    "dismissed_findings": Metric(
        "Findings that a person called no problem, and did not take back", ("kind",), is_gauge=True
    ),
}
"""Everything that is counted, by the name of its metric without `trackwalker_`."""

NOTHING = ""
"""The counts of what is not counted."""


@dataclass(frozen=True)
class Counters:
    """The counted values.

    Attributes:
        values: metric → values of the labels → value.
        buckets: histogram → observations in each bucket, in the order of its limits with the last one unlimited.
        sums: histogram → sum of its observations in seconds.
    """

    values: Mapping[str, Mapping[tuple[str, ...], float]]
    buckets: Mapping[str, tuple[int, ...]]
    sums: Mapping[str, float]


def parse(fields: Mapping[str, float]) -> Counters:
    """The counters in the hash's fields. Fields of metrics that this version does not know are left out."""
    values: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in METRICS}
    for field, value in fields.items():
        name, *labels = field.split("|")
        if name in METRICS and len(labels) == len(METRICS[name].labels):
            values[name][tuple(labels)] = value
    histograms = {name: metric for name, metric in METRICS.items() if metric.limits}
    return Counters(
        values={name: rows for name, rows in values.items() if name not in histograms},
        buckets={
            name: tuple(int(fields.get(f"{name}|{limit}", 0)) for limit in (*metric.limits, "+Inf"))
            for name, metric in histograms.items()
        },
        sums={name: fields.get(f"{name}|sum", 0.0) for name in histograms},
    )


def read(store: JournalStore) -> Counters:
    """The counters as they are. Raises NotAvailable."""
    raw: dict[bytes, bytes] = store.command("hgetall", COUNTERS)
    return parse({name.decode(): float(value) for name, value in raw.items()})


# -- what a change counts -------------------------------------------------------------------------


def of_record(record: Record[Any], value: Any, fields: Mapping[str, bytes]) -> str:
    """The counters that a new record raises, as RECORD takes them.

    Args:
        fields: the journal's hash before.
    """
    count = _COUNTED_RECORDS.get(record)
    return count(value, fields) if count else NOTHING


def of_end(key: str, ended_as: EndedAs) -> str:
    """The counters that the end of a journal raises, as END takes them."""
    kind = journal_id(key).partition(":")[0]
    if kind == "sweep":
        return _encode({f"sweeps|{ended_as.value}": 1}, ["sweep_seconds"])
    return _encode({f"incidents_ended|{ended_as.value}": 1}) if kind == "incident" else NOTHING


def of_incident(incident: Incident) -> str:
    """The counters that an opened incident raises, as OPEN_INCIDENT takes them."""
    kinds = {finding.kind for finding in alerting_findings(incident.findings)}
    return _encode({f"incidents|{kind}|{incident.severity.value}": 1 for kind in kinds})


def of_decision(decision: Decision, amount: int) -> str:
    """The counters that a decision raises: each kind of finding that is no problem.

    Args:
        amount: 1 for a new decision, -1 for one that is taken back.
    """
    if decision.kind is not DecisionKind.NOT_A_PROBLEM:
        return NOTHING
    return _encode({f"dismissed_findings|{kind}": amount for kind in decision.finding_kinds})


def _of_findings(findings: Iterable[Finding], _: Mapping[str, bytes]) -> str:
    counts: dict[str, float] = {}
    for finding in findings:
        field = f"findings|{finding.kind}|{finding.severity.value}"
        counts[field] = counts.get(field, 0) + 1
    return _encode(counts)


def _of_verdict(verdict: Verdict, _: Mapping[str, bytes]) -> str:
    return _encode({f"verdicts|{verdict.category.value}": 1})


def _of_verification(verification: Verification, _: Mapping[str, bytes]) -> str:
    return _encode({f"fixes|{verification.decision}": 1})


def _of_pull(_: object, __: Mapping[str, bytes]) -> str:
    return _encode({"pull_requests": 1})


def _of_outcome(outcome: Outcome, _: Mapping[str, bytes]) -> str:
    return _encode({f"outcomes|{outcome.kind}": 1}, ["outcome_seconds"])


def _of_outcome_message(message: SlackMessage, fields: Mapping[str, bytes]) -> str:
    return NOTHING if records.ACK.is_in(fields) else _of_first_message(message, fields)


def _of_first_message(message: SlackMessage, fields: Mapping[str, bytes]) -> str:
    # A message that was not posted reached nobody, and one that was taken over is counted where it was posted.
    is_taken_over = any(name.startswith("merge_from:") for name in fields)
    return NOTHING if message.text or is_taken_over else _encode({}, ["acknowledgement_seconds"])


def _of_usage(usage: Usage, fields: Mapping[str, bytes]) -> str:
    """The growth of the usage: the record is written again after each run of the agent."""
    before = records.USAGE.read(fields) or Usage()
    grown = {
        "agent_cost_usd": usage.cost_usd - before.cost_usd,
        "agent_tokens": usage.tokens - before.tokens,
        "agent_calls": usage.calls - before.calls,
    }
    return _encode({name: amount for name, amount in grown.items() if amount > 0}, is_update=True)


_COUNTED_RECORDS: dict[Record[Any], Callable[[Any, Mapping[str, bytes]], str]] = {
    records.FINDINGS: _of_findings,
    records.VERDICT: _of_verdict,
    records.VERIFICATION: _of_verification,
    records.PULL: _of_pull,
    records.OUTCOME: _of_outcome,
    records.ACK: _of_first_message,
    records.slack_message("outcome"): _of_outcome_message,
    records.USAGE: _of_usage,
}


def _encode(add: Mapping[str, float], observe: Iterable[str] = (), *, is_update: bool = False) -> str:
    """The counts as JSON for the scripts.

    Args:
        is_update: every version of the record counts, not only the first one of a journal.
    """
    limits = {name: METRICS[name].limits for name in observe}
    if not add and not limits:
        return NOTHING
    counts: dict[str, object] = {"add": add} if add else {}
    counts |= {"observe": limits} if limits else {}
    counts |= {"update": True} if is_update else {}
    return json.dumps(counts, separators=(",", ":"))
