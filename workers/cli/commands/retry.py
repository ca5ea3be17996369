"""`python -m workers retry ID`: continue a journal now."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, add_id, open_journal

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "retry",
        "run an incident, sweep or alert now, where it stands or from an earlier stage",
        details="Branches, pull requests and posts that exist are found again and not made a second time.",
        example="retry 3f9c2a --from enrich",
    )
    add_id(parser)
    parser.add_argument(
        "--from",
        dest="stage",
        metavar="STAGE",
        help="discard what this stage and later ones recorded (default: keep everything and go on"
        " where the journal stands or failed)",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Schedule the journal."""
    from workers.cli import control

    print("\n".join(control.retry(open_journal(settings), options.id, options.stage)))
    return 0
