"""The suspect and the examined deployment follow from the findings."""

from __future__ import annotations

import pytest

from tests.support.builders import deployment, finding, incident, service
from workers.investigation.evidence.suspects import examined_deployment, find_suspect


def test_the_suspect_is_the_newest_deployment_that_was_live_at_the_onset() -> None:
    deployments = (
        deployment("after", minutes_before_onset=-8),
        deployment("failed", "FAILED", minutes_before_onset=1),
        deployment("guilty", minutes_before_onset=4),
        deployment("old", minutes_before_onset=900),
    )
    api = service(serving=deployments[0], latest=deployments[0], deployments=deployments)

    suspect = find_suspect(incident(finding(), service=api), api)

    assert suspect is not None and suspect.deployment_id == "guilty"


@pytest.mark.parametrize(
    ("kind", "status"), [("failed_deployment", "FAILED"), ("stuck_deployment", "BUILDING")]
)
def test_a_newest_deployment_that_was_never_live_is_examined_and_suspects_itself(
    kind: str, status: str
) -> None:
    newest, live = deployment("new", status), deployment("live")
    api = service(serving=live, latest=newest, deployments=(newest, live))
    subject = incident(finding(kind), service=api)

    suspect = find_suspect(subject, api)

    assert examined_deployment(subject, api) == newest
    assert suspect is not None and suspect.deployment_id == "new"


@pytest.mark.parametrize(("kind", "status"), [("crashed", "CRASHED"), ("oom_killed", "REMOVED")])
def test_a_deployment_that_ended_is_examined_although_another_one_serves(kind: str, status: str) -> None:
    ended, live = deployment("ended", status), deployment("live")
    api = service(serving=live, latest=live, deployments=(live, ended))

    examined = examined_deployment(incident(finding(kind, deployment_id="ended"), service=api), api)

    assert examined == ended


def test_the_serving_deployment_is_examined_if_a_newer_one_failed_beside_other_findings() -> None:
    failed, live = deployment("new", "FAILED"), deployment("live")
    api = service(serving=live, latest=failed, deployments=(failed, live))
    subject = incident(finding("server_errors"), finding("failed_deployment"), service=api)

    assert examined_deployment(subject, api) == live
