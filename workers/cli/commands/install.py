"""`trackwalker install`: register our webhook in Railway, or remove it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command, require_sweep_settings

if TYPE_CHECKING:
    from workers.runtime.settings import Settings


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "install",
        "register the webhook in Railway, and have Railway send a test",
        details="Shows what it would change in each watched project, and asks. In a pipe it needs --yes.\n"
        "A webhook that is registered already is left as it is, or updated where it differs.",
        example="install --yes",
    )
    parser.add_argument("--yes", action="store_true", help="do it without asking")
    parser.add_argument("--dry-run", action="store_true", help="only show what would be changed")
    parser.add_argument("--remove", action="store_true", help="delete our webhook, and no other")
    parser.add_argument(
        "--renew", action="store_true", help="write the webhook again, after a change of TRACKWALKER_SECRET"
    )
    parser.set_defaults(run=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Register or remove the webhook of every watched project."""
    from workers.cli.console import standard_console
    from workers.cli.webhook_installation import InstallOptions, install

    require_sweep_settings(settings)
    choices = InstallOptions(options.yes, options.dry_run, options.remove, options.renew)
    return install(settings, choices, standard_console())
