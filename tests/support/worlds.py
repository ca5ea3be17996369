"""Fake Railway environments for tests of the fake platform."""

from __future__ import annotations

from tests.support.fakes.railway import World, WorldService


def world_of(service: WorldService) -> World:
    """An environment with this one service."""
    return World(
        project_id="p-1", project_name="shop", environment_id="e-1", environment_name="production",
        services=[service], workspace_id="w-1",
    )  # fmt: skip
