"""`trackwalker show ID`: one journal, stage by stage."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.cli.commands.shared import (
    Subparsers,
    add_command,
    add_id,
    add_json,
    open_store,
    print_json,
    print_lines,
)

if TYPE_CHECKING:
    from workers.engine.journal_store import JournalStore
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "show",
        "show one incident, sweep or alert, stage by stage",
        details="The name of a service shows its newest incident.",
        example="show checkout",
    )
    add_id(parser)
    add_json(parser, "everything that is recorded, as one JSON object")
    parser.add_argument(
        "--transcript",
        action="store_true",
        help="print the calls of the model: what it was told and answered",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print the journal."""
    from workers.actions.lookup import find_to_show
    from workers.cli import journal_view, transcript_view
    from workers.engine.schema import journal_id

    store = open_store(settings)
    name = journal_id(find_to_show(store, options.id))
    if options.transcript:
        print_lines(transcript_view.render_transcript(store, name))
    elif options.json:
        print_json(journal_view.collect_journal(store, name))
    else:
        print_lines(
            [*_story(store, name, settings), *journal_view.render_journal(store, name, datetime.now(UTC))]
        )
    return 0


def _story(store: JournalStore, name: str, settings: Settings) -> list[str]:
    """The head of an incident for people; [] for another journal."""
    from zoneinfo import ZoneInfo

    from workers.cli.overview_text import render_incident
    from workers.views import incident_view

    view = incident_view.read(store, name)
    now = datetime.now(UTC)
    return [*render_incident(view, ZoneInfo(settings.timezone), now), ""] if view is not None else []
