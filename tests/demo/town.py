"""The town around the product: stand-ins on real sockets, a sick and a healthy service as real processes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.demo.services import Commits, Sickness, draw, mending, write
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.model import ScriptedModel
from tests.support.fakes.platform import Platform
from tests.support.fakes.railway import FakeRailway, World, WorldService
from tests.support.fakes.serving import serve
from tests.support.fakes.slack import FakeSlack
from tests.support.fakes.statuspage import FakeStatusPage
from tests.support.fakes.traffic import Traffic, traffic

OWNER = "acme"
CARRIER = "api.carrier.example"
NEIGHBOUR_PER_SECOND = 4.0


@dataclass(frozen=True)
class Town:
    """Everything outside the product. `service` is the sick one; `platform.url` its public address."""

    seed: int
    sickness: Sickness
    commits: Commits
    world: World
    service: WorldService
    platform: Platform
    railway: FakeRailway
    github: FakeGitHub
    slack: FakeSlack
    bare: Path
    """The sick service's repository as the stand-in GitHub keeps it."""
    addresses: dict[str, str]
    """Of railway, github, slack and status."""
    provider: dict[str, Any]
    """The `provider` entries of an opencode configuration that lead to the scripted model."""

    @contextmanager
    def visitors(self) -> Iterator[Traffic]:
        """Real requests at the sick service for as long as the block lasts."""
        sick = self.sickness
        with traffic(
            self.platform.url, sick.mix, seed=self.seed, per_second=sick.per_second, callers=sick.clients
        ) as sent:
            yield sent


@contextmanager
def town(sickness: Sickness, seed: int, folder: Path) -> Iterator[Town]:
    """Everything outside for as long as the block lasts; nothing of it runs afterwards."""
    commits = write(sickness, folder / "made" / sickness.service)
    service, world = _world(sickness)
    railway = FakeRailway(world, token=f"railway-{uuid.uuid4().hex}")
    github = FakeGitHub(folder / "github", token=f"ghp_{uuid.uuid4().hex}")
    bare = github.create(f"{OWNER}/{sickness.service}", commits.folder)
    slack = FakeSlack(token=f"xoxb-{uuid.uuid4().hex}")
    status = FakeStatusPage()
    with ExitStack() as stack:
        addresses = {
            "railway": stack.enter_context(serve(railway.app, railway.faults)).url + "/graphql/v2",
            "github": stack.enter_context(serve(github.app, github.faults)).url,
            "slack": stack.enter_context(serve(slack.app, slack.faults)).url,
            "status": stack.enter_context(serve(status.app, status.faults)).url,
        }
        provider = stack.enter_context(ScriptedModel(propose_edits=mending.propose_edits).serving())
        platform = stack.enter_context(Platform(world, service, bare, folder / "run"))
        stack.enter_context(_neighbour(world, seed, folder))
        yield Town(
            seed,
            sickness,
            commits,
            world,
            service,
            platform,
            railway,
            github,
            slack,
            bare,
            addresses,
            provider,
        )


def _world(sickness: Sickness) -> tuple[WorldService, World]:
    service = WorldService(
        id=str(uuid.uuid4()),
        name=sickness.service,
        repo=f"{OWNER}/{sickness.service}",
        root_directory=f"/{sickness.root}" if sickness.root else None,
        start_command=sickness.start_command,
        domains=[f"{sickness.service}.up.railway.app"],
    )
    world = World(
        project_id=str(uuid.uuid4()),
        project_name="shop",
        environment_id=str(uuid.uuid4()),
        environment_name="production",
        services=[service],
        workspace_id=str(uuid.uuid4()),
    )
    return service, world


@contextmanager
def _neighbour(world: World, seed: int, folder: Path) -> Iterator[None]:
    """A healthy service in the same environment, with some traffic of its own."""
    healthy = replace(draw(seed, "exception"), root="")
    name = f"{healthy.service}-internal"
    commits = write(healthy, folder / "made" / name)
    service = WorldService(
        id=str(uuid.uuid4()), name=name, repo=f"{OWNER}/{name}", start_command=healthy.start_command,
        domains=[f"{name}.up.railway.app"],
    )  # fmt: skip
    world.services.append(service)
    with Platform(world, service, commits.folder, folder / "run") as platform:
        platform.deploy(commits.healthy)
        with traffic(platform.url, healthy.mix, seed=seed, per_second=NEIGHBOUR_PER_SECOND, callers=2):
            yield
