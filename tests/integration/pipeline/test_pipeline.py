"""From the webhook to the pull request and the messages in Slack, with every outside service failing once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from tests.support.fakes import shop
from tests.support.fakes.githttp import git
from tests.support.fakes.railway_types import WorldDeployment, WorldService
from tests.support.fakes.serving import Kind
from tests.support.pipeline import (
    PipelineHarness,
    StartHarness,
    harness,
)
from workers.engine import records, scripts
from workers.engine.codec import pack
from workers.engine.schema import OPEN, PREFIX, SCHEDULE, journal_id, notification_key
from workers.errors import Superseded
from workers.incidents import controls
from workers.models import (
    Category,
    Evidence,
    Fix,
    FollowUp,
    FollowUpResult,
    GapPart,
    Incident,
    Outcome,
    Plan,
    PullRequest,
    Verdict,
    VerdictReason,
    Verification,
)
from workers.pipeline import failures


@pytest.fixture
def sick(start: StartHarness) -> Iterator[PipelineHarness]:
    """The pipeline with the failing shop."""
    with start() as running:
        yield running


@pytest.fixture
def quick(store: redis.Redis, store_url: str, tmp_path: Path) -> Iterator[PipelineHarness]:
    """The same with the small agent, for tests whose subject is not the agent."""
    with harness(store, store_url, tmp_path, small=True) as running:
        yield running


def told(running: PipelineHarness) -> list[str]:
    return [message.text for message in running.slack.messages]


def ended(running: PipelineHarness) -> Callable[[], bool]:
    """A condition: the first incident's outcome is in Slack."""
    return lambda: bool(running.outcome_kind()) and any(running.outcome_posts())


def test_a_webhook_becomes_one_pull_request_whose_link_reaches_slack(proposed: PipelineHarness) -> None:
    pull = proposed.github.pulls[0]
    last = told(proposed)[-1].splitlines()[-1]
    assert proposed.outcome_kind() == "pull request"
    assert len(proposed.github.pulls) == 1
    assert f"/pull/{pull.number}" in last
    assert not pull.draft
    assert "pricing.py" in str(pull.body)
    assert "KeyError" in str(pull.body)
    assert proposed.github.wrong == []


def test_a_merged_pull_request_is_watched_until_its_fix_is_verified(proposed: PipelineHarness) -> None:
    commit = proposed.github.merge(proposed.github.pulls[0].number)
    proposed.redeploy(commit)

    proposed.drive(lambda: proposed.follow_up() is not None)

    watched = proposed.follow_up()
    assert watched is not None
    assert watched.result is FollowUpResult.VERIFIED
    assert proposed.store.hlen(OPEN) == 0


@pytest.mark.parametrize(
    ("comes_back", "result"), [(True, FollowUpResult.VERIFIED), (False, FollowUpResult.UNMEASURED)]
)
def test_a_measurement_that_is_unavailable_for_a_moment_is_retried(
    proposed: PipelineHarness, *, comes_back: bool, result: FollowUpResult
) -> None:
    key = proposed.incidents()[0]
    proposed.redeploy(proposed.github.merge(proposed.github.pulls[0].number))
    proposed.railway.broken["metrics"] = "Problem processing request"
    proposed.drive(lambda: int(proposed.journal.fields(key).get("attempts", 0)) > 0)
    if comes_back:
        proposed.railway.broken.clear()

    proposed.drive(lambda: proposed.follow_up() is not None)
    proposed.railway.broken.clear()

    watched = proposed.follow_up()
    assert watched is not None
    assert watched.result is result


@pytest.mark.parametrize("kind", ["429", "503", "drop", "hang"])
def test_every_service_may_fail_once_and_nothing_is_done_twice(quick: PipelineHarness, kind: Kind) -> None:
    for path in ("graphql",):
        quick.railway.faults.add(kind, path=path)
    for method, path in (("GET", "/branches"), ("POST", "/pulls"), ("POST", "git-receive-pack")):
        if kind != "hang" or path == "/pulls":
            quick.github.faults.add(kind, method=method, path=path)
    quick.slack.faults.add(kind, path="chat.postMessage")
    quick.fake_model.faults.add("503" if kind == "hang" else kind)
    quick.alert()

    quick.drive(ended(quick), stages=120)

    assert len(quick.github.pulls) == 1
    assert len([text for text in told(quick) if "/pull/" in text]) == 1
    assert quick.outcome_kind() == "pull request"
    assert {one for one, _ in quick.railway.faults.played} == {kind}
    assert {one for one, _ in quick.github.faults.played} == {kind}
    assert {one for one, _ in quick.slack.faults.played} == {kind}


