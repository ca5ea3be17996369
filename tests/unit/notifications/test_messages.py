"""The texts that people read in Slack, rendered from values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support import builders
from workers.models import (
    Alert,
    Answer,
    AnswerKind,
    Category,
    Evidence,
    Fact,
    FactKind,
    Finding,
    FollowUp,
    FollowUpResult,
    Gap,
    GapPart,
    Incident,
    Outcome,
    Severity,
    Verdict,
    VerdictReason,
)
from workers.notifications.answer_texts import format_alert_headline, format_answer
from workers.notifications.follow_up_texts import format_follow_up
from workers.notifications.messages import (
    describe_finding,
    render,
    summarise_verdict,
)

GAP = Gap(part=GapPart.TRAFFIC, reason="Railway answered 503")
VERDICT = Verdict(category=Category.CODE, reason=VerdictReason.ERROR_IN_CODE, summary="a KeyError in shop")


def failing(name: str = "api", **fields: Any) -> Finding:
    values = {"severity": Severity.WARNING, "numbers": {"failed_percent": 12.04}}
    return builders.finding(name=name, **values | fields)


def ack_lines(incident: Incident, **arguments: Any) -> list[str]:
    """The acknowledgement of an incident that nothing else is known about."""
    values: dict[str, Any] = {"verdict": None, "outcome": None, "follow_up": None, "reason": ""}
    return render(incident, **values | arguments).ack.splitlines()


# ---- an incident -----------------------------------------------------------------------------


def test_the_first_line_names_service_trouble_and_start() -> None:
    sentence = "12 % of requests failing since 11:48 UTC, ongoing"

    lines = ack_lines(builders.incident(failing(sentence=sentence)))

    assert lines == [f"🟠 *api* in acme/production: {sentence}", "Looking into it."]


def test_further_findings_have_a_line_each_and_name_other_services() -> None:
    findings = (failing(sentence="5xx"), failing(sentence="CPU at 97 %"), failing("web", sentence="OOM"))

    lines = ack_lines(builders.incident(*findings))

    assert lines[1:3] == ["• CPU at 97 %", "• web: OOM"]


@pytest.mark.parametrize(
    ("kind", "numbers", "text"),
    [
        ("latency", {"p95_ms": 3434.0}, "p95 latency 3.4 s"),
        ("latency", {"p95_ms": 48.2}, "p95 latency 48 ms"),
        ("client_errors", {"refused_percent": 31.0}, "31 % of requests were refused"),
        ("cpu", {"mean_percent": 97.0, "peak_percent": 99.0}, "CPU at 99 % of its limit"),
        ("memory_growth", {"now_percent": 81.4}, "memory at 81 % of its limit"),
        ("volume", {"used_percent": 91.0}, "volume 91 % full"),
        ("restart_loop", {"starts": 9.0}, "restart loop"),
    ],
)
def test_a_finding_is_described_by_its_most_telling_number(
    kind: str, numbers: dict[str, float], text: str
) -> None:
    assert describe_finding(builders.finding(kind, numbers=numbers)) == text


def test_the_outcome_repeats_the_first_line_and_then_says_what_was_done() -> None:
    outcome = Outcome(kind="pull request", headline="PR #7 is ready", lines=("tested",), link="https://x/7")

    lines = render(builders.incident(failing()), VERDICT, outcome, None, "").outcome.splitlines()

    assert lines[0].startswith("🟠 *api* in acme/production: ")
    assert lines[1:] == [
        "PR #7 is ready",
        "• Bug in the code: a KeyError in shop",
        "• tested",
        "<https://x/7>",
    ]


def test_a_verdict_that_the_outcome_states_is_not_repeated() -> None:
    outcome = summarise_verdict(VERDICT, Evidence())

    messages = render(builders.incident(failing()), VERDICT, outcome, None, "")

    assert messages.outcome.count("a KeyError in shop") == 1
    assert messages.ack.count("a KeyError in shop") == 1


def test_a_summary_lists_action_evidence_gaps_and_next_steps() -> None:
    verdict = Verdict(
        category=Category.INCONCLUSIVE,
        reason=VerdictReason.NO_RULE_APPLIES, summary="no fact explains it", action="wait", supports=("E1",),
        contradicts=("E2",), next_checks=("read the logs",),
    )  # fmt: skip
    facts = (
        Fact(id="E1", kind=FactKind.LOAD_GREW, text="p95 rose"),
        Fact(id="E2", kind=FactKind.LOAD_STEADY, text="load fell"),
    )

    outcome = summarise_verdict(verdict, Evidence(facts=facts, failed_reads=(GAP,)))

    assert outcome.headline == "Cause unknown: no fact explains it"
    assert outcome.lines == (
        "wait",
        "Evidence: p95 rose",
        "Contradicting: load fell",
        "Could not read: traffic: Railway answered 503",
        "Next step: read the logs",
    )


def test_symptom_services_share_one_line_with_their_worst_findings() -> None:
    slow = failing("checkout", kind="latency", numbers={"p95_ms": 4100.0}, severity=Severity.CRITICAL)
    mild = failing("checkout", kind="cpu", severity=Severity.NOTICE)

    lines = ack_lines(builders.incident(failing(), symptoms=(failing("web"), mild, slow)))

    assert lines[1] == "Also affected: checkout, web (p95 latency 4.1 s, 12 % of requests failed)"


def test_one_symptom_service_is_named_alone() -> None:
    lines = ack_lines(builders.incident(failing(), symptoms=(failing("web"),)))

    assert "Also affected: web (12 % of requests failed)" in lines


def test_names_of_symptom_services_cannot_mention_people_or_flood_the_line() -> None:
    names = ["<!channel>", "a\nb", "x" * 5000, "web", *(f"more{number}" for number in range(30))]
    symptoms = tuple(failing(name) for name in names)

    [line] = [line for line in ack_lines(builders.incident(failing(), symptoms=symptoms)) if "Also" in line]

    assert "&lt;!channel&gt;, a b, " in line
    assert "web and 30 more (" in line
    assert len(line) < 300


def test_the_first_line_cannot_be_broken_by_a_name() -> None:
    [line, *_] = ack_lines(builders.incident(failing(), name="<!here>\n" + "x" * 500))

    assert "*&lt;!here&gt; xxx" in line
    assert len(line) < 200


def test_a_waiting_incident_says_why_it_waits() -> None:
    assert ack_lines(builders.incident(failing()), reason="paused")[-1] == "Waiting: paused"


def test_repeated_detection_is_counted() -> None:
    assert ack_lines(builders.incident(failing()), firings=3)[-1] == "Detected in 3 checks."


def test_a_symptom_refers_to_its_cause_and_is_not_under_investigation() -> None:
    lines = ack_lines(
        builders.incident(failing()), reason="a symptom of x", symptom_of="*db*: see incident:1"
    )

    assert "This looks like a symptom of *db*: see incident:1" in lines
    assert not [line for line in lines if line.startswith(("Looking", "Waiting"))]


# ---- a follow-up -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("follow_up", "text"),
    [
        (
            FollowUp(result=FollowUpResult.VERIFIED, minutes=30, requests=2400),
            "Fix verified: 0 of 2,400 requests failed in the 30 minutes after deployment",
        ),
        (
            FollowUp(result=FollowUpResult.VERIFIED, minutes=0.2, requests=323),
            "Fix verified: 0 of 323 requests failed in the 12 seconds after deployment",
        ),
        (
            FollowUp(result=FollowUpResult.VERIFIED, minutes=1, still_affected=("web",)),
            (
                "Fix verified: the trouble is gone in the minute after deployment. "
                "Still affected, so there is another cause: web"
            ),
        ),
        (
            FollowUp(result=FollowUpResult.FAILED, remaining=failing(sentence="api fails")),
            "Fix did not work: api fails",
        ),
        (
            FollowUp(result=FollowUpResult.UNMEASURED, gaps=(GAP,)),
            "Fix could not be verified. Could not read: traffic: Railway answered 503",
        ),
        (
            FollowUp(result=FollowUpResult.UNMEASURED),
            "Fix could not be verified: the service no longer exists",
        ),
        (
            FollowUp(result=FollowUpResult.CLOSED, pull_number=7),
            "#7 was closed without being merged. It will not be proposed again without new evidence.",
        ),
        (
            FollowUp(result=FollowUpResult.RESOLVED, checks=2),
            "Resolved: two consecutive checks found it as it was before",
        ),
        (
            FollowUp(result=FollowUpResult.REMOVED, checks=3),
            "Resolved: the service was removed (three consecutive checks did not find it)",
        ),
        (
            FollowUp(result=FollowUpResult.ABANDONED, reason="GitHub answered 404"),
            "Follow-up stopped: GitHub answered 404",
        ),
    ],
)
def test_every_follow_up_is_one_sentence(follow_up: FollowUp, text: str) -> None:
    assert format_follow_up(follow_up) == text


def test_a_follow_up_names_the_service() -> None:
    resolved = FollowUp(result=FollowUpResult.RESOLVED, checks=2)

    messages = render(builders.incident(failing()), None, None, resolved, "")

    assert messages.follow_up == "*api*: Resolved: two consecutive checks found it as it was before"


# ---- an alert, and Trackwalker itself --------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer(kind=AnswerKind.NO_PROBLEM, minutes=30), "Checked the last 30 minutes: no problem found."),
        (
            Answer(kind=AnswerKind.UNCLEAR, minutes=1, failed_reads=(GAP,)),
            (
                "Checked the last minute, but not everything could be read, so this is no all-clear. "
                "Could not read: traffic: Railway answered 503."
            ),
        ),
        (Answer(kind=AnswerKind.CHECK_FAILED, reason="Railway answered 401"), "Check failed: Railway answered 401"),
        (Answer(kind=AnswerKind.CANCELLED), "Cancelled by a person."),
        (Answer(kind=AnswerKind.OPERATIONAL_ERROR, reason="text"), "text"),
    ],
)  # fmt: skip
def test_every_answer_says_what_was_checked(answer: Answer, text: str) -> None:
    assert format_answer(answer) == text


def test_missing_pings_name_the_last_one_and_what_to_look_at() -> None:
    last = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)

    missing = format_answer(Answer(kind=AnswerKind.PINGS_MISSING, at=last))
    resumed = format_answer(Answer(kind=AnswerKind.PINGS_RESUMED, at=last))

    assert missing.startswith("No scheduled check since 2026-11-23 03:04 UTC")
    assert "does TRACKWALKER_PUBLIC_URL reach this receiver?" in missing
    assert "2026-11-23 03:04 UTC" in resumed


def test_an_alerts_text_is_escaped_and_shortened() -> None:
    alert = Alert(
        id="a", source="slack", kind="message", received_at=datetime(2026, 11, 23, tzinfo=UTC),
        service_name="<shop>", message="<!channel> " + "x" * 5000,
    )  # fmt: skip

    headline = format_alert_headline(alert)

    assert headline.startswith("🔎 *&lt;shop&gt;*: &lt;!channel&gt; x")
    assert len(headline) < 400
