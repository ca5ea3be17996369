"""`trackwalker lookback`: a backtest over past days."""

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

MAX_DAYS = 30  # Railway keeps no metrics longer
DEFAULT_DAYS = 7.0


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "lookback",
        "list the incidents that would have been reported in past days",
        details="Reads only from Railway. Sends no notification and stores nothing.",
        example="lookback --days 3 --service checkout",
    )
    parser.add_argument(
        "--days",
        type=_days,
        metavar="N",
        default=DEFAULT_DAYS,
        help=f"days before now, 1 to {MAX_DAYS} (default: %(default)g)",
    )
    parser.add_argument("--service", metavar="NAME", help="report only this service (default: all)")
    add_json(parser, "one JSON object per line and environment")
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print a report per environment."""
    from workers.cli import lookback
    from workers.cli.lookback import report

    require_sweep_settings(settings)
    backtests = lookback.backtest(
        settings, options.days, datetime.now(UTC), print_progress, service=options.service
    )
    for backtest in backtests:
        result = report.report(backtest, options.service)
        if options.json:
            print_json(result)
        else:
            print_lines(report.render(result))
    return 0


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 1 <= days <= MAX_DAYS:
        raise argparse.ArgumentTypeError(
            f"must be a number from 1 to {MAX_DAYS}; Railway keeps no metrics longer"
        )
    return days
