"""`trackwalker list`: what is watched, open incidents, recent endings; with `--all` every scheduled journal."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, add_json, open_store, print_json, print_lines

if TYPE_CHECKING:
    from workers.engine.journal_store import JournalStore
    from workers.runtime.settings import Settings

DEFAULT_ENDINGS = 20  # recent endings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "list",
        "list what is watched, open incidents and recent endings",
        details="Times are in TRACKWALKER_TIMEZONE. --all lists the stored records of alerts, sweeps, incidents\n"
        "and notifications, too; the column WHY shows what each waits for.",
        example="list --limit 10",
    )
    parser.add_argument(
        "--limit", type=_count, metavar="N", help="rows of each kind (default: 50, and 20 recent endings)"
    )
    parser.add_argument(
        "--all", action="store_true", help="internal records as well, all rows unless --limit is given"
    )
    add_json(parser, "one JSON object")
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print the overview."""
    store, now = open_store(settings), datetime.now(UTC)
    if options.all or options.json:
        return _print_journals(store, options, now)
    from zoneinfo import ZoneInfo

    from workers.cli import overview_text
    from workers.views import history, overview

    rows = DEFAULT_ENDINGS if options.limit is None else min(max(options.limit, 1), history.MAX_PAGE_SIZE)
    state = overview.read(store, settings, now)
    if options.limit is not None:
        left_out = state.incidents_left_out + max(0, len(state.incidents) - options.limit)
        shown = {"incidents": state.incidents[: options.limit], "incidents_left_out": left_out}
        state = state.model_copy(update=shown)
    ended = history.search(store, history.HistoryQuery(is_open=False, page_size=rows))
    print_lines(overview_text.render_overview(state, ended, ZoneInfo(settings.timezone)))
    return 0


def _print_journals(store: JournalStore, options: argparse.Namespace, now: datetime) -> int:
    from workers.cli import listing

    most = None if options.all else listing.DEFAULT_ROWS
    limit = most if options.limit is None else options.limit
    if options.json:
        print_json(listing.collect(store, now, limit))
    else:
        print_lines(listing.render_overview(store, now, limit))
    return 0


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError("must be a whole number")
    return int(text)
