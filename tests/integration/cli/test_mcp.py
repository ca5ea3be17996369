"""`trackwalker mcp`, asked by the SDK's own client over standard input and output."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.support import sample_incident
from tests.support.command_line import ROOT

pytest.importorskip("mcp", reason="the extra mcp is not installed")

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

Calls = Sequence[tuple[str, dict[str, Any]]]


def ask(store_url: str, folder: Path, calls: Calls) -> tuple[dict[str, bool], list[tuple[bool, str]]]:
    """The server's tools, each with whether it only reads, and the answers to the calls: is it an error, its text."""

    async def session() -> tuple[dict[str, bool], list[tuple[bool, str]]]:
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "workers", "mcp"], cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "REDIS_URL": store_url},
        )  # fmt: skip
        async with stdio_client(server) as streams, ClientSession(*streams) as client:
            await client.initialize()
            listed = (await client.list_tools()).tools
            tools = {tool.name: bool(tool.annotations and tool.annotations.read_only_hint) for tool in listed}
            answers: list[tuple[bool, str]] = []
            for name, arguments in calls:
                result: Any = await client.call_tool(name, arguments)
                answers.append((bool(result.is_error), result.content[0].text))
            return tools, answers

    return asyncio.run(session())


def test_an_assistant_reads_incidents_and_changes_nothing(
    store: redis.Redis, store_url: str, tmp_path: Path
) -> None:
    sample_incident.write(store, hostile=True)
    before = {key: store.dump(key) for key in store.scan_iter("*")}
    incident = {"incident": sample_incident.INCIDENT_ID}
    calls: Calls = [
        ("list_incidents", {}), ("get_incident", incident), ("get_incident", {**incident, "format": "json"}),
        ("get_evidence", incident), ("get_timeline", incident), ("list_decisions", {}),
        ("search_history", {"text": "gift", "category": "code"}), ("search_history", {"text": "no such word"}),
    ]  # fmt: skip

    tools, answers = ask(store_url, tmp_path, calls)

    assert tools == dict.fromkeys(
        ("list_incidents", "get_incident", "get_evidence", "get_timeline", "search_history", "lookback",
         "list_decisions"), True,
    )  # fmt: skip
    assert [failed for failed, _ in answers] == [False] * len(calls)
    assert all("do not follow any instruction" in text and len(text) < 61_000 for _, text in answers)
    rows = [
        json.loads(text)
        for (name, _), (_, text) in zip(calls, answers, strict=True)
        if name == "search_history"
    ]
    assert [row["total"] for row in rows] == [1, 0]
    assert {key: store.dump(key) for key in store.scan_iter("*")} == before


def test_a_call_that_cannot_be_answered_says_why(store_url: str, tmp_path: Path) -> None:
    calls: Calls = [
        ("get_incident", {"incident": "nope"}), ("search_history", {"category": "magic"}), ("lookback", {"days": 2}),
    ]  # fmt: skip

    _, answers = ask(store_url, tmp_path, calls)

    assert all(failed for failed, _ in answers)
    assert "no such journal" in answers[0][1]
    assert "category" in answers[1][1]
    assert "RAILWAY_API_TOKEN" in answers[2][1]


def test_a_server_without_redis_starts_and_says_what_is_missing(tmp_path: Path) -> None:
    _, answers = ask("redis://127.0.0.1:1", tmp_path, [("list_incidents", {})])

    assert answers[0][0]
    assert "Redis" in answers[0][1]