def test_evidence_that_is_unavailable_for_a_moment_is_retried(quick: PipelineHarness) -> None:
    quick.railway.broken["deploymentLogs"] = "Problem processing request"
    quick.alert()
    quick.drive(lambda: any(quick.journal.fields(key).get("attempts") for key in quick.incidents()))
    quick.railway.broken.clear()

    quick.drive(ended(quick))

    assert quick.outcome_kind() == "pull request"


def test_evidence_that_stays_unavailable_becomes_a_reported_gap(sick: PipelineHarness) -> None:
    sick.railway.broken["deploymentLogs"] = "Problem processing request"
    sick.alert()

    sick.drive(lambda: any(sick.values(Evidence)))

    assert any(gap.part is GapPart.DEPLOYMENT_LOGS for gap in sick.values(Evidence)[0].failed_reads)


def test_a_refused_railway_token_is_reported_with_its_setting(sick: PipelineHarness) -> None:
    sick.railway.faults.add("refuse", times=100)
    sick.alert()

    sick.drive(lambda: told(sick))

    assert "RAILWAY_API_TOKEN" in told(sick)[0]


def test_a_worker_that_lost_its_claim_gives_up_nothing(sick: PipelineHarness) -> None:
    sick.alert()
    sick.drive(lambda: sick.values(Plan))
    key = sick.incidents()[0]
    sick.store.hdel(key, "not_before", "lease")
    stage = sick.journal.fields(key)["stage"].decode()
    ours = sick.journal.claim(key, stage)
    sick.store.hset(key, "lease", 1)
    theirs = sick.journal.claim(key, stage)
    assert ours is not None and theirs is not None

    with pytest.raises(Superseded):
        failures.give_up(ours, "refused", sick.services.now())

    theirs.check_alive()
    assert len(list(sick.store.scan_iter(f"{PREFIX}reserved:*"))) == 2
    assert sick.outcome_kind() == ""


def test_a_refused_github_token_ends_the_attempt_and_is_reported(sick: PipelineHarness) -> None:
    sick.github.faults.add("refuse", times=1000)
    sick.alert()

    sick.drive(ended(sick))

    assert sick.github.pulls == []
    assert "GITHUB_TOKEN" in "\n".join(told(sick))


def test_messages_that_slack_refused_are_posted_once_the_token_works(quick: PipelineHarness) -> None:
    quick.slack.faults.add("refuse", times=1000)
    quick.alert()
    quick.drive(lambda: quick.outcome_kind() == "pull request")
    before = told(quick)
    quick.slack.faults.clear()

    quick.drive(ended(quick))

    assert before == []
    assert len(quick.github.pulls) == 1
    assert "/pull/" in told(quick)[-1]


def test_a_refusal_of_the_model_is_reported_with_the_raw_facts(sick: PipelineHarness) -> None:
    sick.fake_model.reader = "refuses"
    sick.alert()

    sick.drive(ended(sick))

    assert sick.github.pulls == []
    assert sick.outcome_kind() == "failed"
    assert "5xx" in told(sick)[-1]


def test_a_plan_without_a_location_leads_to_no_pull_request(sick: PipelineHarness) -> None:
    sick.alert()
    sick.drive(lambda: any(sick.values(Verdict)))
    key = sick.incidents()[0]
    evidence = sick.journal.read_record(key, records.EVIDENCE)
    assert evidence is not None
    facts = tuple(fact for fact in evidence.facts if not (fact.location or fact.suspect or fact.pattern))
    cut = evidence.model_copy(update={"locations": (), "patterns": (), "suspect": None, "facts": facts})
    sick.store.hset(key, "r:evidence", pack(cut, Evidence))

    sick.drive(ended(sick))

    assert sick.github.pulls == []
    assert sick.outcome_kind() == "reported"
    assert "inconclusive" in told(sick)[-1]


@pytest.mark.parametrize(
    ("who", "mode"),
    [("reader", "garbage"), ("writer", "idle"), ("writer", "hostile"), ("writer", "deletes tests")],
)
def test_a_useless_answer_of_the_model_leads_to_no_pull_request(
    sick: PipelineHarness, who: str, mode: str
) -> None:
    setattr(sick.fake_model, who, mode)
    sick.alert()

    sick.drive(ended(sick))

    assert sick.github.pulls == []
    assert sick.github.pushes == []
    assert sick.outcome_kind() in ("failed", "nothing proposed")
    assert "shop" in told(sick)[-1]


def test_a_pull_request_that_a_person_closed_is_not_opened_again(proposed: PipelineHarness) -> None:
    proposed.github.close(proposed.github.pulls[0].number)
    proposed.drive(lambda: any(pull.state == "closed" for pull in proposed.values(PullRequest)))
    proposed.alert()

    proposed.drive(lambda: proposed.count_ended_sweeps() >= 2)

    assert len(proposed.github.pulls) == 1
    assert len(proposed.incidents()) == 1


