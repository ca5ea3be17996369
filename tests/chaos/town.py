"""A town of shops: for each line an environment, a service and a repository of its own, behind one set of stand-ins."""

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

STEP = 5
LIVE_SECONDS = 300.0
KINDS: tuple[Kind, ...] = ("429", "500", "503", "reset", "drop", "hang")
RATES = {"railway": 0.02, "github": 0.04, "slack": 0.06, "model": 0.03}
"""So large a part of the requests is answered wrongly."""
HANGS = 0.3
"""Of the hangs drawn so many are played: each costs its caller's whole patience."""


@dataclass
class Chance(Faults):
    """Faults drawn by chance at `rate`, besides those that were asked for."""

    seed: str = ""
    rate: float = 0.0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)

    def take(self, method: str, path: str) -> Fault | None:
        asked = super().take(method, path)
        with self.lock:
            if asked or self.chance.random() >= self.rate:
                return asked
            kind = self.chance.choice(KINDS)
            # A git that hangs is waited for five minutes, longer than most runs of this have.
            if kind == "hang" and (".git/" in path or self.chance.random() >= HANGS):
                kind = "reset"
            self.played.append((kind, f"{method} {path}"))
        return Fault(kind, 1, lambda _method, _path: True, "1")


@dataclass
class Site:
    """One shop: its environment, its repository and what was made of them."""

    number: int
    railway: FakeRailway
    healthy: str = ""
    sick: str = ""
    grown: float = 0.0
    fixed: bool = False

    @property
    def mark(self) -> str:
        return f"-L{self.number}"

    @property
    def repository(self) -> str:
        return shop.NAME + self.mark

    @property
    def service_id(self) -> str:
        return f"svc-shop{self.mark}"

    @property
    def fingerprint(self) -> str:
        return digest(self.railway.world.environment_id, self.service_id)

    def grow(self, now: float) -> None:
        """Traffic goes on until now, in the deployment that is live."""
        world = self.railway.world
        with world.lock:
            if not world.services:
                return
            service = world.services[0]
            while self.grown + STEP <= now:
                self.grown += STEP
                second = int(self.grown) // STEP * STEP
                live = service.deployments[0]
                shop.run_on(service, self.grown, second, live, live.instances[0][0], failing=not self.fixed)

    def deploy(self, commit: str) -> None:
        """As if Railway had deployed the merge five minutes ago, and traffic went on: nothing is sick any more."""
        world, now = self.railway.world, time.time() - LIVE_SECONDS
        with world.lock:
            service = world.services[0]
            service.requests = [one for one in service.requests if one.at < now]
            service.samples = [one for one in service.samples if one.at < now]
            self.grown = now
            service.deployments[0].status = "REMOVED"
            live = WorldDeployment(
                f"dep-fixed{self.mark}", service.id, "SUCCESS", now, now,
                shop.meta(commit, "Merge", self.repository), instances=[(f"ins-2{self.mark}", "RUNNING")],
            )  # fmt: skip
            service.deployments.insert(0, live)
            service.active = [live.id]
            self.fixed = True
        self.grow(time.time())

    def close(self) -> None:
        """Nothing runs there any more, so that later sweeps of it are short."""
        with self.railway.world.lock:
            self.railway.world.services.clear()


@dataclass
class Town:
    """All sites with the stand-ins; `calm` ends the faults."""

    folder: Path
    lines: int
    seed: int
    sites: list[Site] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.github = FakeGitHub(self.folder / "github", faults=self._chance("github"))
        self.slack = FakeSlack(faults=self._chance("slack"))
        self.model = ScriptedModel(shop.propose_edits, faults=self._chance("model"))
        self.railway_faults = self._chance("railway")
        self.sites = [self._empty(number) for number in range(self.lines)]
        self.railway_app = Starlette(routes=[Route("/{path:path}", self._railway, methods=["POST"])])

    @property
    def faults(self) -> dict[str, Chance]:
        every = {"railway": self.railway_faults, "github": self.github.faults}
        every |= {"slack": self.slack.faults, "model": self.model.faults}
        return {name: one for name, one in every.items() if isinstance(one, Chance)}

    def calm(self) -> None:
        for one in self.faults.values():
            one.rate = 0.0
            one.clear()

    def open(self, number: int) -> Site:
        """The shop falls sick: from now on there is something to see."""
        site = self.sites[number]
        origin = self.folder / f"origin{site.mark}"
        site.healthy, site.sick = shop.write(origin)
        self.github.create(site.repository, origin)
        made = shop.world(time.time(), site.healthy, site.sick, mark=site.mark)
        site.grown = time.time()
        with site.railway.world.lock:
            site.railway.world.services[:] = made.services
        return site

    def pulls(self, site: Site) -> list[Pull]:
        return [one for one in list(self.github.pulls) if one.repo.name == site.repository]

    def branches(self, site: Site) -> list[str]:
        bare = self.github.repositories[site.repository.lower()].path
        return git(bare, "for-each-ref", "--format=%(refname)", "refs/heads/trackwalker").split()

    def merge(self, site: Site) -> None:
        """A person merges the one open pull request, and Railway deploys it."""
        pull = next(one for one in self.pulls(site) if one.state == "open")
        site.deploy(self.github.merge(pull.number))

    def told(self, site: Site, what: str) -> list[Message]:
        """What stands in Slack of the site's incidents under the keys that end so."""
        start = f"notification:incident:{site.fingerprint}:"
        found = [one for one in list(self.slack.messages) if one.key.startswith(start)]
        return [one for one in found if one.key.endswith(f":{what}")]

    def _chance(self, name: str) -> Chance:
        return Chance(seed=f"{self.seed}/{name}", rate=RATES[name])

    def _empty(self, number: int) -> Site:
        mark = f"-L{number}"
        world = World(f"prj-1{mark}", f"shop{mark}", f"env-1{mark}", "production")
        return Site(number, FakeRailway(world))

    async def _railway(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.sites[0].railway.token}":
            return JSONResponse({"errors": [{"message": "Not Authorized"}]})
        status, body = await run_in_threadpool(self._ask, await request.json())
        return JSONResponse(body, status)

    def _ask(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        named = re.search(r"-L(\d+)", json.dumps(body))
        site = self.sites[int(named[1]) if named else 0]
        site.grow(time.time())
        return site.railway.ask(body)
