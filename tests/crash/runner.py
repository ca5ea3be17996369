"""Crashes a pipeline at one boundary, lets another process continue to the end, and checks the final state."""

from __future__ import annotations

import hashlib
import logging
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

from tests.crash.boundaries import UNTRACKED_IO, Boundary, CrashPoint, Process, SimulatedCrash, When
from tests.crash.pipeline import CrashablePipeline, PipelineSnapshot
from tests.support.fakes.slack import Message
from workers.engine.codec import unpack
from workers.engine.schema import AUDIT, COUNTERS, OPEN, PINGS, PREFIX, SCHEDULE
from workers.incidents.budget import MICRODOLLARS
from workers.models import SlackMessage, Usage

Records = dict[tuple[str, str], bytes]
JournalTrace = tuple[str, Records]
"""A digest of the whole state before a step, and its records."""
PostedMessage = tuple[str, bool, bool]
"""A posted message: the last part of its key (or its text), whether it is in a thread, whether it notifies."""
MAX_STEPS = 150  # of one run; the longest scenario takes about 100
MAX_TRIES = 20  # runs until one reaches the crash point
DUPLICATE_MESSAGE = "a message was posted twice"

MUTABLE = {
    "rollback": "requested, then done or refused",
    "checked": "the newest check that a person asked for",
    "latest_findings": "the newest findings of an open incident",
    "symptoms": "the newest findings of its symptoms",
    "measured": "what the newest sweep without the trouble measured",
    "follow_up": "why a merge is not live, and later its result",
    "ack": "an edited message records its new text",
    "pull": "its state on GitHub: open, then merged",
    "usage": "the agent's cost so far; a repeated run adds to it",
}
"""Records that may change, and why. Every other record is written once."""
CLAIM_FIELDS = {"token", "fence", "lease", "run", "signals_seen", "crashes", "taken_over"}
"""Fields of one claim. They differ between runs, and mean nothing once the lease expired."""


