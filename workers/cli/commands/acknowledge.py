"""`trackwalker ack ID`, `snooze` and `not-a-problem`: what a person decides about an incident."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import (
    Subparsers,
    add_command,
    add_end,
    add_exact_id,
    read_end,
    run_on_journal,
)

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


DEFAULT_SNOOZE = "1h"


def add_parser(subparsers: Subparsers) -> None:
    """Declare the three commands."""
    ack = add_command(
        subparsers,
        "ack",
        "take an incident: other people see that you have it",
        example="ack 3f9c2a-20261123T0304",
    )
    add_exact_id(ack)
    ack.set_defaults(run=run)
    snooze = add_command(
        subparsers,
        "snooze",
        "post nothing about one incident for some time",
        details="Its message is still edited. A fix that fails is posted after the end.",
        example="snooze 3f9c2a-20261123T0304 --for 4h",
    )
    add_exact_id(snooze)
    add_end(snooze, default=DEFAULT_SNOOZE)
    snooze.set_defaults(run=run_snooze)
    dismiss = add_command(
        subparsers,
        "not-a-problem",
        "end an incident, and report its kind of trouble of its service no more",
        details="Other trouble of the service, and trouble that becomes critical, is still reported."
        " `undo` ends the decision.",
        example='not-a-problem 3f9c2a-20261123T0304 --for 7d --reason "load test"',
    )
    add_exact_id(dismiss)
    add_end(dismiss, default="")
    dismiss.add_argument(
        "--reason",
        default="",
        metavar="TEXT",
        help="shown wherever the decision has an effect (default: none)",
    )
    dismiss.set_defaults(run=run_dismiss)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Take the incident."""
    from workers.models import ActionKind

    return run_on_journal(settings, options, ActionKind.ACKNOWLEDGE, "Acknowledge")


def run_snooze(settings: Settings, options: argparse.Namespace) -> int:
    """Snooze the incident."""
    from workers.models import ActionKind

    return run_on_journal(settings, options, ActionKind.SNOOZE, "Snooze", until=read_end(settings, options))


def run_dismiss(settings: Settings, options: argparse.Namespace) -> int:
    """Decide that it is no problem."""
    from workers.models import ActionKind

    until = read_end(settings, options)
    return run_on_journal(
        settings,
        options,
        ActionKind.NOT_A_PROBLEM,
        "End as not a problem:",
        until=until,
        reason=options.reason,
    )
