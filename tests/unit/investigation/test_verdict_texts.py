"""The texts of a verdict name the thing, the value and the place, so that a person can act on them as they stand."""

from __future__ import annotations

import pytest

from tests.support.builders import deployment, finding
from tests.support.cause_cases import CASES
from tests.support.diagnosis_cases import BUG, evidence_of, failing, location, pattern, sign
from workers.investigation.diagnosis import diagnose
from workers.models import SignKind, Verdict

ACTIONS = {
    "several_variables_are_missing": ("Set DATABASE_URL and SECRET_KEY of api", "Variables", ".env.example"),
    "redis_on_localhost": ("Set REDIS_URL of api", "${{Redis.REDIS_URL}}"),
    "stripe_rejects_the_key": ("STRIPE_SECRET_KEY", "api.stripe.com"),
    "pool_with_replicas": ("Raise pool_size of api from 20 to 25", "4 replicas then open up to 100 connections"),
    "heap_far_below_the_container": ("Set NODE_OPTIONS of api to --max-old-space-size=12288",),
    "java_heap": ("Set JAVA_TOOL_OPTIONS of api to -Xmx6144m",),
    "php_memory_limit": ("memory_limit of PHP to 512 MB",),
    "module_that_no_manifest_lists": ("Add PyYAML to requirements.txt",),
    "own_module_under_a_wrong_name": ("src/pricing.js",),
    "library_that_the_image_lacks": ("libGL.so.1", "RAILPACK_DEPLOY_APT_PACKAGES"),
    "start_command_with_a_wrong_program": ("start command of api (gunicron app:app)",),
    "peer_was_just_deployed": ("Restart api",),
    "peer_does_not_exist": ("names inventroy", "private domain of inventory"),
    "egress_to_the_public_proxy": ("Set DATABASE_URL of api", "private address"),
    "process_that_exits_without_an_error": ("restart policy to Always", "not on the Free and Trial plans"),
    "archiving_behind": ("A larger volume buys hours only",),
    "exception_whose_caller_was_changed": ("Roll api back", "correct shop/orders.py:31"),
    "database_that_accepts_no_more_connections": ("Lower the connection pool of api", "max_connections of PostgreSQL"),
}  # fmt: skip


def verdict_of(name: str) -> Verdict:
    [case] = [case for case in CASES if case.name == name]
    return diagnose(*case.build())


@pytest.mark.parametrize("name", ACTIONS)
def test_an_action_names_the_thing_its_value_and_its_place(name: str) -> None:
    action = verdict_of(name).action

    assert all(part in action for part in ACTIONS[name]), action


def test_a_variable_that_a_commit_newly_requires_is_said() -> None:
    summary = verdict_of("several_variables_are_missing").summary

    assert "Commit ccccccc requires it since shop/db.py:2" in summary


def test_an_unlinked_commit_is_named_and_not_blamed() -> None:
    verdict = verdict_of("slowness_beside_an_unrelated_commit")

    assert "changed shop/mail.py, which nothing links to it" in verdict.summary
    assert not verdict.calls_for_a_fix


@pytest.mark.parametrize(
    "name", ["migration_before_peer_is_ready", "healthy_peer_times_out", "pool_with_replicas"]
)
def test_no_pull_request_is_opened_for_what_no_patch_ends(name: str) -> None:
    assert not verdict_of(name).calls_for_a_fix


def test_chronic_trouble_has_no_hour_of_its_beginning() -> None:
    subject = failing(finding(chronic=True))

    verdict = diagnose(subject, evidence_of(subject, [BUG], [location()]))

    assert verdict.summary.endswith("(since before the history begins)")


def test_dropped_log_lines_are_said_and_lower_the_confidence() -> None:
    dropped = pattern("Messages dropped: 1543", sign(SignKind.LINES_DROPPED, lines=1543), level="warning")
    subject = failing()

    whole = diagnose(subject, evidence_of(subject, [BUG], [location()]))
    partial = diagnose(subject, evidence_of(subject, [BUG, dropped], [location()]))

    assert "Railway dropped 1,543 log lines" in partial.summary
    assert partial.confidence < whole.confidence


def test_a_service_that_restarts_in_place_is_said_to_look_deployed() -> None:
    [case] = [case for case in CASES if case.name == "crash_among_noise"]
    incident, evidence = case.build()
    assert incident.service is not None
    serving = incident.service.model_copy(update={"serving": deployment()})

    verdict = diagnose(incident.model_copy(update={"service": serving}), evidence)

    assert "Railway still shows its deployment as SUCCESS" in verdict.summary
