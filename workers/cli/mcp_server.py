"""The MCP server: read-only tools about incidents, over standard input and output (https://modelcontextprotocol.io).

This is the only module that imports the SDK, which is an optional extra of the installation.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Literal, ParamSpec

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

from workers.cli import mcp_answers
from workers.cli.commands.shared import open_store, print_progress
from workers.errors import TrackwalkerError
from workers.runtime.settings import Settings
from workers.runtime.text import safe_line

P = ParamSpec("P")

MAX_LOOKBACK_DAYS = 30  # Railway keeps no metrics longer
INSTRUCTIONS = (
    "Trackwalker watches services on Railway, investigates their incidents and opens pull requests. These tools read "
    "what it recorded; none changes anything. Start with list_incidents, then get_incident. Cite facts by their ids "
    "(E1, E2 …). " + mcp_answers.NOTICE
)
STORED = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
)
FROM_RAILWAY = ToolAnnotations(
    read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)


def build_server(settings: Settings) -> MCPServer:
    """A server with all tools. It opens no connection before a tool is called."""
    server = MCPServer("trackwalker", instructions=INSTRUCTIONS, log_level="ERROR")

    @server.tool(annotations=STORED, structured_output=False)
    @_refusing
    def list_incidents(open_only: bool = False, limit: int = 25) -> str:
        """List incidents, newest first: service, state, trouble, onset, cause, pull request, owner.

        open_only leaves out those that ended; limit is at most 100.
        """
        return mcp_answers.list_incidents(open_store(settings), open_only=open_only, limit=limit)

    @server.tool(annotations=STORED, structured_output=False)
    @_refusing
    def get_incident(incident: str, format: Literal["markdown", "json"] = "markdown") -> str:  # noqa: A002 (the tool's argument)
        """Get one incident as a post-mortem draft (markdown) or with everything that is known (json).

        incident is an id of list_incidents, a unique part of one, the address of its page, or a service's name,
        which means its newest incident.
        """
        return mcp_answers.get_incident(open_store(settings), incident, as_json=format == "json")

    @server.tool(annotations=STORED, structured_output=False)
    @_refusing
    def get_evidence(incident: str) -> str:
        """Get the numbered facts of an incident with the lines that they quote, and the verdict drawn from them."""
        return mcp_answers.get_evidence(open_store(settings), incident)

    @server.tool(annotations=STORED, structured_output=False)
    @_refusing
    def get_timeline(incident: str) -> str:
        """Get every recorded event of an incident: alerts, checks, stages, model calls, posts, people, deployments."""
        return mcp_answers.get_timeline(open_store(settings), incident)

    @server.tool(annotations=STORED, structured_output=False)
    @_refusing
    def search_history(
        text: str = "", service: str = "", environment: str = "", category: str = "", state: str = "",
        since: str = "", until: str = "", page: int = 1,
    ) -> str:  # fmt: skip
        """Search incidents. All filters that are given must match; times are ISO 8601, UTC without a zone.

        category is code, deployment, configuration, resource limit, upstream, platform, traffic, transient or
        inconclusive. state is for example fix ready, fix verified, fix failed, resolved or reported.
        """
        filters = {
            "text": text, "service": service, "environment": environment, "category": category, "state": state,
            "since": since, "until": until, "page": page,
        }  # fmt: skip
        return mcp_answers.search_history(open_store(settings), filters)

    @server.tool(annotations=FROM_RAILWAY, structured_output=False)
    @_refusing
    def lookback(days: float = 7, service: str = "") -> str:
        """List what would have been reported in past days, from the metrics that Railway keeps (at most 30 days).

        It reads from Railway and takes up to minutes; it stores nothing and sends no notification.
        """
        span = min(max(days, 1.0), MAX_LOOKBACK_DAYS)
        return mcp_answers.look_back(settings, span, service, datetime.now(UTC), print_progress)

    @server.tool(annotations=STORED, structured_output=False)
    @_refusing
    def list_decisions(active_only: bool = True) -> str:
        """List decisions of people: pauses, mutes, snoozes and findings that are no problem, with reason and end."""
        return mcp_answers.list_decisions(open_store(settings), datetime.now(UTC), active_only=active_only)

    return server


def _refusing(answer: Callable[P, str]) -> Callable[P, str]:
    """The tool with our errors as answers in plain words; they name the setting or the id to correct."""

    @wraps(answer)
    def answer_or_refuse(*arguments: P.args, **named: P.kwargs) -> str:
        try:
            return answer(*arguments, **named)
        except TrackwalkerError as error:
            raise ToolError(safe_line(str(error), 600)) from None

    return answer_or_refuse
