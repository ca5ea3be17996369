"""From the webhook to the pull request and the messages in Slack, with every outside service failing once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from tests.support import people
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
from workers.engine.schema import COUNTERS, OPEN, PREFIX, SCHEDULE, journal_id, notification_key
from workers.errors import Superseded
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
def failing(start: StartHarness) -> Iterator[PipelineHarness]:
    """The pipeline with the failing shop."""
    with start() as running:
        yield running


def ended(running: PipelineHarness) -> Callable[[], bool]:
    """A condition: the first incident's outcome is in Slack."""
    return lambda: bool(running.outcome_kind()) and any(running.outcome_posts())


def test_a_webhook_becomes_one_pull_request_whose_link_reaches_slack(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    with harness(store, store_url, tmp_path, small=False) as pipeline:
        pipeline.alert()
        pipeline.drive(ended(pipeline))

    pull = pipeline.github.pulls[0]
    assert pipeline.outcome_kind() == "pull request"
    assert len(pipeline.github.pulls) == 1
    assert f"/pull/{pull.number}" in pipeline.slack.channel_texts[-1].splitlines()[1]
    assert not pull.draft
    assert "pricing.py" in str(pull.body)
    assert "KeyError" in str(pull.body)
    assert pipeline.github.wrong == []


def test_a_merged_pull_request_is_watched_until_its_fix_is_verified(proposed: PipelineHarness) -> None:
    commit = proposed.github.merge(proposed.github.pulls[0].number)
    proposed.redeploy(commit)

    proposed.drive(lambda: proposed.follow_up() is not None)

    watched = proposed.follow_up()
    assert watched is not None
    assert watched.result is FollowUpResult.VERIFIED
    assert proposed.store.hlen(OPEN) == 0


def test_a_merged_fix_that_does_not_help_is_reported_from_its_first_minutes(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    with harness(store, store_url, tmp_path, small=True, TRACKWALKER_VERIFY_MINUTES="30") as pipeline:
        pipeline.alert()
        pipeline.drive(ended(pipeline))
        first = pipeline.incidents()[0]
        pipeline.redeploy(pipeline.github.merge(pipeline.github.pulls[0].number), failing=True)

        pipeline.drive(lambda: pipeline.follow_up() is not None)
        failed = pipeline.follow_up()
        pipeline.drive(lambda: len(pipeline.incidents()) > 1)
        second = pipeline.journal.read_record(pipeline.incidents()[1], records.INCIDENT)
        progress = pipeline.journal.read_record(first, records.MERGE_PROGRESS)

    assert failed is not None
    assert failed.result is FollowUpResult.FAILED
    assert progress is not None
    assert progress.merged_by == "lea"
    assert second is not None
    assert second.relapse is not None
    assert second.relapse.result == "fix_failed"
    assert second.relapse.pull_number == 1


def test_a_merge_that_railway_skips_is_told_with_its_reason_and_watched_further(
    proposed: PipelineHarness,
) -> None:
    commit, service = proposed.github.merge(proposed.github.pulls[0].number), proposed.world.services[0]
    meta = shop.meta(commit, "Merge") | {"skippedReason": "CI check suite failed"}
    now = time.time()
    service.deployments.insert(0, WorldDeployment("dep-skipped", service.id, "SKIPPED", now, now, meta))

    proposed.drive(lambda: any("does not retry it" in text for text in proposed.slack.texts))
    skipped = proposed.follow_up()
    del service.deployments[0]
    proposed.redeploy(commit)
    proposed.drive(lambda: any("Fix verified" in text for text in proposed.slack.texts))

    assert skipped is not None
    assert (skipped.result, skipped.deployment_status) == (FollowUpResult.NOT_DEPLOYED, "SKIPPED")
    assert skipped.skipped_reason == "CI check suite failed"
    [reply] = [text for text in proposed.slack.texts if "does not retry it" in text]
    assert '"Deploy latest commit"' in reply
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
def test_every_service_may_fail_once_and_nothing_is_done_twice(failing: PipelineHarness, kind: Kind) -> None:
    for path in ("graphql",):
        failing.railway.faults.add(kind, path=path)
    for method, path in (("GET", "/branches"), ("POST", "/pulls"), ("POST", "git-receive-pack")):
        if kind != "hang" or path == "/pulls":
            failing.github.faults.add(kind, method=method, path=path)
    failing.slack.faults.add(kind, path="chat.postMessage")
    failing.fake_model.faults.add("503" if kind == "hang" else kind)
    failing.alert()

    failing.drive(ended(failing), stages=120)

    assert len(failing.github.pulls) == 1
    assert len([message for message in failing.slack.messages if message.key.endswith(":outcome")]) == 1
    assert failing.outcome_kind() == "pull request"
    assert {fault for fault, _ in failing.railway.faults.played} == {kind}
    assert {fault for fault, _ in failing.github.faults.played} == {kind}
    assert {fault for fault, _ in failing.slack.faults.played} == {kind}


def test_evidence_that_is_unavailable_for_a_moment_is_retried(failing: PipelineHarness) -> None:
    failing.railway.broken["deploymentLogs"] = "Problem processing request"
    failing.alert()
    failing.drive(lambda: any(failing.journal.fields(key).get("attempts") for key in failing.incidents()))
    failing.railway.broken.clear()

    failing.drive(ended(failing))

    assert failing.outcome_kind() == "pull request"


def test_evidence_that_stays_unavailable_becomes_a_reported_gap(failing: PipelineHarness) -> None:
    failing.railway.broken["deploymentLogs"] = "Problem processing request"
    failing.alert()

    failing.drive(lambda: any(failing.values(Evidence)))

    assert any(gap.part is GapPart.DEPLOYMENT_LOGS for gap in failing.values(Evidence)[0].failed_reads)


def test_a_refused_railway_token_is_reported_with_its_setting(failing: PipelineHarness) -> None:
    failing.railway.faults.add("refuse", times=100)
    failing.alert()

    failing.drive(lambda: failing.slack.texts)

    assert "RAILWAY_API_TOKEN" in failing.slack.texts[0]


def test_a_worker_that_lost_its_claim_gives_up_nothing(failing: PipelineHarness) -> None:
    failing.alert()
    failing.drive(lambda: failing.values(Plan))
    key = failing.incidents()[0]
    failing.store.hdel(key, "not_before", "lease")
    stage = failing.journal.fields(key)["stage"].decode()
    ours = failing.journal.claim(key, stage)
    failing.store.hset(key, "lease", 1)
    theirs = failing.journal.claim(key, stage)
    assert ours is not None and theirs is not None

    with pytest.raises(Superseded):
        failures.give_up(ours, "refused", failing.services.now())

    theirs.check_alive()
    assert len(list(failing.store.scan_iter(f"{PREFIX}reserved:*"))) == 2
    assert failing.outcome_kind() == ""


def test_a_refused_github_token_ends_the_attempt_and_is_reported(failing: PipelineHarness) -> None:
    failing.github.faults.add("refuse", times=1000)
    failing.alert()

    failing.drive(ended(failing))

    assert failing.github.pulls == []
    assert "GITHUB_TOKEN" in "\n".join(failing.slack.texts)


def test_messages_that_slack_refused_are_posted_once_the_token_works(failing: PipelineHarness) -> None:
    failing.slack.faults.add("refuse", times=1000)
    failing.alert()
    failing.drive(lambda: failing.outcome_kind() == "pull request")
    before = failing.slack.texts
    failing.slack.faults.clear()

    failing.drive(ended(failing))

    assert before == []
    assert len(failing.github.pulls) == 1
    assert "/pull/" in failing.slack.channel_texts[-1]


def test_a_refusal_of_the_model_is_reported_with_the_raw_facts(failing: PipelineHarness) -> None:
    failing.fake_model.reader = "refuses"
    failing.alert()

    failing.drive(ended(failing))

    assert failing.github.pulls == []
    assert failing.outcome_kind() == "failed"
    assert "% of requests fail" in failing.slack.channel_texts[-1]


def test_a_plan_without_a_location_leads_to_no_pull_request(failing: PipelineHarness) -> None:
    failing.alert()
    failing.drive(lambda: any(failing.values(Verdict)))
    key = failing.incidents()[0]
    evidence = failing.journal.read_record(key, records.EVIDENCE)
    assert evidence is not None
    facts = tuple(fact for fact in evidence.facts if not (fact.location or fact.suspect or fact.pattern))
    cut = evidence.model_copy(update={"locations": (), "patterns": (), "suspect": None, "facts": facts})
    failing.store.hset(key, "r:evidence", pack(cut, Evidence))

    failing.drive(ended(failing))

    assert failing.github.pulls == []
    assert failing.outcome_kind() == "reported"
    assert "inconclusive" in failing.slack.channel_texts[-1]


@pytest.mark.parametrize(
    ("who", "mode"),
    [("reader", "garbage"), ("writer", "idle"), ("writer", "hostile"), ("writer", "deletes tests")],
)
def test_a_useless_answer_of_the_model_leads_to_no_pull_request(
    failing: PipelineHarness, who: str, mode: str
) -> None:
    setattr(failing.fake_model, who, mode)
    failing.alert()

    failing.drive(ended(failing))

    assert failing.github.pulls == []
    assert failing.github.pushes == []
    assert failing.outcome_kind() in ("failed", "nothing proposed")
    assert "shop" in failing.slack.channel_texts[-1]


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


def test_two_services_with_one_cause_in_the_code_get_one_pull_request(failing: PipelineHarness) -> None:
    first = failing.world.services[0]
    live = first.deployments[0]
    twin = WorldDeployment(
        "dep-twin", "svc-twin", "SUCCESS", live.created_at, live.status_at, live.meta,
        instances=[("ins-2", "RUNNING")], logs=live.logs,
    )  # fmt: skip
    second = WorldService(
        "svc-twin", "checkout", repo=shop.NAME, domains=["checkout.up.railway.app"], deployments=[twin],
        active=["dep-twin"], samples=first.samples, requests=first.requests,
    )  # fmt: skip
    failing.world.services.append(second)
    failing.alert(service_id=None, service_name=None)

    failing.drive(lambda: len(failing.values(Outcome)) == 2, stages=120)

    kinds = sorted(outcome.kind for outcome in failing.values(Outcome))
    assert kinds == ["attached", "pull request"]
    assert len(failing.github.pulls) == 1


def test_an_affected_caller_shares_the_incident_and_the_pull_request_of_its_callee(
    failing: PipelineHarness,
) -> None:
    shop_, began = failing.world.services[0], failing.world.services[0].requests[0].at
    live = WorldDeployment(
        "dep-web", "svc-web", "SUCCESS", began - 9e5, began - 9e5, {"image": "ghcr.io/acme/web"},
        instances=[("ins-web", "RUNNING")],
    )  # fmt: skip
    requests = [replace(request, deployment_id=live.id, instance_id="ins-web") for request in shop_.requests]
    web = WorldService(
        "svc-web", "web", image="ghcr.io/acme/web", domains=["web.up.railway.app"], deployments=[live],
        active=[live.id], requests=requests, variables={"SHOP_URL": ["shop.RAILWAY_PRIVATE_DOMAIN"]},
    )  # fmt: skip
    failing.world.services.append(web)
    failing.alert(service_id="svc-web", service_name="web")

    failing.drive(ended(failing))
    failing.drive(lambda: failing.count_ended_sweeps() == 1)

    [incident] = failing.values(Incident)
    threads = {message.thread_ts or message.ts for message in failing.slack.messages}
    assert incident.subject.name == "shop"
    assert len(failing.github.pulls) == 1
    assert len(threads) == 1
    assert any("Also affected: web (" in text for text in failing.slack.texts)


def test_a_suppressed_incident_stops_and_continues_once_it_has_its_own_cause(
    failing: PipelineHarness,
) -> None:
    failing.alert()
    failing.drive(lambda: failing.values(Plan))
    key = failing.incidents()[0]
    calls = len(failing.fake_model.calls)
    failing.store.hset(key, "suppressed_by", f"{PREFIX}incident:of-its-cause:1")
    failing.drive(lambda: failing.store.hget(key, "stage") == b"watch")
    aside = (
        len(failing.fake_model.calls) - calls,
        list(failing.store.scan_iter(f"{PREFIX}reserved:*")),
        failing.outcome_kind(),
    )

    failing.journal.run(
        scripts.UNSUPPRESS, journal=key, notification=notification_key(journal_id(key)),
        incident_record=pack(failing.values(Incident)[0], Incident), min_clean_sweeps=2,
    )  # fmt: skip
    failing.drive(ended(failing))

    assert aside == (0, [], "")
    assert failing.outcome_kind() == "pull request"
    assert len(failing.github.pulls) == 1


def test_a_verdict_with_another_remedy_starts_no_agent(failing: PipelineHarness) -> None:
    failing.alert()
    failing.drive(lambda: any(failing.values(Verdict)))
    verdict = Verdict(
        category=Category.DEPLOYMENT,
        reason=VerdictReason.DEPLOYMENT_HANGS,
        summary="the newest deployment hangs",
        action="cancel it",
    )
    key = failing.incidents()[0]
    failing.store.hset(key, mapping={"stage": "diagnose", "r:verdict": pack(verdict, Verdict)})

    failing.drive(ended(failing))

    assert (failing.outcome_kind(), failing.fake_model.calls) == ("reported", [])
    assert "cancel it" in failing.slack.channel_texts[-1]


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

        healthy.drive(lambda: healthy.slack.texts)

        assert "no problem found" in healthy.slack.texts[0]
        assert healthy.incidents() == []
        assert healthy.fake_model.calls == []


def test_a_ping_without_findings_posts_nothing(start: StartHarness) -> None:
    with start(failing="no") as healthy:
        healthy.alert(source="ping", kind="ping", service_id=None, service_name=None)

        healthy.drive(lambda: healthy.count_ended_sweeps() >= 1)

        assert healthy.slack.texts == []


def test_report_mode_reports_the_cause_and_touches_no_repository(start: StartHarness) -> None:
    with start(TRACKWALKER_MODE="report") as reporting:
        reporting.alert()

        reporting.drive(ended(reporting))

        assert reporting.github.pushes == []
        assert reporting.fake_model.calls == []
        assert "TRACKWALKER_MODE=report" in reporting.slack.channel_texts[-1]


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
        reporting.drive(lambda: not reporting.store.hlen(OPEN) and "removed" in reporting.slack.texts[-1])

        assert was_open == [1, 1, 1]
        assert "Resolved: the service was removed (three checks in a row" in reporting.slack.texts[-1]


def test_shadow_mode_posts_nothing(start: StartHarness) -> None:
    with start(TRACKWALKER_MODE="shadow") as shadow:
        shadow.alert()

        shadow.drive(shadow.outcome_kind)

        for _ in range(5):
            shadow.work_next()
        assert shadow.slack.texts == []
        assert shadow.github.pushes == []


def test_a_paused_pipeline_waits_and_continues_where_it_stopped(failing: PipelineHarness) -> None:
    people.pause(failing.journal)
    failing.alert()
    for _ in range(15):
        failing.work_next()
    silent = failing.slack.texts, failing.github.pushes[:]
    people.resume(failing.journal)

    failing.drive(ended(failing))

    assert silent == ([], [])
    assert len(failing.github.pulls) == 1


def test_a_muted_service_is_not_reported(failing: PipelineHarness) -> None:
    people.mute(failing.journal, "shop", 4_000_000_000.0)
    failing.alert()

    for _ in range(15):
        failing.work_next()

    assert failing.slack.texts == []
    assert failing.github.pushes == []


def test_what_is_pushed_is_the_journals_fix_and_nothing_else(proposed: PipelineHarness) -> None:
    pull = proposed.github.pulls[0]
    fix, verification = proposed.values(Fix)[0], proposed.values(Verification)[0]
    files = git(pull.repo.path, "diff", "--name-only", "main", pull.head).split()
    assert sorted(files) == sorted(fix.files)
    assert verification.decision == "ready"
    assert git(pull.repo.path, "log", "--format=%an", "-1", pull.head) == "Trackwalker"


def test_no_key_is_permanent_once_everything_ended(proposed: PipelineHarness) -> None:
    proposed.redeploy(proposed.github.merge(proposed.github.pulls[0].number))

    proposed.drive(lambda: proposed.follow_up() is not None and not proposed.store.zcard(SCHEDULE))

    lasting = [key for key in proposed.store.scan_iter(f"{PREFIX}*") if proposed.store.ttl(key) == -1]
    assert [key.decode() for key in lasting if b"dramatiq" not in key] == [COUNTERS]


def test_a_fix_that_did_not_work_is_reported(proposed: PipelineHarness) -> None:
    proposed.redeploy(proposed.github.merge(proposed.github.pulls[0].number), failing=True)

    proposed.drive(lambda: proposed.follow_up() is not None)

    assert [follow_up.result for follow_up in proposed.values(FollowUp)] == [FollowUpResult.FAILED]
