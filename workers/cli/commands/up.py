"""`python -m workers up`: the whole installation in the foreground."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, open_journal

if TYPE_CHECKING:
    from workers.runtime.settings import Settings

DEFAULT_PROCFILE = Path("Procfile")

log = logging.getLogger("trackwalker.up")


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "up",
        "run web, worker and clock in the foreground; restart a process that crashes",
        details="Starts an embedded Valkey if REDIS_URL is not set. SIGTERM or Ctrl-C shuts everything down.",
        example="up",
    )
    parser.add_argument(
        "--procfile",
        type=Path,
        metavar="FILE",
        default=DEFAULT_PROCFILE,
        help="the processes to run (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Run until SIGTERM or Ctrl-C; 2 if settings are missing without which nothing works."""
    from workers.runtime import logs, supervise

    logs.configure("up")
    if not _report_missing(settings):
        return 2
    if not options.procfile.is_file():
        print(f"trackwalker: {options.procfile} not found: run from the project's folder", file=sys.stderr)
        return 2
    _warn_unknown()
    _warn_unavailable(settings)
    endpoints = f"{settings.url}/hooks/railway, /hooks/slack, /ping"
    log.info("starting", extra={"endpoints": endpoints, "mode": settings.mode})
    if settings.model:
        log.info(
            "code and log patterns of failing services are sent to a model", extra={"model": settings.model}
        )
    return supervise.up(settings, options.procfile)


def _report_missing(settings: Settings) -> bool:
    """Print or log what is not set; False if a required setting is missing."""
    from workers.runtime.settings import missing

    lacking = missing(settings)
    required = [str(setting) for setting in lacking if setting.is_required]
    optional = [setting for setting in lacking if not setting.is_required]
    if not required:
        for setting in optional:
            log.warning(
                "not set", extra={"setting": setting.label, "why": setting.purpose, "how": setting.how}
            )
        return True
    print("\n  ".join(["trackwalker: required settings are not set:", *required]), file=sys.stderr)
    if optional:
        print("\n  ".join(["optional settings that are not set:", *map(str, optional)]), file=sys.stderr)
    return False


def _warn_unknown() -> None:
    from workers.runtime.environment import variables
    from workers.runtime.settings import warn_unknown

    warn_unknown(variables())


def _warn_unavailable(settings: Settings) -> None:
    """Log a port that is in use and a Redis that does not answer. Neither stops the start: both are retried."""
    from workers.errors import NotAvailable
    from workers.runtime.supervise import port_error

    if error := port_error(settings.port):
        log.warning("port not available, retrying", extra={"setting": f"PORT={settings.port}", "why": error})
    if settings.redis_url:
        try:
            open_journal(settings)
        except NotAvailable as unavailable:
            log.warning("Redis not available, retrying", extra={"why": str(unavailable)})
