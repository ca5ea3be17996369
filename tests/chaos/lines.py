"""Lines: each sends its alert, waits for the words in Slack, merges the pull request and sees it watched to the end."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.chaos.fleet import DECK, Blow, Fleet
from tests.chaos.town import Site, Town
from tests.support.fakes.model import MODEL_NAME as MODEL
from tests.support.fakes.model import provider
from tests.support.fakes.opencode import install
from tests.support.fakes.platform import free_port
from tests.support.fakes.serving import serve
from tests.support.fakes.slack import HOOK

SECRET = "s3cret"
LOOK_SECONDS = 0.3
BLOCK = 40
"""So many environments beside those in flight are watched at a time: a ping sweeps them all."""
AGAIN = 0.3
"""So large a part of the alerts is followed by a second one of the same trouble."""


@dataclass(frozen=True)
class Plan:
    """What a run is to do. `apart`: seconds between two blows, on average; `patience`: for one line."""

    lines: int
    seed: int
    in_flight: int = 6
    apart: float = 6.0
    patience: float = 900.0
    real: int = 0
    """How many of the last lines use the real opencode."""
    webhook: bool = False
    """Slack is an incoming webhook: nobody can look back."""
    deck: tuple[Blow, ...] = DECK
    blows: int = 1_000_000
    until: float = float("inf")
    """No line begins after this (monotonic seconds)."""


@dataclass
class Line:
    """What became of one line: the alerts that were accepted for it, and how far it came."""

    site: Site
    real: bool = False
    """With the real opencode."""
    accepted: list[str] = field(default_factory=list)
    reached: str = "not begun"
    seconds: float = 0.0
    trouble: str = ""


@dataclass
class Run:
    """One run: the town, the installation and the lines."""

    plan: Plan
    town: Town
    fleet: Fleet
    say: Callable[[str], None]
    lines: list[Line] = field(default_factory=list)
    sends: int = 0
    """Requests that it took to have all alerts accepted."""

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.plan.seed}/lines")
        self.peace = threading.Event()
        self.ended = threading.Event()
        """The run is ended from outside: no line goes on."""
        self._lock = threading.Lock()
        self._under_way: set[int] = set()
        self._watched_below = BLOCK

    def live(self) -> None:
        """All lines, while blows fall."""
        striker = threading.Thread(target=self._strike, daemon=True)
        striker.start()
        first = self.plan.lines - self.plan.real
        try:
            self._walk(range(first))
            if self.plan.real and time.monotonic() < self.plan.until:
                self.say(f"the last {self.plan.real} lines use the real opencode")
                self.fleet.restart(OPENCODE_BIN="")
                self._walk(range(first, self.plan.lines))
        finally:
            self.peace.set()
            striker.join()
            self.town.calm()

    def _walk(self, numbers: range) -> None:
        with ThreadPoolExecutor(self.plan.in_flight) as pool:
            try:
                for done in as_completed([pool.submit(self._follow, number) for number in numbers]):
                    line = done.result()
                    self.lines.append(line)
                    so_far = "" if not line.trouble else f": {line.trouble}"
                    self.say(f"line {line.site.number}: {line.reached} after {line.seconds:.0f} s{so_far}")
            except BaseException:
                self.ended.set()
                raise

    def _strike(self) -> None:
        """Blow after blow, dealt from the deck, at moments drawn by seed."""
        chance, deck = random.Random(f"{self.plan.seed}/blows"), list[Blow]()
        for _ in range(self.plan.blows):
            if self.peace.wait(min(chance.expovariate(1 / self.plan.apart), 4 * self.plan.apart)):
                return
            if not deck:
                deck = list(self.plan.deck)
                chance.shuffle(deck)
            self.fleet.strike(deck.pop())

    # -- one line ---------------------------------------------------------------------------------

    def _follow(self, number: int) -> Line:
        real = number >= self.plan.lines - self.plan.real
        line, began = Line(self.town.sites[number], real), time.monotonic()
        if began > self.plan.until or self.ended.is_set():
            return line
        self._watch(number)
        try:
            for reached in self._steps(line, began + self.plan.patience):
                line.reached, line.seconds = reached, time.monotonic() - began
        except TimeoutError as error:
            line.trouble, line.seconds = str(error), time.monotonic() - began
        except Exception as error:
            line.trouble = f"{type(error).__name__}: {error}"
        with self._lock:
            self._under_way.discard(number)
        return line

    def _watch(self, number: int) -> None:
        """The installation watches the line's environment; with the first of a block it is set up for that anew."""
        with self._lock:
            self._under_way.add(number)
            if number >= self._watched_below:
                self._watched_below = number + BLOCK
                # Those that begin at the same time may come here a little later.
                block = range(number - self.plan.in_flight, min(self._watched_below, self.plan.lines))
                numbers = {*self._under_way, *(one for one in block if one >= 0)}
                self.fleet.restart(TRACKWALKER_ENVIRONMENTS=watched(self.town, numbers))

    def _steps(self, line: Line, deadline: float) -> Iterator[str]:
        town, chance = self.town, random.Random(f"{self.plan.seed}/{line.site.number}")
        site = town.open(line.site.number)
        self._send(line, deadline)
        yield "accepted"
        if chance.random() < AGAIN:
            time.sleep(chance.uniform(0, 3))
            self._send(line, deadline)
        link = f"/{site.repository}/pull/"
        self._wait(lambda: self._said(link), deadline, "the pull request's link in Slack")
        yield "proposed"
        town.merge(site)
        yield "merged"
        self._wait(lambda: self._watched(site), deadline, "the watch's end in Slack")
        site.close()
        yield "watched"

    def _send(self, line: Line, deadline: float) -> None:
        """Until it is accepted: the same body again after a refusal, a dead door or a lost answer."""
        body = json.dumps(_alert(line.site))
        headers = {"X-Trackwalker-Secret": SECRET, "Content-Type": "application/json"}
        while time.monotonic() < deadline and not self.ended.is_set():
            self.sends += 1
            try:
                answer = httpx.post(
                    f"{self.fleet.url}/hooks/railway", content=body, headers=headers, timeout=10
                )
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code == 202 and "alert" in answer.json():
                line.accepted.append(answer.json()["alert"])
                return
            time.sleep(1.0)
        raise TimeoutError("the alert was never accepted")

    def _wait(self, condition: Callable[[], object], deadline: float, what: str) -> None:
        while not condition():
            if time.monotonic() > deadline or self.ended.is_set():
                raise TimeoutError(f"waited in vain for {what}")
            time.sleep(LOOK_SECONDS)

    def _said(self, text: str) -> bool:
        return any(text in message.text for message in list(self.town.slack.messages))

    def _watched(self, site: Site) -> bool:
        if self.plan.webhook:
            return any(is_end(one.text, site) for one in list(self.town.slack.messages))
        return bool(self.town.told(site, "watch"))


