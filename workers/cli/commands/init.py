"""`trackwalker init`: ask for the settings, try each, and write them to `.env`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command

if TYPE_CHECKING:
    from workers.cli.setup_session import Session
    from workers.runtime.settings import Settings

DONE, FAILED, STOPPED = 0, 1, 130  # exit codes; 130 is that of a program that Ctrl-C ended


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "init",
        "ask for the settings, try each at once, and write them to .env",
        details="Asks for at most five values: Railway, Slack (token and channel), GitHub and the key of a model.\n"
        "Values that are set already are tried and kept. Every question can be skipped, and init run again.\n"
        "Without a terminal it takes all values from the environment, .env and --set.",
        example="init\n  RAILWAY_API_TOKEN=... trackwalker init --non-interactive --set TRACKWALKER_MODE=report",
    )
    parser.add_argument(
        "--set", action="append", default=[], type=_assignment, metavar="NAME=VALUE", dest="values",
        help="a setting; may be repeated. Other users see the command line: give tokens in the environment",
    )  # fmt: skip
    parser.add_argument("--non-interactive", action="store_true", help="ask nothing, also on a terminal")
    parser.add_argument(
        "--yes", action="store_true", help="register the webhook in Railway without asking (see `install`)"
    )
    parser.add_argument("--no-lookback", action="store_true", help="do not read the last week from Railway")
    parser.set_defaults(run=run, without_settings=True)


def run(_: Settings | None, options: argparse.Namespace) -> int:
    """Lead through the settings. Return 1 if a value does not work, or if nothing is watched."""
    from workers.cli import setup_dialogue, setup_ending, setup_session
    from workers.cli.console import Console, standard_console
    from workers.errors import SettingsError

    console = Console(is_interactive=False) if options.non_interactive else standard_console()
    session = setup_session.start(console, dict(options.values))
    if problems := session.present.file.problems:
        raise SettingsError(*problems)
    try:
        session.accept(dict(options.values))
        setup_dialogue.run_dialogue(session)
        setup_ending.finish(session, register=options.yes or None, look_back=not options.no_lookback)
    except (EOFError, KeyboardInterrupt):
        print(file=sys.stderr)
        console.show(_stopped(session))
        return STOPPED
    return FAILED if session.refused or "Railway" in session.skipped else DONE


def _stopped(session: Session) -> list[str]:
    names = ", ".join(name for name, value in session.accepted.items() if value) or "nothing yet"
    return [
        f"Stopped. Saved in {session.path.absolute()}: {names}.",
        "`trackwalker init` goes on from there.",
    ]


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError("must be NAME=VALUE")
    return name, value.strip()
