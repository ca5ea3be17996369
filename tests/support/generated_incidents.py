"""Generated incidents with hostile text in every field, and what is wrong with their messages.

`generate(seed)` is the same for the same seed. `count_invalid(500)` is the figure of the benchmark: messages that Slack
would refuse, that mention anybody who is not mapped, or that hold outside text which is not escaped.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, get_args

from tests.support import builders
from tests.support.attack_texts import ATTACKS, SLACK_RULES, hidden_characters
from tests.support.block_kit_limits import message_problems
from workers.incidents.grouping import GroupMember
from workers.models import (
    Acknowledgement,
    Alert,
    Answer,
    AnswerKind,
    Category,
    CheckResult,
    CodeLocation,
    CommitNote,
    Decision,
    DecisionKind,
    DropReason,
    Evidence,
    Fact,
    FactKind,
    Finding,
    FindingKind,
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
    Rollback,
    RollbackKind,
    RollbackOption,
    RollbackState,
    Run,
    Severity,
    Suspect,
    Usage,
    Verdict,
    VerdictReason,
    Verification,
    VerificationReason,
)
from workers.models.proposal import ReasonKind
from workers.notifications.answer_posts import answer_post, dropped_post, looking_post
from workers.notifications.block_kit import blocks_of
from workers.notifications.detail_posts import details_post
from workers.notifications.group_posts import group_post
from workers.notifications.incident_posts import first_post, follow_up_post, reminder_post, symptom_post
from workers.notifications.incident_state import IncidentState
from workers.notifications.presentation import Presentation
from workers.notifications.slack_post import SlackPost
from workers.runtime.local_clock import LocalClock

KINDS: tuple[FindingKind, ...] = get_args(FindingKind)
NUMBERS = (
    "failed", "requests", "failed_percent", "p95_ms", "baseline_ms", "now_percent", "limit_gb", "grown_gb",
    "minutes_seen", "mean_percent", "peak_percent", "limit_vcpu", "used_percent", "starts", "kills", "refused_percent",
    "requests_per_minute", "baseline_per_minute", "lines", "missed", "expected", "gb_per_hour", "silent_minutes",
)  # fmt: skip
LABELS = ("deployment", "serving", "reason", "event")
OUTCOMES: tuple[Any, ...] = (
    "pull request", "reported", "waiting", "delayed", "blocked", "nothing proposed", "attached", "failed", "cancelled",
    "not a problem",
)  # fmt: skip
FLOODS = (
    "x" * 3200, "&" * 900, "<>" * 400, "🔥" * 400, "a\u202eb" * 90, "word " * 200, "@here " * 80, "`" * 200,
    ":tada:" * 60, "\ud83d" * 50, "https://evil.zz/" * 30, "\n" * 90 + "end", "*b* _i_ ~s~ " * 40, "|" * 200, "",
    "אבג " * 80, "e\u0301" * 200, "\u200b" * 90, "<!channel>" * 60, "<@U024BE7LH>" * 40, " ", "-", "&lt;!here&gt;",
)  # fmt: skip
LINKS = (
    "https://github.com/acme/shop/pull/41", "javascript:alert(1)", "https://evil.zz|label>", "", "not a link",
    "https://github.com/" + "a" * 2500, "https://github.com/x?a=1&b=2",
)  # fmt: skip
USER = "U0MAPPED1"
ALLOWED_MENTION = f"<@{USER}>"
OWN_LINK = re.compile(r"<(?:https://(?:github\.com|railway\.com|tw\.acme\.dev)/[^\s<>|]*)(?:\|([^<>\n]*))?>")
OWN_ID = re.compile(r"incident:[0-9a-f]{16}:\d{8}T\d{4}")
CODE_SPAN = re.compile(r"`([^`\n]*)`")
BOLD = re.compile(r"\*([^*\n]*)\*")


@dataclass(frozen=True)
class GeneratedCase:
    """One incident with everything that can be said about it, as messages."""

    seed: int
    posts: tuple[SlackPost, ...]


def generate(seed: int) -> GeneratedCase:
    """The messages of the incident, group, answers and replies that this seed stands for."""
    return GeneratedCase(seed, tuple(_Generator(seed).posts()))


def problems(seed: int) -> list[str]:
    """Everything that is wrong with the messages of this seed; [] if nothing is."""
    found: list[str] = []
    for number, post in enumerate(generate(seed).posts):
        blocks = blocks_of(post)
        found += [
            f"{seed}/{number}: {why}" for why in message_problems({"text": post.text, "blocks": blocks})
        ]
        for text in (post.text, *_texts(blocks)):
            found += [f"{seed}/{number}: {why} in {text[:200]!r}" for why in text_problems(text)]
    return found


def count_invalid(n: int = 500) -> int:
    """The number of seeds from 0 to n with at least one message that is not valid."""
    return sum(bool(problems(seed)) for seed in range(n))


def text_problems(text: str) -> set[str]:
    """The effects of outside text in a text that Slack shows, without our own links, fonts and the mapped mention."""
    plain = OWN_ID.sub("", text.replace(ALLOWED_MENTION, ""))
    plain = OWN_LINK.sub(lambda match: match[1] or "", plain)
    # Bold and code are ours: escaped text has neither mark.
    plain = BOLD.sub(r"\1", CODE_SPAN.sub(r"\1", plain))
    return {name for name, rule in SLACK_RULES.items() if rule.search(plain)} | hidden_characters(text)


def _texts(node: Any) -> Iterator[str]:
    """Every text object of the blocks; in `plain_text` nothing is formatted, so only hidden characters matter."""
    if isinstance(node, dict):
        if node.get("type") == "mrkdwn":
            yield node["text"]
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)


class _Generator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.seed = seed
        # A few texts that come back everywhere: cleaning and redacting them takes most of the time.
        self.pool = [self._text() for _ in range(10)]
        self.is_large = seed % 25 == 0

    # -- text and values ---------------------------------------------------------------------------

    def text(self) -> str:
        """One of the case's texts."""
        return self.random.choice(self.pool)

    def _text(self) -> str:
        """Hostile, long, empty or plain text."""
        kind = self.random.randrange(6)
        if kind == 0:
            return self.random.choice(FLOODS)
        if kind == 1:
            return f"checkout-{self.random.randrange(99)}"
        attack = self.random.choice(ATTACKS).text.encode(errors="ignore").decode()
        return attack if kind < 5 else f"{attack} {self.random.choice(FLOODS)} {attack}"

    def texts(self, most: int) -> tuple[str, ...]:
        return tuple(self.text() for _ in range(self.random.randrange(most + 1)))

    def maybe(self, value: Any) -> Any:
        return value if self.random.random() < 0.6 else None

    def moment(self) -> Any:
        return builders.END + timedelta(minutes=self.random.randrange(-4000, 4000))

    def person(self) -> Person:
        return Person(name=self.text() or "x", via="slack", slack_id="U1")

    # -- models ------------------------------------------------------------------------------------

    def finding(self, name: str) -> Finding:
        numbers = {
            key: self.random.choice((0.0, 0.4, 3.0, 97.0, 1e9))
            for key in NUMBERS
            if self.random.random() < 0.8
        }
        return Finding(
            service_id=builders.service_id(name), service=name, kind=self.random.choice(KINDS),
            severity=self.random.choice(list(Severity)), since=self.moment(), ongoing=self.random.random() < 0.7,
            last_seen=self.maybe(self.moment()), numbers=numbers, sentence=self.text(),
            labels={key: self.text() for key in LABELS if self.random.random() < 0.5},
            seconds_to_limit=self.maybe(self.random.choice((0.0, 540.0, 1e9))), chronic=self.random.random() < 0.2,
        )  # fmt: skip

    def incident(self) -> Incident:
        name = self.text()
        findings = [
            self.finding(name if self.random.random() < 0.8 else self.text())
            for _ in range(self.random.randint(1, 30 if self.is_large else 6))
        ]
        relapse = Relapse(
            incident_id="incident:f:0", result=self.random.choice(("fix_failed", "fix_verified", "resolved")),
            ended_at=self.moment(), pull_number=self.maybe(29), pull_url=self.random.choice(LINKS), healthy_minutes=9.5,
        )  # fmt: skip
        return builders.incident(
            *findings, name=name, project_name=self.text(), environment_name=self.text(), relapse=self.maybe(relapse),
            symptoms=tuple(self.finding(self.text()) for _ in range(self.random.randrange(40 if self.is_large else 6))),
            fingerprint=f"{self.seed:016x}",
        )  # fmt: skip

    def commit(self) -> CommitNote:
        return CommitNote(
            commit=self.maybe("a1b2c3d4e5f6") or "",
            subject=self.text(),
            author=self.text(),
            at=self.maybe(self.moment()),
        )

    def evidence(self) -> Evidence:
        suspect = Suspect(
            deployment_id="d", commit=self.maybe("a1b2c3d4e5f6"), at=self.moment(), message=self.text(),
            author=self.random.choice(("ada", self.text())),
        )  # fmt: skip
        pattern = LogPattern(
            template=self.text(), headline=self.text(), exception=self.text() or "E", count=4, level="error",
            first=self.moment(), last=self.moment(), sample=self.text(),
        )  # fmt: skip
        rollback = RollbackOption(
            target=self.commit(),
            ran_until=self.moment(),
            replaces=self.commit(),
            also_undone=(self.commit(),),
        )
        route = RequestPattern(
            method=self.text(), route=self.text(), path=self.text(), status=500, count=9, slowest_ms=9.0
        )
        facts = tuple(
            Fact(id=f"E{number}", kind=FactKind.LOG_PATTERN, text=self.text())
            for number in range(self.random.randrange(300 if self.is_large else 25))
        )
        return Evidence(
            facts=facts, patterns=(pattern,) if self.maybe(True) else (), suspect=self.maybe(suspect),
            locations=(CodeLocation(file=self.text(), line=5, why="stack"),), requests=(route, route),
            rollback=self.maybe(rollback), failed_reads=tuple(self.gap() for _ in range(self.random.randrange(9))),
            repository=self.maybe(
                Repository(name=self.random.choice(("acme/shop", "a|b>")), base="main", deployed="a1")
            ),
        )  # fmt: skip

    def gap(self) -> Gap:
        return Gap(
            part=self.random.choice(list(GapPart)), subject=self.maybe(self.text()), reason=self.text()
        )

    def verdict(self) -> Verdict:
        return Verdict(
            category=self.random.choice(list(Category)), reason=VerdictReason.NO_RULE_APPLIES, summary=self.text(),
            supports=("E0", "E1", self.text()), contradicts=self.texts(3), action=self.text(),
            next_checks=self.texts(6),
        )  # fmt: skip

    def follow_up(self) -> FollowUp:
        return FollowUp(
            result=self.random.choice(list(FollowUpResult)), minutes=self.maybe(30.0),
            requests=self.random.randrange(9999), failed_requests=3,
            remaining=self.maybe(self.finding(self.text())), gaps=(self.gap(),), pull_number=41,
            still_affected=self.texts(5), commit=self.text(),
            deployment_status=self.random.choice(("", "SKIPPED", "FAILED")),
            skipped_reason=self.text(), checks=2, reason=self.text(), deployed_at=self.maybe(self.moment()),
        )  # fmt: skip

    def verification(self) -> Verification:
        run = Run(command=self.text(), outcome="failed", output=self.text())
        reasons = tuple(VerificationReason(kind=ReasonKind.UNPROVED, text=text) for text in self.texts(5))
        decision: Any = self.random.choice(("ready", "draft"))
        return Verification(
            decision=decision, reproduction_before=run, reproduction_after=run, reasons=reasons
        )

    def outcome(self) -> Outcome:
        return Outcome(
            kind=self.random.choice(OUTCOMES), headline=self.text(), lines=self.texts(12),
            link=self.random.choice(LINKS),
            states_verdict=self.random.random() < 0.3, waits_for=self.text(),
        )  # fmt: skip

    def decision(self) -> Decision:
        kind = self.random.choice((DecisionKind.SNOOZE, DecisionKind.NOT_A_PROBLEM))
        return Decision(
            id="d7",
            kind=kind,
            person=self.person(),
            at=self.moment(),
            until=self.maybe(self.moment()),
            reason=self.text(),
        )

    def state(self, incident: Incident) -> IncidentState:
        pull = builders.pull_request(
            state=self.random.choice(("open", "merged", "closed")), url=self.random.choice(LINKS),
            draft=self.random.random() < 0.3,
        )  # fmt: skip
        merge = MergeProgress(
            pull_number=41, pull_url=pull.url, merged_at=self.moment(), merged_by=self.text(),
            deployed_at=self.maybe(self.moment()), deployment_status=self.text(),
            watching_until=self.maybe(self.moment()), requests=self.random.randrange(99),
        )  # fmt: skip
        rollback = Rollback(
            kind=self.random.choice(list(RollbackKind)), state=self.random.choice(list(RollbackState)),
            journal_id="rollback:f:1", incident_id=incident.id, project_id="p", environment_id="e", service_id="s",
            service_name=self.text(),
            target=self.commit(), replaces=self.commit(), person=self.person(), at=self.moment(), reason=self.text(),
        )  # fmt: skip
        recovery = RecoveryProgress(
            clean_checks=1, required_checks=2, healthy_since=self.maybe(self.moment()), requests=9
        )
        checked = CheckResult(
            asked_by=self.text(), asked_at=self.moment(), at=self.moment(), answer=self.answer()
        )
        return IncidentState(
            incident, verdict=self.maybe(self.verdict()), evidence=self.maybe(self.evidence()),
            fix=self.maybe(Fix(base_commit="b", patch="x", files=("a",), committed_at=self.moment())),
            verification=self.maybe(self.verification()), outcome=self.maybe(self.outcome()), pull=self.maybe(pull),
            merge=self.maybe(merge), recovery=self.maybe(recovery), follow_up=self.maybe(self.follow_up()),
            acknowledged=self.maybe(Acknowledgement(person=self.person(), at=self.moment())),
            rollback=self.maybe(rollback), checked=self.maybe(checked), decision=self.maybe(self.decision()),
            usage=self.maybe(Usage(tokens=10 ** self.random.randrange(12), cost_usd=0.21)),
            reason=self.maybe(self.text()) or "", firings=self.random.randrange(1, 9999),
            trouble_until=self.maybe(self.moment()), posted_at=self.maybe(self.moment()),
        )  # fmt: skip

    def answer(self) -> Answer:
        return Answer(
            kind=self.random.choice(list(AnswerKind)), minutes=30.0, failed_reads=(self.gap(),),
            findings=tuple(self.finding(self.text()) for _ in range(self.random.randrange(4))),
            incident_id=self.maybe(builders.incident().id) or "", requests=self.maybe(900), failed_requests=3,
            platform_incident=self.text(), at=self.maybe(self.moment()), reason=self.text(), services=10,
            healthy_services=9, decision=self.maybe(self.decision()),
        )  # fmt: skip

    # -- messages ----------------------------------------------------------------------------------

    def look(self) -> Presentation:
        return Presentation(
            clock=LocalClock(self.random.choice(("UTC", "Europe/Berlin", "Asia/Kathmandu"))),
            page_url=self.random.choice(("", "https://tw.acme.dev")), has_buttons=self.random.random() < 0.7,
            has_modals=self.random.random() < 0.7, users={"ada": USER, self.text(): "<!channel>"},
        )  # fmt: skip

    def posts(self) -> Iterator[SlackPost]:
        """Every kind of message, each from values of its own."""
        look, state = self.look(), self.state(self.incident())
        yield first_post(state, look, builders.END)
        yield reminder_post(state, look, builders.END)
        yield follow_up_post(state, look)
        yield symptom_post(state)
        if (details := details_post(state, look)) is not None:
            yield details
        yield group_post(self.members(), look)
        alert = Alert(
            id="a", source=self.random.choice(("railway", "slack")), kind="message", received_at=self.moment(),
            service_name=self.maybe(self.text()), message=self.text(),
        )  # fmt: skip
        yield looking_post(self.maybe(alert))
        yield dropped_post(alert, self.random.choice(list(DropReason)), builders.incident().id, look)
        yield answer_post(self.maybe(alert), self.answer(), look)

    def members(self) -> Sequence[GroupMember]:
        return [
            GroupMember(
                key=f"trackwalker2:incident:{number:016x}:20261120T1200", incident=self.incident(),
                evidence=self.maybe(self.evidence()), outcome=self.maybe(self.outcome()),
                follow_up=self.maybe(self.follow_up()), reason=self.text(),
                is_suppressed=False, fix_requested=False, is_ended=self.random.random() < 0.2,
            )
            for number in range(self.random.randint(3, 60 if self.is_large else 4))
        ]  # fmt: skip


if __name__ == "__main__":
    print(json.dumps({"generated": 500, "invalid": count_invalid(500)}))
