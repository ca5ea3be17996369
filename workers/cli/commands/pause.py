"""`trackwalker pause` and `resume`: stop all effects, and allow them again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, open_store, print_result

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare both commands."""
    add_command(
        subparsers,
        "pause",
        "stop all posts, pull requests and agent runs until `resume`",
        details="Alerts are still stored and environments still checked. A stage that is already running finishes.",
        example="pause",
    ).set_defaults(run=run)
    add_command(
        subparsers,
        "resume",
        "end the pause",
        details="Work that waited continues within half a minute.",
        example="resume",
    ).set_defaults(run=run_resume)


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Begin the pause."""
    from workers.cli.person import act
    from workers.models import ActionKind

    return print_result(act(open_store(settings), ActionKind.PAUSE))


def run_resume(settings: Settings, _options: argparse.Namespace) -> int:
    """End the pause."""
    from workers.cli.person import act
    from workers.models import ActionKind

    return print_result(act(open_store(settings), ActionKind.RESUME))
