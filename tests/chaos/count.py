"""What a run did to the installation, and what was lost, doubled or left of it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import redis
from redis.exceptions import RedisError

from tests.chaos.lines import Line, Run, is_end
from tests.chaos.town import Site
from tests.support.fakes.slack import Message
from workers.engine.journal import LOST, PREFIX, SCHEDULE

SETTLED_WITHIN_SECONDS = 150.0
ENDED_WITHIN_SECONDS = 30.0
JOURNALS = ("alert", "sweep", "incident", "notification")


@dataclass
class Count:
    """The figures of a run. Each of `broken` is a promise that was not kept."""

    figures: dict[str, object] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    stories: list[str] = field(default_factory=list)

    def promise(self, name: str, guilty: Iterable[object], of: int, unit: str) -> None:
        """A figure that must be 0, with what that bounds."""
        found = [str(one) for one in guilty]
        bound = f" of {of} {unit}" + (f": below {bounded(of):.2%} at 95 %" if of and not found else "")
        self.figures[name] = f"{len(found)}{bound}"
        if found:
            self.broken.append(f"{name}: {', '.join(found)[:600]}")


def bounded(tries: int) -> float:
    """The largest rate that still gives 0 failures in so many tries in one of twenty runs (rule of three)."""
    return 1.0 - math.pow(0.05, 1.0 / tries)


def settle(run: Run) -> list[str]:
    """Wait until nothing is under way any more; what still is after that, with where it stands."""
    deadline = time.monotonic() + SETTLED_WITHIN_SECONDS
    left = ["the store was never asked"]
    while left and time.monotonic() < deadline:
        time.sleep(1.0)
        try:
            with run.fleet.store() as store:
                left = unended(store)
        except (RedisError, OSError, ValueError):
            continue
    return left


def left_running(run: Run) -> list[str]:
    """Programs that go on although nobody has work for them; a ping's own ones end by themselves."""
    deadline = time.monotonic() + ENDED_WITHIN_SECONDS
    while (found := run.fleet.programs()) and time.monotonic() < deadline:
        time.sleep(1.0)
    return found


def unended(store: redis.Redis) -> list[str]:
    """Journals that have not ended and are not due for something known."""
    found = []
    for kind in JOURNALS:
        for raw in store.scan_iter(f"{PREFIX}{kind}:*", count=1000):
            key = raw.decode()
            if not key.endswith("-again") and not store.hexists(key, "ended"):
                found.append(key)
    return found


def story_of(store: redis.Redis, key: str) -> str:
    """Where a journal stands, for whoever has to find out why."""
    raw: dict[bytes, bytes] = store.hgetall(key)  # type: ignore[assignment]
    fields = {name.decode(): value for name, value in raw.items()}
    shown = {
        name: value.decode()[:200] for name, value in fields.items() if not name.startswith(("r:", "a:"))
    }
    records = [name for name in fields if name.startswith("r:")]
    return f"{key}: due {store.zscore(SCHEDULE, key)}, {shown}, records {records}"


def count(run: Run) -> Count:
    """The figures, once everything has settled."""
    made = Count()
    lines = [line for line in run.lines if line.reached != "not begun"]
    accepted = [(line, alert) for line in lines for alert in line.accepted]
    left = settle(run)
    with run.fleet.store() as store:
        made.stories = [story_of(store, key) for key in left[:20]]
        made.figures |= _setting(run, lines, len(accepted), store)
        lost = [alert for line, alert in accepted if not _answered(run, store, line.site, alert)]
        journals = sum(1 for kind in JOURNALS for _ in store.scan_iter(f"{PREFIX}{kind}:*", count=1000))
    if not lines:
        made.broken.append("no line was begun")
    made.promise("alerts lost", lost, len(accepted), "accepted")
    pulls = {line.site.number: len(run.town.pulls(line.site)) for line in lines}
    made.promise(
        "causes without exactly one pull request",
        [n for n, k in pulls.items() if k != 1],
        len(lines),
        "lines",
    )
    branches = {line.site.number: len(run.town.branches(line.site)) for line in lines}
    made.promise(
        "causes without exactly one branch", [n for n, k in branches.items() if k != 1], len(lines), "lines"
    )
    made.promise("stuck journals", left, journals, "journals")
    made.promise("programs left running", left_running(run), len(_begun(run)), "runs of the agent")
    unfinished = [
        f"{line.site.number} ({line.reached}: {line.trouble})" for line in lines if line.reached != "watched"
    ]
    made.promise("lines that did not reach their end", unfinished, len(lines), "lines")
    made.promise(
        "calls that GitHub does not know", run.town.github.wrong, len(run.town.github.calls), "calls"
    )
    _slack(made, run, lines)
    return made


