"""`trackwalker evaluate FILE`: run detection on windows from a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, print_progress

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "evaluate",
        "run detection on metric windows from a JSONL file",
        details="Needs no settings and no network. docs/detection.md describes the format.\n"
        "Exit code: 0 if every line is valid, 1 if at least one is not.",
        example="evaluate windows.jsonl",
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="one JSON object per line; - reads standard input"
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print a line of findings per window."""
    from workers.cli import evaluation
    from workers.runtime.text import plural

    invalid, is_stream = 0, str(options.file) == "-"
    with sys.stdin.buffer if is_stream else options.file.open("rb") as lines:
        for answer in evaluation.evaluate_lines(lines, min_duration_minutes=settings.min_duration_minutes):
            # A program at the other end of a pipe waits for each answer before it sends the next window.
            print(answer.text, flush=is_stream)
            invalid += not answer.is_valid
    if invalid:
        print_progress(f"{plural(invalid, 'line')} could not be evaluated")
    return 1 if invalid else 0
