"""The figures of a run: what was done to the installation, and what was lost, duplicated or left over."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import redis
from redis.exceptions import RedisError

from tests.chaos.cases import Case, ChaosRun, is_follow_up
from tests.chaos.environments import Shop
from tests.support.fakes.slack import Message
from workers.engine.claim import LOST
from workers.engine.schema import PREFIX, SCHEDULE

SETTLED_WITHIN_SECONDS = 150.0  # from the end of the disruptions until every journal has ended
ENDED_WITHIN_SECONDS = 30.0  # until the programs of ended journals have ended too
JOURNALS = ("alert", "sweep", "incident", "notification")


@dataclass
class Result:
    """The figures of a run. `broken` lists the promises that were not kept, `unended` the journals behind them."""

    figures: dict[str, object] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    unended: list[str] = field(default_factory=list)

    def promise(self, name: str, guilty: Iterable[object], of: int, unit: str) -> None:
        """Record a figure that must be 0, with the failure rate that it rules out."""
        failures = [str(item) for item in guilty]
        bound = f" of {of} {unit}" + (f": below {upper_bound(of):.2%} at 95 %" if of and not failures else "")
        self.figures[name] = f"{len(failures)}{bound}"
        if failures:
            self.broken.append(f"{name}: {', '.join(failures)[:600]}")


def upper_bound(tries: int) -> float:
    """The upper 95 % bound of a failure rate after 0 failures in `tries` (the exact form of the rule of three)."""
    return 1.0 - math.pow(0.05, 1.0 / tries)


def settle(run: ChaosRun) -> list[str]:
    """Wait until every journal has ended. Return the keys of those that have not in time."""
    deadline = time.monotonic() + SETTLED_WITHIN_SECONDS
    unended_journals = ["the store never answered"]
    while unended_journals and time.monotonic() < deadline:
        time.sleep(1.0)
        try:
            with run.installation.store() as store:
                unended_journals = unended(store)
        except (RedisError, OSError, ValueError):
            continue
    return unended_journals


def left_running(run: ChaosRun) -> list[str]:
    """Programs that still run although their journals have ended."""
    deadline = time.monotonic() + ENDED_WITHIN_SECONDS
    while (programs := run.installation.programs()) and time.monotonic() < deadline:
        time.sleep(1.0)
    return programs


def unended(store: redis.Redis) -> list[str]:
    """Keys of the journals that have not ended. Re-checks of answered alerts do not count."""
    keys = []
    for kind in JOURNALS:
        for raw in store.scan_iter(f"{PREFIX}{kind}:*", count=1000):
            key = raw.decode()
            if not (key.endswith("-again") or ":alert:follow-up-" in key) and not store.hexists(key, "ended"):
                keys.append(key)
    return keys


def describe_journal(store: redis.Redis, key: str) -> str:
    """The state of a journal, for the message of a failed run."""
    raw: dict[bytes, bytes] = store.hgetall(key)  # type: ignore[assignment]
    fields = {name.decode(): value for name, value in raw.items()}
    readable = {
        name: value.decode()[:200] for name, value in fields.items() if not name.startswith(("r:", "a:"))
    }
    records = [name for name in fields if name.startswith("r:")]
    return f"{key}: due {store.zscore(SCHEDULE, key)}, {readable}, records {records}"


def count(run: ChaosRun) -> Result:
    """Wait until everything has settled and return the figures."""
    result = Result()
    cases = [case for case in run.cases if case.reached != "not started"]
    accepted = [(case, alert) for case in cases for alert in case.accepted]
    stuck = settle(run)
    with run.installation.store() as store:
        result.unended = [describe_journal(store, key) for key in stuck[:20]]
        result.figures |= _figures(run, cases, len(accepted), store)
        lost = [alert for case, alert in accepted if not _answered(run, store, case.shop, alert)]
        journals = sum(1 for kind in JOURNALS for _ in store.scan_iter(f"{PREFIX}{kind}:*", count=1000))
    if not cases:
        result.broken.append("no case was started")
    result.promise("alerts lost", lost, len(accepted), "accepted")
    pulls = {case.shop.number: len(run.environments.pulls(case.shop)) for case in cases}
    result.promise(
        "causes without exactly one pull request",
        [n for n, k in pulls.items() if k != 1],
        len(cases),
        "cases",
    )
    branches = {case.shop.number: len(run.environments.branches(case.shop)) for case in cases}
    result.promise(
        "causes without exactly one branch", [n for n, k in branches.items() if k != 1], len(cases), "cases"
    )
    result.promise("stuck journals", stuck, journals, "journals")
    result.promise("programs left running", left_running(run), len(_agent_roles(run)), "runs of the agent")
    unfinished = [
        f"{case.shop.number} ({case.reached}: {case.problem})"
        for case in cases
        if case.reached != "followed up"
    ]
    result.promise("cases that did not reach their end", unfinished, len(cases), "cases")
    result.promise(
        "calls that GitHub does not know",
        run.environments.github.wrong,
        len(run.environments.github.calls),
        "calls",
    )
    _count_slack(result, run, cases)
    return result


def _figures(run: ChaosRun, cases: list[Case], accepted: int, store: redis.Redis) -> dict[str, object]:
    faults = {
        name: Counter[str](kind for kind, _ in faults.played)
        for name, faults in run.environments.faults.items()
    }
    roles = Counter(_agent_roles(run))
    opened = sum(1 for _ in store.scan_iter(f"{PREFIX}incident:*"))
    times = sorted(case.seconds for case in cases)
    durable = {name: _plain(store.config_get(name)) for name in ("appendonly", "appendfsync")}
    return {
        "cases": f"{len(cases)} of {run.plan.cases} were started, {sum(case.real_agent for case in cases)} of "
        f"{run.plan.real_agent_cases} with the real opencode",
        "seconds of a case": f"{times[len(times) // 2]:.0f} median, {times[-1]:.0f} at most"
        if times
        else "-",
        "alerts accepted": f"{accepted}, with {run.sends} requests",
        "disruptions": _summary(run.installation.disruptions),
        "starts of the store": f"{len(run.installation.store_runs)} ({', '.join(durable.values())})",
        **{f"faults of {name}": _summary(kinds) for name, kinds in faults.items()},
        "claims lost to another worker": (run.installation.folder / "up.log")
        .read_text(errors="replace")
        .count(LOST),
        "incidents opened": opened,
        "agent runs": f"reader {roles['reader']}, writer {roles['writer']}",
    }


def _agent_roles(run: ChaosRun) -> list[str]:
    """The role of each agent run."""
    return [call.role for call in run.environments.model.calls if not call.results]


def _plain(answer: object) -> str:
    return ", ".join(f"{key} {value}" for key, value in dict(answer).items())  # type: ignore[call-overload]


def _summary(counter: Counter[str]) -> str:
    return f"{counter.total()} ({', '.join(f'{name} {n}' for name, n in sorted(counter.items()))})"


def _answered(run: ChaosRun, store: redis.Redis, site: Shop, alert: str) -> bool:
    """True if the alert's journal ended and its outcome, or that of its incident, was posted."""
    if not store.hexists(f"{PREFIX}alert:{alert}", "ended"):
        return False
    if run.plan.webhook:
        return any(f"/{site.repository}/pull/" in message.text for message in run.environments.slack.messages)
    own = any(
        message.key == f"notification:alert:{alert}:outcome" for message in run.environments.slack.messages
    )
    return own or bool(run.environments.posts(site, "outcome"))


