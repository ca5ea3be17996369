"""A line in one process whose world never answers the same twice, so that whatever is done again shows.

Stand-ins answer without sockets, git has a folder for a server, the agent and its proof are played. Everything that
lasts (store, repositories, disk, what was posted) can be taken and put back.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import redis

from tests.mortal import OUTSIDE, Boundary, MortalRedis, MortalTransport, Process, git_crossing, stray_http
from tests.world import shop
from tests.world.githttp import git
from tests.world.github import GitHubStandIn
from tests.world.github_shapes import Pull
from tests.world.railway import Budget, RailwayStandIn
from tests.world.railway_types import LogRow, Request, WorldDeployment, WorldService
from tests.world.slack import Message, SlackStandIn
from workers import actors, due, intake
from workers.backfill import KEPT_BACK
from workers.broker import STAGES
from workers.github import GitHub
from workers.intake import PINGS, Fold
from workers.journal import DUE, LEASE_SECONDS, Journal
from workers.mend.round import Mender
from workers.models import Alert, Certificate, Run, Spent
from workers.opencode import Agent, Answer
from workers.railway import Railway
from workers.repository import Repositories
from workers.settings import read
from workers.slack import Slack

T = TypeVar("T")
HUB = "https://github.example"
NUMBER = "4711471147114711"
"""Where the stand-in's Railway would say how often it was asked."""
MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)[^\"]*")
"""A moment, and its minute: who asks again within that gets the same answer, but for its number."""
SOON_SECONDS = 60.0
LAG_SECONDS = 50.0
SILENT_SECONDS = 3000.0
GRANTED = 10_000
"""Requests an hour at Railway, of which so many are spent that a little of the past can be read."""
NEWER_HEADS = 8
"""Commits that others push to main meanwhile: one before each answer that names its head."""


SHOP = {"service_id": "svc-shop", "service_name": "shop", "kind": "monitor.triggered", "source": "railway"}
PING = {"kind": "ping", "source": "ping"}


@dataclass(frozen=True)
class Scenario:
    """What happens, how the installation is set up, and where it is died in."""

    name: str
    acts: tuple[tuple[str, dict[str, str]], ...]
    """One after the other, each when nothing is to be done any more: how the world is now, who knocks at the door."""
    stages: tuple[str, ...]
    """Those it comes through."""
    die_in: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    busy: int = 0
    """So many answers of Railway are 503 first."""
    refused: bool = False
    """Railway knows no such token."""
    silence: bool = False
    """No ping comes for a while in the end."""
    closes: bool = False
    """A human closes the pull request unmerged."""
    only: tuple[str, ...] = ()
    """Not all boundaries of those stages, but these, as others are the same elsewhere."""
    after: str = ""
    """A death after this asks of the outside what no undisturbed life does."""

    def dies_at(self, where: Boundary) -> bool:
        return where.stage in self.die_in and (not self.only or where.name.split()[0] in self.only)


@dataclass
class Lasting:
    """What a death does not touch, beside the store and the disk."""

    answers: dict[str, int] = field(default_factory=dict)
    """How often each question was asked: each has numbers of its own, as threads ask side by side."""
    acted: int = 0
    phase: str = ""
    merged: str = ""
    silent: bool = False
    queue: list[tuple[str, str]] = field(default_factory=list)
    railway: int = 0
    beats: int = 0

    def copy(self) -> Lasting:
        return replace(self, queue=self.queue[:], answers=dict(self.answers))


@dataclass(frozen=True)
class Snapshot:
    """Everything that lasts, as it stood before a step."""

    keys: dict[bytes, tuple[bytes, int]]
    refs: dict[str, str]
    listed: list[str]
    disk: Path | None
    pulls: list[Pull]
    messages: list[Message]
    deleted: list[Message]
    lasting: Lasting
    loaded: dict[str, str]
    """The scripts that the process had loaded by then."""


class Words(SlackStandIn):
    """Slack by the line's own clock."""

    def __init__(self, line: Mortal) -> None:
        super().__init__()
        self._line = line

    def say(self, text: str, **fields: Any) -> Message:
        at = self._line.begun.timestamp() + self._line._another("message")
        message = Message(f"{at:.6f}", fields.pop("channel", self.channel), text, **fields)
        self.messages.append(message)
        return message


