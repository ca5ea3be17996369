"""`python -m workers mute SERVICE`: stop posts and fixes for one service."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, open_store, print_lines

if TYPE_CHECKING:
    from workers.runtime.settings import Settings

DEFAULT_DURATION = "4h"


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "mute",
        "stop posts and fixes for one service for some time",
        details="Incidents of the service are still recorded. `--for 0s` ends a mute.",
        example="mute checkout --for 30m",
    )
    parser.add_argument("service", metavar="SERVICE", help="the service's name in Railway")
    parser.add_argument(
        "--for",
        dest="span",
        metavar="DURATION",
        default=DEFAULT_DURATION,
        help="90s, 30m, 4h or 2d (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Begin or end the mute."""
    from workers.incidents import controls

    seconds = controls.parse_duration(options.span)
    controls.mute(open_store(settings), options.service, time.time() + seconds)
    if not seconds:
        print_lines([f"{options.service} is not muted"])
        return 0
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    print_lines([f"{options.service} is muted until {end:%Y-%m-%d %H:%M} UTC"])
    return 0
