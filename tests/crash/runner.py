"""One death at a time: the line driven to a boundary, ended there, lived on to its end, and what must hold then."""

from __future__ import annotations

import hashlib
import logging
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from tests.crash.boundaries import OUTSIDE, Boundary, Death, Died, Process, When
from tests.crash.pipeline import Mortal, Snapshot
from tests.support.fakes.slack import Message
from workers.engine.codec import unpack
from workers.engine.schema import OPEN, PINGS, PREFIX, SCHEDULE
from workers.incidents.budget import MICRODOLLARS
from workers.models import Usage

Records = dict[tuple[str, str], bytes]
Way = tuple[str, Records]
"""How things stood before a step."""
Word = tuple[str, bool, bool]
"""A message: what it says (its key's end, or its text), whether it stands in a thread, whether it rings."""
MOST_STEPS = 150
MOST_TRIES = 20
DOUBLED = "a word was said twice"

MUTABLE = {
    "seen": "the newest findings of an open incident",
    "symptoms": "the newest of what others suffer because of it",
    "ack": "an edited post says what it shows now",
    "pull": "its state at GitHub: open, then merged",
    "usage": "the agent's cost so far; a run begun again adds to it",
}
"""Records that may change, and why; any other is written once."""
OWN = {"token", "fence", "lease", "run", "signals_seen", "crashes", "taken"}
"""Fields of a claim: another claim has others, and once its lease has run out they mean nothing."""


