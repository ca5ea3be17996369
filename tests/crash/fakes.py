"""The outside of a crashable pipeline: fakes without sockets that never give the same answer twice.

Railway changes the project's name and adds a log line with each answer, GitHub's main branch moves on, Slack's clock
runs, and the agent writes something else each time. A step that is computed and recorded twice therefore shows.
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

from tests.crash.boundaries import UNTRACKED_IO
from tests.crash.scenarios import Scenario
from tests.support.fakes import shop
from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.github_shapes import Pull
from tests.support.fakes.railway import Budget, FakeRailway
from tests.support.fakes.railway_types import LogRow, Request, WorldDeployment, WorldService
from tests.support.fakes.slack import FakeSlack, Message
from workers.agent.coding_agent import AgentAnswer
from workers.clients.git import Repositories
from workers.history.backfill import RESERVED_SHARE
from workers.models import Fix, Repository, Run, Usage, Verification

NUMBER = "4711471147114711"  # replaced in each of Railway's answers by the number of that answer
MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)[^\"]*")
"""A time with its minute as group 1: two requests of one minute get the same answer, apart from its number."""
SILENT_SECONDS = 6 * 3600.0  # for which no ping comes in the scenario about missing pings
ACT_SECONDS = 0.1  # between two acts; longer than TRACKWALKER_VERIFY_MINUTES, so that trouble can end
GRANTED = (
    10_000  # Railway's requests per hour; nearly all are used, so that a backfill reads a little history
)
NEWER_HEADS = 8  # commits that other people push to main: one before each answer that names its head


@dataclass
class DurableState:
    """State that survives a crash, besides Redis and the disk."""

    answers: dict[str, int] = field(default_factory=dict)
    """Number of answers per question; threads ask in parallel, so each question counts for itself."""
    acted: int = 0
    phase: str = ""
    merged: str = ""
    silent: bool = False
    queue: list[tuple[str, str]] = field(default_factory=list)
    railway: int = 0
    rollbacks: int = 0

    def copy(self) -> DurableState:
        return replace(self, queue=self.queue[:], answers=dict(self.answers))


class TimedSlack(FakeSlack):
    """Slack with the clock of the simulation."""

    def __init__(self, outer: ExternalState) -> None:
        super().__init__()
        self._outer = outer

    def say(self, text: str, **fields: Any) -> Message:
        at = self._outer.begun.timestamp() + self._outer.next_number("message")
        message = Message(f"{at:.6f}", fields.pop("channel", self.channel), text, **fields)
        self.messages.append(message)
        return message


@dataclass(frozen=True)
class WorldSnapshot:
    """The state of the outside before a step."""

    refs: dict[str, str]
    pulls: list[Pull]
    messages: list[Message]
    deleted: list[Message]
    durable: DurableState


class ExternalState:
    """Everything outside of one pipeline that watches the shop."""

    def __init__(self, folder: Path, scenario: Scenario) -> None:
        self.folder, self.scenario, self.begun = folder, scenario, datetime.now(UTC)
        self.durable = DurableState()
        self._known: dict[tuple[str, str], httpx.Response] = {}
        self._loop, self._talking = asyncio.new_event_loop(), threading.Lock()
        healthy, sick = shop.write(folder / "origin")
        self._phases = phases(self.begun.timestamp(), healthy, sick)
        self._world = shop.world(self.begun.timestamp(), healthy, sick)
        self._world.project_name = f"shop, asked {NUMBER} times"
        self.railway, self.slack = FakeRailway(self._world), TimedSlack(self)
        remaining = round(RESERVED_SHARE * GRANTED) + 9
        self.railway.budget = Budget(GRANTED, GRANTED - remaining, self.begun.timestamp() + 3000)
        self.github = FakeGitHub(folder / "github")
        self._bare = self.github.create(shop.NAME, folder / "origin")
        self.github.open_pull(shop.NAME, head="docs", files=("README.md",))
        self._heads = list(_newer(self._bare, sick))

    def close(self) -> None:
        self._loop.close()

    def now(self) -> datetime:
        """The time. It advances by a millisecond with each call and with each act, and stands still otherwise."""
        passed = ACT_SECONDS * self.durable.acted + (SILENT_SECONDS if self.durable.silent else 0)
        return self.begun + timedelta(seconds=passed, milliseconds=self.next_number("now"))

    def next_number(self, question: str) -> int:
        """A number that no earlier answer to this question has."""
        answers = self.durable.answers
        answers[question] = answers.get(question, 0) + 1
        return answers[question]

    def act_as_reviewer(self) -> None:
        """A person merges the pull request once its link is posted, and Railway deploys it; or closes it."""
        pull = self.github.pulls[-1]
        is_link_posted = any(f"/pull/{pull.number}" in message.text for message in self.slack.messages)
        if not is_link_posted or pull.state != "open":
            return
        with UNTRACKED_IO.allowed():
            if self.scenario.closes:
                self.github.close(pull.number)
            else:
                self.durable.merged = self.github.merge(pull.number)

    def answer(self, request: httpx.Request) -> httpx.Response:
        with self._talking:
            if request.url.host == "railway.example":
                return self._railway(request)
            if "/branches/" in request.url.path:
                self._push()
            app = self.slack.app if request.url.host == "slack.example" else self.github.app
            return self._loop.run_until_complete(_asked(app, request))

    def _railway(self, request: httpx.Request) -> httpx.Response:
        """The first answer to this request, with its own number in the project's name and in the log."""
        body = json.loads(request.content)
        number = self.next_number(body["query"])
        self.durable.railway += 1
        if self.scenario.refused or self.durable.railway <= self.scenario.busy:
            return httpx.Response(401 if self.scenario.refused else 503)
        if "deploymentRollback" in body["query"]:
            self.durable.rollbacks += 1
            return httpx.Response(200, json={"data": {"deploymentRollback": True}})
        phase = f"{self.durable.merged or self.durable.phase} {self.durable.rollbacks}"
        question = phase, MOMENT.sub(r"\1", request.content.decode())
        first_answer = self._known.get(question)
        if first_answer is None:
            services = self._phases[self.durable.phase]
            if self.durable.merged:
                services = [
                    deployed(services[0], self.durable.merged, self.begun.timestamp()),
                    *services[1:],
                ]
            for number in range(self.durable.rollbacks):
                services = [rolled_back(services[0], self.begun.timestamp(), number), *services[1:]]
            self._world.services[:] = services
            first_answer = self._known[question] = self._loop.run_until_complete(
                _asked(self.railway.app, request)
            )
        content = first_answer.content.replace(NUMBER.encode(), str(number).encode())
        headers = [header for header in first_answer.headers.items() if header[0] != "content-length"]
        return httpx.Response(first_answer.status_code, headers=headers, content=content)

    def _push(self) -> None:
        """Another person pushes a commit to main."""
        if not self.durable.merged:
            head = self._heads[self.next_number("head") - 1]
            (self._bare / "refs" / "heads").mkdir(exist_ok=True)
            (self._bare / "refs" / "heads" / "main").write_text(head + "\n")

    def page(self, request: httpx.Request) -> httpx.Response:
        status = {"indicator": "none", "description": f"asked {self.next_number('page')} times"}
        return httpx.Response(200, json={"status": status, "incidents": []})

    # -- the agent --------------------------------------------------------------------------------

    def run_agent(
        self, role: str, clone: Path, prompt: str, *, on_usage: Callable[[Usage], None], **_: Any
    ) -> AgentAnswer:
        number = self.next_number(role)
        on_usage(Usage(cost_usd=0.01, tokens=10, calls=1, seconds=1.0))
        if role == "writer":
            fixed = (clone / "pricing.py").read_text().replace('order["voucher"]', 'order.get("voucher")')
            (clone / "pricing.py").write_text(f"{fixed}\n# fixed in run {number}\n")
            (clone / "tests" / "test_no_voucher.py").write_text(shop.REPRODUCTION)
            result: dict[str, Any] = {"summary": f"fixed in run {number}", "not_done": []}
        else:
            result = {
                "verdict": "code", "evidence": re.findall(r"(?m)^(?:- )?(E\d+)\b", prompt)[:1],
                "cause": {"summary": f"read in run {number}", "file": "pricing.py", "line": 9},
                "reproduction": {"kind": "test", "path": "tests/test_no_voucher.py", "why": "it fails"},
                "change": ["read the voucher with get"], "confidence": 0.9,
            }  # fmt: skip
        spent = Usage(cost_usd=0.02, tokens=20, calls=2, seconds=2.0)
        on_usage(spent)
        return AgentAnswer(f"```json\n{json.dumps(result)}\n```", spent)

    def verify(self, fix: Fix, place: Repository, repositories: Repositories) -> Verification:
        for tree in (repositories.apply(place.name, fix.base_commit, fix.patch), repositories.scratch_dir()):
            repositories.discard(tree)
        ran = Run(
            command="python3 -m unittest",
            outcome="failed",
            output=f"proved in run {self.next_number('proof')}",
        )
        passed = ran.model_copy(update={"outcome": "passed"})
        return Verification(
            decision="ready", reproduction_deployed=ran, reproduction_before=ran, reproduction_after=passed
        )

    # -- snapshots ------------ ------------------------------------------------------------------

    def take_snapshot(self) -> WorldSnapshot:
        """The current state of the outside."""
        slack = self.slack
        return WorldSnapshot(
            self.refs(), self.github.pulls[:], slack.messages[:], slack.deleted[:], self.durable.copy()
        )

    def restore(self, kept: WorldSnapshot) -> None:
        """Go back to the state of a snapshot."""
        self._put_refs(kept.refs)
        self.github.pulls, self.slack.messages = kept.pulls[:], kept.messages[:]
        self.slack.deleted, self.durable = kept.deleted[:], kept.durable.copy()
        self.github._numbers = itertools.count(len(kept.pulls) + 1)

    def refs(self) -> dict[str, str]:
        """The branches on GitHub and their commits."""
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
    """Commits on top of main that change no file."""
    for number in range(NEWER_HEADS):
        tree = git(bare, "rev-parse", f"{head}^{{tree}}")
        head = git(bare, "commit-tree", tree, "-p", head, "-m", f"Something else, {number}")
        yield head