def test_a_repeated_alert_joins_the_open_incident(proposed: PipelineHarness) -> None:
    calls = len(proposed.fake_model.calls)
    proposed.alert()

    proposed.drive(lambda: proposed.count_ended_sweeps() >= 2)

    assert len(proposed.incidents()) == 1
    assert len(proposed.github.pulls) == 1
    assert len(proposed.fake_model.calls) == calls


def test_two_services_with_one_cause_in_the_code_get_one_pull_request(quick: PipelineHarness) -> None:
    first = quick.world.services[0]
    live = first.deployments[0]
    twin = WorldDeployment(
        "dep-twin", "svc-twin", "SUCCESS", live.created_at, live.status_at, live.meta,
        instances=[("ins-2", "RUNNING")], logs=live.logs,
    )  # fmt: skip
    second = WorldService(
        "svc-twin", "checkout", repo=shop.NAME, domains=["checkout.up.railway.app"], deployments=[twin],
        active=["dep-twin"], samples=first.samples, requests=first.requests,
    )  # fmt: skip
    quick.world.services.append(second)
    quick.alert(service_id=None, service_name=None)

    quick.drive(lambda: len(quick.values(Outcome)) == 2, stages=120)

    kinds = sorted(outcome.kind for outcome in quick.values(Outcome))
    assert kinds == ["attached", "pull request"]
    assert len(quick.github.pulls) == 1


def test_an_affected_caller_shares_the_incident_and_the_pull_request_of_its_callee(
    quick: PipelineHarness,
) -> None:
    shop_, began = quick.world.services[0], quick.world.services[0].requests[0].at
    live = WorldDeployment(
        "dep-web", "svc-web", "SUCCESS", began - 9e5, began - 9e5, {"image": "ghcr.io/acme/web"},
        instances=[("ins-web", "RUNNING")],
    )  # fmt: skip
    asked = [replace(one, deployment_id=live.id, instance_id="ins-web") for one in shop_.requests]
    web = WorldService(
        "svc-web", "web", image="ghcr.io/acme/web", domains=["web.up.railway.app"], deployments=[live],
        active=[live.id], requests=asked, variables={"SHOP_URL": ["shop.RAILWAY_PRIVATE_DOMAIN"]},
    )  # fmt: skip
    quick.world.services.append(web)
    quick.alert(service_id="svc-web", service_name="web")

    quick.drive(ended(quick))
    quick.drive(lambda: quick.count_ended_sweeps() == 1)

    [incident] = quick.values(Incident)
    threads = {message.thread_ts or message.ts for message in quick.slack.messages}
    assert incident.subject.name == "shop"
    assert len(quick.github.pulls) == 1
    assert len(threads) == 1
    assert any("Also affected: web (" in text for text in told(quick))


def test_a_suppressed_incident_stops_and_continues_once_it_has_its_own_cause(
    sick: PipelineHarness,
) -> None:
    sick.alert()
    sick.drive(lambda: sick.values(Plan))
    key = sick.incidents()[0]
    calls = len(sick.fake_model.calls)
    sick.store.hset(key, "suppressed_by", f"{PREFIX}incident:of-its-cause:1")
    sick.drive(lambda: sick.store.hget(key, "stage") == b"watch")
    aside = (
        len(sick.fake_model.calls) - calls,
        list(sick.store.scan_iter(f"{PREFIX}reserved:*")),
        sick.outcome_kind(),
    )

    sick.journal.run(
        scripts.UNSUPPRESS, journal=key, notification=notification_key(journal_id(key)),
        incident_record=pack(sick.values(Incident)[0], Incident), min_clean_sweeps=2,
    )  # fmt: skip
    sick.drive(ended(sick))

    assert aside == (0, [], "")
    assert sick.outcome_kind() == "pull request"
    assert len(sick.github.pulls) == 1


def test_a_verdict_with_another_remedy_starts_no_agent(sick: PipelineHarness) -> None:
    sick.alert()
    sick.drive(lambda: any(sick.values(Verdict)))
    held = Verdict(
        category=Category.DEPLOYMENT,
        reason=VerdictReason.DEPLOYMENT_HANGS,
        summary="the newest deployment hangs",
        action="cancel it",
    )
    key = sick.incidents()[0]
    sick.store.hset(key, mapping={"stage": "diagnose", "r:verdict": pack(held, Verdict)})

    sick.drive(ended(sick))

    assert (sick.outcome_kind(), sick.fake_model.calls) == ("reported", [])
    assert "cancel it" in told(sick)[-1]


