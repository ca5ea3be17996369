"""Cases: each sends an alert, waits for the post with the link, merges the pull request and waits for the follow-up."""

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

from tests.chaos.environments import FakeEnvironments, Shop
from tests.chaos.installation import DECK, Disruption, Installation
from tests.support.fakes.model import MODEL_NAME as MODEL
from tests.support.fakes.model import provider
from tests.support.fakes.opencode import install
from tests.support.fakes.serving import free_port, serve
from tests.support.fakes.slack import HOOK

SECRET = "s3cret"
POLL_SECONDS = 0.3  # between two looks at Slack
BLOCK = 40  # environments that are watched at a time beside those in flight: a ping sweeps them all
REPEATED_ALERT_SHARE = 0.3  # share of the alerts that is followed by a second alert about the same trouble


@dataclass(frozen=True)
class Plan:
    """The parameters of a run.

    Args:
        pause_seconds: mean time between two disruptions.
        case_seconds: deadline of one case.
        real_agent_cases: number of the last cases that use the real opencode.
        webhook: Slack is an incoming webhook, which cannot be searched.
        start_until: no case starts after this time (monotonic seconds).
    """

    cases: int
    seed: int
    in_flight: int = 6
    pause_seconds: float = 6.0
    case_seconds: float = 900.0
    real_agent_cases: int = 0
    webhook: bool = False
    deck: tuple[Disruption, ...] = DECK
    max_disruptions: int = 1_000_000
    start_until: float = float("inf")


@dataclass
class Case:
    """The state of one case: the accepted alerts and the last milestone."""

    shop: Shop
    real_agent: bool = False
    accepted: list[str] = field(default_factory=list)
    reached: str = "not started"
    seconds: float = 0.0
    problem: str = ""


@dataclass
class ChaosRun:
    """One run: the environments, the installation and the cases."""

    plan: Plan
    environments: FakeEnvironments
    installation: Installation
    report: Callable[[str], None]
    cases: list[Case] = field(default_factory=list)
    sends: int = 0
    """Number of requests until all alerts were accepted."""

    def __post_init__(self) -> None:
        self.random = random.Random(f"{self.plan.seed}/lines")
        self.calm = threading.Event()
        self.ended = threading.Event()
        """Set when the run is interrupted; no case continues."""
        self._lock = threading.Lock()
        self._under_way: set[int] = set()
        self._watched_below = BLOCK

    def run_all(self) -> None:
        """Run all cases while the installation is disrupted."""
        disruptor = threading.Thread(target=self._disrupt, daemon=True)
        disruptor.start()
        first = self.plan.cases - self.plan.real_agent_cases
        try:
            self._run_cases(range(first))
            if self.plan.real_agent_cases and time.monotonic() < self.plan.start_until:
                self.report(f"the last {self.plan.real_agent_cases} cases use the real opencode")
                self.installation.restart(OPENCODE_BIN="")
                self._run_cases(range(first, self.plan.cases))
        finally:
            self.calm.set()
            disruptor.join()
            self.environments.stop_faults()

    def _run_cases(self, numbers: range) -> None:
        with ThreadPoolExecutor(self.plan.in_flight) as pool:
            try:
                for done in as_completed([pool.submit(self._run_case, number) for number in numbers]):
                    case = done.result()
                    self.cases.append(case)
                    problem = "" if not case.problem else f": {case.problem}"
                    self.report(
                        f"case {case.shop.number}: {case.reached} after {case.seconds:.0f} s{problem}"
                    )
            except BaseException:
                self.ended.set()
                raise

    def _disrupt(self) -> None:
        """Deal disruptions from the deck at times drawn by seed."""
        chance, deck = random.Random(f"{self.plan.seed}/disruptions"), list[Disruption]()
        for _ in range(self.plan.max_disruptions):
            if self.calm.wait(
                min(chance.expovariate(1 / self.plan.pause_seconds), 4 * self.plan.pause_seconds)
            ):
                return
            if not deck:
                deck = list(self.plan.deck)
                chance.shuffle(deck)
            self.installation.disrupt(deck.pop())

    # -- one case ---------------------------------------------------------------------------------

    def _run_case(self, number: int) -> Case:
        real = number >= self.plan.cases - self.plan.real_agent_cases
        case, began = Case(self.environments.shops[number], real), time.monotonic()
        if began > self.plan.start_until or self.ended.is_set():
            return case
        self._watch_environment(number)
        try:
            for reached in self._steps(case, began + self.plan.case_seconds):
                case.reached, case.seconds = reached, time.monotonic() - began
        except TimeoutError as error:
            case.problem, case.seconds = str(error), time.monotonic() - began
        except Exception as error:
            case.problem = f"{type(error).__name__}: {error}"
        with self._lock:
            self._under_way.discard(number)
        return case

    def _watch_environment(self, number: int) -> None:
        """Make the installation watch the case's environment. The first case of a block restarts it for the block."""
        with self._lock:
            self._under_way.add(number)
            if number >= self._watched_below:
                self._watched_below = number + BLOCK
                # Cases that start at the same time may arrive here later.
                block = range(number - self.plan.in_flight, min(self._watched_below, self.plan.cases))
                numbers = {*self._under_way, *(other for other in block if other >= 0)}
                self.installation.restart(
                    TRACKWALKER_ENVIRONMENTS=environments_setting(self.environments, numbers)
                )

    def _steps(self, case: Case, deadline: float) -> Iterator[str]:
        environments, chance = self.environments, random.Random(f"{self.plan.seed}/{case.shop.number}")
        site = environments.start_failing(case.shop.number)
        self._send(case, deadline)
        yield "accepted"
        if chance.random() < REPEATED_ALERT_SHARE:
            time.sleep(chance.uniform(0, 3))
            self._send(case, deadline)
        link = f"/{site.repository}/pull/"
        self._wait(lambda: self._is_posted(link), deadline, "link of the pull request in Slack")
        yield "proposed"
        environments.merge(site)
        yield "merged"
        self._wait(lambda: self._has_follow_up(site), deadline, "follow-up in Slack")
        site.close()
        yield "followed up"

    def _send(self, case: Case, deadline: float) -> None:
        """Send the alert until it is accepted: the same body again after a refusal or a lost answer."""
        body = json.dumps(_alert(case.shop))
        headers = {"X-Trackwalker-Secret": SECRET, "Content-Type": "application/json"}
        while time.monotonic() < deadline and not self.ended.is_set():
            self.sends += 1
            try:
                answer = httpx.post(
                    f"{self.installation.url}/hooks/railway", content=body, headers=headers, timeout=10
                )
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code == 202 and "alert" in answer.json():
                case.accepted.append(answer.json()["alert"])
                return
            time.sleep(1.0)
        raise TimeoutError("the alert was never accepted")

    def _wait(self, condition: Callable[[], object], deadline: float, what: str) -> None:
        while not condition():
            if time.monotonic() > deadline or self.ended.is_set():
                raise TimeoutError(f"no {what} in time")
            time.sleep(POLL_SECONDS)

    def _is_posted(self, text: str) -> bool:
        return any(text in message.text for message in list(self.environments.slack.messages))

    def _has_follow_up(self, site: Shop) -> bool:
        if self.plan.webhook:
            return any(is_follow_up(message.text, site) for message in list(self.environments.slack.messages))
        return bool(self.environments.posts(site, "watch"))


