"""The whole pipeline in one process.

The store, git and (unless `small`) opencode are real; Railway, GitHub, Slack and the model are stand-ins over sockets.
The harness runs the stages itself, one after the other, and skips the waits.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import redis

from tests.support.fakes import shop
from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.github_shapes import Pull
from tests.support.fakes.model import MODEL_NAME as MODEL
from tests.support.fakes.model import Call, ScriptedModel
from tests.support.fakes.opencode import install
from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.railway_types import Request, World, WorldDeployment, WorldService
from tests.support.fakes.serving import serve
from tests.support.fakes.slack import FakeSlack, Message
from workers import main
from workers.engine import records
from workers.engine.codec import Record
from workers.engine.schema import PREFIX, SCHEDULE, watched_key
from workers.engine.worker_store import WorkerStore
from workers.errors import Superseded
from workers.incidents import intake
from workers.models import Alert, FollowUp, Model, Outcome, SlackMessage
from workers.pipeline.services import Services
from workers.pipeline.worker import run_stage
from workers.runtime.settings import Settings, read
from workers.runtime.store import client

N = TypeVar("N", bound=Model)


@dataclass
class PipelineHarness:
    """The services of a worker and the stand-ins that they talk to."""

    world: World
    railway: FakeRailway
    github: FakeGitHub
    slack: FakeSlack
    fake_model: ScriptedModel
    settings: Settings
    services: Services
    store: redis.Redis
    healthy_commit: str
    failing_commit: str

    @property
    def journal(self) -> WorkerStore:
        return self.services.store

    def alert(self, **facts: object) -> str:
        """Store an alert, by default a triggered monitor of the shop, and return its id."""
        alert_facts = {
            "id": f"a{time.monotonic_ns()}", "source": "railway", "kind": "monitor.triggered",
            "project_id": "prj-1", "environment_id": "env-1", "service_id": "svc-shop", "service_name": "shop",
            "received_at": datetime.now(UTC), "message": "Monitor triggered for shop",
        } | facts  # fmt: skip
        alert = Alert.model_validate(alert_facts)
        return intake.ingest(alert, None, self.journal, lambda _key: None)

    def drive(self, until: Callable[[], object], *, stages: int = 60) -> None:
        """Run due stages, without waiting, until the condition holds. Fail after `stages` of them."""
        for _ in range(stages):
            if until():
                return
            self.work_next()
        assert until(), f"not reached after {stages} stages: {self.describe_schedule()}"

    def work_next(self) -> None:
        """Run one stage of the journal that is due next, as if its time had come."""
        keys = self.due()
        if not keys:
            return
        key = keys[0]
        self.store.hdel(key, "not_before", "lease", "ack_due_at")
        self.store.zadd(SCHEDULE, {key: int(time.time() * 1000) + 600_000})
        stage = self.store.hget(key, "stage")
        assert isinstance(stage, bytes)
        with suppress(Superseded):
            run_stage(self.services, stage.decode(), key)

    def due(self) -> list[str]:
        """Keys of the journals in the schedule, the next one first."""
        return [raw.decode() for raw in self.store.zrange(SCHEDULE, 0, -1) if isinstance(raw, bytes)]

    def incidents(self) -> list[str]:
        """Keys of the journals of all incidents, oldest first."""
        return sorted(raw.decode() for raw in self.store.scan_iter(f"{PREFIX}incident:*"))

    def values(self, kind: type[N]) -> list[N]:
        """The values of this type that incidents have recorded."""
        name = {"PullRequest": "pull", "FollowUp": "follow_up"}.get(kind.__name__, kind.__name__.lower())
        recorded = [self.journal.read_record(key, Record(name, kind)) for key in self.incidents()]
        return [value for value in recorded if value is not None]

    def outcome_kind(self) -> str:
        """The kind of the first outcome, '' while there is none."""
        return next((outcome.kind for outcome in self.values(Outcome)), "")

    def outcome_posts(self) -> list[SlackMessage]:
        """The outcomes that were posted to Slack."""
        keys = [key.replace(PREFIX, f"{PREFIX}notification:", 1) for key in self.incidents()]
        posts = [self.journal.read_record(key, records.slack_message("outcome")) for key in keys]
        return [post for post in posts if post is not None]

    def report_texts(self) -> list[str]:
        """The texts of the outcomes of report mode in Slack."""
        outcomes = [message for message in self.slack.messages if message.posted_as.endswith(":outcome")]
        return [message.text for message in outcomes if "TRACKWALKER_MODE=report" in message.text]

    def follow_up(self) -> FollowUp | None:
        return next(iter(self.values(FollowUp)), None)

    def count_ended_sweeps(self) -> int:
        keys = list(self.store.scan_iter(f"{PREFIX}sweep:*"))
        return sum(bool(self.store.hexists(key, "ended")) for key in keys)

    def redeploy(self, commit: str, *, failing: bool = False) -> None:
        """Deploy the commit as of five minutes ago, with traffic since then."""
        now, service = time.time(), self.world.services[0]
        with self.world.lock:
            service.deployments[0].status = "REMOVED"
            live = WorldDeployment(
                "dep-fixed", service.id, "SUCCESS", now - 300, now - 300, shop.meta(commit, "Merge"),
                instances=[("ins-3", "RUNNING")],
            )  # fmt: skip
            service.deployments.insert(0, live)
            service.active = [live.id]
            service.requests = [request for request in service.requests if request.at < now - 300]
            for second in range(0, 300, 2):
                status = 500 if failing and second % 4 else 200
                request = Request(now - 300 + second, "POST", "/orders", status, 20.0, live.id, "ins-3")
                service.requests.append(request)

    def describe_schedule(self) -> str:
        """The schedule as JSON, for the message of a failing test."""
        rows = []
        for key in self.due():
            fields = self.journal.fields(key)
            rows.append(
                {name: fields[name].decode() for name in ("stage", "reason", "attempts") if name in fields}
            )
        return json.dumps(rows)


@dataclass
class Snapshot:
    """Everything that the pipeline changes: the store, the repository, the state of the stand-ins."""

    keys: dict[Any, tuple[Any, int]]
    services: list[WorldService]
    refs: str
    pulls: list[Pull]
    pushes: list[str]
    messages: list[Message]
    calls: list[Call]


def take_snapshot(running: PipelineHarness) -> Snapshot:
    """Copy the state of the store, the repository and the stand-ins."""
    keys = {key: (running.store.dump(key), running.store.pttl(key)) for key in running.store.scan_iter("*")}
    return Snapshot(
        keys,
        copy.deepcopy(running.world.services),
        git(_bare(running), "for-each-ref", "--format=%(objectname) %(refname)"),
        running.github.pulls[:],
        running.github.pushes[:],
        running.slack.messages[:],
        running.fake_model.calls[:],
    )


def restore_snapshot(running: PipelineHarness, snapshot: Snapshot) -> None:
    """Bring everything back to the snapshot, so that another test can continue from there."""
    running.store.flushall()
    for key, (value, ttl) in snapshot.keys.items():
        running.store.restore(key, max(0, ttl), value)
    running.world.services[:] = copy.deepcopy(snapshot.services)
    for row in snapshot.refs.splitlines():
        commit, ref = row.split()
        git(_bare(running), "update-ref", ref, commit)
    running.github.pulls[:] = snapshot.pulls
    running.github.pushes[:] = snapshot.pushes
    running.slack.messages[:] = snapshot.messages
    running.fake_model.calls[:] = snapshot.calls


def _bare(running: PipelineHarness) -> Path:
    return running.github.repositories[shop.NAME].path


@contextmanager
def harness(
    store: redis.Redis, store_url: str, folder: Path, *, failing: bool = True, small: bool = False,
    **settings: str,
) -> Iterator[PipelineHarness]:  # fmt: skip
    """A pipeline around the failing shop.

    Args:
        failing: False deploys the healthy commit of the shop.
        small: run a small stand-in in place of opencode. It starts in milliseconds; use it where the
            agent's program is not the subject of the test.
        settings: environment variables by name.
    """
    with ExitStack() as stack:
        origin = folder / "origin"
        healthy, sick = shop.write(origin)
        world = shop.world(time.time(), healthy, sick, failing=failing)
        railway = FakeRailway(world)
        github = FakeGitHub(folder / "github")
        github.create(shop.NAME, origin)
        slack = FakeSlack()
        model = ScriptedModel(shop.propose_edits)
        provider = stack.enter_context(model.serving())
        (folder / "opencode.json").write_text(json.dumps({"provider": provider}))
        environ = {
            "REDIS_URL": store_url,
            "RAILWAY_API_TOKEN": railway.token,
            "RAILWAY_API_URL": stack.enter_context(serve(railway.app, railway.faults)).url + "/graphql/v2",
            "TRACKWALKER_ENVIRONMENTS": "prj-1/env-1",
            "TRACKWALKER_SECRET": "s3cret",
            "TRACKWALKER_VERIFY_MINUTES": "0.001",
            "GITHUB_TOKEN": github.token,
            "SLACK_BOT_TOKEN": slack.token,
            "SLACK_CHANNEL": slack.channel,
            "SLACK_API_URL": stack.enter_context(serve(slack.app, slack.faults)).url + "/api/",
            "TRACKWALKER_MODEL": MODEL,
            "OPENCODE_CONFIG": str(folder / "opencode.json"),
        }
        environ |= {"OPENCODE_BIN": str(install(folder / "small-opencode"))} if small else {}
        hub = stack.enter_context(serve(github.app, github.faults)).url
        environ |= {"GITHUB_API_URL": hub, "GITHUB_SERVER_URL": hub}
        config = read(environ | settings, dotenv=None)
        # The report of the first check is a test of its own.
        store.set(watched_key("env-1"), "1", ex=3600)
        services = main.services(config, store, folder / "state")
        stack.callback(services.railway.close)
        yield PipelineHarness(world, railway, github, slack, model, config, services, store, healthy, sick)


@contextmanager
def driven_harness(
    store_url: str, folder: Path, drive: Callable[[PipelineHarness], None], **settings: str
) -> Iterator[tuple[PipelineHarness, Snapshot]]:
    """A pipeline in the state to which `drive` brings it, with a snapshot of it: for the fixture of a whole module."""
    connection = client(store_url)
    connection.flushall()
    with harness(connection, store_url, folder, failing=True, small=True, **settings) as pipeline:
        drive(pipeline)
        yield pipeline, take_snapshot(pipeline)
    connection.close()


StartHarness = Callable[..., AbstractContextManager[PipelineHarness]]


def harness_starter(store: redis.Redis, store_url: str, folder: Path, *, small: bool) -> StartHarness:
    """Return a function that starts a harness with settings; `failing="no"` deploys a healthy shop."""

    def start(**settings: str) -> AbstractContextManager[PipelineHarness]:
        failing = settings.pop("failing", "yes") == "yes"
        return harness(store, store_url, folder, failing=failing, small=small, **settings)

    return start
