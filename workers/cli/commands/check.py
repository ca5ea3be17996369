"""`trackwalker check`: check an environment now."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, open_store, print_lines, print_result

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


DEFAULT_WAIT_SECONDS = 60.0  # a sweep takes a few seconds, and a running one has to end first


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "check",
        "check an environment now, and print the answer",
        details="The workers do it: with none running, `sweep` checks from this terminal.",
        example="check acme/production",
    )
    parser.add_argument(
        "target",
        metavar="ID|ENVIRONMENT",
        nargs="?",
        default="",
        help="an incident, or an environment by id or name (default: every watched environment)",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=DEFAULT_WAIT_SECONDS,
        metavar="SECONDS",
        help="how long to wait for the answer (default: %(default)g)",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Start the check and wait for its answer."""
    from workers.cli import requested_check

    store = open_store(settings)
    result, alert = requested_check.start(store, options.target)
    code = print_result(result)
    if result.done and options.wait > 0:
        print_lines(requested_check.await_answer(store, alert, options.wait))
    return code
