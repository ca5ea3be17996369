"""Sentences of findings, and that no decision depends on them."""

from __future__ import annotations

from typing import get_args

import pytest

from tests.support.builders import survey
from tests.support.metrics import (
    deployment,
    detected,
    event,
    history,
    live_service,
    rejecting,
    starts,
    traffic,
    usage,
    volume,
)
from workers.detection import detect, group_by_cause, rank_suspects, sentences
from workers.models import Finding, FindingKind, Service

CRASHED = deployment("dead", "CRASHED", 13, commit="8b1b5ba00000", instance_states=("CRASHED",))
FAILED = deployment("new", "FAILED", 10, commit="0123456789ab")
REMOVED = deployment(status="REMOVED")


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        (
            live_service(usage=(usage([0.2] * 20 + [1.94] * 10),)),
            "CPU at 97 % of its 2-vCPU limit since 11:50 UTC, ongoing",
        ),
        (
            live_service(cpu_limit=8.0, usage=(usage([0.2] * 10 + [1.3] * 20),)),
            "CPU at 1.3 vCPU (baseline maximum 0.25 vCPU) since 11:40 UTC, ongoing",
        ),
        (
            live_service(traffic=traffic([0] * 10 + [17] * 20)),
            "34 % of requests failing (5xx, 340 of 1,000) since 11:40 UTC, ongoing",
        ),
        (
            live_service(traffic=traffic([0] * 10 + [17] * 10 + [0] * 10)),
            "34 % of requests failed (5xx, 170 of 500) since 11:40 UTC until 11:50 UTC",
        ),
        (
            live_service(traffic=traffic([0] * 30, p95=[48] * 6 + [3400] * 24)),
            "p95 latency 3.4 s (baseline 40 ms) since 11:36 UTC, ongoing",
        ),
        (
            live_service(traffic=rejecting(8, 42)),
            ("84 % of requests rejected (4xx), 8 successful requests per minute (baseline 49.3) "
            "since 11:30 UTC or earlier, ongoing"),
        ),
        (
            live_service(traffic=traffic([0] * 30, requests=300)),
            "300 requests per minute (baseline maximum 50) since 11:30 UTC or earlier, ongoing",
        ),
        (
            live_service(traffic=traffic([0] * 15)),
            "no requests in 15 min (baseline 50 per minute) since 11:45 UTC",
        ),
        (
            live_service(serving=CRASHED, latest=CRASHED, deployments=(CRASHED,)),
            "crashed at 11:43 UTC (commit 8b1b5ba); no running instance",
        ),
        (
            live_service(latest=FAILED, deployments=(FAILED, deployment())),
            ("newest deployment (commit 0123456) failed at 11:40 UTC; "
            "an older deployment (deployment live) is still serving"),
        ),
        (
            live_service(serving=None, latest=REMOVED, deployments=(REMOVED,)),
            "no deployment left; the last deployment was removed and not replaced",
        ),
        (
            live_service(events=(event("oom", 12), event("oom", 25))),
            "killed for running out of memory 2 times (limit 1 GB) since 11:42 UTC, last at 11:55 UTC",
        ),
        (
            live_service(starts=starts(4, 12, 20)),
            "container started 3 times in 30 min, since 11:34 UTC, last at 11:50 UTC",
        ),
        (
            live_service(volumes=(volume(860),)),
            "volume data (/data) 86 % full (860 of 1,000 MB)",
        ),
    ],
)  # fmt: skip
def test_a_sentence_states_what_is_wrong_with_numbers_and_since_when(service: Service, sentence: str) -> None:
    quiet = service.traffic or traffic([0] * 30)

    findings = detected(service.model_copy(update={"traffic": quiet}), history())

    assert sentence in [finding.sentence for finding in findings]


def test_a_sentence_states_when_a_growing_resource_is_exhausted() -> None:
    [finding] = detected(live_service(usage=(usage(memory=[0.3 + 0.012 * i for i in range(30)]),)))

    assert finding.sentence == (
        "memory grew by 0.348 GB to 65 % of its 1-GB limit in 29 min; at this rate at the limit in 29 min"
    )


def test_a_sentence_states_that_a_condition_matches_the_baseline() -> None:
    [finding] = detected(live_service(traffic=traffic([3] * 30)), history(server_errors=75, ok=1405))

    assert finding.sentence.endswith("ongoing (matches its baseline)")


def test_a_sentence_does_not_repeat_the_service_and_named_sentence_begins_with_it() -> None:
    [finding] = detected(live_service("checkout", traffic=traffic([17] * 30)))

    assert "checkout" not in finding.sentence
    assert finding.named_sentence == f"checkout: {finding.sentence}"


def test_every_kind_of_finding_has_a_renderer() -> None:
    kinds = get_args(FindingKind)

    assert set(sentences.RENDERERS) == set(kinds)


def test_decisions_do_not_depend_on_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = survey(
        live_service("web", traffic=traffic([17] * 30)),
        live_service("api", usage=(usage([1.95] * 30, [0.3 + 0.012 * i for i in range(30)]),)),
        live_service("db", volumes=(volume(960),), starts=starts(4, 12, 20)),
        calls=(("svc-web", "svc-api"),),
    )
    findings = detect(environment, min_duration_minutes=4)

    for kind in sentences.RENDERERS:
        monkeypatch.setitem(sentences.RENDERERS, kind, lambda _finding, _times: "at this rate in about 1 s")
    reworded = detect(environment, min_duration_minutes=4)

    assert [_without_sentence(finding) for finding in reworded] == [
        _without_sentence(finding) for finding in findings
    ]
    assert rank_suspects(reworded, environment) == rank_suspects(findings, environment)
    assert [cause.subject for cause in group_by_cause(reworded, environment)] == [
        cause.subject for cause in group_by_cause(findings, environment)
    ]


def _without_sentence(finding: Finding) -> Finding:
    return finding.model_copy(update={"sentence": ""})
