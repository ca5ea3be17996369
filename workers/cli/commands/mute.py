"""`trackwalker mute SERVICE`: stop posts and fixes for one service."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, open_store, print_result

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
    from workers.cli.person import act
    from workers.incidents.controls import parse_duration
    from workers.models import ActionKind

    store, seconds = open_store(settings), parse_duration(options.span)
    if not seconds:
        return print_result(act(store, ActionKind.UNMUTE, options.service))
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    return print_result(act(store, ActionKind.MUTE, options.service, until=until))