class UnexpectedErrors(logging.Handler):
    """Collects logged exceptions of stages: bugs, which the pipeline survives as if the worker had crashed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._said: list[str] = []
        logging.getLogger("trackwalker.pipeline").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._said.append(f"{record.getMessage()}: {record.exc_info[1]!r}")

    def take(self) -> list[str]:
        """The errors since the last call."""
        lines, self._said = self._said, []
        return lines


UNEXPECTED_ERRORS = UnexpectedErrors()


@dataclass
class FinalState:
    """The journals and the outside once nothing is left to do."""

    records: set[tuple[str, str]]
    pulls: list[str]
    branches: list[str]
    """Our branches on GitHub, and the number of rollbacks on Railway."""
    messages: dict[str, list[PostedMessage]]
    """Messages in Slack by notification; "" for messages without a key, as those of an incoming webhook."""
    runs: int


@dataclass
class CrashRunner:
    """One scenario: run once undisturbed, then once for each crash point."""

    pipeline: CrashablePipeline
    boundaries: list[Boundary] = field(default_factory=list)
    before: list[PipelineSnapshot] = field(default_factory=list)
    undisturbed_end: FinalState | None = None
    problems_by_state: dict[str, list[str]] = field(default_factory=dict)
    """Digest of a state → the problems at the end of a run that continued from it."""
    full_runs: int = 0

    def run_undisturbed(self) -> CrashRunner:
        """Run without a crash, and record the boundaries, the state before each step and the final state."""
        pipeline, traces = self.pipeline, list[JournalTrace]()
        UNEXPECTED_ERRORS.take()  # errors of earlier tests
        pipeline.start_process(Process())
        while True:
            self.before.append(pipeline.take_snapshot())
            traces.append(self._trace())
            with pipeline.running(), UNTRACKED_IO.watching():
                if not pipeline.step(len(self.before) - 1):
                    break
            assert len(self.before) < MAX_STEPS, f"no end: {pipeline.waiting()}"
        self.boundaries, self.undisturbed_end = pipeline.process.crossed, self._final_state()
        self._note_problems(traces, UNEXPECTED_ERRORS.take())
        return self

    def crash_at(self, where: Boundary, when: When, *, lag: bool = False) -> list[str]:
        """Crash at a boundary, continue with another process, and return the problems in the final state.

        Args:
            when: crash before the call reaches the outside, or after it, with its answer lost.
            lag: the journal of the crashed process is continued after much else instead of next.
        """
        UNEXPECTED_ERRORS.take()  # errors of earlier tests
        process = self._run_to_crash(where, when)
        if not process.has_crashed:
            return [f"did not reach {where}"]
        if lag:
            self.pipeline.postpone_current()
        self.pipeline.start_process(Process())
        problems = self._run_to_end(where.step)
        if _posted_unrecorded(process.crossed, when):
            problems = [problem for problem in problems if problem != DUPLICATE_MESSAGE]
        return [f"crashed {when} {where}: {problem}" for problem in problems]

    def _run_to_crash(self, where: Boundary, when: When) -> Process:
        """A process that ran from the state before the step to its crash point.

        Threads ask in parallel, and a refused question cancels those that were not asked yet. A run that misses its
        crash point for this reason is repeated.
        """
        pipeline, start, tries = self.pipeline, self.before[where.step], 0
        while True:
            pipeline.restore(start)
            process, tries = Process(CrashPoint(where, when)), tries + 1
            pipeline.start_process(process, start.loaded)
            with pipeline.running(), UNTRACKED_IO.watching(), suppress(SimulatedCrash):
                pipeline.step(where.step)
            if process.has_crashed or tries == MAX_TRIES:
                return process

    def _run_to_end(self, step: int) -> list[str]:
        """Continue with another process to the end, or to a state from which an earlier run reached the end."""
        traces = list[JournalTrace]()
        for number in range(step, step + MAX_STEPS):
            state, records = self._trace()
            if state in self.problems_by_state:
                changed = [problem for _, earlier in traces for problem in _changed(earlier, records)]
                return [*self.problems_by_state[state], *changed, *UNEXPECTED_ERRORS.take()]
            traces.append((state, records))
            with self.pipeline.running(), UNTRACKED_IO.watching():
                # A sender without an answer sends its alert again.
                if not self.pipeline.step(number and number + 1):
                    break
        self.full_runs += 1
        self._note_problems(traces)
        return [*self.problems_by_state[traces[0][0]], *UNEXPECTED_ERRORS.take()]

    def _note_problems(self, traces: list[JournalTrace], errors: list[str] | None = None) -> None:
        """Remember for each state of a finished run how it ended."""
        problems, records = self._problems(), self._records()
        for state, earlier in traces:
            self.problems_by_state[state] = [*problems, *_changed(earlier, records), *(errors or [])]

    # -- what must hold ---------------------------------------------------------------------------

    def _problems(self) -> list[str]:
        """The differences between the present state and the end of the undisturbed run."""
        now, clean = self._final_state(), self.undisturbed_end
        assert clean is not None
        problems = self._open_ends()
        problems += [f"unexpected record: {record}" for record in sorted(now.records - clean.records)]
        changed = {name for name, posts in now.messages.items() if posts != clean.messages.get(name)}
        missing = {record for record in clean.records - now.records if not _left_out(*record, changed)}
        problems += [f"missing record: {record}" for record in sorted(missing)]
        for part in ("pulls", "branches"):
            if getattr(now, part) != getattr(clean, part):
                problems.append(f"{part}: {getattr(now, part)}, expected {getattr(clean, part)}")
        for name in now.messages.keys() | clean.messages.keys():
            problems += _message_problems(name, now.messages.get(name, []), clean.messages.get(name, []))
        if not clean.runs <= now.runs <= clean.runs + 1:
            problems.append(f"{now.runs} agent runs are counted, expected {clean.runs}")
        return problems

    def _open_ends(self) -> list[str]:
        """Journals that did not end, keys without a TTL, open incidents and other unfinished work."""
        store = self.pipeline.store
        problems = [f"still scheduled: {key}" for key in self.pipeline.waiting() if key != PINGS]
        for raw in cast("list[bytes]", store.keys(f"{PREFIX}*")):
            key = raw.decode()
            if store.ttl(key) == -1 and key not in (PINGS, SCHEDULE, COUNTERS, AUDIT):
                problems.append(f"{key} has no TTL")
            if key.startswith(f"{PREFIX}reserved:"):
                problems.append(f"{key} is reserved")
        if store.hlen(OPEN):
            problems.append("an incident is open")
        if deleted := self.pipeline.external.slack.deleted:
            problems.append(f"{len(deleted)} messages notified people and were deleted")
        return [*problems, *self._replies_to_replies(), *self._unsettled()]

    def _replies_to_replies(self) -> list[str]:
        """Messages below a reply, where nobody sees them: Slack's threads have one level."""
        messages = self.pipeline.external.slack.messages
        replies = {message.ts for message in messages if message.thread_ts}
        return [f"{message.key} replies to a reply" for message in messages if message.thread_ts in replies]

    def _unsettled(self) -> list[str]:
        """A budget that differs from the cost of the agent."""
        stored = self._stored()
        usages = [unpack(fields[b"r:usage"], Usage) for fields in _hashes(stored) if b"r:usage" in fields]
        cost = round(sum(usage.cost_usd for usage in usages if usage) * MICRODOLLARS)
        counted = sum(int(day[b"cost"]) for day in _hashes(stored) if b"cost" in day and b"runs" in day)
        return [] if cost == counted else [f"the budget counts {counted} microdollars, the agent cost {cost}"]

    def _stored(self) -> dict[str, Any]:
        """All values in Redis by key."""
        names = sorted(cast("list[bytes]", self.pipeline.store.keys("*")))
        with self.pipeline.store.pipeline() as pipe:
            for name in names:
                pipe.type(name)
            kinds = pipe.execute()
            for name, kind in zip(names, kinds, strict=True):
                {b"hash": pipe.hgetall, b"string": pipe.get}.get(kind, pipe.exists)(name.decode())
            return dict(zip([name.decode() for name in names], pipe.execute(), strict=True))

    def _records(self) -> Records:
        return _records_in(self._stored())

    def _final_state(self) -> FinalState:
        store, external = self.pipeline.store, self.pipeline.external
        days = cast("list[bytes]", store.keys(f"{PREFIX}budget:*"))
        runs = [store.hget(day.decode(), "runs") for day in days]
        return FinalState(
            {(_without_times(key), name) for key, name in self._records()},
            [f"#{pull.number} {pull.head} {pull.state}" for pull in external.github.pulls],
            [
                *sorted(name for name in external.refs() if "trackwalker/" in name),
                f"{external.durable.rollbacks} rollbacks",
            ],
            _posted_messages(external.slack.messages),
            sum(int(cast("bytes", count)) for count in runs if count),
        )

    # -- the state after a crash -----------------------------------------------------------------

    def _trace(self) -> JournalTrace:
        stored = self._stored()
        return self._state_digest(stored), _records_in(stored)

    def _state_digest(self, stored: dict[str, Any]) -> str:
        """A digest of all durable state without values that differ between runs: equal states have equal ends."""
        pipeline, external = self.pipeline, self.pipeline.external
        last = external.durable
        queue = [
            pipeline.waiting(),
            last.queue,
            last.acted,
            last.silent,
            last.merged[:1],
            pipeline.count_far(),
        ]
        rows = [_without_times(str(queue))]
        for key, value in stored.items():
            fields = value if isinstance(value, dict) else {b"": value}
            rows += [
                f"{key} {name!r} {_comparable(content)}"
                for name, content in sorted(fields.items())
                if name.decode() not in CLAIM_FIELDS
            ]
        rows += [f"{pull.number} {pull.head} {pull.state} {pull.body}" for pull in external.github.pulls]
        rows += sorted(external.refs())
        rows += [
            f"{post.ts} {post.thread_ts} {_without_times(post.text)}" for post in external.slack.messages
        ]
        rows += [f"{len(external.slack.deleted)} {pipeline.disk()}"]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _posted_messages(messages: list[Message]) -> dict[str, list[PostedMessage]]:
    posted: dict[str, list[PostedMessage]] = {}
    for message in messages:
        name, _, kind = message.key.rpartition(":")
        post = (kind or message.text, bool(message.thread_ts), message.rings)
        posted.setdefault(_without_times(name), []).append(post)
    return {name: sorted(posts) for name, posts in posted.items()}


