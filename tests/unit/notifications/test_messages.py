"""The first message of an incident for each of its states: a person reads one line on a locked telephone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.support import builders
from workers.models import (
    Acknowledgement,
    Category,
    Check,
    CodeLocation,
    Decision,
    DecisionKind,
    Evidence,
    Fact,
    FactKind,
    Finding,
    Fix,
    FollowUp,
    FollowUpResult,
    Gap,
    GapPart,
    Incident,
    LogPattern,
    MergeProgress,
    Outcome,
    Person,
    RecoveryProgress,
    Relapse,
    Repository,
    RequestPattern,
    Run,
    Severity,
    Suspect,
    Usage,
    Verdict,
    VerdictReason,
    Verification,
)
from workers.notifications.detail_posts import details_post
from workers.notifications.follow_up_texts import format_follow_up
from workers.notifications.incident_posts import first_post, follow_up_post, reminder_post, symptom_post
from workers.notifications.incident_state import IncidentState
from workers.notifications.messages import summarise_verdict
from workers.notifications.presentation import Presentation
from workers.notifications.slack_post import SlackPost
from workers.runtime.local_clock import LocalClock

NOW = builders.END + timedelta(minutes=20)
LOOK = Presentation(
    clock=LocalClock("Europe/Berlin"), page_url="https://tw.acme.dev", has_buttons=True, has_modals=True,
    users={"ada": "U0ADA"},
)  # fmt: skip
GAP = Gap(part=GapPart.TRAFFIC, reason="Railway answered 503")
PULL = builders.pull_request()
DANA = Person(name="dana", via="slack")
VERDICT = Verdict(
    category=Category.CODE, reason=VerdictReason.ERROR_IN_CODE, summary="a KeyError in shop", action="roll back",
    supports=("E1",), contradicts=("E2",), next_checks=("read the logs",),
)  # fmt: skip
ERROR = LogPattern(
    template="KeyError: <name>", headline="KeyError: 'gift'", exception="KeyError", count=40, level="error",
    first=builders.ONSET, last=builders.END, sample="…",
)  # fmt: skip
EVIDENCE = Evidence(
    facts=(
        Fact(id="E1", kind=FactKind.LOAD_GREW, text="40 log errors"),
        Fact(id="E2", kind=FactKind.LOAD_STEADY, text="load fell"),
    ),
    patterns=(ERROR,),
    locations=(CodeLocation(file="shop/pricing.py", line=5, why="stack"),),
    suspect=Suspect(
        deployment_id="d", commit="a1b2c3d4e5f6", at=builders.ONSET - timedelta(seconds=5), author="ada",
        message="gift cards\n\nmore",
    ),
    repository=Repository(name="acme/shop", base="main", deployed="a1b2c3d4e5f6"),
    requests=(
        RequestPattern(method="POST", route="/orders", path="/orders", status=500, count=9, slowest_ms=9.0),
    ),
    failed_reads=(GAP,),
)  # fmt: skip
PASSED = Run(command="python3 -m unittest", outcome="passed", passed=212)
FAILED = Run(command="python3 -m unittest", outcome="failed")
READY = Verification(
    decision="ready",
    reproduction_before=FAILED,
    reproduction_after=PASSED,
    checks=(Check(before=PASSED, after=PASSED),),
)


def errors(**fields: Any) -> Finding:
    return builders.finding(**{"numbers": {"failed": 848.0, "requests": 900.0}} | fields)


def state(*findings: Finding, **fields: Any) -> IncidentState:
    opened = {name: fields.pop(name) for name in ("symptoms", "relapse", "name") if name in fields}
    return IncidentState(builders.incident(*(findings or (errors(),)), **opened), **fields)


def proposed(**fields: Any) -> IncidentState:
    outcome = Outcome(kind="pull request", headline="Pull request #41 is ready", link=PULL.url)
    values = {
        "verdict": VERDICT, "evidence": EVIDENCE, "outcome": outcome, "pull": PULL, "verification": READY,
    } | fields  # fmt: skip
    return state(**values)


def post_of(shown: IncidentState, look: Presentation = LOOK) -> SlackPost:
    return first_post(shown, look, NOW)


# ---- the first line --------------------------------------------------------------------------


def test_the_first_line_names_service_trouble_and_local_start() -> None:
    assert post_of(state()).headline == "🔴 api · production: 94 % of requests fail since 12:48"


def test_errors_come_before_latency_whatever_was_measured_first() -> None:
    slow = builders.finding("latency", numbers={"p95_ms": 3434.0, "baseline_ms": 48.0})

    post = post_of(state(slow, errors()))

    assert "94 % of requests fail since" in post.headline
    assert "Also: p95 3.4 s (usually 48 ms)" in post.lines


def test_a_graver_finding_comes_before_errors_that_are_a_warning() -> None:
    slow = builders.finding("latency", numbers={"p95_ms": 28_000.0})

    assert "p95 28 s" in post_of(state(errors(severity=Severity.WARNING), slow)).headline


def test_times_say_utc_unless_a_zone_is_set() -> None:
    assert post_of(state(), Presentation()).headline.endswith("since 11:48 UTC")


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        ("server_errors", {"numbers": {"failed": 900.0, "requests": 900.0}}, "100 % of requests fail since 12:48"),
        ("server_errors", {"numbers": {"failed": 899.0, "requests": 900.0}}, "99.9 % of requests fail since 12:48"),
        ("latency", {"numbers": {"p95_ms": 3434.0, "baseline_ms": 48.0}}, "p95 3.4 s (usually 48 ms) since 12:48"),
        ("cpu", {"numbers": {"mean_percent": 97.0, "limit_vcpu": 2.0}}, "CPU at 97 % of 2 vCPU since 12:48"),
        ("volume", {"numbers": {"used_percent": 91.0}}, "volume 91 % full since 12:48"),
        ("crashed", {"numbers": {"running_replicas": 0.0}}, "down, crashed since 12:48"),
        ("restart_loop", {"numbers": {"starts": 9.0}}, "restarts again and again (9 starts) since 12:48"),
        ("client_errors", {"numbers": {"refused_percent": 31.0}}, "31 % of requests are refused (4xx) since 12:48"),
        (
            "memory_growth",
            {"numbers": {"now_percent": 84.0, "limit_gb": 1.0}, "seconds_to_limit": 540.0},
            "out of memory in about 9 min (84 % of 1 GB), growing since 12:48",
        ),
        (
            "server_errors",
            {"numbers": {"failed": 848.0, "requests": 900.0}, "ongoing": False, "last_seen": builders.END},
            "94 % of requests failed, 12:48–13:00 (12 min)",
        ),
        (
            "server_errors",
            {"numbers": {"failed": 848.0, "requests": 900.0}, "chronic": True},
            "94 % of requests fail, unchanged as far back as the data goes",
        ),
        (
            "server_errors",
            {"since": builders.START, "numbers": {"failed_percent": 12.04}},
            "12 % of requests fail since 12:30 or earlier",
        ),
        ("missing", {}, "down, no deployment left since 12:48"),
        ("latency", {"sentence": "p95 latency 3 s"}, "p95 latency 3 s"),
    ],
)  # fmt: skip
def test_trouble_is_named_by_its_most_telling_number(kind: str, fields: dict[str, Any], words: str) -> None:
    assert post_of(state(builders.finding(kind, **fields))).headline.partition("production: ")[2] == words


@pytest.mark.parametrize(
    ("shown", "start"),
    [
        (proposed(), "🔴 api · production: 94 % of requests fail since 12:48"),
        (
            proposed(pull=builders.pull_request(state="merged"), trouble_until=builders.END),
            "🟡 api · production: #41 is merged, waiting for its deployment. 94 % of requests fail since 12:48",
        ),
        (
            state(recovery=RecoveryProgress(clean_checks=1, required_checks=2, healthy_since=builders.END)),
            "🟡 api · production: looks healthy since 13:00, still checking. Before: 94 % of requests failed",
        ),
        (
            proposed(follow_up=FollowUp(result=FollowUpResult.VERIFIED, minutes=30, requests=2400)),
            "✅ api · production: fixed by #41. 0 of 2,400 requests failed in the 30 min since its deployment",
        ),
        (
            proposed(follow_up=FollowUp(result=FollowUpResult.FAILED, remaining=errors())),
            "🔴 api · production: #41 did not help: 94 % of requests fail",
        ),
        (
            proposed(follow_up=FollowUp(result=FollowUpResult.NOT_DEPLOYED, pull_number=41)),
            "🔴 api · production: #41 is merged but not live, 94 % of requests fail since 12:48",
        ),
        (
            state(follow_up=FollowUp(result=FollowUpResult.RESOLVED, checks=2), trouble_until=builders.END),
            "✅ api · production: resolved. 94 % of requests failed, 12:48–13:00 (12 min)",
        ),
        (
            state(outcome=Outcome(kind="blocked", headline="A tested fix waits for a permission")),
            "🔴 api · production: a tested fix waits for a permission. 94 % of requests fail",
        ),
        (state(outcome=Outcome(kind="cancelled", headline="Cancelled")), "⚪ api · production: cancelled. 94 %"),
        (
            state(decision=Decision(id="d", kind=DecisionKind.NOT_A_PROBLEM, person=DANA, at=builders.END)),
            "⚪ api · production: not a problem. 94 % of requests fail",
        ),
        (
            state(relapse=Relapse(incident_id="incident:f:0", result="fix_verified", ended_at=builders.END)),
            "🔴 api · production: again: 94 % of requests fail since 12:48",
        ),
    ],
)  # fmt: skip
def test_the_first_line_shows_the_present_state(shown: IncidentState, start: str) -> None:
    assert post_of(shown).headline.startswith(start)


# ---- what was done, the cause, what to do ----------------------------------------------------


def test_a_pull_request_is_the_second_line_with_its_proof() -> None:
    assert post_of(proposed()).lines[0] == (
        "Fix is ready: <https://github.com/acme/shop/pull/41|#41>. "
        "New test fails without it, passes with it; 212 other tests as before."
    )


def test_the_cause_names_error_place_commit_and_author() -> None:
    assert post_of(proposed()).lines[1] == (
        "`KeyError: 'gift'` in `shop/pricing.py:5`, since "
        '<https://github.com/acme/shop/commit/a1b2c3d4e5f6|a1b2c3d> "gift cards" (ada <@U0ADA>, 12:47)'
    )


def test_an_author_who_is_not_mapped_is_only_named() -> None:
    assert "(ada, 12:47)" in post_of(proposed(), Presentation(clock=LOOK.clock)).text


def test_an_old_deployment_is_named_with_its_age_and_not_as_the_cause() -> None:
    assert EVIDENCE.suspect is not None
    old = EVIDENCE.suspect.model_copy(update={"at": builders.ONSET - timedelta(days=3)})

    lines = post_of(proposed(evidence=EVIDENCE.model_copy(update={"suspect": old}))).lines

    assert lines[1] == "`KeyError: 'gift'` in `shop/pricing.py:5`"
    assert lines[2].startswith("Last deployment: ") and lines[2].endswith(
        '"gift cards" by ada <@U0ADA>, 3 days before'
    )


def test_a_leak_with_time_left_is_restarted_first() -> None:
    numbers = {"grown_gb": 0.54, "minutes_seen": 30.0, "now_percent": 84.0, "limit_gb": 1.0}
    leak = builders.finding("memory_growth", numbers=numbers, seconds_to_limit=540.0)

    [advice] = [line for line in post_of(state(leak)).lines if line.startswith("*Now:*")]

    assert advice == (
        "*Now:* <https://railway.com/project/p/service/svc-api?environmentId=e|restart it in Railway>. "
        "This frees the memory and buys about 39 min."
    )


def test_without_a_cause_the_best_lead_is_named() -> None:
    verdict = VERDICT.model_copy(update={"category": Category.INCONCLUSIVE, "action": ""})

    lines = post_of(state(verdict=verdict, evidence=EVIDENCE, outcome=summarise_verdict(verdict))).lines

    assert lines[0].startswith("Cause not found yet: a KeyError in shop")
    assert "*Best lead:* 40 log errors" in lines
    assert "*Next:* read the logs" in lines


def test_trouble_that_is_over_makes_no_forecast() -> None:
    leak = builders.finding(
        "memory_growth", numbers={"now_percent": 84.0, "limit_gb": 1.0}, seconds_to_limit=540.0
    )
    ended = FollowUp(result=FollowUpResult.RESOLVED, checks=2)

    post = post_of(state(leak, follow_up=ended, trouble_until=builders.END))

    assert post.headline == "✅ api · production: resolved. Memory grew to 84 % of 1 GB, 12:48–13:00 (12 min)"


def test_a_cause_outside_the_code_does_not_blame_the_last_deployment() -> None:
    verdict = VERDICT.model_copy(update={"category": Category.UPSTREAM, "summary": "Stripe answers 503"})

    lines = post_of(state(verdict=verdict, evidence=EVIDENCE)).lines

    assert "Upstream: Stripe answers 503" in lines
    assert any(line.startswith("Deployed around that time: ") for line in lines)


def test_requests_routes_and_symptoms_say_who_suffers() -> None:
    slow = builders.finding("latency", name="checkout", numbers={"p95_ms": 4100.0})
    web = builders.finding(name="web", severity=Severity.WARNING, numbers={"failed_percent": 12.04})

    lines = post_of(state(symptoms=(web, slow), evidence=EVIDENCE)).lines

    assert "Affected: 848 of 900 requests: POST /orders" in lines
    assert "Also affected: checkout, web (p95 4.1 s, 12 % of requests fail)" in lines


def test_names_of_symptom_services_cannot_mention_people_or_flood_the_line() -> None:
    names = ["<!channel>", "a\nb", "x" * 5000, "web", *(f"more{number}" for number in range(30))]
    symptoms = tuple(builders.finding(name=name) for name in names)

    [line] = [line for line in post_of(state(symptoms=symptoms)).lines if line.startswith("Also affected")]

    assert "&lt;!channel&gt;, a b, " in line
    assert "web and 30 more (" in line
    assert len(line) < 300


def test_the_first_line_cannot_be_broken_by_a_name() -> None:
    headline = post_of(state(name="<!here>\n" + "x" * 500)).headline

    assert headline.startswith("🔴 &lt;!here&gt; xxx")
    assert "\n" not in headline and len(headline) < 250


def test_a_waiting_incident_says_why_it_waits() -> None:
    assert post_of(state(reason="paused")).lines[0] == "Waiting: paused"


def test_a_fix_that_waits_for_a_permission_says_which_and_is_kept() -> None:
    outcome = Outcome(
        kind="blocked", headline="x", waits_for="GITHUB_TOKEN may not push to acme/shop. Give it access."
    )

    assert post_of(state(outcome=outcome, verification=READY)).lines[:2] == (
        "A fix is written and tested. New test fails without it, passes with it; 212 other tests as before.",
        "GITHUB_TOKEN may not push to acme/shop. Give it access. Then try again: the fix is kept.",
    )


def test_a_fix_that_waits_for_a_service_says_so_beside_the_cause() -> None:
    outcome = Outcome(kind="delayed", headline="x", states_verdict=True, waits_for="the model is away")

    lines = post_of(state(outcome=outcome, verdict=VERDICT, evidence=EVIDENCE)).lines

    assert lines[0] == "The fix waits and is tried again by itself. The model is away."
    assert lines[1].startswith("`KeyError: 'gift'` in `shop/pricing.py:5`")


def test_a_merge_is_followed_from_deployment_to_the_end_of_the_watch() -> None:
    merge = MergeProgress(
        pull_number=41, pull_url=PULL.url, merged_at=builders.END, merged_by="lea",
        deployed_at=builders.END + timedelta(minutes=2), requests=120,
        watching_until=builders.END + timedelta(minutes=32),
    )  # fmt: skip

    post = post_of(proposed(pull=builders.pull_request(state="merged"), merge=merge))

    assert "#41 is deployed: 0 of 120 requests failed so far." in post.headline
    assert post.lines[0].endswith(
        "|#41> merged by lea 13:00, deployed 13:02: 0 of 120 requests failed so far; watching until 13:32"
    )


def test_trouble_that_came_back_names_the_pull_request_that_does_not_cover_it() -> None:
    relapse = Relapse(
        incident_id="incident:f:0", result="fix_verified", ended_at=builders.END - timedelta(minutes=21),
        pull_number=29, pull_url="https://github.com/acme/shop/pull/29", healthy_minutes=9,
    )  # fmt: skip

    assert post_of(state(relapse=relapse)).lines[1] == (
        "<https://github.com/acme/shop/pull/29|#29> was confirmed at 12:39, 9 min before it came back: "
        "it does not cover this case."
    )


def test_a_verified_fix_says_how_long_it_was_down() -> None:
    verified = FollowUp(
        result=FollowUpResult.VERIFIED, minutes=30, requests=2400, deployed_at=builders.END,
        requests_before=900, failed_requests_before=848,
    )  # fmt: skip

    lines = post_of(proposed(follow_up=verified)).lines

    assert "Down 12:48–13:00 (12 min); 848 of 900 requests failed when it was found" in lines


def test_the_footer_has_times_cost_and_the_way_to_railway() -> None:
    fix = Fix(base_commit="b", patch="x", files=("a.py",), committed_at=NOW)

    times, place = post_of(
        proposed(fix=fix, usage=Usage(tokens=38_123, cost_usd=0.21), posted_at=builders.END, firings=3)
    ).footer

    assert times == "seen 13:00 · told 13:00 · fix 13:20 · 3 checks · 38k tokens, $0.21"
    assert place == (
        "acme/production · incident ffffffff · "
        "<https://railway.com/project/p/service/svc-api?environmentId=e|open in Railway>"
    )


# ---- people ----------------------------------------------------------------------------------


def test_the_owner_and_a_snooze_are_shown_and_remove_the_button() -> None:
    until = NOW + timedelta(hours=1)
    snooze = Decision(id="d", kind=DecisionKind.SNOOZE, person=DANA, at=NOW, until=until)
    owner = Acknowledgement(person=DANA, at=builders.END + timedelta(minutes=12))

    post = post_of(state(acknowledged=owner, decision=snooze))

    assert post.lines[1:3] == ("dana has it since 13:12", "Snoozed until 14:20 by dana")
    assert [button.label for button in post.buttons] == ["Details"]


def test_a_snooze_that_is_over_is_not_shown() -> None:
    snooze = Decision(id="d", kind=DecisionKind.SNOOZE, person=DANA, at=builders.END, until=NOW)

    assert "Snoozed" not in post_of(state(decision=snooze)).text


def test_not_a_problem_says_who_until_when_and_why_and_can_be_undone() -> None:
    decision = Decision(
        id="d7", kind=DecisionKind.NOT_A_PROBLEM, person=DANA, at=NOW, until=NOW + timedelta(days=7), reason="load test"
    )  # fmt: skip

    post = post_of(state(decision=decision))

    assert post.lines[0] == "dana says that this is not a problem until 27 Nov 13:20: load test"
    assert [(button.label, button.value) for button in post.buttons] == [
        ("Undo", "d7"),
        ("Details", ""),
    ]
    assert post.menu == ()


def test_a_reminder_says_who_has_it() -> None:
    owner = Acknowledgement(person=DANA, at=builders.END)

    post = reminder_post(state(acknowledged=owner), LOOK, NOW)

    assert post.headline == "🔴 api · production: 94 % of requests fail since 12:48"
    assert post.lines[0] == "Still not better. dana has it since 13:00."


# ---- buttons ---------------------------------------------------------------------------------

SNOOZES = ["Snooze 1 h", "Snooze 4 h", "Snooze until 9:00"]


def test_a_pull_request_has_three_buttons_and_a_menu() -> None:
    post = post_of(proposed())

    assert [(button.label, button.action_id, button.style) for button in post.buttons] == [
        ("Open #41", "open_pull_request", "primary"),
        ("Details", "open_details", ""),
        ("Acknowledge", "acknowledge", ""),
    ]
    assert [item.label for item in post.menu] == [*SNOOZES, "Not a problem…", "Check again"]
    assert all(item.value.endswith(f" {builders.incident().id}") for item in post.menu)


@pytest.mark.parametrize(
    ("kind", "label", "action_id"),
    [("waiting", "Fix it", "fix"), ("failed", "Try again", "retry"), ("blocked", "Try again", "retry")],
)
def test_what_waits_for_a_person_is_the_first_button(kind: Any, label: str, action_id: str) -> None:
    button = post_of(state(outcome=Outcome(kind=kind, headline="x"))).buttons[0]

    assert (button.label, button.action_id, button.value) == (label, action_id, builders.incident().id)


def test_without_a_signing_secret_every_button_is_a_link_to_the_page() -> None:
    post = post_of(proposed(), Presentation(page_url="https://tw.acme.dev"))

    assert all(button.url for button in post.buttons)
    assert all(item.url for item in post.menu)


def test_without_a_public_address_only_the_pull_request_can_be_opened() -> None:
    post = post_of(proposed(), Presentation())

    assert [button.label for button in post.buttons] == ["Open #41"]
    assert post.menu == ()


def test_a_command_is_named_only_where_no_button_exists() -> None:
    waiting = state(outcome=Outcome(kind="waiting", headline="x"))
    command = f"`trackwalker fix {builders.incident().id}`"

    assert command in post_of(waiting, Presentation()).text
    assert "trackwalker" not in post_of(waiting).text
    assert "trackwalker" not in post_of(waiting, Presentation(page_url="https://tw.acme.dev")).text


def test_an_ended_incident_offers_nothing_but_its_page() -> None:
    post = post_of(state(follow_up=FollowUp(result=FollowUpResult.RESOLVED, checks=2)))

    assert [button.label for button in post.buttons] == ["Details"]


# ---- replies ---------------------------------------------------------------------------------


def test_the_details_number_the_facts_and_name_what_is_missing() -> None:
    details = details_post(proposed(outcome=summarise_verdict(VERDICT)), LOOK)

    assert details is not None
    assert details.lines == (
        "*Bug in the code:* a KeyError in shop",
        "Evidence: E1",
        "Contradicting: E2",
        "• E1: 40 log errors",
        "• E2: load fell",
        "Not available: traffic: Railway answered 503",
        "Next step: read the logs",
        "<https://tw.acme.dev/incidents/ffffffffffffffff-20261120T1200|Everything about this incident>",
    )


def test_a_fix_that_failed_says_so_and_keeps_its_buttons() -> None:
    post = follow_up_post(
        proposed(follow_up=FollowUp(result=FollowUpResult.FAILED, remaining=errors())), LOOK
    )

    assert post.headline == "🔴 api · production: #41 did not help: 94 % of requests fail"
    assert [button.label for button in post.buttons] == ["Open #41", "Details", "Acknowledge"]


def test_a_symptom_refers_to_its_cause_and_is_not_under_investigation() -> None:
    shown = state(cause="*db*: see incident:1", reason="a symptom of x")

    assert symptom_post(shown).text == "api: this looks like a symptom of *db*: see incident:1"
    assert post_of(shown).lines[0] == "This looks like a symptom of *db*: see incident:1"


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
            FollowUp(result=FollowUpResult.FAILED, remaining=errors(sentence="api fails")),
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
            "Resolved: two checks in a row found it back to normal",
        ),
        (
            FollowUp(result=FollowUpResult.REMOVED, checks=3),
            "Resolved: the service was removed (three checks in a row did not find it)",
        ),
        (
            FollowUp(result=FollowUpResult.ABANDONED, reason="GitHub answered 404"),
            "Follow-up stopped: GitHub answered 404",
        ),
    ],
)
def test_every_follow_up_is_one_sentence(follow_up: FollowUp, text: str) -> None:
    assert format_follow_up(follow_up) == text


def test_the_digest_changes_with_anything_that_people_see() -> None:
    shown: Incident = builders.incident(errors())
    posts = [
        post_of(IncidentState(shown)),
        post_of(IncidentState(shown, reason="paused")),
        post_of(IncidentState(shown, firings=2)),
        post_of(IncidentState(shown), Presentation()),
    ]

    assert len({post.digest for post in posts}) == len(posts)
