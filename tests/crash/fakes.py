"""What lies outside of a mortal line: stand-ins without sockets that never answer the same twice.

Railway names the project otherwise and logs another line each time, main moves on at GitHub, Slack's clock runs, the
agent writes something else: so whatever is asked again, and recorded again, shows.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.crash.boundaries import OUTSIDE
from tests.crash.scenarios import Scenario
from tests.support.fakes import shop
from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.github_shapes import Pull
from tests.support.fakes.railway import Budget, FakeRailway
from tests.support.fakes.railway_types import LogRow, Request, WorldDeployment, WorldService
from tests.support.fakes.slack import FakeSlack, Message
from workers.agent.run import Answer
from workers.clients.git import Repositories
from workers.history.backfill import RESERVED_SHARE
from workers.models import Fix, Repository, Run, Usage, Verification

NUMBER = "4711471147114711"
"""Where the stand-in's Railway would say how often it was asked."""
MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)[^\"]*")
"""A moment, and its minute: who asks again within that gets the same answer, but for its number."""
SILENT_SECONDS = 6 * 3600.0
GRANTED = 10_000
"""Requests an hour at Railway, of which so many are spent that a little of the past can be read."""
NEWER_HEADS = 8
"""Commits that others push to main meanwhile: one before each answer that names its head."""


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

    def copy(self) -> Lasting:
        return replace(self, queue=self.queue[:], answers=dict(self.answers))


class Words(FakeSlack):
    """Slack by the line's own clock."""

    def __init__(self, outer: Outer) -> None:
        super().__init__()
        self._outer = outer

    def say(self, text: str, **fields: Any) -> Message:
        at = self._outer.begun.timestamp() + self._outer.another("message")
        message = Message(f"{at:.6f}", fields.pop("channel", self.channel), text, **fields)
        self.messages.append(message)
        return message


@dataclass(frozen=True)
class Kept:
    """The world as it stood."""

    refs: dict[str, str]
    pulls: list[Pull]
    messages: list[Message]
    deleted: list[Message]
    lasting: Lasting