class Mortal:
    """The line around the shop. `process` is the life that works now; `live` begins another."""

    def __init__(self, store: redis.Redis, folder: Path, scenario: Scenario) -> None:
        self.store, self.folder, self.scenario = store, folder, scenario
        self.begun = datetime.now(UTC)
        self.lasting, self.methods = Lasting(), set[str]()
        self.known: dict[tuple[str, str], httpx.Response] = {}
        healthy, sick = shop.write(folder / "origin")
        self.phases = phases(self.begun.timestamp(), healthy, sick)
        self.world = shop.world(self.begun.timestamp(), healthy, sick)
        self.world.project_name = f"shop, asked {NUMBER} times"
        self.railway, self.slack = RailwayStandIn(self.world), Words(self)
        left = round(KEPT_BACK * GRANTED) + 9
        self.railway.budget = Budget(GRANTED, GRANTED - left, self.begun.timestamp() + 3000)
        self.github = GitHubStandIn(folder / "github")
        self.bare = self.github.create(shop.NAME, folder / "origin")
        self.github.open_pull(shop.NAME, head="docs", files=("README.md",))
        self.heads = list(_newer(self.bare, sick))
        self.settings = read(self._environ(), dotenv=None)
        self.loop, self.talking = asyncio.new_event_loop(), threading.Lock()
        self.at_work = ""
        self.live(Process())

    def _environ(self) -> dict[str, str]:
        return {
            "REDIS_URL": "redis://127.0.0.1/0", "RAILWAY_API_TOKEN": self.railway.token,
            "RAILWAY_API_URL": "https://railway.example/graphql/v2", "TRACKWALKER_WATCH": "prj-1/env-1",
            "TRACKWALKER_SECRET": "s3cret", "TRACKWALKER_WATCH_MINUTES": "0.001",
            "GITHUB_TOKEN": self.github.token, "GITHUB_API_URL": HUB, "GITHUB_SERVER_URL": HUB,
            "SLACK_BOT_TOKEN": self.slack.token, "SLACK_CHANNEL": self.slack.channel,
            "SLACK_API_URL": "https://slack.example/api/", "TRACKWALKER_MODEL": "played/model",
            "TRACKWALKER_FIRST_WORD_SECONDS": "0",
        } | self.scenario.settings  # fmt: skip

    # -- living -----------------------------------------------------------------------------------

    def live(self, process: Process, loaded: dict[str, str] | None = None) -> None:
        """A new process with clients of its own; nothing of the one before is used again.

        `loaded`: the scripts that a process which has worked for a while knows in the store.
        """
        self.process = process
        client = MortalRedis(connection_pool=self.store.connection_pool)
        client.process = process
        journal, config = Journal(client), self.settings
        journal._shas.update(loaded or {})
        github = self._noting(GitHub)(HUB, HUB, token=config.github_token, http=self._web("github"))
        repositories = self._noting(Repositories)(self.folder / "state" / "work", HUB, github.credentials)
        mender = Mender(
            config, github, repositories, journal, self.folder / "state", self._ask, self._certify
        )
        mender.agent = Agent(Path("-"), Path("-"), cast("Any", None), "played/model", {}, {}, None, 1.0, 1.0)
        mender.wall = cast("Any", None)
        self.services = actors.Services(
            settings=config,
            journal=journal,
            railway=self._noting(Railway)(
                config.railway_api_url, token=config.railway_api_token, http=self._web("railway")
            ),
            github=github,
            slack=self._noting(Slack)(
                config.slack_bot_token, config.slack_channel, config.slack_webhook_url, config.slack_api_url,
                http=self._web("slack"),
            ),
            repositories=repositories,
            mender=mender,
            now=self._now,
        )  # fmt: skip

    def close(self) -> None:
        self.loop.close()

    def _noting(self, kind: type[T]) -> type[T]:
        """The client's class, whose public methods are noted when called."""

        def noted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(method)
            def call(*arguments: Any, **named: Any) -> Any:
                self.methods.add(f"{kind.__name__}.{name}")
                return method(*arguments, **named)

            return call

        public = {name: one for name, one in vars(kind).items() if name[0] != "_" and callable(one)}
        own = {name: noted(name, one) for name, one in public.items() if not isinstance(one, type)}
        return cast("type[T]", type(kind.__name__, (kind,), own))

    def _web(self, kind: str) -> httpx.Client:
        return httpx.Client(transport=MortalTransport(self.process, kind, self._answer), trust_env=False)

    def _now(self) -> datetime:
        passed = SILENT_SECONDS if self.lasting.silent else 0
        return self.begun + timedelta(seconds=passed, milliseconds=self._another("now"))

    @contextmanager
    def running(self) -> Iterator[None]:
        """What the line does without a client that is given to it meets boundaries, too."""
        with ExitStack() as stack:
            stack.enter_context(git_crossing(lambda: self.process, self.folder / "github"))
            stack.enter_context(stray_http(lambda: self.process, self._page))
            yield

    # -- the steps of the line --------------------------------------------------------------------

    def step(self, number: int) -> bool:
        """One thing that happens: a knock at the door, a journal worked on, time passing. False when all is over."""
        self.process.step, self.at_work = number, ""
        if self.lasting.queue:
            stage, key = self.lasting.queue.pop(0)
            self.process.stage, self.at_work = stage, key
            actors.work(self.services, stage, key)
            return True
        waiting = cast("list[tuple[bytes, float]]", self.store.zrange(DUE, 0, -1, withscores=True))
        soon = any(at < (time.time() + SOON_SECONDS) * 1000 for _, at in waiting)
        if self.lasting.acted < len(self.scenario.acts) and not soon:
            self.process.stage = "door"
            self._knock()
            return True
        if self._over({key.decode() for key, _ in waiting}):
            return False
        self.process.stage = "move"
        self._people()
        self._time_passes(waiting)
        due.move(self.services.journal, cast("Any", self))
        return True

    def _over(self, waiting: set[str]) -> bool:
        """Whether nothing will ever be due again, or only the pings that must come."""
        if not waiting or waiting != {PINGS} or not self.scenario.silence:
            return waiting <= {PINGS}
        self.lasting.silent = True
        return self.store.hget(PINGS, "told") == b"1"

    def _time_passes(self, waiting: list[tuple[bytes, float]]) -> None:
        """A lease's time, or as much as it takes until something is due."""
        now = time.time() * 1000
        passed = max(1000 * (LEASE_SECONDS + 1), waiting[0][1] - now + 1)
        self.store.zadd(DUE, {key: at - passed for key, at in waiting})
        for key in [key.decode() for key, at in waiting if at - passed <= now]:
            self.store.hdel(key, "not_before", "first_at")
            if self.store.hexists(key, "lease"):
                self.store.hset(key, "lease", 1)

    def lag(self) -> None:
        """Whatever the dead process worked on is taken up again only after much else."""
        if self.at_work:
            self.store.zadd(DUE, {self.at_work: (time.time() + LAG_SECONDS) * 1000}, xx=True)

    def enqueue(self, message: Any) -> None:
        """The broker: what is queued outlives the process."""
        entry = (message.actor_name, message.args[0])
        assert entry[0] in STAGES
        self.process.cross("queue", f"enqueue {entry[0]}", lambda: self.lasting.queue.append(entry))

    def _knock(self) -> None:
        """The sender of the alert, who sends the same again when the answer does not come."""
        phase, facts = self.scenario.acts[self.lasting.acted]
        self.lasting.phase, name = phase, f"a{self.lasting.acted + 1}"
        told = {"project_id": "prj-1", "environment_id": "env-1", "said": "Monitor triggered", "id": name}
        alert = Alert.model_validate(told | facts | {"at": self._now()})
        intake.take_in(
            alert, Fold(key=name, seconds=300), self.services.journal, lambda _key: None,
            first_word_seconds=self.settings.first_word_seconds,
        )  # fmt: skip
        self.lasting.acted += 1

    def waiting(self) -> list[str]:
        return [cast("bytes", key).decode() for key in self.store.zrange(DUE, 0, -1)]

    # -- the world --------------------------------------------------------------------------------

    def _another(self, question: str) -> int:
        """A number that no answer to this question had before."""
        answers = self.lasting.answers
        answers[question] = answers.get(question, 0) + 1
        return answers[question]

    def _people(self) -> None:
        """Somebody merges what was told, and Railway deploys it; or closes it."""
        pull = self.github.pulls[-1]
        told = any(f"/pull/{pull.number}" in message.text for message in self.slack.messages)
        if not told or pull.state != "open":
            return
        with OUTSIDE.allowed():
            if self.scenario.closes:
                self.github.close(pull.number)
            else:
                self.lasting.merged = self.github.merge(pull.number)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        with self.talking:
            if request.url.host == "railway.example":
                return self._railway(request)
            if "/branches/" in request.url.path:
                self._push()
            app = self.slack.app if request.url.host == "slack.example" else self.github.app
            return self.loop.run_until_complete(_asked(app, request))

    def _railway(self, request: httpx.Request) -> httpx.Response:
        """As the stand-in answered it first, with another project's name and another line in the log each time."""
        body = json.loads(request.content)
        number = self._another(body["query"])
        self.lasting.railway += 1
        if self.scenario.refused or self.lasting.railway <= self.scenario.busy:
            return httpx.Response(401 if self.scenario.refused else 503)
        asked = self.lasting.merged or self.lasting.phase, MOMENT.sub(r"\1", request.content.decode())
        known = self.known.get(asked)
        if known is None:
            services = self.phases[self.lasting.phase]
            if self.lasting.merged:
                services = [
                    deployed(services[0], self.lasting.merged, self.begun.timestamp()),
                    *services[1:],
                ]
            self.world.services[:] = services
            known = self.known[asked] = self.loop.run_until_complete(_asked(self.railway.app, request))
        content = known.content.replace(NUMBER.encode(), str(number).encode())
        headers = [one for one in known.headers.items() if one[0] != "content-length"]
        return httpx.Response(known.status_code, headers=headers, content=content)

    def _push(self) -> None:
        """Somebody pushes something else to main."""
        if not self.lasting.merged:
            head = self.heads[self._another("head") - 1]
            (self.bare / "refs" / "heads").mkdir(exist_ok=True)
            (self.bare / "refs" / "heads" / "main").write_text(head + "\n")

    def _page(self, request: httpx.Request) -> httpx.Response:
        self.lasting.beats += 1
        status = {"indicator": "none", "description": f"asked {self._another('page')} times"}
        return httpx.Response(200, json={"status": status, "incidents": []})

    # -- the agent --------------------------------------------------------------------------------

    def _ask(self, agent: Agent, role: str, clone: Path, prompt: str, **named: Any) -> Answer:
        return self.process.cross("agent", f"ask {role}", lambda: self._think(role, clone, prompt, **named))

    def _think(
        self, role: str, clone: Path, prompt: str, *, on_spent: Callable[[Spent], None], **_: Any
    ) -> Answer:
        number = self._another(role)
        on_spent(Spent(cost_usd=0.01, tokens=10, calls=1, seconds=1.0))
        if role == "writer":
            mended = (clone / "pricing.py").read_text().replace('order["voucher"]', 'order.get("voucher")')
            (clone / "pricing.py").write_text(f"{mended}\n# mended in run {number}\n")
            (clone / "tests" / "test_no_voucher.py").write_text(shop.REPRODUCTION)
            said: dict[str, Any] = {"summary": f"mended in run {number}", "not_done": []}
        else:
            said = {
                "verdict": "code", "evidence": re.findall(r"(?m)^- (E\d+):|^(E\d+):", prompt)[0][1:],
                "cause": {"summary": f"read in run {number}", "file": "pricing.py", "line": 9},
                "reproduction": {"kind": "test", "path": "tests/test_no_voucher.py", "why": "it fails"},
                "change": ["read the voucher with get"], "confidence": 0.9,
            }  # fmt: skip
        spent = Spent(cost_usd=0.02, tokens=20, calls=2, seconds=2.0)
        on_spent(spent)
        return Answer(f"```json\n{json.dumps(said)}\n```", spent)

    def _certify(
        self, fix: Any, plan: Any, verdict: Any, place: Any, *, repositories: Repositories, **_: Any
    ) -> Certificate:
        return self.process.cross("agent", "certify", lambda: self._proved(fix, place, repositories))

    def _proved(self, fix: Any, place: Any, repositories: Repositories) -> Certificate:
        for tree in (repositories.apply(place.name, fix.base_commit, fix.patch), repositories.bench()):
            repositories.discard(tree)
        ran = Run(
            command="python3 -m unittest", outcome="failed", output=f"proved in run {self._another('proof')}"
        )
        passed = ran.model_copy(update={"outcome": "passed"})
        return Certificate(
            decision="ready", reproduction_deployed=ran, reproduction_before=ran, reproduction_after=passed
        )

    # -- taking and putting back ------------------------------------------------------------------

    def take(self) -> Snapshot:
        """All that lasts, as it stands now."""
        names = cast("list[bytes]", self.store.keys("*"))
        with self.store.pipeline() as pipe:
            for name in names:
                pipe.dump(name)
                pipe.pttl(name)
            found = pipe.execute()
        disk = None
        if self.disk():
            disk = self.folder / "disks" / str(time.monotonic_ns())
            shutil.copytree(self._mirrors(), disk, copy_function=_linked)
        return Snapshot(
            dict(zip(names, zip(found[::2], found[1::2], strict=True), strict=True)), self.refs(), self.disk(),
            disk, self.github.pulls[:], self.slack.messages[:], self.slack.deleted[:], self.lasting.copy(),
            dict(self.services.journal._shas),
        )  # fmt: skip

    def put_back(self, snapshot: Snapshot) -> None:
        """All that lasts, as it stood then."""
        with self.store.pipeline() as pipe:
            pipe.flushall()
            for name, (value, ttl) in snapshot.keys.items():
                pipe.restore(name, max(0, ttl), value)
            pipe.execute()
        for left in ("work/trees", "runs"):
            shutil.rmtree(self.folder / "state" / left, ignore_errors=True)
        if self.disk() != snapshot.listed:
            shutil.rmtree(self._mirrors(), ignore_errors=True)
            if snapshot.disk:
                shutil.copytree(snapshot.disk, self._mirrors(), copy_function=_linked)
        self._put_refs(snapshot.refs)
        self.github.pulls, self.slack.messages = snapshot.pulls[:], snapshot.messages[:]
        self.slack.deleted = snapshot.deleted[:]
        self.github._numbers = itertools.count(len(snapshot.pulls) + 1)
        self.lasting = snapshot.lasting.copy()

    def _mirrors(self) -> Path:
        return self.folder / "state" / "work" / "mirrors"

    def disk(self) -> list[str]:
        """What lies in the worker's mirror; its trees are new each time, and nobody looks into one again."""
        mirrors = self._mirrors()
        return sorted(str(path.relative_to(mirrors)) for path in mirrors.rglob("*"))

    def refs(self) -> dict[str, str]:
        """The branches of the repository at GitHub, with their commits."""
        heads = self.bare / "refs" / "heads"
        packed = [
            line.split()
            for line in (self.bare / "packed-refs").read_text().splitlines()
            if line[0] not in "#^"
        ]
        loose = {path: path.read_text().strip() for path in heads.rglob("*") if path.is_file()}
        return {name: commit for commit, name in packed} | {
            str(path.relative_to(self.bare)): commit for path, commit in loose.items()
        }

    def _put_refs(self, refs: dict[str, str]) -> None:
        if refs == self.refs():
            return
        packed = "".join(f"{commit} {name}\n" for name, commit in sorted(refs.items()))
        (self.bare / "packed-refs").write_text(packed)
        shutil.rmtree(self.bare / "refs")
        (self.bare / "refs" / "heads").mkdir(parents=True)


