"""Rollbacks and redeployments of the fake Railway: each makes a new deployment, which replaces the live ones."""

from __future__ import annotations

import time

from graphql import GraphQLError

from tests.support.fakes.railway_types import World, WorldDeployment, WorldService


def can_roll_back(deployment: WorldDeployment) -> bool:
    """True for a deployment that was live, is replaced, and whose image is kept."""
    return deployment.status in ("REMOVED", "REMOVING") and deployment.image_kept


def roll_back(world: World, target: WorldDeployment) -> bool:
    """Return to the image and variables of the target."""
    if not can_roll_back(target):
        raise GraphQLError("Cannot rollback to this deployment")
    world.redeployments.append(f"rollback:{target.id}")
    _deploy(world, target, "rollback")
    return True


def redeploy(world: World, source: WorldDeployment, *, keeps_image: bool) -> WorldDeployment:
    """Deploy the source again."""
    if source.status in ("SKIPPED", "NEEDS_APPROVAL") or (keeps_image and not source.image_kept):
        raise GraphQLError("Cannot redeploy this deployment")
    world.redeployments.append(f"redeploy:{source.id}")
    return _deploy(world, source, "redeploy")


def _deploy(world: World, source: WorldDeployment, reason: str) -> WorldDeployment:
    now, service = time.time(), service_of(world, source)
    number = len(service.deployments) + 1
    new = WorldDeployment(
        f"{source.id}-{reason}-{number}", service.id, world.status_of_new, now, now,
        source.meta | {"reason": reason}, instances=[(f"ins-{reason}-{number}", "RUNNING")],
    )  # fmt: skip
    if new.status == "SUCCESS":
        for deployment in service.deployments:
            if deployment.id in service.active:
                deployment.status, deployment.status_at = "REMOVED", now
        service.active = [new.id]
    service.deployments.insert(0, new)
    return new


def service_of(world: World, deployment: WorldDeployment) -> WorldService:
    """The service of a deployment."""
    return next(service for service in world.services if service.id == deployment.service_id)