def is_follow_up(text: str, site: Shop) -> bool:
    """True if the text is the follow-up of the shop's merge, as it reads without threads."""
    return text.startswith(f"*shop{site.suffix}*: ")


def _alert(site: Shop) -> dict[str, object]:
    world = site.railway.world
    return {
        "type": "Monitor.triggered",
        "details": {},
        "resource": {
            "project": {"id": world.project_id, "name": world.project_name},
            "environment": {"id": world.environment_id, "name": world.environment_name},
            "service": {"id": site.service_id, "name": f"shop{site.suffix}"},
        },
        "timestamp": datetime.now(UTC).isoformat(),
    }


def environments_setting(environments: FakeEnvironments, numbers: Iterable[int]) -> str:
    """The value of TRACKWALKER_ENVIRONMENTS for these cases."""
    worlds = [environments.shops[number].railway.world for number in sorted(numbers)]
    return ",".join(f"{world.project_id}/{world.environment_id}" for world in worlds)


# ---- the run -----------------------------------------------------------------------------------


@contextmanager
def chaos_run(
    plan: Plan, folder: Path, report: Callable[[str], None] = lambda _text: None
) -> Iterator[ChaosRun]:
    """Run environments and installation until the block ends."""
    with ExitStack() as stack:
        environments = FakeEnvironments(folder, plan.cases, plan.seed)
        railway = stack.enter_context(serve(environments.railway_app, environments.railway_faults)).url
        hub = stack.enter_context(serve(environments.github.app, environments.github.faults)).url
        slack = stack.enter_context(serve(environments.slack.app, environments.slack.faults)).url
        model = stack.enter_context(serve(environments.model.app(), environments.model.faults)).url
        options = {"headerTimeout": 10_000, "chunkTimeout": 10_000}
        config = {"provider": provider(model, "standin-key", **options)}
        (folder / "opencode.json").write_text(json.dumps(config))
        watch = environments_setting(environments, range(min(plan.cases, BLOCK)))
        environment = {
            "TRACKWALKER_SECRET": SECRET, "TRACKWALKER_ENVIRONMENTS": watch, "TRACKWALKER_PING_MINUTES": "5",
            "TRACKWALKER_VERIFY_MINUTES": "0.1", "TRACKWALKER_ACK_SECONDS": "6",
            "TRACKWALKER_MAX_AGENT_RUNS_PER_DAY": "100000",
            "TRACKWALKER_MAX_COST_PER_DAY_USD": "100000", "TRACKWALKER_MAX_CONCURRENT_FIXES": "2",
            "TRACKWALKER_MODEL": MODEL, "OPENCODE_CONFIG": str(folder / "opencode.json"),
            "OPENCODE_BIN": str(install(folder / "opencode")),
            "RAILWAY_API_TOKEN": environments.shops[0].railway.token, "RAILWAY_API_URL": f"{railway}/graphql/v2",
            "GITHUB_TOKEN": environments.github.token, "GITHUB_API_URL": hub, "GITHUB_SERVER_URL": hub,
            "SLACK_API_URL": f"{slack}/api/",
        }  # fmt: skip
        if plan.webhook:
            environment["SLACK_WEBHOOK_URL"] = slack + HOOK
        else:
            environment |= {
                "SLACK_BOT_TOKEN": environments.slack.token,
                "SLACK_CHANNEL": environments.slack.channel,
            }
        installation = Installation(folder, environment, free_port(), plan.seed)
        stack.callback(installation.end)
        installation.start()
        yield ChaosRun(plan, environments, installation, report)
