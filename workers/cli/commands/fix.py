"""`trackwalker fix ID`: approve an automatic fix."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import (
    Subparsers,
    add_command,
    add_yes,
    open_store,
    print_lines,
    run_on_journal,
)

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "fix",
        "approve an automatic fix for a reported incident",
        details="If a verified patch exists already, it is proposed unchanged.",
        example="fix 3f9c2a-20261123T0304",
    )
    parser.add_argument(
        "id",
        metavar="ID|all",
        help="an incident's id as `list` prints it, or `all`: every open incident without a pull request,"
        " except symptoms of another incident",
    )
    add_yes(parser)
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Approve the fix."""
    from workers.cli.person import fix_all
    from workers.models import ActionKind

    if options.id != "all":
        return run_on_journal(settings, options, ActionKind.FIX, "Approve a fix of")
    lines = fix_all(open_store(settings))
    print_lines(lines or ["nothing to fix: no open incident is without a pull request"])
    return 0
