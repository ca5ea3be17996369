"""`python -m workers cancel ID`: end a journal."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, add_id, open_store, print_lines

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "cancel",
        "cancel an incident, sweep or alert immediately",
        details="A worker that is running it stops within seconds. An open pull request stays open.",
        example="cancel 3f9c2a",
    )
    add_id(parser)
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Cancel the journal."""
    from workers.actions import journal_commands as control

    print_lines(control.cancel(open_store(settings), options.id))
    return 0
