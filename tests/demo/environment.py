"""Everything around the product: stand-ins on real sockets, a faulty and a healthy service as real processes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.demo.services import Commits, Fault, draw, fixing, write
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.model import ScriptedModel
from tests.support.fakes.platform import Platform
from tests.support.fakes.railway import FakeRailway, World, WorldService
from tests.support.fakes.serving import serve
from tests.support.fakes.slack import FakeSlack
from tests.support.fakes.statuspage import FakeStatusPage
from tests.support.fakes.traffic import Traffic, traffic

OWNER = "acme"
CARRIER = "api.carrier.example"  # host of the upstream with a status page
NEIGHBOUR_PER_SECOND = 4.0


@dataclass(frozen=True)
class DemoEnvironment:
    """The stand-ins, and the service with the fault."""

    seed: int
    fault: Fault
    commits: Commits
    world: World
    service: WorldService
    platform: Platform
    railway: FakeRailway
    github: FakeGitHub
    slack: FakeSlack
    bare: Path
    """The repository of the faulty service on the fake GitHub."""
    addresses: dict[str, str]
    """URLs by name: railway, github, slack, status."""
    provider: dict[str, Any]
    """The `provider` entries of an opencode configuration for the scripted model."""

    @contextmanager
    def visitors(self) -> Iterator[Traffic]:
        """Send real requests to the faulty service while the block runs."""
        fault = self.fault
        with traffic(
            self.platform.url, fault.mix, seed=self.seed, per_second=fault.per_second, callers=fault.clients
        ) as visitors:
            yield visitors


@contextmanager
def demo_environment(fault: Fault, seed: int, folder: Path) -> Iterator[DemoEnvironment]:
    """Run the stand-ins while the block runs; none of their processes outlives it."""
    commits = write(fault, folder / "repositories" / fault.service)
    service, world = _world(fault)
    railway = FakeRailway(world, token=f"railway-{uuid.uuid4().hex}")
    github = FakeGitHub(folder / "github", token=f"ghp_{uuid.uuid4().hex}")
    bare = github.create(f"{OWNER}/{fault.service}", commits.folder)
    slack = FakeSlack(token=f"xoxb-{uuid.uuid4().hex}")
    status = FakeStatusPage()
    with ExitStack() as stack:
        addresses = {
            "railway": stack.enter_context(serve(railway.app, railway.faults)).url + "/graphql/v2",
            "github": stack.enter_context(serve(github.app, github.faults)).url,
            "slack": stack.enter_context(serve(slack.app, slack.faults)).url,
            "status": stack.enter_context(serve(status.app, status.faults)).url,
        }
        provider = stack.enter_context(ScriptedModel(propose_edits=fixing.propose_edits).serving())
        platform = stack.enter_context(Platform(world, service, bare, folder / "run"))
        stack.enter_context(_neighbour(world, seed, folder))
        yield DemoEnvironment(
            seed,
            fault,
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


def _world(fault: Fault) -> tuple[WorldService, World]:
    service = WorldService(
        id=str(uuid.uuid4()),
        name=fault.service,
        repo=f"{OWNER}/{fault.service}",
        root_directory=f"/{fault.root}" if fault.root else None,
        start_command=fault.start_command,
        domains=[f"{fault.service}.up.railway.app"],
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
    """Run a healthy service with traffic in the same environment, which the product must not report."""
    healthy = replace(draw(seed, "exception"), root="")
    name = f"{healthy.service}-internal"
    commits = write(healthy, folder / "repositories" / name)
    service = WorldService(
        id=str(uuid.uuid4()), name=name, repo=f"{OWNER}/{name}", start_command=healthy.start_command,
        domains=[f"{name}.up.railway.app"],
    )  # fmt: skip
    world.services.append(service)
    with Platform(world, service, commits.folder, folder / "run") as platform:
        platform.deploy(commits.healthy)
        with traffic(platform.url, healthy.mix, seed=seed, per_second=NEIGHBOUR_PER_SECOND, callers=2):
            yield