def _message_problems(name: str, posts: list[PostedMessage], expected: list[PostedMessage]) -> list[str]:
    """The difference between the messages of one notification and those of the undisturbed run."""
    if posts in (expected, _without_ack(expected)):
        return []
    is_duplicate = not name and len(posts) == len(expected) + 1 and not _is_missing_any(expected, posts)
    return [DUPLICATE_MESSAGE if is_duplicate else f"messages of {name}: {posts}, expected {expected}"]


def _without_ack(posts: list[PostedMessage]) -> list[PostedMessage]:
    """The messages if the outcome came before the acknowledgement: it stands alone, and the rest is below it."""
    return sorted(
        (kind, thread and kind != "outcome", rings) for kind, thread, rings in posts if kind != "ack"
    )


def _left_out(key: str, name: str, changed: set[str]) -> bool:
    """True for the record of an acknowledgement that was not posted, because the outcome or the incident came first."""
    journal = key.removeprefix(PREFIX)
    return name == "r:ack" and (journal.startswith("notification:alert:") or journal in changed)


def _is_missing_any(expected: list[PostedMessage], posts: list[PostedMessage]) -> bool:
    remaining = posts[:]
    for post in expected:
        if post not in remaining:
            return True
        remaining.remove(post)
    return False


def _without_times(text: str) -> str:
    """The text without times: those of incident groups, and of the report that pings stay away."""
    text = re.sub(r"(group:[\w-]+:)\d{8}T\d{6}", r"\1@", text)
    return re.sub(
        r"\d+ minutes|\d\d:\d\d UTC", "@", re.sub(r"(notification:operational:)[0-9a-f]+", r"\1@", text)
    )


