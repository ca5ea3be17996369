"""`trackwalker cancel ID`: end a journal."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, add_exact_id, run_on_journal

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "cancel",
        "cancel an incident, sweep or alert immediately",
        details="A worker that is running it stops within seconds. An open pull request stays open.",
        example="cancel 3f9c2a-20261123T0304",
    )
    add_exact_id(parser)
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Cancel the journal."""
    from workers.models import ActionKind

    return run_on_journal(settings, options, ActionKind.CANCEL, "Cancel")
