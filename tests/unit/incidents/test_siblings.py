"""An incident knows the other services of its environment, and whether they are well."""

from __future__ import annotations

from tests.support.builders import deployment, finding, incident, notice, service, survey
from workers.incidents.siblings import with_siblings
from workers.models import Gap, GapPart


def test_siblings_are_listed_with_their_health_and_the_sick_ones_first() -> None:
    surveyed = survey(
        service("api"), service("web"), service("worker"), service("cache"),
        failed_reads=(Gap(part=GapPart.USAGE, subject="web", reason="503"),),
    )  # fmt: skip
    findings = [finding(), finding("crashed", name="worker"), notice("cpu", name="cache")]

    siblings = with_siblings(incident(finding()), surveyed, findings).siblings

    assert [(sibling.name, sibling.healthy) for sibling in siblings] == [
        ("worker", False), ("cache", True), ("web", None),
    ]  # fmt: skip


def test_a_sibling_has_the_time_at_which_it_went_live() -> None:
    old, new = deployment("old", minutes_before_onset=90), deployment("new", minutes_before_onset=9)
    failed = deployment("failed", minutes_before_onset=1).model_copy(update={"status": "FAILED"})
    surveyed = survey(service("api"), service("web", deployments=(failed, new, old), serving=new))

    [web] = with_siblings(incident(), surveyed, []).siblings

    assert web.deployed_at == (new.status_at or new.created_at)