class Broken(logging.Handler):
    """Hears of stages that broke for a bug, which the line lives through as if the worker had died."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._said: list[str] = []
        logging.getLogger("trackwalker.pipeline").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self._said.append(f"{record.getMessage()}: {record.exc_info[1]!r}")

    def heard(self) -> list[str]:
        """What was said since this was last asked."""
        said, self._said = self._said, []
        return said


BROKEN = Broken()


@dataclass
class Ending:
    """What stands in the journals and outside once all is over."""

    records: set[tuple[str, str]]
    pulls: list[str]
    branches: list[str]
    words: dict[str, list[Word]]
    """Of each tell, what stands in Slack; under "" what bears no key, as behind an incoming webhook."""
    runs: int


@dataclass
class Lives:
    """One scenario: lived through once without a death, then once for each death."""

    line: Mortal
    boundaries: list[Boundary] = field(default_factory=list)
    before: list[Snapshot] = field(default_factory=list)
    ending: Ending | None = None
    known: dict[str, list[str]] = field(default_factory=dict)
    """By what a death left behind: what was wrong at the end of the life after it."""
    lived: int = 0

    def undisturbed(self) -> Lives:
        """The life without a death: its boundaries, how things stood before each step, its ending."""
        line, ways = self.line, list[Way]()
        BROKEN.heard()  # what other tests broke
        line.live(Process())
        while True:
            self.before.append(line.take())
            ways.append(self._way())
            with line.running(), OUTSIDE.watched():
                if not line.step(len(self.before) - 1):
                    break
        self.boundaries, self.ending = line.process.seen, self._ending()
        broken = BROKEN.heard()
        self.known = {left: [*self._wrong(records), *broken] for left, records in ways}
        return self

    def die(self, where: Boundary, when: When, *, lag: bool = False) -> list[str]:
        """What is wrong at the end of a line that died there and lived again; [] when all is well.

        `lag`: what the dead process worked on is taken up after much else instead of next.
        """
        line = self.line
        BROKEN.heard()  # what other tests broke
        process = self._to(where, when)
        if not process.dead:
            return [f"did not come to {where}"]
        if lag:
            line.lag()
        line.live(Process())
        found = self._live_on(where.step)
        if _said_unrecorded(process.seen, when):
            found = [wrong for wrong in found if wrong != DOUBLED]
        return [f"died {when} {where}: {wrong}" for wrong in found]

    def _to(self, where: Boundary, when: When) -> Process:
        """A process that came from before the step to its death.

        Questions are asked side by side, and one that is refused takes back those that were not asked yet: a life that
        misses its death that way is lived again.
        """
        line, start, tries = self.line, self.before[where.step], 0
        while True:
            line.put_back(start)
            process, tries = Process(Death(where, when)), tries + 1
            line.live(process, start.loaded)
            with line.running(), OUTSIDE.watched(), suppress(Died):
                line.step(where.step)
            if process.dead or tries == MOST_TRIES:
                return process

    def _live_on(self, step: int) -> list[str]:
        """Another process goes on to the end, or to where an earlier life is known to have come to a good end."""
        ways = list[Way]()
        for number in range(step, step + MOST_STEPS):
            left, records = self._way()
            if left in self.known:
                changed = [one for _, at in ways for one in _changed(at, records)]
                return [*self.known[left], *changed, *BROKEN.heard()]
            ways.append((left, records))
            with self.line.running(), OUTSIDE.watched():
                # Whoever was not answered at the door comes again.
                if not self.line.step(number and number + 1):
                    break
        self.lived += 1
        for left, at in ways:
            self.known[left] = self._wrong(at)
        return [*self.known[ways[0][0]], *BROKEN.heard()]

    # -- what must hold ---------------------------------------------------------------------------

    def _wrong(self, at_death: Records) -> list[str]:
        now, clean = self._ending(), self.ending
        assert clean is not None
        found = [*self._open_ends(), *_changed(at_death, self._records())]
        found += [f"there is a record more: {one}" for one in sorted(now.records - clean.records)]
        silent = {tell for tell, words in now.words.items() if words != clean.words.get(tell)}
        lacking = {one for one in clean.records - now.records if not _left_out(*one, silent)}
        found += [f"a record is missing: {one}" for one in sorted(lacking)]
        for what in ("pulls", "branches"):
            if getattr(now, what) != getattr(clean, what):
                found.append(f"{what}: {getattr(now, what)} and not {getattr(clean, what)}")
        for tell in now.words.keys() | clean.words.keys():
            words, known = now.words.get(tell, []), clean.words.get(tell, [])
            if words not in (known, _without_first(known)):
                doubled = not tell and len(words) == len(known) + 1 and not _lacking(known, words)
                found.append(DOUBLED if doubled else f"words of {tell}: {words} and not {known}")
        if not clean.runs <= now.runs <= clean.runs + 1:
            found.append(f"{now.runs} runs of the agent were counted and not {clean.runs}")
        return found

    def _open_ends(self) -> list[str]:
        """What has not ended, or lives for ever."""
        store = self.line.store
        found = [f"still due: {key}" for key in self.line.waiting() if key != PINGS]
        for raw in cast("list[bytes]", store.keys(f"{PREFIX}*")):
            key = raw.decode()
            if store.ttl(key) == -1 and key not in (PINGS, SCHEDULE):
                found.append(f"{key} lives for ever")
            if key.startswith(f"{PREFIX}reserved:"):
                found.append(f"{key} is reserved")
        if store.hlen(OPEN):
            found.append("an incident is open")
        if self.line.outer.slack.deleted:
            found.append(f"{len(self.line.outer.slack.deleted)} posts rang and were taken back")
        return [*found, *self._unsettled()]

    def _unsettled(self) -> list[str]:
        """Where the budget does not hold what the agent cost."""
        stored, found = self._stored(), []
        spent = [unpack(fields[b"r:usage"], Usage) for fields in _hashes(stored) if b"r:usage" in fields]
        cost = round(sum(one.cost_usd for one in spent if one) * MICRODOLLARS)
        counted = sum(int(day[b"cost"]) for day in _hashes(stored) if b"cost" in day and b"runs" in day)
        if cost != counted:
            found.append(f"{counted} millionths of a USD are counted and {cost} were spent")
        return found

    def _stored(self) -> dict[str, Any]:
        """Everything in the store, values by key."""
        names = sorted(cast("list[bytes]", self.line.store.keys("*")))
        with self.line.store.pipeline() as pipe:
            for name in names:
                pipe.type(name)
            kinds = pipe.execute()
            for name, kind in zip(names, kinds, strict=True):
                {b"hash": pipe.hgetall, b"string": pipe.get}.get(kind, pipe.exists)(name.decode())
            return dict(zip([name.decode() for name in names], pipe.execute(), strict=True))

    def _records(self) -> Records:
        return _records_in(self._stored())

    def _ending(self) -> Ending:
        line = self.line
        days = cast("list[bytes]", line.store.keys(f"{PREFIX}budget:*"))
        runs = [line.store.hget(day.decode(), "runs") for day in days]
        return Ending(
            {(_nameless(key), name) for key, name in self._records()},
            [f"#{pull.number} {pull.head} {pull.state}" for pull in line.outer.github.pulls],
            sorted(name for name in line.outer.refs() if "trackwalker/" in name),
            _words(line.outer.slack.messages),
            sum(int(cast("bytes", one)) for one in runs if one),
        )

    # -- what a death left behind -----------------------------------------------------------------

    def _way(self) -> Way:
        stored = self._stored()
        return self._left_behind(stored), _records_in(stored)

    def _left_behind(self, stored: dict[str, Any]) -> str:
        """All that lasts, without what differs between two lives and matters to none: two the same end the same."""
        line = self.line
        last = line.outer.lasting
        rows = [
            _nameless(str([line.waiting(), last.queue, last.acted, last.silent, last.merged[:1], line.far()]))
        ]
        for key, value in stored.items():
            fields = value if isinstance(value, dict) else {b"": value}
            rows += [
                f"{key} {name!r} {_plain(one)}"
                for name, one in sorted(fields.items())
                if name.decode() not in OWN
            ]
        rows += [f"{pull.number} {pull.head} {pull.state} {pull.body}" for pull in line.outer.github.pulls]
        rows += sorted(line.outer.refs())
        rows += [f"{one.ts} {one.thread_ts} {_nameless(one.text)}" for one in line.outer.slack.messages]
        rows += [f"{len(line.outer.slack.deleted)} {line.disk()}"]
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _words(messages: list[Message]) -> dict[str, list[Word]]:
    found: dict[str, list[Word]] = {}
    for one in messages:
        tell, _, what = one.key.rpartition(":")
        found.setdefault(_nameless(tell), []).append((what or one.text, bool(one.thread_ts), one.rings))
    return {tell: sorted(words) for tell, words in found.items()}


def _without_first(words: list[Word]) -> list[Word]:
    """Where the outcome is known before the first word was said, it stands for itself, and the rest under it."""
    return sorted(
        (what, thread and what != "outcome", rings) for what, thread, rings in words if what != "ack"
    )


def _left_out(key: str, name: str, silent: set[str]) -> bool:
    """Whether a record is that of a first word that was not said: its outcome, or its incident's words, came sooner."""
    tell = key.removeprefix(PREFIX)
    return name == "r:ack" and (tell.startswith("notification:alert:") or tell in silent)