class Outer:
    """Everything outside of one line around the shop."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.folder, self.scenario, self.begun = folder, scenario, datetime.now(UTC)
        self.lasting = Lasting()
        self._known: dict[tuple[str, str], httpx.Response] = {}
        self._loop, self._talking = asyncio.new_event_loop(), threading.Lock()
        healthy, sick = shop.write(folder / "origin")
        self._phases = phases(self.begun.timestamp(), healthy, sick)
        self._world = shop.world(self.begun.timestamp(), healthy, sick)
        self._world.project_name = f"shop, asked {NUMBER} times"
        self.railway, self.slack = FakeRailway(self._world), Words(self)
        left = round(RESERVED_SHARE * GRANTED) + 9
        self.railway.budget = Budget(GRANTED, GRANTED - left, self.begun.timestamp() + 3000)
        self.github = FakeGitHub(folder / "github")
        self._bare = self.github.create(shop.NAME, folder / "origin")
        self.github.open_pull(shop.NAME, head="docs", files=("README.md",))
        self._heads = list(_newer(self._bare, sick))

    def close(self) -> None:
        self._loop.close()

    def now(self) -> datetime:
        """The time, which goes on with each look at it, and otherwise stands."""
        passed = SILENT_SECONDS if self.lasting.silent else 0
        return self.begun + timedelta(seconds=passed, milliseconds=self.another("now"))

    def another(self, question: str) -> int:
        """A number that no answer to this question had before."""
        answers = self.lasting.answers
        answers[question] = answers.get(question, 0) + 1
        return answers[question]

    def people(self) -> None:
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

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self._talking:
            if request.url.host == "railway.example":
                return self._railway(request)
            if "/branches/" in request.url.path:
                self._push()
            app = self.slack.app if request.url.host == "slack.example" else self.github.app
            return self._loop.run_until_complete(_asked(app, request))

    def _railway(self, request: httpx.Request) -> httpx.Response:
        """As the stand-in answered it first, with another project's name and another line in the log each time."""
        body = json.loads(request.content)
        number = self.another(body["query"])
        self.lasting.railway += 1
        if self.scenario.refused or self.lasting.railway <= self.scenario.busy:
            return httpx.Response(401 if self.scenario.refused else 503)
        asked = self.lasting.merged or self.lasting.phase, MOMENT.sub(r"\1", request.content.decode())
        known = self._known.get(asked)
        if known is None:
            services = self._phases[self.lasting.phase]
            if self.lasting.merged:
                services = [
                    deployed(services[0], self.lasting.merged, self.begun.timestamp()),
                    *services[1:],
                ]
            self._world.services[:] = services
            known = self._known[asked] = self._loop.run_until_complete(_asked(self.railway.app, request))
        content = known.content.replace(NUMBER.encode(), str(number).encode())
        headers = [one for one in known.headers.items() if one[0] != "content-length"]
        return httpx.Response(known.status_code, headers=headers, content=content)

    def _push(self) -> None:
        """Somebody pushes something else to main."""
        if not self.lasting.merged:
            head = self._heads[self.another("head") - 1]
            (self._bare / "refs" / "heads").mkdir(exist_ok=True)
            (self._bare / "refs" / "heads" / "main").write_text(head + "\n")

    def page(self, request: httpx.Request) -> httpx.Response:
        status = {"indicator": "none", "description": f"asked {self.another('page')} times"}
        return httpx.Response(200, json={"status": status, "incidents": []})

    # -- the agent --------------------------------------------------------------------------------

    def think(
        self, role: str, clone: Path, prompt: str, *, on_usage: Callable[[Usage], None], **_: Any
    ) -> Answer:
        number = self.another(role)
        on_usage(Usage(cost_usd=0.01, tokens=10, calls=1, seconds=1.0))
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
        spent = Usage(cost_usd=0.02, tokens=20, calls=2, seconds=2.0)
        on_usage(spent)
        return Answer(f"```json\n{json.dumps(said)}\n```", spent)

    def proved(self, fix: Fix, place: Repository, repositories: Repositories) -> Verification:
        for tree in (repositories.apply(place.name, fix.base_commit, fix.patch), repositories.scratch_dir()):
            repositories.discard(tree)
        ran = Run(
            command="python3 -m unittest", outcome="failed", output=f"proved in run {self.another('proof')}"
        )
        passed = ran.model_copy(update={"outcome": "passed"})
        return Verification(
            decision="ready", reproduction_deployed=ran, reproduction_before=ran, reproduction_after=passed
        )

    # -- taking and putting back ------------------------------------------------------------------

    def take(self) -> Kept:
        """The world as it stands now."""
        slack = self.slack
        return Kept(
            self.refs(), self.github.pulls[:], slack.messages[:], slack.deleted[:], self.lasting.copy()
        )

    def put_back(self, kept: Kept) -> None:
        """The world as it stood then."""
        self._put_refs(kept.refs)
        self.github.pulls, self.slack.messages = kept.pulls[:], kept.messages[:]
        self.slack.deleted, self.lasting = kept.deleted[:], kept.lasting.copy()
        self.github._numbers = itertools.count(len(kept.pulls) + 1)

    def refs(self) -> dict[str, str]:
        """The branches of the repository at GitHub, with their commits."""
        heads = self._bare / "refs" / "heads"
        packed = [
            line.split()
            for line in (self._bare / "packed-refs").read_text().splitlines()
            if line[0] not in "#^"
        ]
        loose = {path: path.read_text().strip() for path in heads.rglob("*") if path.is_file()}
        return {name: commit for commit, name in packed} | {
            str(path.relative_to(self._bare)): commit for path, commit in loose.items()
        }

    def _put_refs(self, refs: dict[str, str]) -> None:
        if refs == self.refs():
            return
        packed = "".join(f"{commit} {name}\n" for name, commit in sorted(refs.items()))
        (self._bare / "packed-refs").write_text(packed)
        shutil.rmtree(self._bare / "refs")
        (self._bare / "refs" / "heads").mkdir(parents=True)


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
    storm = [
        replace(
            web, id=f"svc-{name}", name=name, domains=[f"{name}.up.railway.app"], active=[f"dep-{name}"],
            deployments=[replace(live, id=f"dep-{name}", service_id=f"svc-{name}")],
            requests=[replace(one, deployment_id=f"dep-{name}") for one in asked],
        )
        for name in ("alpha", "beta", "gamma")
    ]  # fmt: skip
    calm = [
        replace(one, requests=[replace(each, status=200) for each in one.requests]) for one in storm
    ]  # fmt: skip
    return {
        "storm": [*good, *storm], "calm": [*good, *calm],
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
