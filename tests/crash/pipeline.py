"""A pipeline in one process that can crash at any boundary, and go back to the state before any step."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import httpx
import redis

from tests.crash.boundaries import CrashingRedis, CrashingTransport, Process, git_crossing, stray_http
from tests.crash.fakes import ExternalState, WorldSnapshot
from tests.crash.scenarios import Scenario
from workers.actions import perform
from workers.agent.coding_agent import Agent, AgentAnswer
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import Railway
from workers.clients.slack import Slack
from workers.engine import dispatcher
from workers.engine.claim import LEASE_SECONDS
from workers.engine.schema import PINGS, PREFIX, SCHEDULE, journal_id, watched_key
from workers.engine.stage_table import STAGES
from workers.engine.worker_store import WorkerStore
from workers.incidents import intake
from workers.incidents.intake import DedupWindow
from workers.models import Action, ActionKind, Alert, Person, Verification
from workers.pipeline.services import Services
from workers.pipeline.worker import run_stage
from workers.remediation.resources import Remediation
from workers.runtime.settings import read

T = TypeVar("T")
HUB = "https://github.example"
SOON_SECONDS = 60.0  # while a journal is due within this, the scenario does not go on
LAG_SECONDS = 50.0  # delay of a crashed journal: after everything else that is due soon


@dataclass(frozen=True)
class PipelineSnapshot:
    """All durable state before a step."""

    keys: dict[bytes, tuple[bytes, int]]
    disk_files: list[str]
    disk: Path | None
    world: WorldSnapshot
    loaded: frozenset[str]
    """Names of the scripts that the process had loaded into Redis."""
    taken_at: float
    """Epoch seconds."""


class CrashablePipeline:
    """The pipeline that watches the shop. `process` runs it; `start_process` replaces it by a new one."""

    def __init__(self, store: redis.Redis, folder: Path, scenario: Scenario) -> None:
        self.store, self.folder, self.scenario = store, folder, scenario
        self.external, self.methods, self.current_journal = ExternalState(folder, scenario), set[str](), ""
        self.settings, self.process, self.crossed_names = (
            read(self._environ(), dotenv=None),
            Process(),
            set[str](),
        )
        """Words in the names of all boundaries that crashed processes crossed."""
        # The report of the first check has tests of its own.
        store.set(watched_key("env-1"), "1", ex=3600)
        self.start_process(Process())

    def _environ(self) -> dict[str, str]:
        return {
            "REDIS_URL": "redis://127.0.0.1/0", "RAILWAY_API_TOKEN": self.external.railway.token,
            "RAILWAY_API_URL": "https://railway.example/graphql/v2", "TRACKWALKER_ENVIRONMENTS": "prj-1/env-1",
            "TRACKWALKER_SECRET": "s3cret", "TRACKWALKER_VERIFY_MINUTES": "0.001",
            "GITHUB_TOKEN": self.external.github.token, "GITHUB_API_URL": HUB, "GITHUB_SERVER_URL": HUB,
            "SLACK_BOT_TOKEN": self.external.slack.token, "SLACK_CHANNEL": self.external.slack.channel,
            "SLACK_API_URL": "https://slack.example/api/", "TRACKWALKER_MODEL": "played/model",
            "TRACKWALKER_ACK_SECONDS": "0",
        } | self.scenario.settings  # fmt: skip

    # -- processes --------------------------------------------------------------------------------

    def start_process(self, process: Process, loaded: frozenset[str] = frozenset()) -> None:
        """Start a new process with clients of its own; nothing of the one before is used again.

        Args:
            loaded: names of the scripts that the process has loaded into Redis already.
        """
        self.crossed_names |= {word for boundary in self.process.crossed for word in boundary.name.split()}
        self.process = process
        client = CrashingRedis(connection_pool=self.store.connection_pool)
        client.process = process
        journal, config = WorkerStore(client), self.settings
        journal._loaded.update(loaded)
        github = self._recording(GitHub)(HUB, HUB, token=config.github_token, http=self._web("github"))
        repositories = self._recording(Repositories)(self.folder / "state" / "work", HUB, github.credentials)
        remediation = Remediation(
            config,
            github,
            repositories,
            journal,
            self.folder / "state",
            partial(datetime.now, UTC),
            self._ask,
            self._verify,
        )
        remediation.agent = Agent(
            Path("-"), Path("-"), cast("Any", None), "played/model", {}, {}, None, 1.0, 1.0
        )
        remediation.sandbox = cast("Any", None)
        self.services = Services(
            settings=config,
            store=journal,
            railway=self._recording(Railway)(
                config.railway_api_url, token=config.railway_api_token, http=self._web("railway")
            ),
            github=github,
            slack=self._recording(Slack)(
                config.slack_bot_token, config.slack_channel, config.slack_webhook_url, config.slack_api_url,
                http=self._web("slack"),
            ),
            repositories=repositories,
            remediation=remediation,
            now=self.external.now,
        )  # fmt: skip

    def _recording(self, kind: type[T]) -> type[T]:
        """A subclass of the client that records which public methods are called."""

        def noted(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(method)
            def call(*arguments: Any, **named: Any) -> Any:
                self.methods.add(f"{kind.__name__}.{name}")
                return method(*arguments, **named)

            return call

        public = {
            name: attribute
            for name, attribute in vars(kind).items()
            if name[0] != "_" and callable(attribute)
        }
        own = {
            name: noted(name, attribute)
            for name, attribute in public.items()
            if not isinstance(attribute, type)
        }
        return cast("type[T]", type(kind.__name__, (kind,), own))

    def _web(self, kind: str) -> httpx.Client:
        return httpx.Client(
            transport=CrashingTransport(self.process, kind, self.external.answer), trust_env=False
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make git and short-lived HTTP clients, which are no collaborators of the pipeline, boundaries too."""
        with ExitStack() as stack:
            stack.enter_context(git_crossing(lambda: self.process, self.folder / "github"))
            stack.enter_context(stray_http(lambda: self.process, self.external.page))
            yield

    # -- steps -----------------------------------------------------------------

    def step(self, number: int) -> bool:
        """One step: an alert arrives, a stage runs, or time passes. False once nothing is left to do."""
        self.process.step, self.current_journal = number, ""
        if self.external.durable.queue:
            stage, key = self.external.durable.queue.pop(0)
            self.process.stage, self.current_journal = stage, key
            run_stage(self.services, stage, key)
            return True
        waiting = cast("list[tuple[bytes, float]]", self.store.zrange(SCHEDULE, 0, -1, withscores=True))
        soon = any(at < (time.time() + SOON_SECONDS) * 1000 for _, at in waiting)
        if self.external.durable.acted < len(self.scenario.acts) and not soon:
            self.process.stage = "receiver"
            self._send_alert()
            return True
        if self._is_over({key.decode() for key, _ in waiting}):
            return False
        self.process.stage = "dispatch"
        self.external.act_as_reviewer()
        self._time_passes(waiting)
        dispatcher.dispatch_due(self.services.store, cast("Any", self))
        return True

    def _is_over(self, waiting: set[str]) -> bool:
        """True if nothing but the ping watchdog is scheduled."""
        if not waiting or waiting != {PINGS} or not self.scenario.silence:
            return waiting <= {PINGS}
        if not self.external.durable.silent:
            # The report names the minute of the last ping, which must be the same in every run.
            self.external.durable.silent = True
            self.store.hset(PINGS, "last", int(self.external.begun.timestamp() * 1000))
        return self.store.hget(PINGS, "reported") == b"1"

    def _time_passes(self, waiting: list[tuple[bytes, float]]) -> None:
        """Let a lease expire, and go on until a journal is due."""
        now = time.time() * 1000
        passed = max(1000 * (LEASE_SECONDS + 1), waiting[0][1] - now + 1)
        self.store.zadd(SCHEDULE, {key: at - passed for key, at in waiting})
        for key in [key.decode() for key, at in waiting if at - passed <= now]:
            self.store.hdel(key, "not_before", "ack_due_at")
            if self.store.hexists(key, "lease"):
                self.store.hset(key, "lease", 1)

    def postpone_current(self) -> None:
        """Postpone the journal of the crashed process until after much else."""
        if self.current_journal:
            self.store.zadd(SCHEDULE, {self.current_journal: (time.time() + LAG_SECONDS) * 1000}, xx=True)

    def count_far(self) -> int:
        """The number of journals that are due only after a lease: they are not next."""
        soon = (time.time() + 2 * LEASE_SECONDS) * 1000
        return self.store.zcount(SCHEDULE, soon, "+inf")

    def enqueue(self, message: Any) -> None:
        """Stands in for the broker: a queued message survives the process."""
        entry = (message.actor_name, message.args[0])
        assert entry[0] in STAGES
        self.process.cross("queue", f"enqueue {entry[0]}", lambda: self.external.durable.queue.append(entry))

    def _send_alert(self) -> None:
        """The sender of an alert, which repeats it until it gets an answer."""
        phase, facts = self.scenario.acts[self.external.durable.acted]
        self.external.durable.phase, name = phase, f"a{self.external.durable.acted + 1}"
        if "press" in facts:
            self._press(ActionKind(facts["press"]), name)
            self.external.durable.acted += 1
            return
        alert_facts = {
            "project_id": "prj-1",
            "environment_id": "env-1",
            "message": "Monitor triggered",
            "id": name,
        }
        alert = Alert.model_validate(alert_facts | facts | {"received_at": self.external.now()})
        intake.ingest_batch(
            [(alert, DedupWindow(keys=(name,), seconds=300))], self.services.store, lambda _key: None,
            ack_seconds=self.settings.ack_seconds,
        )  # fmt: skip
        self.external.durable.acted += 1

    def _press(self, kind: ActionKind, request_id: str) -> None:
        """A person presses a button of the only incident; Slack delivers it again until it gets an answer."""
        [incident] = [cast("bytes", key).decode() for key in self.store.scan_iter(f"{PREFIX}incident:*")]
        action = Action(
            kind=kind, target=journal_id(incident), person=Person(name="dana", via="slack"),
            request_id=request_id, at=self.external.now(),
        )  # fmt: skip
        perform(self.services.store, action)

    def waiting(self) -> list[str]:
        return [cast("bytes", key).decode() for key in self.store.zrange(SCHEDULE, 0, -1)]

    # -- the agent --------------------------------------------------------------------------------

    def _ask(self, agent: Agent, role: str, clone: Path, prompt: str, **named: Any) -> AgentAnswer:
        think = self.external.run_agent
        return self.process.cross("agent", f"ask {role}", lambda: think(role, clone, prompt, **named))

    def _verify(
        self, fix: Any, plan: Any, verdict: Any, place: Any, *, repositories: Repositories, **_: Any
    ) -> Verification:
        prove = self.external.verify
        return self.process.cross("agent", "verify", lambda: prove(fix, place, repositories))

    # -- snapshots -----------------------------------------------------------------------------

    def take_snapshot(self) -> PipelineSnapshot:
        """The durable state now."""
        names = cast("list[bytes]", self.store.keys("*"))
        with self.store.pipeline() as pipe:
            for name in names:
                pipe.dump(name)
                pipe.pttl(name)
            dumps = pipe.execute()
        disk = None
        if self.disk():
            disk = self.folder / "disks" / str(time.monotonic_ns())
            shutil.copytree(self._mirrors(), disk, copy_function=_linked)
        return PipelineSnapshot(
            dict(zip(names, zip(dumps[::2], dumps[1::2], strict=True), strict=True)), self.disk(), disk,
            self.external.take_snapshot(), frozenset(self.services.store._loaded), time.time(),
        )  # fmt: skip

    def restore(self, snapshot: PipelineSnapshot) -> None:
        """Go back to the durable state of a snapshot."""
        with self.store.pipeline() as pipe:
            pipe.flushall()
            for name, (value, ttl) in snapshot.keys.items():
                pipe.restore(name, max(0, ttl), value)
            pipe.execute()
        # Real time has passed since: without this, a journal that was due later would be due soon.
        elapsed_ms = (time.time() - snapshot.taken_at) * 1000
        waiting = cast("list[tuple[bytes, float]]", self.store.zrange(SCHEDULE, 0, -1, withscores=True))
        if waiting:
            self.store.zadd(SCHEDULE, {key: at + elapsed_ms for key, at in waiting})
        for path in ("work/trees", "runs"):
            shutil.rmtree(self.folder / "state" / path, ignore_errors=True)
        if self.disk() != snapshot.disk_files:
            shutil.rmtree(self._mirrors(), ignore_errors=True)
            if snapshot.disk:
                shutil.copytree(snapshot.disk, self._mirrors(), copy_function=_linked)
        self.external.restore(snapshot.world)

    def _mirrors(self) -> Path:
        return self.folder / "state" / "work" / "mirrors"

    def disk(self) -> list[str]:
        """The files of the worker's mirrors. Its trees are new for each use, so they are no durable state."""
        mirrors = self._mirrors()
        return sorted(str(path.relative_to(mirrors)) for path in mirrors.rglob("*"))


def _linked(source: str, target: str) -> str:
    Path(target).hardlink_to(source)
    return target