def _count_slack(result: Result, run: ChaosRun, cases: list[Case]) -> None:
    slack = run.environments.slack
    if run.plan.webhook:
        result.figures["posts"] = len(slack.messages)
        result.figures["posted twice (a webhook cannot be searched)"] = _count_repeated(cases, slack.messages)
        return
    # An incident that takes over an alert's acknowledgement gives it another key.
    standing = Counter(message.posted_as for message in slack.messages if message.posted_as)
    readable = {message.key for message in slack.messages}
    posted = standing + Counter(message.posted_as for message in slack.deleted if message.posted_as)
    duplicates = {key: number - 1 for key, number in posted.items() if number > 1}
    ends = [
        any("Fix verified" in message.text for message in run.environments.posts(case.shop, "watch"))
        for case in cases
    ]
    result.figures["follow-ups"] = f"{sum(ends)} of {len(ends)} verified the fix"
    result.figures["posts"] = f"{posted.total()}, of them acknowledgements {_ending(standing, 'ack')}"
    result.figures["Slack duplicates"] = f"{sum(duplicates.values())} made, {len(slack.deleted)} deleted"
    result.promise(
        "Slack duplicates left", [key for key, n in standing.items() if n != 1], len(posted), "messages"
    )
    result.promise(
        "messages of which no post is left",
        [key for key in posted if not standing[key] and key not in readable],
        len(posted),
        "messages",
    )


def _ending(keys: Counter[str], name: str) -> int:
    return sum(1 for key in keys if key.endswith(f":{name}"))


def _count_repeated(cases: list[Case], messages: list[Message]) -> str:
    """The number of outcomes and follow-ups that were posted more than once."""
    kinds: dict[str, Callable[[str, Shop], bool]] = {
        "outcomes": lambda text, site: f"/{site.repository}/pull/" in text,
        "follow-ups": is_follow_up,
    }
    counts = []
    for name, matches in kinds.items():
        numbers = [sum(matches(message.text, case.shop) for message in messages) for case in cases]
        counts.append(f"{sum(number > 1 for number in numbers)} of {len(numbers)} {name}")
    return ", ".join(counts)
