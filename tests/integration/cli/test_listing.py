"""What people see of the journals, and mending on demand."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from workers.cli import control, journal_view, listing
from workers.clients.railway.quota import RateLimit
from workers.engine.codec import pack
from workers.engine.schema import OPEN, PREFIX, SCHEDULE, EndedAs
from workers.engine.worker_store import WorkerStore
from workers.errors import Refused
from workers.incidents import request_quota
from workers.models import (
    Category,
    Evidence,
    Fact,
    FactKind,
    Finding,
    Gap,
    GapPart,
    Incident,
    Outcome,
    PullRequest,
    Severity,
    SlackMessage,
    Subject,
    Verdict,
    VerdictReason,
    Verification,
    Window,
)

ID = "incident:abc:20261123T0304"
TOLD = Outcome(kind="reported", headline="not mended")
WAITING = Outcome(kind="waiting", headline="code: shop fails")
PULL = PullRequest(number=7, url="https://github.com/acme/shop/pull/7", draft=False, branch="b")


@pytest.fixture
def told(journal: WorkerStore, store: redis.Redis) -> str:
    """The key of an incident whose round was told and is watched."""
    key = f"{PREFIX}incident:abc:20261123T0304"
    journal.open_with(key, "watch", {"r:outcome": pack(TOLD, Outcome)})
    for record in ("r:plan", "r:base", "r:fix"):
        store.hset(key, record, b"1j1")
    store.hset(OPEN, "abc", key)
    return key


def test_an_incident_that_was_only_told_is_planned_afresh(journal: WorkerStore, told: str) -> None:
    said = control.request_fix(journal, "abc:20261123T0304")

    fields = journal.fields(told)
    assert said == ["incident:abc:20261123T0304: sent to planning"]
    assert fields["stage"] == b"plan"
    assert not {"r:outcome", "r:plan", "r:base", "r:fix"} & set(fields)


def test_a_patch_that_was_proved_and_only_not_proposed_is_kept(
    journal: WorkerStore, told: str, store: redis.Redis
) -> None:
    store.hset(told, "r:verification", pack(Verification(decision="ready"), Verification))

    control.request_fix(journal, "all")

    fields = journal.fields(told)
    assert "r:outcome" not in fields
    assert {"r:plan", "r:base", "r:fix", "r:verification"} <= set(fields)


def test_a_round_that_somebody_works_on_is_left_alone(journal: WorkerStore, told: str) -> None:
    claim = journal.claim(told, "watch")
    assert claim is not None

    said = control.request_fix(journal, "all")

    assert "try again" in said[0]
    claim.advance("watch")
    assert "r:outcome" in journal.fields(told)


@pytest.fixture
def symptom(journal: WorkerStore, told: str, store: redis.Redis) -> str:
    """The same incident, once a sweep called it a symptom of another that has one."""
    cause = f"{PREFIX}incident:def:20261123T0310"
    journal.open_with(cause, "fix", {"r:incident": incident("store")})
    store.hset(told, mapping={"suppressed_by": cause, "r:incident": incident("shop")})
    return told


def incident(service: str) -> bytes:
    now = datetime(2026, 11, 23, 3, 4, tzinfo=UTC)
    sick = Finding(
        service_id=service, service=service, kind="server_errors", severity=Severity.WARNING, since=now,
        ongoing=True, sentence=f"{service} answers with 5xx",
    )  # fmt: skip
    made = Incident(
        fingerprint="abc", occurrence="20261123T0304", project_id="p", project_name="p", environment_id="e",
        environment_name="e", subject=Subject(kind="service", key=service, name=service), findings=(sick,),
        window=Window(start=now, end=now), opened_at=now,
    )  # fmt: skip
    return pack(made, Incident)


def test_a_symptom_is_listed_with_the_incident_that_it_joined(journal: WorkerStore, symptom: str) -> None:
    said = listing.render_overview(journal, datetime.now(UTC))

    assert f"open: shop: shop answers with 5xx  suppressed by store  ({ID})" in said


def test_of_all_only_those_are_mended_that_are_no_symptom_of_another(
    journal: WorkerStore, symptom: str
) -> None:
    assert control.request_fix(journal, "all") == []
    assert control.request_fix(journal, "abc:20261123T0304") == [
        "incident:abc:20261123T0304: sent to planning"
    ]


def test_what_others_wrote_does_not_steer_the_terminal(
    journal: WorkerStore, told: str, store: redis.Redis
) -> None:
    store.hset(
        told, mapping={"reason": b"\x1b[2Jgone\nopen: all is well", "r:incident": incident("shop\x9b2J")}
    )

    now = datetime.now(UTC)
    said = "".join(
        [*listing.render_overview(journal, now), *journal_view.render_journal(journal, "abc", now)]
    )

    assert "[2Jgone" in said
    assert not {"\x1b", "\x9b", "\n"} & set(said)
    machines = json.dumps([listing.collect(journal, now), journal_view.collect_journal(journal, "abc")])
    assert machines.isascii() and machines.isprintable()


def test_what_is_no_journal_is_not_shown_as_one(journal: WorkerStore, told: str) -> None:
    with pytest.raises(Refused):
        journal_view.render_journal(journal, "due", datetime.now(UTC))


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (55, "Railway API: 812 of 1000 requests left until 04:00 UTC; last sweep used 9"),
        (-5, "Railway API: limit of 1000 requests, reset at 03:00 UTC; last sweep used 9"),
    ],
)
def test_what_railway_still_lets_us_ask_is_one_line(journal: WorkerStore, minutes: int, said: str) -> None:
    now = datetime(2026, 11, 23, 3, 5, tzinfo=UTC)
    resets = now + timedelta(minutes=minutes)
    left = RateLimit(limit=1000, remaining=812, resets_at=resets)
    request_quota.store_sweep_cost(journal, "env", left, 9, now)

    assert listing.render_overview(journal, now)[-1] == said


def test_while_nothing_is_known_of_railways_limit_nothing_is_said_of_it(journal: WorkerStore) -> None:
    assert listing.render_overview(journal, datetime(2026, 11, 23, tzinfo=UTC)) == ["nothing is under way"]


# ---- what is due, open and ended ------------------------------------------------------------


def rows(journal: WorkerStore, **options: Any) -> dict[str, dict[str, Any]]:
    """What is due by its id."""
    return {one["id"]: one for one in listing.collect(journal, datetime.now(UTC), **options)["due"]}


def test_what_is_due_is_listed_soonest_first_with_when_and_why(
    journal: WorkerStore, store: redis.Redis
) -> None:
    soon, later, working = (f"{PREFIX}sweep:e:{number}" for number in (1, 2, 3))
    for key, delay in ((later, 200_000), (soon, 12_000), (working, 0)):
        journal.open_journal(key, "survey", after=delay / 1000)
    long_ago = int((time.time() - 7200) * 1000)
    store.hset(later, mapping={"reason": "Railway is away", "attempts": 3, "failing_since": long_ago})
    assert journal.claim(working, "survey") is not None

    head, *lines = listing.render_overview(journal, datetime.now(UTC))[:4]

    assert head.split() == ["JOURNAL", "STAGE", "DUE", "WHY"]
    assert [line.split()[0] for line in lines] == ["sweep:e:1", "sweep:e:3", "sweep:e:2"]
    assert "in 12 s" in lines[0] or "in 11 s" in lines[0]
    assert "in work" in lines[1]
    assert "in 3 min  Railway is away; failed 3 times, for 2 h" in lines[2]


def test_what_should_have_begun_already_is_due_now(
    journal: WorkerStore, sweep_key: str, store: redis.Redis
) -> None:
    store.zadd(SCHEDULE, {sweep_key: 1})

    [one] = rows(journal).values()

    assert (one["in_seconds"], one["in_work"]) == (0.0, False)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"r:pull": pack(PULL, PullRequest)}, f"waits for a person: {PULL.url}"),
        ({"r:pull": pack(PULL.model_copy(update={"state": "merged"}), PullRequest)}, "#7 is merged"),
        ({"clean_sweeps": b"1"}, "waits for sweeps without it, 1 so far"),
        ({"group": PREFIX.encode() + b"notification:group:e:1"}, "under notification:group:e:1"),
        ({"suppressed_by": PREFIX.encode() + b"incident:def:1"}, "joined to incident:def:1"),
        ({"crashes": b"2"}, "2 deaths"),
        ({"r:outcome": pack(WAITING, Outcome)}, "waits for a person: `mend`"),
    ],
)
def test_a_round_that_waits_says_for_what(
    journal: WorkerStore, told: str, store: redis.Redis, fields: dict[str, bytes], why: str
) -> None:
    for name, value in fields.items():
        store.hset(told, name, value)

    assert why in rows(journal)[ID]["why"]


def test_of_thousands_only_as_many_are_read_as_are_shown(journal: WorkerStore, store: redis.Redis) -> None:
    everyone = store.pipeline()
    for number in range(3000):
        key = f"{PREFIX}incident:{number:04}:20261123T0304"
        everyone.hset(key, mapping={"stage": "watch", "r:incident": incident("shop")})
        everyone.zadd(SCHEDULE, {key: number})
        everyone.hset(OPEN, f"{number:04}", key)
    everyone.execute()
    before = int(store.info("commandstats")["cmdstat_hmget"]["calls"]) if had(store) else 0

    said = listing.render_overview(journal, datetime.now(UTC), 10)
    asked = int(store.info("commandstats")["cmdstat_hmget"]["calls"]) - before

    assert len([line for line in said if line.startswith("incident:")]) == 10
    assert len([line for line in said if line.startswith("open: ")]) == 10
    assert said.count("and 2990 more: --all") == 2
    assert asked <= 25
    assert len(listing.collect(journal, datetime.now(UTC), None)["due"]) == 3000


def had(store: redis.Redis) -> bool:
    return "cmdstat_hmget" in store.info("commandstats")


def test_what_ended_lately_is_listed_newest_first_and_quiet_sweeps_are_only_counted(
    journal: WorkerStore,
) -> None:
    endings = [(EndedAs.NO_FINDINGS, "no problem found")] * 3 + [(EndedAs.FINDINGS, "2 findings")]
    endings += [(EndedAs.FAILED, f"given up: {number}") for number in range(25)]
    for number, (ended_as, outcome) in enumerate(endings):
        key = f"{PREFIX}sweep:e:{number:02}"
        journal.open_journal(key, "survey")
        claim = journal.claim(key, "survey")
        assert claim is not None
        claim.end(ended_as, outcome)

    said = listing.collect(journal, datetime.now(UTC))

    assert [one["outcome"] for one in said["ended"]] == [f"given up: {number}" for number in range(24, 4, -1)]
    assert said["quiet_sweeps"]["count"] == 3
    assert len(listing.collect(journal, datetime.now(UTC), None)["ended"]) == 26


def test_so_many_are_shown_of_each_kind_as_are_asked_for(journal: WorkerStore) -> None:
    for number in range(25):
        key = f"{PREFIX}sweep:e:{number:02}"
        journal.open_journal(key, "survey")
        claim = journal.claim(key, "survey")
        assert claim is not None
        claim.end(EndedAs.RESOLVED, "given up")
        journal.open_journal(f"{PREFIX}sweep:d:{number:02}", "survey")

    said = {limit: listing.collect(journal, datetime.now(UTC), limit) for limit in (0, 3, 24)}

    assert {limit: (len(one["due"]), len(one["ended"])) for limit, one in said.items()} == {
        0: (0, 0), 3: (3, 3), 24: (24, 24),
    }  # fmt: skip
    assert listing.render_overview(journal, datetime.now(UTC), 0) == ["and 25 more: --all"]


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ({"ended": 1, "outcome": "held"}, "has ended: held"),
        ({"r:pull": pack(PULL, PullRequest)}, "has a pull request: https://github.com/acme/shop/pull/7"),
        ({"stage": "fix"}, "stands at fix"),
    ],
)
def test_an_incident_that_there_is_nothing_to_mend_of_says_why(
    journal: WorkerStore, told: str, field: Any, why: str
) -> None:
    journal.client.hdel(told, "r:outcome")
    journal.client.hset(told, mapping=field)

    with pytest.raises(Refused, match=why):
        control.request_fix(journal, "abc")


def test_words_and_alerts_that_ended_are_no_news(journal: WorkerStore) -> None:
    for key in (f"{PREFIX}alert:a", f"{PREFIX}notification:alert:a", f"{PREFIX}notification:{ID}"):
        journal.open_journal(key, "notify")
        claim = journal.claim(key, "notify")
        assert claim is not None
        claim.end(EndedAs.RESOLVED, "told")

    assert listing.collect(journal, datetime.now(UTC))["ended"] == []


# ---- one journal ----------------------------------------------------------------------------


def shown(journal: WorkerStore, name: str) -> str:
    return "\n".join(journal_view.render_journal(journal, name, datetime.now(UTC)))


def test_words_are_shown_as_posts_or_where_nobody_is_told_as_they_would_be_said(
    journal: WorkerStore,
) -> None:
    key = f"{PREFIX}notification:{ID}"
    journal.open_with(key, "notify", {f"on:{PREFIX}x": "y"})
    journal.client.hset(
        key, "r:outcome", pack(SlackMessage(ts="1.2", channel="C1", digest="d"), SlackMessage)
    )
    journal.client.hset(
        key,
        "r:watch",
        pack(SlackMessage(digest="d", text="*shop*: it held\nfor 5 minutes"), SlackMessage),
    )

    lines = shown(journal, f"notification:{ID}").splitlines()

    assert lines[-4:] == [
        "said: outcome: C1 1.2",
        "would be said: watch:",
        "    *shop*: it held",
        "    for 5 minutes",
    ]
    assert "cannot be read" not in str(lines) and "on:" not in str(lines)


@pytest.mark.parametrize(
    "name", [ID, ID.removeprefix("incident:"), "incident:ab", "abc:2026", "0304", f"{PREFIX}{ID}"]
)
def test_a_journal_is_found_by_its_id_a_beginning_or_a_part_of_it(
    journal: WorkerStore, told: str, name: str
) -> None:
    journal.client.hset(f"{PREFIX}notification:{ID}", "stage", "notify")

    assert shown(journal, name).startswith(ID)


def test_a_beginning_goes_before_a_part(journal: WorkerStore, told: str) -> None:
    journal.client.hset(f"{PREFIX}incident:xabc:1", "stage", "watch")

    assert shown(journal, "abc").startswith(ID)


def test_a_name_that_means_several_lists_them(journal: WorkerStore, told: str) -> None:
    for number in range(10):
        journal.client.hset(f"{PREFIX}incident:abc:20261124T00{number:02}", "stage", "watch")

    with pytest.raises(
        Refused, match="abc: more than one is meant:\n  incident:abc:20261124T0009\n"
    ) as error:
        shown(journal, "abc")

    assert str(error.value).endswith("and 3 more")


def test_a_name_that_means_none_names_what_is_like_it(journal: WorkerStore, told: str) -> None:
    with pytest.raises(Refused, match=f"no such journal; like it:\n  {ID}"):
        shown(journal, "abc:20261123T0340")

    with pytest.raises(Refused, match="no such journal; `list` names"):
        shown(journal, "zzz")


def test_a_journal_is_shown_in_the_order_of_the_line_with_each_record_in_words(
    journal: WorkerStore, told: str, store: redis.Redis
) -> None:
    evidence = Evidence(
        facts=(Fact(kind=FactKind.FINDING, id="E1", text="9 of 30 requests failed"),),
        failed_reads=(Gap(part=GapPart.TRAFFIC, reason="refused"),),
    )
    verdict = Verdict(
        category=Category.CODE,
        reason=VerdictReason.ERROR_IN_CODE,
        summary="shop fails",
        supports=("E1",),
        action="undo it",
    )
    store.hset(
        told,
        mapping={
            "firings": 3, "token": "0123456789abcdef", "r:incident": incident("shop"), "r:fix": b"0j{}",
            "r:evidence": pack(evidence, Evidence), "r:verdict": pack(verdict, Verdict),
            "r:pull": pack(PULL, PullRequest),
        },
    )  # fmt: skip
    store.hset(
        f"{PREFIX}notification:{ID}", "r:ack", pack(SlackMessage(ts="17.1", channel="C1"), SlackMessage)
    )

    text = shown(journal, "abc")

    order = [
        "firings: 3",
        "incident: shop in p/e",
        "evidence: 1 facts",
        "verdict: code: shop fails",
        "fix: cannot be read",
    ]
    order += ["pull: #7 open: https://", "outcome: reported: not mended", "said: ack: C1 17.1"]
    places = [text.find(words) for words in order]
    assert -1 not in places and places == sorted(places), text
    assert "not seen: traffic: refused" in text and "E1: 9 of 30 requests failed" in text
    assert "0123456789abcdef" not in text


def test_what_looks_like_a_secret_is_not_shown(journal: WorkerStore, told: str, store: redis.Redis) -> None:
    secret = "ghp_" + "a1B2" * 9
    store.hset(told, mapping={"reason": f"refused with {secret}", "r:incident": incident(f"shop {secret}")})

    now = datetime.now(UTC)
    everything = json.dumps([journal_view.collect_journal(journal, "abc"), listing.collect(journal, now)])

    assert secret not in shown(journal, "abc") + everything
    assert "[redacted]" in shown(journal, "abc")


def test_machines_get_every_record_whole(journal: WorkerStore, told: str, store: redis.Redis) -> None:
    store.hset(told, mapping={"r:incident": incident("shop"), "token": "0123", "r:plan": b"9j{}"})
    store.hset(f"{PREFIX}notification:{ID}", "r:ack", pack(SlackMessage(ts="17.1"), SlackMessage))

    said = journal_view.collect_journal(journal, "abc")

    assert said["id"] == ID
    assert said["records"]["incident"]["findings"][0]["sentence"] == "shop answers with 5xx"
    assert said["records"]["plan"] is None
    assert said["told"]["records"]["ack"]["ts"] == "17.1"
    assert "token" not in said["fields"]