def _setting(run: Run, lines: list[Line], accepted: int, store: redis.Redis) -> dict[str, object]:
    faults = {name: Counter[str](kind for kind, _ in one.played) for name, one in run.town.faults.items()}
    begun = Counter(_begun(run))
    opened = sum(1 for _ in store.scan_iter(f"{PREFIX}incident:*"))
    times = sorted(line.seconds for line in lines)
    durable = {name: _plain(store.config_get(name)) for name in ("appendonly", "appendfsync")}
    return {
        "lines": f"{len(lines)} of {run.plan.lines} were begun, {sum(line.real for line in lines)} of "
        f"{run.plan.real} with the real opencode",
        "seconds of a line": f"{times[len(times) // 2]:.0f} in the middle, {times[-1]:.0f} at most"
        if times
        else "-",
        "alerts accepted": f"{accepted}, with {run.sends} requests",
        "done to processes": _listed(run.fleet.done),
        "runs of the store": f"{len(run.fleet.runs)} ({', '.join(durable.values())})",
        **{f"faults of {name}": _listed(kinds) for name, kinds in faults.items()},
        "claims lost to another worker": (run.fleet.folder / "up.log")
        .read_text(errors="replace")
        .count(LOST),
        "incidents opened": opened,
        "agent runs begun": f"reader {begun['reader']}, writer {begun['writer']}",
    }


def _begun(run: Run) -> list[str]:
    """The role of each run of the agent."""
    return [call.role for call in run.town.model.calls if not call.results]


def _plain(answer: object) -> str:
    return ", ".join(f"{key} {value}" for key, value in dict(answer).items())  # type: ignore[call-overload]


def _listed(counter: Counter[str]) -> str:
    return f"{counter.total()} ({', '.join(f'{name} {n}' for name, n in sorted(counter.items()))})"


def _answered(run: Run, store: redis.Redis, site: Site, alert: str) -> bool:
    """Whether the alert's journal ended, and its outcome was told: its own, or that of its incident."""
    if not store.hexists(f"{PREFIX}alert:{alert}", "ended"):
        return False
    if run.plan.webhook:
        return any(f"/{site.repository}/pull/" in one.text for one in run.town.slack.messages)
    own = any(one.key == f"notification:alert:{alert}:outcome" for one in run.town.slack.messages)
    return own or bool(run.town.told(site, "outcome"))


def _slack(made: Count, run: Run, lines: list[Line]) -> None:
    slack = run.town.slack
    if run.plan.webhook:
        made.figures["posts"] = len(slack.messages)
        made.figures["said twice (a webhook cannot look back)"] = _twice(lines, slack.messages)
        return
    # An incident that takes an alert's first word for its own gives it another key.
    standing = Counter(one.posted_as for one in slack.messages if one.posted_as)
    shown = {one.key for one in slack.messages}
    posted = standing + Counter(one.posted_as for one in slack.deleted if one.posted_as)
    doubles = {key: number - 1 for key, number in posted.items() if number > 1}
    ends = [any("it held" in one.text for one in run.town.told(line.site, "watch")) for line in lines]
    made.figures["watches"] = f"{sum(ends)} of {len(ends)} saw that it held"
    made.figures["posts"] = f"{posted.total()}, of them first words {_ending(standing, 'ack')}"
    made.figures["Slack doubles"] = f"{sum(doubles.values())} made, {len(slack.deleted)} deleted"
    made.promise(
        "Slack doubles left", [key for key, n in standing.items() if n != 1], len(posted), "messages"
    )
    made.promise(
        "messages of which no post is left",
        [key for key in posted if not standing[key] and key not in shown],
        len(posted),
        "messages",
    )


def _ending(keys: Counter[str], name: str) -> int:
    return sum(1 for key in keys if key.endswith(f":{name}"))


def _twice(lines: list[Line], messages: list[Message]) -> str:
    """How many outcomes and watches were said more than once."""
    kinds: dict[str, Callable[[str, Site], bool]] = {
        "outcomes": lambda text, site: f"/{site.repository}/pull/" in text,
        "watches": is_end,
    }
    said = []
    for name, says in kinds.items():
        numbers = [sum(says(one.text, line.site) for one in messages) for line in lines]
        said.append(f"{sum(number > 1 for number in numbers)} of {len(numbers)} {name}")
    return ", ".join(said)