def test_an_open_pull_request_of_a_suppressed_incident_is_watched(proposed: PipelineHarness) -> None:
    key = proposed.incidents()[0]
    proposed.store.hset(key, "suppressed_by", f"{PREFIX}incident:of-its-cause:1")
    proposed.redeploy(proposed.github.merge(proposed.github.pulls[0].number))

    proposed.drive(lambda: proposed.follow_up() is not None)

    watched = proposed.follow_up()
    assert watched is not None and watched.is_recovered


def test_an_alert_about_a_healthy_service_is_answered_without_cost(start: StartHarness) -> None:
    with start(failing="no") as healthy:
        healthy.alert()

        healthy.drive(lambda: told(healthy))

        assert "no problem found" in told(healthy)[0]
        assert healthy.incidents() == []
        assert healthy.fake_model.calls == []


def test_a_ping_without_findings_posts_nothing(start: StartHarness) -> None:
    with start(failing="no") as healthy:
        healthy.alert(source="ping", kind="ping", service_id=None, service_name=None)

        healthy.drive(lambda: healthy.count_ended_sweeps() >= 1)

        assert told(healthy) == []


def test_report_mode_reports_the_cause_and_touches_no_repository(start: StartHarness) -> None:
    with start(TRACKWALKER_MODE="report") as reporting:
        reporting.alert()

        reporting.drive(ended(reporting))

        assert reporting.github.pushes == []
        assert reporting.fake_model.calls == []
        assert "TRACKWALKER_MODE=report" in told(reporting)[-1]


def test_an_incident_of_a_removed_service_ends_and_is_reported(start: StartHarness) -> None:
    with start(TRACKWALKER_MODE="report") as reporting:
        reporting.alert()
        reporting.drive(ended(reporting))
        reporting.world.services.clear()

        was_open = []
        for sweeps in (2, 3, 4):
            was_open.append(reporting.store.hlen(OPEN))
            reporting.alert(source="ping", kind="ping", service_id=None, service_name=None)
            reporting.drive(lambda sweeps=sweeps: reporting.count_ended_sweeps() >= sweeps)  # type: ignore[misc]
        reporting.drive(lambda: not reporting.store.hlen(OPEN) and "removed" in told(reporting)[-1])

        assert was_open == [1, 1, 1]
        assert "Resolved: the service was removed (three consecutive checks" in told(reporting)[-1]


def test_shadow_mode_posts_nothing(start: StartHarness) -> None:
    with start(TRACKWALKER_MODE="shadow") as shadow:
        shadow.alert()

        shadow.drive(shadow.outcome_kind)

        for _ in range(5):
            shadow.work_next()
        assert told(shadow) == []
        assert shadow.github.pushes == []


def test_a_paused_pipeline_waits_and_continues_where_it_stopped(quick: PipelineHarness) -> None:
    controls.pause(quick.journal)
    quick.alert()
    for _ in range(15):
        quick.work_next()
    silent = told(quick), quick.github.pushes[:]
    controls.resume(quick.journal)

    quick.drive(ended(quick))

    assert silent == ([], [])
    assert len(quick.github.pulls) == 1


def test_a_muted_service_is_not_reported(sick: PipelineHarness) -> None:
    controls.mute(sick.journal, "shop", 4_000_000_000.0)
    sick.alert()

    for _ in range(15):
        sick.work_next()

    assert told(sick) == []
    assert sick.github.pushes == []


def test_what_is_pushed_is_the_journals_fix_and_nothing_else(proposed: PipelineHarness) -> None:
    pull = proposed.github.pulls[0]
    fix, certificate = proposed.values(Fix)[0], proposed.values(Verification)[0]
    files = git(pull.repo.path, "diff", "--name-only", "main", pull.head).split()
    assert sorted(files) == sorted(fix.files)
    assert certificate.decision == "ready"
    assert git(pull.repo.path, "log", "--format=%an", "-1", pull.head) == "Trackwalker"


def test_no_key_is_permanent_once_everything_ended(proposed: PipelineHarness) -> None:
    proposed.redeploy(proposed.github.merge(proposed.github.pulls[0].number))

    proposed.drive(lambda: proposed.follow_up() is not None and not proposed.store.zcard(SCHEDULE))

    lasting = [key for key in proposed.store.scan_iter(f"{PREFIX}*") if proposed.store.ttl(key) == -1]
    assert [key for key in lasting if b"dramatiq" not in key] == []


def test_a_fix_that_did_not_work_is_reported(proposed: PipelineHarness) -> None:
    proposed.redeploy(proposed.github.merge(proposed.github.pulls[0].number), failing=True)

    proposed.drive(lambda: proposed.follow_up() is not None)

    assert [follow_up.result for follow_up in proposed.values(FollowUp)] == [FollowUpResult.FAILED]
