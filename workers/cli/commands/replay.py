"""`trackwalker replay ID`: run the rules of today on recorded data."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, add_id, open_store, print_error, print_lines

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "replay",
        "run detection or diagnosis again on a recorded sweep or incident",
        details="Compares the result with the recorded one. Writes nothing, and connects only to Redis; with\n"
        "--with-model-answers it also reads the repository, and starts the agent in its sandbox.\n"
        "Exit code: 0 if the result is the same, 1 if it differs, 2 if it cannot be replayed.",
        example="replay 3f9c2a",
    )
    add_id(parser)
    parser.add_argument(
        "--with-model-answers",
        action="store_true",
        help="make the plan, the patch and the verification of an incident again with the recorded answers of the "
        "model, without its provider",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Print the comparison."""
    from workers.cli import fix_comparison, replay_comparison
    from workers.errors import TrackwalkerError

    try:
        store = open_store(settings)
        if options.with_model_answers:
            exit_code, lines = fix_comparison.compare_fix(settings, store, options.id)
        else:
            exit_code, lines = replay_comparison.replay(store, options.id, settings.min_duration_minutes)
    except TrackwalkerError as error:
        # Not the 1 of every other command: here it means that the result differs.
        print_error(error)
        return replay_comparison.IMPOSSIBLE
    print_lines(lines)
    return exit_code
