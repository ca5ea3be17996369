"""`trackwalker retry ID`: continue a journal now."""

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
        "retry",
        "schedule an incident, sweep or alert now, at its present stage or at an earlier one",
        details="Existing branches, pull requests and posts are found again, not duplicated.",
        example="retry 3f9c2a-20261123T0304 --from enrich",
    )
    add_exact_id(parser)
    parser.add_argument(
        "--from",
        dest="stage",
        metavar="STAGE",
        default="",
        help="discard the records of this stage and later ones (default: keep all records and continue at the"
        " present or failed stage); an invalid stage is refused with the list of valid ones",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Schedule the journal."""
    from workers.models import ActionKind

    return run_on_journal(settings, options, ActionKind.RETRY, "Retry", stage=options.stage)
