"""`trackwalker diagnose FILE`: diagnose cases from a file."""

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
        "diagnose",
        "diagnose cases from a JSONL file: logs, requests and a repository",
        details="Needs no settings and no network. docs/diagnosis.md describes the format.\n"
        "Exit code: 0 if every line is valid, 1 if at least one is not.",
        example="diagnose cases.jsonl",
    )
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="one JSON object per line; - reads standard input"
    )
    parser.add_argument(
        "--brief",
        action="store_true",
        help="print the agent's brief of each case (default: the verdict as JSON)",
    )
    parser.set_defaults(run=run, without_settings=True)


def run(settings: Settings | None, options: argparse.Namespace) -> int:  # noqa: ARG001
    """Print a line of diagnosis, or the brief, per case."""
    from workers.cli import diagnosis
    from workers.runtime.text import plural

    invalid, is_stream = 0, str(options.file) == "-"
    answer = diagnosis.write_brief if options.brief else diagnosis.diagnose_line
    with sys.stdin.buffer if is_stream else options.file.open("rb") as lines:
        for output in diagnosis.answer_lines(lines, answer):
            # A program at the other end of a pipe waits for each answer before it sends the next case.
            print(output.text, flush=is_stream)
            invalid += not output.is_valid
    if invalid:
        print_progress(f"{plural(invalid, 'line')} could not be diagnosed")
    return 1 if invalid else 0