def phases(now: float, healthy: str, sick: str) -> dict[str, list[WorldService]]:
    """The phases of a scenario: the shop healthy or failing, and other services that fail with it or alone."""

    def services(*, failing: bool) -> list[WorldService]:
        shop_services = shop.world(now, healthy, sick, failing=failing).services
        shop_services[0].deployments[0].logs.append(LogRow(now - 1, f"line {NUMBER} of the log", "error"))
        return shop_services

    bad, good = services(failing=True), services(failing=False)
    live = WorldDeployment(
        "dep-web", "svc-web", "SUCCESS", now - 9e5, now - 9e5, {"image": "ghcr.io/acme/web"},
        instances=[("ins-web", "RUNNING")],
    )  # fmt: skip
    requests = [replace(request, deployment_id=live.id, instance_id="ins-web") for request in bad[0].requests]
    web = WorldService(
        "svc-web", "web", image="ghcr.io/acme/web", domains=["web.up.railway.app"], deployments=[live],
        active=[live.id], requests=requests,
    )  # fmt: skip
    caller = replace(web, variables={"SHOP_URL": ["shop.RAILWAY_PRIVATE_DOMAIN"]})
    well = replace(web, requests=[replace(request, status=200) for request in requests])
    storm = [
        replace(
            web, id=f"svc-{name}", name=name, domains=[f"{name}.up.railway.app"], active=[f"dep-{name}"],
            deployments=[replace(live, id=f"dep-{name}", service_id=f"svc-{name}")],
            requests=[replace(request, deployment_id=f"dep-{name}") for request in requests],
        )
        for name in ("alpha", "beta", "gamma")
    ]  # fmt: skip
    calm = [
        replace(service, requests=[replace(request, status=200) for request in service.requests])
        for service in storm
    ]  # fmt: skip
    return {
        "storm": [*good, *storm], "calm": [*good, *calm],
        "sick": bad, "well": good, "web": [*good, web], "both": [*bad, caller], "all well": [*good, well],
    }  # fmt: skip


def deployed(service: WorldService, commit: str, now: float) -> WorldService:
    """The service with this commit deployed five minutes ago, and healthy traffic since."""
    live = WorldDeployment(
        "dep-fixed", service.id, "SUCCESS", now - 300, now - 300, shop.meta(commit, "Merge"),
        instances=[("ins-3", "RUNNING")],
    )  # fmt: skip
    before = [request for request in service.requests if request.at < now - 300]
    after = [Request(now - 300 + i, "POST", "/orders", 200, 20.0, live.id, "ins-3") for i in range(0, 300, 2)]
    older = [replace(service.deployments[0], status="REMOVED"), *service.deployments[1:]]
    return replace(service, deployments=[live, *older], active=[live.id], requests=before + after)


def rolled_back(service: WorldService, now: float, number: int) -> WorldService:
    """The service after a rollback to its oldest deployment, which makes a new one of the same image."""
    target = service.deployments[-1]
    live = replace(
        target, id=f"dep-rollback-{number}", status="SUCCESS", created_at=now + number, status_at=now + number,
        instances=[("ins-4", "RUNNING")],
    )  # fmt: skip
    older = [replace(deployment, status="REMOVED") for deployment in service.deployments]
    return replace(service, deployments=[live, *older], active=[live.id])
