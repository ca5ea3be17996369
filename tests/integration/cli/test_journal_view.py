"""`show`: one journal found by a part of its id, as text and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import redis

from tests.support.journals import INCIDENT_ID, incident_record
from workers.cli import journal_view, listing
from workers.engine.codec import pack
from workers.engine.schema import PREFIX
from workers.engine.worker_store import WorkerStore
from workers.errors import Refused
from workers.incidents import answers
from workers.models import (
    Answer,
    AnswerKind,
    Category,
    Evidence,
    Fact,
    FactKind,
    FollowUp,
    FollowUpResult,
    Gap,
    GapPart,
    PullRequest,
    Run,
    SlackMessage,
    Verdict,
    VerdictReason,
    Verification,
)

NOTIFICATION_KEY = f"{PREFIX}notification:{INCIDENT_ID}"
PULL = PullRequest(number=7, url="https://github.com/acme/shop/pull/7", draft=False, branch="b")
EVIDENCE = Evidence(
    facts=(Fact(kind=FactKind.FINDING, id="E1", text="9 of 30 requests failed"),),
    failed_reads=(Gap(part=GapPart.TRAFFIC, reason="refused"),),
)
VERDICT = Verdict(
    category=Category.CODE,
    reason=VerdictReason.ERROR_IN_CODE,
    summary="shop fails",
    supports=("E1",),
    action="roll back",
)


def show(journal: WorkerStore, name: str) -> str:
    return "\n".join(journal_view.render_journal(journal, name, datetime.now(UTC)))


def packed(message: SlackMessage) -> bytes:
    return pack(message, SlackMessage)


# ---- finding a journal -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        INCIDENT_ID,
        INCIDENT_ID.removeprefix("incident:"),
        "incident:ab",
        "abc:2026",
        "0304",
        f"{PREFIX}{INCIDENT_ID}",
    ],
)
def test_a_journal_is_found_by_its_id_its_beginning_or_a_part(
    journal: WorkerStore, reported: str, name: str
) -> None:
    journal.client.hset(NOTIFICATION_KEY, "stage", "notify")

    assert show(journal, name).startswith(INCIDENT_ID)


def test_an_id_that_begins_with_the_name_precedes_an_id_that_contains_it(
    journal: WorkerStore, reported: str
) -> None:
    journal.client.hset(f"{PREFIX}incident:xabc:1", "stage", "watch")

    assert show(journal, "abc").startswith(INCIDENT_ID)


def test_an_ambiguous_name_is_refused_with_the_matching_ids(journal: WorkerStore, reported: str) -> None:
    for number in range(10):
        journal.client.hset(f"{PREFIX}incident:abc:20261124T00{number:02}", "stage", "watch")

    with pytest.raises(
        Refused, match="abc: several journals match:\n  incident:abc:20261124T0009\n"
    ) as error:
        show(journal, "abc")

    assert str(error.value).endswith("and 3 more")


def test_an_unknown_name_is_refused_with_similar_ids(journal: WorkerStore, reported: str) -> None:
    with pytest.raises(Refused, match=f"no such journal; similar ids:\n  {INCIDENT_ID}"):
        show(journal, "abc:20261123T0340")

    with pytest.raises(Refused, match="no such journal; `list` shows the scheduled journals"):
        show(journal, "zzz")


def test_a_key_that_is_no_journal_is_refused(journal: WorkerStore, reported: str) -> None:
    with pytest.raises(Refused, match="no such journal"):
        show(journal, "schedule")


# ---- text ------------------------------------------------------------------------------------


def test_a_journal_is_shown_in_the_order_of_the_pipeline(
    journal: WorkerStore, reported: str, store: redis.Redis
) -> None:
    store.hset(
        reported,
        mapping={
            "firings": 3, "token": "0123456789abcdef", "r:incident": incident_record("shop"), "r:fix": b"0j{}",
            "r:evidence": pack(EVIDENCE, Evidence), "r:verdict": pack(VERDICT, Verdict),
            "r:pull": pack(PULL, PullRequest),
        },
    )  # fmt: skip
    store.hset(NOTIFICATION_KEY, "r:ack", packed(SlackMessage(ts="17.1", channel="C1")))

    text = show(journal, "abc")

    expected = [
        "waiting in stage `watch`, due now", "firings: 3", "incident: shop in acme/production", "evidence: 1 fact\n",
        "verdict: code: shop fails", "fix: cannot be read", "pull: #7 open: https://",
        "outcome: reported: not fixed", "posted: ack: C1 17.1",
    ]  # fmt: skip
    positions = [text.find(line) for line in expected]
    assert -1 not in positions and positions == sorted(positions), text
    assert "could not read: traffic: refused" in text and "E1: 9 of 30 requests failed" in text
    assert "0123456789abcdef" not in text


def test_a_running_journal_is_shown_with_its_lease(journal: WorkerStore, reported: str) -> None:
    assert journal.claim(reported, "watch") is not None

    assert "  running stage `watch` (lease until " in show(journal, "abc")


def test_a_follow_up_is_shown_with_its_measurement_and_gaps(
    journal: WorkerStore, reported: str, store: redis.Redis
) -> None:
    measured = FollowUp(result=FollowUpResult.VERIFIED, minutes=30.0, requests=2400, still_affected=("web",))
    gap = Gap(part=GapPart.TRAFFIC, subject="shop", reason="Railway answered 503")
    unmeasured = FollowUp(result=FollowUpResult.UNMEASURED, gaps=(gap,))

    store.hset(reported, "r:follow_up", pack(measured, FollowUp))
    text = show(journal, "abc")
    store.hset(reported, "r:follow_up", pack(unmeasured, FollowUp))

    assert "follow_up: verified\n    0 of 2,400 requests failed in the 30 min after deployment\n" in text
    assert "    still affected: web" in text
    assert "    could not read: traffic of shop: Railway answered 503" in show(journal, "abc")


def test_a_verification_is_shown_with_its_runs_and_reasons(
    journal: WorkerStore, reported: str, store: redis.Redis
) -> None:
    verification = Verification(
        decision="ready",
        reproduction_before=Run(command="pytest test_it.py", outcome="failed", seconds=0.21),
        reproduction_after=Run(command="pytest test_it.py", outcome="passed", seconds=0.2),
        notes=("one test was skipped",),
    )

    store.hset(reported, "r:verification", pack(verification, Verification))

    assert show(journal, "abc").splitlines()[-5:-1] == [
        "verification: ready",
        "    reproduction before the fix: failed: pytest test_it.py (0.2 s)",
        "    reproduction after the fix: passed: pytest test_it.py (0.2 s)",
        "    note: one test was skipped",
    ]


def test_a_notification_shows_its_posts_and_the_texts_that_are_not_posted(journal: WorkerStore) -> None:
    journal.open_with(NOTIFICATION_KEY, "notify", {f"on:{PREFIX}x": "y"})
    unposted = SlackMessage(digest="d", text="*shop*: Fix verified\n0 of 9 requests failed")
    journal.client.hset(
        NOTIFICATION_KEY,
        mapping={
            "r:outcome": packed(SlackMessage(ts="1.2", channel="C1", digest="d")),
            "r:watch": packed(unposted),
        },
    )

    lines = show(journal, f"notification:{INCIDENT_ID}").splitlines()

    assert lines[-4:] == [
        "posted: outcome: C1 1.2",
        "would be posted: watch:",
        "    *shop*: Fix verified",
        "    0 of 9 requests failed",
    ]
    assert "cannot be read" not in str(lines) and f"on:{PREFIX}x" not in str(lines)


# ---- untrusted text --------------------------------------------------------------------------


def test_untrusted_text_cannot_control_the_terminal(
    journal: WorkerStore, reported: str, store: redis.Redis
) -> None:
    reason = b"\x1b[2Jgone\nopen: all is well"
    store.hset(reported, mapping={"reason": reason, "r:incident": incident_record("shop\x9b2J")})
    now = datetime.now(UTC)

    lines = [
        *listing.render_overview(journal, now),
        *journal_view.render_journal(journal, "abc", now),
    ]
    output = json.dumps([listing.collect(journal, now), journal_view.collect_journal(journal, "abc")])

    assert "gone open: all is well" in "".join(lines)
    assert not {"\x1b", "\x9b", "\n"} & set("".join(lines))
    assert output.isascii() and output.isprintable()


def test_secrets_are_redacted(journal: WorkerStore, reported: str, store: redis.Redis) -> None:
    secret = "ghp_" + "a1B2" * 9
    incident = incident_record(f"shop {secret}")
    store.hset(reported, mapping={"reason": f"refused with {secret}", "r:incident": incident})
    now = datetime.now(UTC)

    text = show(journal, "abc")
    output = json.dumps([journal_view.collect_journal(journal, "abc"), listing.collect(journal, now)])

    assert secret not in text + output
    assert "[redacted]" in text


# ---- JSON ------------------------------------------------------------------------------------


def test_json_output_has_every_record_and_those_of_the_notification(
    journal: WorkerStore, reported: str, store: redis.Redis
) -> None:
    store.hset(reported, mapping={"r:incident": incident_record("shop"), "token": "0123", "r:plan": b"9j{}"})
    store.hset(NOTIFICATION_KEY, "r:ack", packed(SlackMessage(ts="17.1")))

    values = journal_view.collect_journal(journal, "abc")

    assert values["id"] == INCIDENT_ID
    assert values["records"]["incident"]["findings"][0]["sentence"] == "shop answers with 5xx"
    assert values["records"]["plan"] is None
    assert values["notification"]["records"]["ack"]["ts"] == "17.1"
    assert "token" not in values["fields"]


def test_json_output_has_the_answer_of_an_alert_as_plain_values(journal: WorkerStore) -> None:
    gaps = tuple(
        Gap(part=GapPart.TRAFFIC, subject=f"service-{number}", reason="x" * 99) for number in range(20)
    )
    answers.report(journal, "gaps", Answer(kind=AnswerKind.NO_PROBLEM, minutes=30, failed_reads=gaps))

    values = journal_view.collect_journal(journal, "notification:operational:gaps")

    assert values["fields"]["answer"]["kind"] == "no_problem"
    assert values["fields"]["answer"]["failed_reads"][19]["subject"] == "service-19"
