"""The common part of the four model APIs: the description of a format, and the checks that several share. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MAX_DEPTH = 64  # levels of a request or an answer; schemas of tools nest about ten
MAX_REPORTED_TOKENS = 100_000_000  # a larger number in a stream's usage is nonsense and counts as absent

FormatName = Literal["chat", "responses", "messages", "gemini"]
"""OpenAI chat completions, OpenAI responses, Anthropic messages, Google generateContent."""


class NotAllowed(Exception):
    """The request asks for something that the gateway does not pass on; the text names it."""


@dataclass(frozen=True)
class TokenUsage:
    """Tokens of one call as the provider reports them. The kinds of input do not overlap."""

    input: int = 0
    """Input that was neither read from nor written to the provider's cache."""
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    """Output, with reasoning."""

    @property
    def total(self) -> int:
        return self.input + self.cache_read + self.cache_write + self.output


@dataclass(frozen=True)
class Progress:
    """The state of a call after one event of a stream, or after a whole answer. None and False: nothing new."""

    usage: TokenUsage | None = None
    finished: bool = False
    """The answer is complete: the model gave a reason why it stopped."""
    error: str = ""
    """An error that the provider reports inside a stream."""


@dataclass(frozen=True)
class Format:
    """One of the four model APIs."""

    name: FormatName
    fields: frozenset[str]
    """Top-level fields of a request that are passed on."""
    history: str
    """The field that holds the conversation."""
    check: Callable[[dict[str, Any]], None]
    """Raises NotAllowed for parts and tools that the provider would act on."""
    clamp: Callable[[dict[str, Any], int], int]
    """Sets or lowers the limit of output tokens in a request, and returns it."""
    progress: Callable[[Mapping[str, Any]], Progress]
    error: Callable[[int, str], dict[str, Any]]
    """The body of an error, by status and message."""


def is_too_deep(value: Any) -> bool:
    """True if the value nests deeper than MAX_DEPTH: recursive functions would fail on it."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = [list(item.values()) if isinstance(item, dict) else item for item in level]
        level = [child for items in inner if isinstance(items, list) for child in items]
        if not level:
            return False
    return True


def objects(value: Any, where: str) -> Iterator[dict[str, Any]]:
    """The elements of a list, each an object. Raises NotAllowed for anything else."""
    if not isinstance(value, list):
        raise NotAllowed(f"{where} is not a list")
    for item in value:
        if not isinstance(item, dict):
            raise NotAllowed(f"{where} has elements that are not objects")
        yield item


def only_fields(value: Mapping[str, Any], names: frozenset[str], where: str) -> None:
    """Raise NotAllowed for a field that is not among the names."""
    for name in value:
        if name not in names:
            raise NotAllowed(f"{where}: the field {name[:60]!r} is not passed on")


def known_type(value: Mapping[str, Any], types: frozenset[str], where: str, default: str = "") -> str:
    """The object's `type`. Raises NotAllowed if it is not among the types."""
    kind = value.get("type", default)
    if not isinstance(kind, str) or kind not in types:
        raise NotAllowed(f"{where} of type {str(kind)[:60]!r} is not passed on")
    return kind


def data_only(address: Any, where: str) -> None:
    """Raise NotAllowed unless the address is a data: URL, which holds its content itself."""
    if not isinstance(address, str) or not address.startswith("data:"):
        raise NotAllowed(
            f"{where}: only data: addresses are passed on, because the provider fetches any other"
        )


def one_of(request: Mapping[str, Any], name: str, values: Sequence[Any]) -> None:
    """Raise NotAllowed if the field is present with a value that is not among the values."""
    if name in request and request[name] not in values:
        raise NotAllowed(f"{name} must be {' or '.join(map(json.dumps, values))}")


def token_number(value: Any) -> int | None:
    """The value if it is a plausible number of tokens, else None."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value <= MAX_REPORTED_TOKENS else None


def token_count(source: Any, *names: str) -> int:
    """The number at a path of names; 0 if there is none."""
    for name in names:
        source = source.get(name) if isinstance(source, Mapping) else None
    return token_number(source) or 0


def lower_limits(request: dict[str, Any], names: Sequence[str], default: str, maximum: int) -> int:
    """Lower each of these limits to the maximum; if none is there, set the default one."""
    present = [name for name in names if request.get(name) is not None]
    for name in present or [default]:
        limit = request.get(name, maximum)
        if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
            raise NotAllowed(f"{name} must be a whole number above 0")
        request[name] = min(limit, maximum)
    return max(int(request[name]) for name in present or [default])


def error_text(error: Any) -> str:
    """The message of an error that the provider reports inside a stream; "" if there is none."""
    if isinstance(error, Mapping):
        error = error.get("message") or error.get("type") or error.get("status") or "unknown error"
    return str(error) if error else ""
