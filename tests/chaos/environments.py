"""One shop per case, with its own environment, service and repository, behind one set of stand-ins."""

from __future__ import annotations

import json
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.fakes import shop
from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.github_shapes import Pull
from tests.support.fakes.model import ScriptedModel
from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.railway_types import World, WorldDeployment
from tests.support.fakes.serving import Fault, Faults, Kind
from tests.support.fakes.slack import FakeSlack, Message
from workers.models import digest

REQUEST_SECONDS = 5  # between two requests of the generated traffic
LIVE_SECONDS = (
    300.0  # how long the merged deployment has been live when it appears, so that it can be measured
)
KINDS: tuple[Kind, ...] = ("429", "500", "503", "reset", "drop", "hang")
RATES = {"railway": 0.02, "github": 0.04, "slack": 0.06, "model": 0.03}
"""Stand-in → share of its requests that fails."""
HANG_SHARE = 0.3  # of the drawn hangs, the share that is played: each costs its caller a whole timeout


@dataclass
class RandomFaults(Faults):
    """Random faults at `rate`, in addition to those that a test requests."""

    seed: str = ""
    rate: float = 0.0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def take(self, method: str, path: str) -> Fault | None:
        requested = super().take(method, path)
        with self.lock:
            if requested or self.random.random() >= self.rate:
                return requested
            kind = self.random.choice(KINDS)
            # git is given five minutes before it counts as hanging, longer than most runs last.
            if kind == "hang" and (".git/" in path or self.random.random() >= HANG_SHARE):
                kind = "reset"
            self.played.append((kind, f"{method} {path}"))
        return Fault(kind, 1, lambda _method, _path: True, "1")


@dataclass
class Shop:
    """One shop: its environment, its repository and their state."""

    number: int
    railway: FakeRailway
    healthy_commit: str = ""
    failing_commit: str = ""
    traffic_until: float = 0.0
    fixed: bool = False

    @property
    def suffix(self) -> str:
        return f"-L{self.number}"

    @property
    def repository(self) -> str:
        return shop.NAME + self.suffix

    @property
    def service_id(self) -> str:
        return f"svc-shop{self.suffix}"

    @property
    def fingerprint(self) -> str:
        return digest(self.railway.world.environment_id, self.service_id)

    def extend_traffic(self, now: float) -> None:
        """Add the traffic up to `now`, answered by the live deployment."""
        world = self.railway.world
        with world.lock:
            if not world.services:
                return
            service = world.services[0]
            while self.traffic_until + REQUEST_SECONDS <= now:
                self.traffic_until += REQUEST_SECONDS
                second = int(self.traffic_until) // REQUEST_SECONDS * REQUEST_SECONDS
                live = service.deployments[0]
                shop.run_on(
                    service, self.traffic_until, second, live, live.instances[0][0], failing=not self.fixed
                )

    def deploy(self, commit: str) -> None:
        """Deploy the merge as of five minutes ago, with healthy traffic since then."""
        world, now = self.railway.world, time.time() - LIVE_SECONDS
        with world.lock:
            service = world.services[0]
            service.requests = [request for request in service.requests if request.at < now]
            service.samples = [sample for sample in service.samples if sample.at < now]
            self.traffic_until = now
            service.deployments[0].status = "REMOVED"
            live = WorldDeployment(
                f"dep-fixed{self.suffix}", service.id, "SUCCESS", now, now,
                shop.meta(commit, "Merge", self.repository), instances=[(f"ins-2{self.suffix}", "RUNNING")],
            )  # fmt: skip
            service.deployments.insert(0, live)
            service.active = [live.id]
            self.fixed = True
        self.extend_traffic(time.time())

    def close(self) -> None:
        """Remove the service, so that later sweeps of this environment are short."""
        with self.railway.world.lock:
            self.railway.world.services.clear()


@dataclass
class FakeEnvironments:
    """All shops and the stand-ins. `stop_faults` ends the random faults."""

    folder: Path
    count: int
    seed: int
    shops: list[Shop] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.github = FakeGitHub(self.folder / "github", faults=self._faults("github"))
        self.slack = FakeSlack(faults=self._faults("slack"))
        self.model = ScriptedModel(shop.propose_edits, faults=self._faults("model"))
        self.railway_faults = self._faults("railway")
        self.shops = [self._empty_shop(number) for number in range(self.count)]
        self.railway_app = Starlette(routes=[Route("/{path:path}", self._railway, methods=["POST"])])

    @property
    def faults(self) -> dict[str, RandomFaults]:
        every = {"railway": self.railway_faults, "github": self.github.faults}
        every |= {"slack": self.slack.faults, "model": self.model.faults}
        return {name: faults for name, faults in every.items() if isinstance(faults, RandomFaults)}

    def stop_faults(self) -> None:
        for faults in self.faults.values():
            faults.rate = 0.0
            faults.clear()

    def start_failing(self, number: int) -> Shop:
        """Deploy the failing commit of a shop and start its traffic."""
        site = self.shops[number]
        origin = self.folder / f"origin{site.suffix}"
        site.healthy_commit, site.failing_commit = shop.write(origin)
        self.github.create(site.repository, origin)
        world = shop.world(time.time(), site.healthy_commit, site.failing_commit, mark=site.suffix)
        site.traffic_until = time.time()
        with site.railway.world.lock:
            site.railway.world.services[:] = world.services
        return site

    def pulls(self, site: Shop) -> list[Pull]:
        return [pull for pull in list(self.github.pulls) if pull.repo.name == site.repository]

    def branches(self, site: Shop) -> list[str]:
        bare = self.github.repositories[site.repository.lower()].path
        return git(bare, "for-each-ref", "--format=%(refname)", "refs/heads/trackwalker").split()

    def merge(self, site: Shop) -> None:
        """Merge the open pull request as a person would, and deploy it."""
        pull = next(pull_request for pull_request in self.pulls(site) if pull_request.state == "open")
        site.deploy(self.github.merge(pull.number))

    def posts(self, site: Shop, kind: str) -> list[Message]:
        """The posts about the shop's incidents whose key ends with `:<kind>`."""
        start = f"notification:incident:{site.fingerprint}:"
        messages = [message for message in list(self.slack.messages) if message.key.startswith(start)]
        return [message for message in messages if message.key.endswith(f":{kind}")]

    def _faults(self, name: str) -> RandomFaults:
        return RandomFaults(seed=f"{self.seed}/{name}", rate=RATES[name])

    def _empty_shop(self, number: int) -> Shop:
        mark = f"-L{number}"
        world = World(f"prj-1{mark}", f"shop{mark}", f"env-1{mark}", "production")
        return Shop(number, FakeRailway(world))

    async def _railway(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.shops[0].railway.token}":
            return JSONResponse({"errors": [{"message": "Not Authorized"}]})
        status, body = await run_in_threadpool(self._ask, await request.json())
        return JSONResponse(body, status)

    def _ask(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        named = re.search(r"-L(\d+)", json.dumps(body))
        site = self.shops[int(named[1]) if named else 0]
        site.extend_traffic(time.time())
        return site.railway.ask(body)