def is_end(text: str, site: Site) -> bool:
    """Whether the text says what came of the site's merge, as it reads where there are no threads."""
    return text.startswith(f"*shop{site.mark}*: ")


def _alert(site: Site) -> dict[str, object]:
    world = site.railway.world
    return {
        "type": "Monitor.triggered",
        "details": {},
        "resource": {
            "project": {"id": world.project_id, "name": world.project_name},
            "environment": {"id": world.environment_id, "name": world.environment_name},
            "service": {"id": site.service_id, "name": f"shop{site.mark}"},
        },
        "timestamp": datetime.now(UTC).isoformat(),
    }


def watched(town: Town, numbers: Iterable[int]) -> str:
    """The setting that has these lines' environments watched."""
    worlds = [town.sites[number].railway.world for number in sorted(numbers)]
    return ",".join(f"{one.project_id}/{one.environment_id}" for one in worlds)


# ---- the whole -----------------------------------------------------------------------------------


@contextmanager
def running(plan: Plan, folder: Path, say: Callable[[str], None] = lambda _text: None) -> Iterator[Run]:
    """Town and installation for the block."""
    with ExitStack() as stack:
        town = Town(folder, plan.lines, plan.seed)
        railway = stack.enter_context(serve(town.railway_app, town.railway_faults)).url
        hub = stack.enter_context(serve(town.github.app, town.github.faults)).url
        slack = stack.enter_context(serve(town.slack.app, town.slack.faults)).url
        model = stack.enter_context(serve(town.model.app(), town.model.faults)).url
        options = {"headerTimeout": 10_000, "chunkTimeout": 10_000}
        config = {"provider": provider(model, "standin-key", **options)}
        (folder / "opencode.json").write_text(json.dumps(config))
        watch = watched(town, range(min(plan.lines, BLOCK)))
        environment = {
            "TRACKWALKER_SECRET": SECRET, "TRACKWALKER_ENVIRONMENTS": watch, "TRACKWALKER_PING_MINUTES": "5",
            "TRACKWALKER_VERIFY_MINUTES": "0.1", "TRACKWALKER_ACK_SECONDS": "6",
            "TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "100000",
            "TRACKWALKER_MAX_COST_PER_DAY_USD": "100000", "TRACKWALKER_MAX_CONCURRENT_FIXES": "2",
            "TRACKWALKER_MODEL": MODEL, "OPENCODE_CONFIG": str(folder / "opencode.json"),
            "OPENCODE_BIN": str(install(folder / "opencode")),
            "RAILWAY_API_TOKEN": town.sites[0].railway.token, "RAILWAY_API_URL": f"{railway}/graphql/v2",
            "GITHUB_TOKEN": town.github.token, "GITHUB_API_URL": hub, "GITHUB_SERVER_URL": hub,
            "SLACK_API_URL": f"{slack}/api/",
        }  # fmt: skip
        if plan.webhook:
            environment["SLACK_WEBHOOK_URL"] = slack + HOOK
        else:
            environment |= {"SLACK_BOT_TOKEN": town.slack.token, "SLACK_CHANNEL": town.slack.channel}
        fleet = Fleet(folder, environment, free_port(), plan.seed)
        stack.callback(fleet.end)
        fleet.start()
        yield Run(plan, town, fleet, say)
