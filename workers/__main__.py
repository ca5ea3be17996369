"""`trackwalker COMMAND`: the commands of operators. Each command is a module of `workers.cli.commands`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import cast

from workers.cli.commands import (
    acknowledge,
    cancel,
    check,
    decision_commands,
    diagnose,
    doctor,
    evaluate,
    fix,
    init,
    install,
    lookback,
    mcp,
    mute,
    pause,
    replay,
    retry,
    rollback_commands,
    show,
    sweep,
    up,
    verify,
)
from workers.cli.commands import list as list_command
from workers.cli.commands.shared import Subparsers, print_error
from workers.errors import TrackwalkerError

# In the order of the help: run, look, control, try out.
COMMANDS = (
    init, doctor, install, up, list_command, show, acknowledge, check, fix, rollback_commands, pause, mute,
    decision_commands, cancel, retry, mcp, replay, sweep, lookback, evaluate, diagnose, verify,
)  # fmt: skip

CONSOLE_COMMAND = "trackwalker"  # in the environment's `bin`; it works from any folder
INTERRUPTED = 130  # 128 + SIGINT, the shells' exit code for a program that Ctrl-C ended


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 if it succeeded, 1 if it failed, 2 if its arguments or settings are wrong.

    Args:
        arguments: the arguments after `trackwalker`; None reads them from the command line.
    """
    options = build_parser().parse_args(arguments)
    # Imported late: `--help` needs no validation library.
    from workers.runtime import environment, settings
    from workers.runtime.process import protect_process

    protect_process()
    if Path(sys.argv[0]).name == CONSOLE_COMMAND:
        environment.use_installation_folder()
    try:
        if getattr(options, "without_settings", False):
            return int(options.run(None, options))
        return int(options.run(settings.read(), options))
    except TrackwalkerError as error:
        print_error(error)
        return 1
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe. Without this the interpreter fails once more when it
        # flushes standard output at exit (Python's documentation of SIGPIPE).
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"trackwalker: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="trackwalker",
        description="Run and operate Trackwalker. Settings come from the environment and from .env.",
        epilog="`trackwalker COMMAND --help` shows the options, defaults and an example of a command.",
    )
    subparsers = cast("Subparsers", parser.add_subparsers(title="commands", required=True, metavar="COMMAND"))
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