def _lacking(words: list[Word], among: list[Word]) -> bool:
    left = among[:]
    for word in words:
        if word not in left:
            return True
        left.remove(word)
    return False


def _nameless(text: str) -> str:
    """Without what is named by the moment: an umbrella, and what is told of pings that stay away."""
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


def _said_unrecorded(crossed: list[Boundary], when: When) -> bool:
    """Whether a process died with words in Slack of which its journal knows nothing."""
    done = crossed if when == "after" else crossed[:-1]
    telling = [one for one in done if one.kind == "slack" or one.name.startswith("record")]
    return bool(telling) and telling[-1].kind == "slack"


def _changed(before: Records, after: Records) -> list[str]:
    """Records that were there and are not what they were."""
    return [
        f"record {name} of {key} changed"
        for (key, name), value in before.items()
        if name.removeprefix("r:") not in MUTABLE and after.get((key, name)) != value
    ]


def _plain(value: Any) -> str:
    """A value without the moments and commits that another life makes anew."""
    if not isinstance(value, bytes):
        return ""
    if value[1:2] == b"z":
        value = b"1j" + zlib.decompress(value[2:])
    text = _nameless(re.sub(r"[0-9a-f]{40}|\d{13}", "#", value.decode(errors="replace")))
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+Z]*", "@", text)
