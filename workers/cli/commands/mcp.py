"""`trackwalker mcp`: a read-only MCP server for coding assistants."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from typing import TYPE_CHECKING

from workers.cli.commands.shared import Subparsers, add_command

if TYPE_CHECKING:
    from workers.runtime.settings import Settings

NOT_INSTALLED = (
    "The MCP server needs the package mcp, which is an optional extra. Install it with "
    "`.venv/bin/pip install 'mcp>=2.3'` in Trackwalker's folder, then start this command again."
)


def add_parser(subparsers: Subparsers) -> None:
    """Declare the command."""
    parser = add_command(
        subparsers,
        "mcp",
        "answer coding assistants about incidents, over standard input and output",
        details="Read-only. A client starts it: command `trackwalker`, argument `mcp`.",
        example="mcp",
    )
    parser.set_defaults(run=run)


def run(settings: Settings, _options: argparse.Namespace) -> int:
    """Serve until the client closes standard input."""
    from workers.errors import Refused

    if find_spec("mcp") is None:
        raise Refused(NOT_INSTALLED)
    from workers.cli.mcp_server import build_server

    build_server(settings).run("stdio")
    return 0
