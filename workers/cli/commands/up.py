"""`python -m workers up`: the whole installation in the foreground."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from workers.cli.commands.shared import Subparsers, add_command, open_store

if TYPE_CHECKING:
    from workers.runtime.settings import Settings

log = logging.getLogger("trackwalker.up")


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "up",
        "run web, worker and clock in the foreground and restart crashed processes",
        details="Starts an embedded Valkey if REDIS_URL is not set. SIGTERM or Ctrl-C shuts everything down.",
        example="up",
    )
    parser.add_argument(
        "--procfile",
        type=Path,
        metavar="FILE",
        help="run the processes of this file instead (default: web with the clock, and worker)",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Check the settings and become the supervisor. Return 2 if a required setting is not set."""
    from workers.runtime import logs

    logs.configure("up")
    if not _report_missing(settings):
        return 2
    if options.procfile and not options.procfile.is_file():
        print(f"trackwalker: --procfile {options.procfile}: no such file", file=sys.stderr)
        return 2
    _warn_unknown()
    _warn_unavailable(settings)
    _warn_store(settings)
    endpoints = f"{settings.url}/hooks/railway, /hooks/slack, /ping"
    log.info("starting", extra={"endpoints": endpoints, "mode": settings.mode})
    if settings.model:
        log.info(
            "code and log patterns of failing services are sent to a model", extra={"model": settings.model}
        )
    return _become_supervisor(settings, options.procfile)


def _become_supervisor(settings: Settings, procfile: Path | None) -> NoReturn:
    """Replace this process with the supervisor: the same process id, without the libraries loaded so far."""
    from workers.runtime.environment import DATA_DIR, data_dir

    # Set here, because they may stand in .env, which neither the supervisor nor a shell reads.
    os.environ[DATA_DIR] = str(data_dir())
    os.environ["PORT"] = str(settings.port)
    if settings.redis_url:
        os.environ["REDIS_URL"] = settings.redis_url.get_secret_value()
    command = [sys.executable, "-m", "workers.runtime.supervise", *([str(procfile)] if procfile else [])]
    os.execv(sys.executable, command)  # noqa: S606 (no shell, and a fixed command)


def _report_missing(settings: Settings) -> bool:
    """Print or log what is not set; False if a required setting is missing."""
    from workers.runtime.settings_check import missing

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
    from workers.runtime.settings_check import warn_unknown

    warn_unknown(variables())


def _warn_unavailable(settings: Settings) -> None:
    """Log a port that is in use and a Redis that does not answer. Neither stops the start: both are retried."""
    from workers.errors import NotAvailable
    from workers.runtime.supervise import port_error

    if error := port_error(settings.port):
        log.warning("port not available, retrying", extra={"setting": f"PORT={settings.port}", "why": error})
    if settings.redis_url:
        try:
            open_store(settings)
        except NotAvailable as unavailable:
            log.warning("Redis not available, retrying", extra={"why": str(unavailable)})


def _warn_store(settings: Settings) -> None:
    """Log each way in which the store can lose recorded data, or is open to others."""
    from workers.runtime import store
    from workers.runtime.environment import data_dir

    if settings.redis_url:
        client = store.connect(settings)
        warnings = store.durability_warnings(client, data_dir(), os.environ)
        for warning in store.protection_warnings(client):
            log.warning("Redis is not protected", extra={"why": warning})
    else:
        warnings = store.volume_warnings(data_dir(), os.environ)
    for warning in warnings:
        log.warning("Redis is not durable", extra={"why": warning})
