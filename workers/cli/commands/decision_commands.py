"""`trackwalker decisions`, `undo ID` and `audit`: what people decided and did."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import (
    Subparsers,
    add_command,
    add_json,
    open_store,
    print_json,
    print_lines,
    print_result,
)

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


DEFAULT_ENTRIES = 30


def add_parser(subparsers: Subparsers) -> None:
    """Declare the three commands."""
    decisions = add_command(
        subparsers,
        "decisions",
        "list pauses, mutes, snoozes and what is not a problem",
        details="`--all` lists those that ended, too.",
        example="decisions",
    )
    decisions.add_argument("--all", action="store_true", help="with the decisions that ended or were undone")
    add_json(decisions, "one JSON array")
    decisions.set_defaults(run=run)
    undo = add_command(subparsers, "undo", "end a decision before its time", example="undo 5d1f0c2a")
    undo.add_argument("id", metavar="DECISION", help="its id, as `decisions` prints it")
    undo.set_defaults(run=run_undo)
    audit = add_command(
        subparsers,
        "audit",
        "list what people did in Slack, on the page and in commands",
        example="audit --limit 100",
    )
    audit.add_argument(
        "--limit",
        type=int,
        default=DEFAULT_ENTRIES,
        metavar="N",
        help="newest entries (default: %(default)s)",
    )
    add_json(audit, "one JSON array")
    audit.set_defaults(run=run_audit)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """List the decisions."""
    from datetime import UTC, datetime

    from workers.cli import decision_list
    from workers.incidents import decisions

    store, now = open_store(settings), datetime.now(UTC)
    found = decisions.all(store) if options.all else decisions.active(store, now)
    if options.json:
        print_json([decision.model_dump(mode="json") for decision in found])
    else:
        print_lines(decision_list.render_decisions(found, now))
    return 0


def run_undo(settings: Settings, options: argparse.Namespace) -> int:
    """End the decision."""
    from workers.cli.person import act
    from workers.models import ActionKind

    return print_result(act(open_store(settings), ActionKind.UNDO, options.id))


def run_audit(settings: Settings, options: argparse.Namespace) -> int:
    """List the audit."""
    from workers.cli import decision_list
    from workers.incidents import audit

    entries = audit.entries(open_store(settings), max(1, options.limit))
    if options.json:
        print_json([entry.model_dump(mode="json") for entry in entries])
    else:
        print_lines(decision_list.render_audit(entries))
    return 0
