"""`trackwalker list`: scheduled journals, open incidents, recent endings."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, add_json, open_store, print_json, print_lines

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "list",
        "list scheduled work, open incidents and recent endings",
        details="A journal is the stored record of one alert, sweep, incident or notification. The column WHY shows\n"
        "why it has not advanced: its last error, or the event that it waits for.",
        example="list --limit 10",
    )
    parser.add_argument(
        "--limit", type=_count, metavar="N", help="rows of each kind (default: 50, and 20 recent endings)"
    )
    parser.add_argument("--all", action="store_true", help="all rows (default: see --limit)")
    add_json(parser, "one JSON object")
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print the overview."""
    from workers.cli import listing

    limit = None if options.all else listing.DEFAULT_ROWS if options.limit is None else options.limit
    store, now = open_store(settings), datetime.now(UTC)
    if options.json:
        print_json(listing.collect(store, now, limit))
    else:
        print_lines(listing.render_overview(store, now, limit))
    return 0


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError("must be a whole number")
    return int(text)
