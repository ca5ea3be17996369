"""`trackwalker sweep`: check the environments once."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.cli.commands.shared import (
    Subparsers,
    add_command,
    add_json,
    print_json,
    print_lines,
    print_progress,
    require_sweep_settings,
)

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "sweep",
        "check the environments once; send no notification and store nothing",
        details="The window is TRACKWALKER_WINDOW_MINUTES (default: 30) long and ends now.",
        example="sweep --no-history",
    )
    add_json(parser, "one JSON object per line and environment")
    parser.add_argument(
        "--no-history",
        action="store_true",
        help="compare with no earlier windows (default: with the stored history, otherwise the last day from Railway)",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print a report per environment."""
    from workers.cli import environment_check

    require_sweep_settings(settings)
    reports = environment_check.check_environments(
        settings, datetime.now(UTC), print_progress, use_history=not options.no_history
    )
    for report in reports:
        if options.json:
            print_json(report)
        else:
            print_lines(environment_check.render(report))
    return 0
