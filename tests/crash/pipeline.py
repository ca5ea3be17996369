"""A line in one process that can be killed at any boundary, and put back to where it stood before any step."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import redis

from tests.crash.boundaries import MortalRedis, MortalTransport, Process, git_crossing, stray_http
from tests.crash.fakes import Kept, Outer
from tests.crash.scenarios import Scenario
from workers.agent.run import Agent, Answer
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.clients.slack import Slack
from workers.engine import dispatcher
from workers.engine.claim import LEASE_SECONDS
from workers.engine.schema import PINGS, SCHEDULE
from workers.engine.stage_table import STAGES
from workers.engine.worker_store import WorkerStore
from workers.incidents import intake
from workers.incidents.intake import DedupWindow
from workers.models import Alert, Verification
from workers.pipeline.services import Services
from workers.pipeline.worker import run_stage
from workers.remediation.resources import Remediation
from workers.runtime.settings import read

T = TypeVar("T")
HUB = "https://github.example"
SOON_SECONDS = 60.0
"""While something is due within this, nothing new happens outside."""
LAG_SECONDS = 50.0


@dataclass(frozen=True)
class Snapshot:
    """Everything that lasts, as it stood before a step."""

    keys: dict[bytes, tuple[bytes, int]]
    listed: list[str]
    disk: Path | None
    kept: Kept
    loaded: frozenset[str]
    """The scripts that the process had loaded by then."""


class Mortal:
    """The line around the shop. `process` is the life that works now; `live` begins another."""

    def __init__(self, store: redis.Redis, folder: Path, scenario: Scenario) -> None:
        self.store, self.folder, self.scenario = store, folder, scenario
        self.outer, self.methods, self.at_work = Outer(folder, scenario), set[str](), ""
        self.settings, self.process, self.asked = read(self._environ(), dotenv=None), Process(), set[str]()
        """The words of all boundaries that dead lives crossed."""
        self.live(Process())

    def _environ(self) -> dict[str, str]:
        return {
            "REDIS_URL": "redis://127.0.0.1/0", "RAILWAY_API_TOKEN": self.outer.railway.token,
            "RAILWAY_API_URL": "https://railway.example/graphql/v2", "TRACKWALKER_ENVIRONMENTS": "prj-1/env-1",
            "TRACKWALKER_SECRET": "s3cret", "TRACKWALKER_VERIFY_MINUTES": "0.001",
            "GITHUB_TOKEN": self.outer.github.token, "GITHUB_API_URL": HUB, "GITHUB_SERVER_URL": HUB,
            "SLACK_BOT_TOKEN": self.outer.slack.token, "SLACK_CHANNEL": self.outer.slack.channel,
            "SLACK_API_URL": "https://slack.example/api/", "TRACKWALKER_MODEL": "played/model",
            "TRACKWALKER_ACK_SECONDS": "0",
        } | self.scenario.settings  # fmt: skip

    # -- living -----------------------------------------------------------------------------------

    def live(self, process: Process, loaded: frozenset[str] = frozenset()) -> None:
        """A new process with clients of its own; nothing of the one before is used again.

        `loaded`: the scripts that a process which has worked for a while knows in the store.
        """
        self.asked |= {word for one in self.process.seen for word in one.name.split()}
        self.process = process
        client = MortalRedis(connection_pool=self.store.connection_pool)
        client.process = process
        journal, config = WorkerStore(client), self.settings
        journal._loaded.update(loaded)
        github = self._noting(GitHub)(HUB, HUB, token=config.github_token, http=self._web("github"))
        repositories = self._noting(Repositories)(self.folder / "state" / "work", HUB, github.credentials)
        mender = Remediation(
            config, github, repositories, journal, self.folder / "state", self._ask, self._certify
        )
        mender.agent = Agent(Path("-"), Path("-"), cast("Any", None), "played/model", {}, {}, None, 1.0, 1.0)
        mender.sandbox = cast("Any", None)
        self.services = Services(
            settings=config,
            store=journal,
            railway=self._noting(Railway)(
                config.railway_api_url, token=config.railway_api_token, http=self._web("railway")
            ),
            github=github,
            slack=self._noting(Slack)(
                config.slack_bot_token, config.slack_channel, config.slack_webhook_url, config.slack_api_url,
                http=self._web("slack"),
            ),
            repositories=repositories,
            remediation=mender,
            now=self.outer.now,
        )  # fmt: skip

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
        return httpx.Client(transport=MortalTransport(self.process, kind, self.outer.answer), trust_env=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        """What the line does without a client that is given to it meets boundaries, too."""
        with ExitStack() as stack:
            stack.enter_context(git_crossing(lambda: self.process, self.folder / "github"))
            stack.enter_context(stray_http(lambda: self.process, self.outer.page))
            yield

    # -- the steps of the line --------------------------------------------------------------------

    def step(self, number: int) -> bool:
        """One thing that happens: a knock at the door, a journal worked on, time passing. False when all is over."""
        self.process.step, self.at_work = number, ""
        if self.outer.lasting.queue:
            stage, key = self.outer.lasting.queue.pop(0)
            self.process.stage, self.at_work = stage, key
            run_stage(self.services, stage, key)
            return True
        waiting = cast("list[tuple[bytes, float]]", self.store.zrange(SCHEDULE, 0, -1, withscores=True))
        soon = any(at < (time.time() + SOON_SECONDS) * 1000 for _, at in waiting)
        if self.outer.lasting.acted < len(self.scenario.acts) and not soon:
            self.process.stage = "door"
            self._knock()
            return True
        if self._over({key.decode() for key, _ in waiting}):
            return False
        self.process.stage = "move"
        self.outer.people()
        self._time_passes(waiting)
        dispatcher.dispatch_due(self.services.store, cast("Any", self))
        return True

    def _over(self, waiting: set[str]) -> bool:
        """Whether nothing will ever be due again, or only the pings that must come."""
        if not waiting or waiting != {PINGS} or not self.scenario.silence:
            return waiting <= {PINGS}
        if not self.outer.lasting.silent:
            # What is told of it names the minute of the last ping: the same one in every life.
            self.outer.lasting.silent = True
            self.store.hset(PINGS, "last", int(self.outer.begun.timestamp() * 1000))
        return self.store.hget(PINGS, "reported") == b"1"

    def _time_passes(self, waiting: list[tuple[bytes, float]]) -> None:
        """A lease's time, or as much as it takes until something is due."""
        now = time.time() * 1000
        passed = max(1000 * (LEASE_SECONDS + 1), waiting[0][1] - now + 1)
        self.store.zadd(SCHEDULE, {key: at - passed for key, at in waiting})
        for key in [key.decode() for key, at in waiting if at - passed <= now]:
            self.store.hdel(key, "not_before", "ack_due_at")
            if self.store.hexists(key, "lease"):
                self.store.hset(key, "lease", 1)

    def lag(self) -> None:
        """Whatever the dead process worked on is taken up again only after much else."""
        if self.at_work:
            self.store.zadd(SCHEDULE, {self.at_work: (time.time() + LAG_SECONDS) * 1000}, xx=True)

    def far(self) -> int:
        """How many are due only after a lease's time: not the next ones to be worked on."""
        soon = (time.time() + 2 * LEASE_SECONDS) * 1000
        return self.store.zcount(SCHEDULE, soon, "+inf")

    def enqueue(self, message: Any) -> None:
        """The broker: what is queued outlives the process."""
        entry = (message.actor_name, message.args[0])
        assert entry[0] in STAGES
        self.process.cross("queue", f"enqueue {entry[0]}", lambda: self.outer.lasting.queue.append(entry))

    def _knock(self) -> None:
        """The sender of the alert, who sends the same again when the answer does not come."""
        phase, facts = self.scenario.acts[self.outer.lasting.acted]
        self.outer.lasting.phase, name = phase, f"a{self.outer.lasting.acted + 1}"
        told = {"project_id": "prj-1", "environment_id": "env-1", "message": "Monitor triggered", "id": name}
        alert = Alert.model_validate(told | facts | {"received_at": self.outer.now()})
        intake.ingest_batch(
            [(alert, DedupWindow(key=name, seconds=300))], self.services.store, lambda _key: None,
            ack_seconds=self.settings.ack_seconds,
        )  # fmt: skip
        self.outer.lasting.acted += 1

    def waiting(self) -> list[str]:
        return [cast("bytes", key).decode() for key in self.store.zrange(SCHEDULE, 0, -1)]

    # -- the agent --------------------------------------------------------------------------------

    def _ask(self, agent: Agent, role: str, clone: Path, prompt: str, **named: Any) -> Answer:
        think = self.outer.think
        return self.process.cross("agent", f"ask {role}", lambda: think(role, clone, prompt, **named))

    def _certify(
        self, fix: Any, plan: Any, verdict: Any, place: Any, *, repositories: Repositories, **_: Any
    ) -> Verification:
        prove = self.outer.proved
        return self.process.cross("agent", "certify", lambda: prove(fix, place, repositories))

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
            dict(zip(names, zip(found[::2], found[1::2], strict=True), strict=True)), self.disk(), disk,
            self.outer.take(), frozenset(self.services.store._loaded),
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
        self.outer.put_back(snapshot.kept)

    def _mirrors(self) -> Path:
        return self.folder / "state" / "work" / "mirrors"

    def disk(self) -> list[str]:
        """What lies in the worker's mirror; its trees are new each time, and nobody looks into one again."""
        mirrors = self._mirrors()
        return sorted(str(path.relative_to(mirrors)) for path in mirrors.rglob("*"))


def _linked(source: str, target: str) -> str:
    Path(target).hardlink_to(source)
    return target