def _linked(source: str, target: str) -> str:
    Path(target).hardlink_to(source)
    return target


async def _asked(app: Any, request: httpx.Request) -> httpx.Response:
    answer = await httpx.ASGITransport(app=app).handle_async_request(request)
    return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


def _newer(bare: Path, head: str) -> Iterator[str]:
    """Commits on top of main that touch nothing of ours."""
    for number in range(NEWER_HEADS):
        tree = git(bare, "rev-parse", f"{head}^{{tree}}")
        head = git(bare, "commit-tree", tree, "-p", head, "-m", f"Something else, {number}")
        yield head


def phases(now: float, healthy: str, sick: str) -> dict[str, list[WorldService]]:
    """How the world may be: the shop sick or well, and a second service that asks it and fails, too, or alone."""

    def services(*, failing: bool) -> list[WorldService]:
        made = shop.world(now, healthy, sick, failing=failing).services
        made[0].deployments[0].logs.append(LogRow(now - 1, f"line {NUMBER} of the log", "error"))
        return made

    bad, good = services(failing=True), services(failing=False)
    live = WorldDeployment(
        "dep-web", "svc-web", "SUCCESS", now - 9e5, now - 9e5, {"image": "ghcr.io/acme/web"},
        instances=[("ins-web", "RUNNING")],
    )  # fmt: skip
    asked = [replace(one, deployment_id=live.id, instance_id="ins-web") for one in bad[0].requests]
    web = WorldService(
        "svc-web", "web", image="ghcr.io/acme/web", domains=["web.up.railway.app"], deployments=[live],
        active=[live.id], requests=asked,
    )  # fmt: skip
    caller = replace(web, variables={"SHOP_URL": ["shop.RAILWAY_PRIVATE_DOMAIN"]})
    well = replace(web, requests=[replace(one, status=200) for one in asked])
    return {
        "sick": bad, "well": good, "web": [*good, web], "both": [*bad, caller], "all well": [*good, well],
    }  # fmt: skip


def deployed(service: WorldService, commit: str, now: float) -> WorldService:
    """As if Railway had deployed the commit five minutes ago, and traffic went on."""
    live = WorldDeployment(
        "dep-fixed", service.id, "SUCCESS", now - 300, now - 300, shop.meta(commit, "Merge"),
        instances=[("ins-3", "RUNNING")],
    )  # fmt: skip
    before = [one for one in service.requests if one.at < now - 300]
    after = [Request(now - 300 + i, "POST", "/orders", 200, 20.0, live.id, "ins-3") for i in range(0, 300, 2)]
    older = [replace(service.deployments[0], status="REMOVED"), *service.deployments[1:]]
    return replace(service, deployments=[live, *older], active=[live.id], requests=before + after)
