"""Each cause gets its category, its cited facts and its texts, and lookalikes of a cause do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support import diagnosis_cases as cases
from tests.support.cause_cases import CASES
from tests.support.diagnosis_cases import Case, cited, contradicting
from workers.investigation.diagnosis import MAX_CHECKS, diagnose
from workers.investigation.diagnosis.verdict_sentences import RENDERERS
from workers.models import Category, Evidence, FactKind, Incident, Verdict, VerdictReason


def diagnosed(build: Callable[[], tuple[Incident, Evidence]]) -> tuple[Verdict, Evidence]:
    incident, evidence = build()
    return diagnose(incident, evidence), evidence


def verdict_of(build: Callable[[], tuple[Incident, Evidence]]) -> Verdict:
    return diagnosed(build)[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_case_gets_its_reason_and_category(case: Case) -> None:
    verdict = verdict_of(case.build)

    assert (verdict.reason, verdict.category) == (case.reason, case.category)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_verdict_is_the_same_after_its_facts_were_recorded(case: Case) -> None:
    incident, evidence = case.build()

    recorded = (
        Incident.model_validate_json(incident.model_dump_json()),
        Evidence.model_validate_json(evidence.model_dump_json()),
    )

    assert diagnose(*recorded) == diagnose(incident, evidence)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_verdict_cites_existing_facts_and_contradicts_none_that_it_rests_on(case: Case) -> None:
    verdict, evidence = diagnosed(case.build)

    fact_ids = {fact.id for fact in evidence.facts}
    assert fact_ids >= {*verdict.supports, *verdict.contradicts}
    assert not set(verdict.supports) & set(verdict.contradicts)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_verdict_advises_people_and_lists_few_checks(case: Case) -> None:
    verdict = verdict_of(case.build)

    assert verdict.action
    assert "api" in verdict.summary or "Railway" in verdict.summary
    assert 0 < len(verdict.next_checks) <= MAX_CHECKS
    assert 0 < verdict.confidence < 1


def test_every_reason_has_texts_and_a_case() -> None:
    assert set(RENDERERS) == set(VerdictReason)
    assert {case.reason for case in CASES} == set(VerdictReason)


# ---- errors in the code ----


def test_an_error_in_the_code_names_its_place_and_cites_finding_location_and_log() -> None:
    verdict, evidence = diagnosed(cases.stack_trace_into_own_code)

    assert verdict.summary == "api fails at shop/pricing.py:5 in total: KeyError: 'gift'"
    assert cited(verdict, evidence) == [FactKind.FINDING, FactKind.LOG_PATTERN, FactKind.CODE_LOCATION]


def test_an_error_is_quoted_as_logged_and_not_as_its_masked_pattern() -> None:
    verdict = verdict_of(cases.stack_trace_with_masked_numbers)

    assert "PoolClosed: no connection free within 0.2 s" in verdict.summary


def test_the_quoted_error_is_the_one_whose_trace_names_the_place() -> None:
    verdict = verdict_of(cases.stack_trace_beside_a_more_frequent_line)

    assert verdict.summary == "api fails at shop/pricing.py:5 in total: KeyError: 'gift'"


def test_a_commit_that_touched_the_place_raises_the_confidence_and_is_cited() -> None:
    touched, evidence = diagnosed(cases.stack_trace_into_a_file_of_the_suspect_commit)
    untouched = verdict_of(cases.stack_trace_beside_an_unrelated_commit)

    assert touched.confidence > untouched.confidence
    assert {FactKind.SUSPECT, FactKind.CHANGED_FILES} <= set(cited(touched, evidence))


# ---- no cause ----


def test_an_inconclusive_verdict_still_cites_the_logged_errors() -> None:
    verdict, evidence = diagnosed(cases.crash_with_an_unexplained_error)

    assert cited(verdict, evidence) == [FactKind.FINDING, FactKind.LOG_PATTERN]


def test_failed_reads_become_the_first_next_checks() -> None:
    verdict = verdict_of(cases.unread_logs)

    assert "check by hand: deployment logs of api" in verdict.next_checks[0]


@pytest.mark.parametrize("build", [cases.no_facts, cases.no_facts_and_unread_logs])
def test_a_verdict_without_facts_cites_nothing(build: Callable[[], tuple[Incident, Evidence]]) -> None:
    verdict = verdict_of(build)

    assert verdict.supports == ()


# ---- causes outside the code ----


@pytest.mark.parametrize("state", ["down", "degraded", "unknown", "operational"])
def test_an_upstream_outage_names_the_host_cites_it_and_advises_to_wait(state: str) -> None:
    [case] = [case for case in CASES if case.name == f"upstream_{state}"]

    verdict, evidence = diagnosed(case.build)

    assert "api.payments.io" in verdict.summary
    assert "no code change will help. wait for" in verdict.action.lower()
    assert FactKind.UPSTREAM in cited(verdict, evidence)


def test_a_trace_into_own_code_contradicts_an_upstream_outage() -> None:
    verdict, evidence = diagnosed(cases.upstream_down_beside_a_trace_and_a_commit)

    assert set(contradicting(verdict, evidence)) == {FactKind.CODE_LOCATION, FactKind.CHANGED_FILES}


def test_advice_about_a_sibling_names_it() -> None:
    assert "inventory" in verdict_of(cases.sibling_that_does_not_respond).action
    assert "inventroy" in verdict_of(cases.sibling_under_a_wrong_name).action


def test_an_incident_of_the_platform_advises_to_wait() -> None:
    verdict = verdict_of(cases.platform_incident)

    assert verdict.summary == "1 service is failing while Railway reports an incident of its own"
    assert verdict.action.startswith("Wait until Railway")


def test_lost_traffic_names_the_domain_and_cites_it() -> None:
    for build in (cases.no_requests_with_a_domain, cases.no_requests_without_a_domain):
        verdict, evidence = diagnosed(build)

        assert "domain" in verdict.action
        assert {FactKind.PUBLIC_DOMAIN, FactKind.NO_PUBLIC_DOMAIN} & set(cited(verdict, evidence))


# ---- deployments ----


def test_a_removed_service_and_a_service_without_deployments_are_told_apart() -> None:
    assert "gone from the environment" in verdict_of(cases.service_that_was_removed).summary
    assert "no deployment" in verdict_of(cases.service_without_a_deployment).summary


def test_a_failed_health_check_is_named() -> None:
    assert "health check" in verdict_of(cases.deployment_that_fails_its_health_check).summary


def test_a_deployment_that_hangs_is_reported_and_calls_for_no_fix() -> None:
    verdict = verdict_of(cases.deployment_that_hangs)

    assert verdict.category is Category.DEPLOYMENT
    assert not verdict.calls_for_a_fix
    assert "deployment dep-1234" in verdict.action


# ---- leaks and limits ----


def test_a_leak_is_called_a_leak() -> None:
    for build in (
        cases.leak_since_a_commit,
        cases.leak_over_many_windows,
        cases.out_of_memory_kill_after_a_commit,
    ):
        assert "has leaked memory since a commit changed" in verdict_of(build).summary


def test_a_memory_limit_is_raised_to_half_as_much_again() -> None:
    for build in (cases.memory_near_its_limit, cases.out_of_memory_kill_without_a_suspect):
        assert "from 1 to 1.5 GB" in verdict_of(build).action


def test_a_volume_that_fills_up_names_the_time_that_is_left() -> None:
    assert "within 3 h" in verdict_of(cases.volume_that_fills_up_in_hours).action


def test_more_load_is_cited_for_a_verdict_of_traffic() -> None:
    verdict, evidence = diagnosed(cases.saturation_under_more_load)

    assert cited(verdict, evidence) == [FactKind.FINDING, FactKind.NO_LOG_ERRORS, FactKind.LOAD_GREW]


def test_a_surge_is_cited_though_it_is_only_a_notice() -> None:
    verdict, evidence = diagnosed(cases.saturation_beside_a_surge)

    assert cited(verdict, evidence).count(FactKind.FINDING) == 2


def test_refused_requests_since_a_commit_name_the_handler_of_the_route() -> None:
    verdict, evidence = diagnosed(cases.refusals_since_a_commit)

    assert "shop/web.py:7" in verdict.summary
    assert {FactKind.REQUESTS, FactKind.SUSPECT, FactKind.CHANGED_FILES} <= set(cited(verdict, evidence))