def _hashes(stored: dict[str, Any]) -> list[dict[bytes, bytes]]:
    return [value for value in stored.values() if isinstance(value, dict)]


def _records_in(stored: dict[str, Any]) -> Records:
    return {
        (key, name.decode()): value
        for key, fields in stored.items()
        if isinstance(fields, dict)
        for name, value in fields.items()
        if name.startswith((b"r:", b"a:"))
    }


def _posted_unrecorded(crossed: list[Boundary], when: When) -> bool:
    """True if the process crashed between posting a message and recording it."""
    done = crossed if when == "after" else crossed[:-1]
    posting = [
        boundary for boundary in done if boundary.kind == "slack" or boundary.name.startswith("record")
    ]
    return bool(posting) and posting[-1].kind == "slack"


def _changed(before: Records, after: Records) -> list[str]:
    """Records whose value changed though it must not."""
    return [
        f"record {name} of {key} changed"
        for (key, name), value in before.items()
        if name.removeprefix("r:") not in MUTABLE
        and after.get((key, name)) != value
        and not _is_edited_first_message(key, name, before, after)
    ]


def _is_edited_first_message(key: str, name: str, before: Records, after: Records) -> bool:
    """True if a notification without an acknowledgement edited its outcome: the same message has a new text."""
    is_first = key.startswith(f"{PREFIX}notification:incident:") and (key, "r:ack") not in after
    if name != "r:outcome" or not is_first:
        return False
    old, new = (unpack(records.get((key, name), b""), SlackMessage) for records in (before, after))
    return bool(old and new and new.ts and (old.ts, old.channel) == (new.ts, new.channel))


@lru_cache(maxsize=100_000)  # a state differs from the one before it in a few fields only
def _comparable(value: bytes | int) -> str:
    """A value without times and commits, which differ between runs."""
    if not isinstance(value, bytes):
        return ""
    if value[1:2] == b"z":
        value = b"1j" + zlib.decompress(value[2:])
    text = _without_times(re.sub(r"[0-9a-f]{40}|\d{13}", "#", value.decode(errors="replace")))
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+Z]*", "@", text)
