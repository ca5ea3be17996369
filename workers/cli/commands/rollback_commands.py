"""`trackwalker rollback ID` and `redeploy ID`: return to the deployment before, and undo that."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import (
    Subparsers,
    add_command,
    add_exact_id,
    open_store,
    print_lines,
    print_result,
    run_on_journal,
)

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare both commands."""
    rollback = add_command(
        subparsers,
        "rollback",
        "return an incident's service to the deployment before the faulty one",
        details="Railway restores its image and its variables. The exact effect is printed and has to be confirmed.",
        example="rollback 3f9c2a-20261123T0304",
    )
    add_exact_id(rollback)
    rollback.set_defaults(run=run)
    redeploy = add_command(
        subparsers,
        "redeploy",
        "undo a rollback: deploy again what ran before it",
        example="redeploy 3f9c2a-20261123T0304",
    )
    add_exact_id(redeploy)
    redeploy.set_defaults(run=run_redeploy)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """State the effect, have it confirmed, and ask for the rollback."""
    from zoneinfo import ZoneInfo

    from workers.cli import rollback_question
    from workers.cli.console import standard_console
    from workers.cli.person import act
    from workers.models import ActionKind

    store, zone = open_store(settings), ZoneInfo(settings.timezone)
    journal, lines = rollback_question.read_effect(store, options.id, zone)
    print_lines(lines)
    if not lines or rollback_question.is_confirmed(standard_console(), yes=options.yes):
        # Without an effect to state, the action itself says why no rollback is possible.
        return print_result(act(store, ActionKind.ROLL_BACK, journal, zone=zone))
    print_lines(["Nothing was changed."])
    return 1


def run_redeploy(settings: Settings, options: argparse.Namespace) -> int:
    """Undo the rollback."""
    from workers.models import ActionKind

    return run_on_journal(settings, options, ActionKind.REDEPLOY, "Undo the rollback of")
