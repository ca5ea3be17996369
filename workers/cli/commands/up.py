"""`trackwalker up`: the whole installation in the foreground."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from workers.cli.commands.shared import Subparsers, add_command, print_lines

if TYPE_CHECKING:
    from workers.doctor.setting_checks import PresentSettings
    from workers.runtime.settings import Settings

INVALID_SETTINGS = 2  # exit code
ALREADY_RUNNING = 1  # exit code

log = logging.getLogger("trackwalker.up")


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "up",
        "run web, worker and clock in the foreground and restart crashed processes",
        details="Starts an embedded Valkey if REDIS_URL is not set. SIGTERM or Ctrl-C shuts everything down.\n"
        "Beside the start, it runs the checks of `doctor --quick` and names what does not work.",
        example="up",
    )
    parser.add_argument(
        "--procfile",
        type=Path,
        metavar="FILE",
        help="run the processes of this file instead (default: web with the clock, and worker)",
    )
    parser.add_argument("--no-checks", action="store_true", help="do not check the installation at start")
    parser.set_defaults(run=run, without_settings=True)


def run(_: Settings | None, options: argparse.Namespace) -> int:
    """Check the settings and become the supervisor.

    Returns:
        2 if a setting is missing, misspelt or cannot be read: the product would run in another mode than its owner
        believes; 1 if another `up` runs on the same data folder.
    """
    from workers.doctor.setting_checks import read_present
    from workers.runtime import logs
    from workers.runtime.embedded import owner_error

    present = read_present()
    if not present.settings.redis_url and (reason := owner_error(present.folder)):
        print(f"trackwalker: {reason}", file=sys.stderr)
        return ALREADY_RUNNING
    logs.configure("up")
    if not _report_settings(present):
        return INVALID_SETTINGS
    if options.procfile and not options.procfile.is_file():
        print(f"trackwalker: --procfile {options.procfile}: no such file", file=sys.stderr)
        return INVALID_SETTINGS
    settings = present.settings
    endpoints = f"{settings.url}/hooks/railway, /hooks/slack, /ping"
    log.info("starting", extra={"endpoints": endpoints, "mode": settings.mode})
    if settings.model:
        log.info(
            "code and log patterns of failing services are sent to a model", extra={"model": settings.model}
        )
    return _become_supervisor(settings, options.procfile, with_checks=not options.no_checks)


def _become_supervisor(settings: Settings, procfile: Path | None, *, with_checks: bool) -> NoReturn:
    """Replace this process with the supervisor: the same process id, without the libraries loaded so far."""
    from workers.runtime import signals
    from workers.runtime.environment import DATA_DIR, data_dir
    from workers.runtime.supervise import WITH_CHECKS

    # Set here, because they may stand in .env, which neither the supervisor nor a shell reads.
    os.environ[DATA_DIR] = str(data_dir())
    os.environ["PORT"] = str(settings.port)
    if settings.redis_url:
        os.environ["REDIS_URL"] = settings.redis_url.get_secret_value()
    arguments = [*([str(procfile)] if procfile else []), *([WITH_CHECKS] if with_checks else [])]
    command = [sys.executable, "-m", "workers.runtime.supervise", *arguments]
    signals.hold()
    os.execv(sys.executable, command)  # noqa: S606 (no shell, and a fixed command)


def _report_settings(present: PresentSettings) -> bool:
    """Print or log the problems of the settings; False if one of them prevents the start."""
    from workers.doctor.report_lines import render_results
    from workers.doctor.setting_checks import check_settings
    from workers.models.check_results import CheckStatus

    problems = [result for result in check_settings(present) if result.status is not CheckStatus.OK]
    if not any(result.status is CheckStatus.ERROR for result in problems):
        return True
    print("trackwalker: cannot start with these settings", file=sys.stderr)
    print_lines(render_results(problems), file=sys.stderr)
    return False
