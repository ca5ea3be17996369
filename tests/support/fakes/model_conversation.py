"""Takes a chat completion request of opencode apart: its role, prompts, facts, code locations and read files."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

Role = Literal["reader", "writer", "other"]
"""`other` is a request without tools: a title or a summary."""

MAX_LOCATIONS = 6
"""Code locations of the prompt that the model follows."""


class Conversation:
    """One request to the model."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.messages: list[dict[str, Any]] = body["messages"]
        self.tools = {tool["function"]["name"] for tool in body.get("tools", [])}
        self.role: Role = "writer" if "edit" in self.tools else "reader" if self.tools else "other"
        prompts = self._texts("user")
        self.prompt = prompts[-1] if prompts else ""
        self.all_prompts = "\n".join(prompts)
        self.is_retry = len(prompts) > 1
        self.results = self._texts("tool")
        directory = re.search(r"Working directory: (\S+)", "\n".join(self._texts("system")))
        self.clone = directory[1] if directory else "/"

    def _texts(self, role: str) -> list[str]:
        return [message_text(message) for message in self.messages if message["role"] == role]

    @property
    def locations(self) -> list[tuple[str, int]]:
        """Paths and lines that stand on lines of their own in the prompts."""
        matches = re.findall(r"(?m)^[ \t>*-]*`?([\w./@+-]+\.\w+):(\d+)`?(?=\s|$)", self.all_prompts)
        return list(dict.fromkeys((path, int(line)) for path, line in matches))[:MAX_LOCATIONS]

    @property
    def first_file(self) -> str:
        """The path of the first location."""
        return self.locations[0][0] if self.locations else "README.md"

    @property
    def facts(self) -> list[str]:
        """The ids of the facts in the prompts."""
        return list(dict.fromkeys(re.findall(r"(?m)^(E\d+)(?: \([^()\n]*\))?:", self.all_prompts)))

    @property
    def edit_count(self) -> int:
        """The number of edits and writes that the model has called so far."""
        return sum(call["function"]["name"] in ("edit", "write") for call in self._calls())

    def sources(self) -> list[tuple[str, int, str]]:
        """The locations whose files have been read, each with the text of the file."""
        arguments = {
            call["id"]: json.loads(call["function"]["arguments"] or "{}")
            for call in self._calls()
            if call["function"]["name"] == "read"
        }
        texts = {}
        for message in self.messages:
            if message["role"] == "tool" and message["tool_call_id"] in arguments:
                path = arguments[message["tool_call_id"]].get("filePath", "").removeprefix(self.clone + "/")
                texts[path] = _without_line_numbers(message_text(message))
        return [(path, line, texts[path]) for path, line in self.locations if path in texts]

    def _calls(self) -> list[dict[str, Any]]:
        return [call for message in self.messages for call in message.get("tool_calls") or []]


def message_text(message: dict[str, Any]) -> str:
    """The text of a message, whose content is a string or a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


def _without_line_numbers(output: str) -> str:
    """The text of a file, from the output of the read tool."""
    matches = (re.match(r"\s*(\d+)(?:\||: ?)(.*)$", line) for line in output.splitlines())
    lines = [match[2] for match in matches if match]
    return "\n".join(lines) + "\n" if lines else ""
