"""Text in models: cleaned and redacted when a value is parsed, in one place, so that no field is left out."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from workers.runtime.characters import visible
from workers.runtime.redaction import remembered_version
from workers.runtime.text import safe_line, safe_text

MAX_CACHED_CHARS = 200
"""Characters up to which the cleaned form of a text is remembered: ids, names and sentences, which repeat."""


@lru_cache(maxsize=4096)
def _cached_line(text: str, _version: int) -> str:
    return safe_line(text)


# The validators run before pydantic's own: it refuses half a surrogate pair, and the text of others may hold one.


def _clean_line(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return _cached_line(value, remembered_version()) if len(value) <= MAX_CACHED_CHARS else safe_line(value)


def _clean_text(value: Any) -> Any:
    return safe_text(value) if isinstance(value, str) else value


def _make_visible(value: Any) -> Any:
    return visible(value) if isinstance(value, str) else value


def _keep(value: Any) -> Any:
    return value


def _check_path(value: Any) -> Any:
    if isinstance(value, str) and (visible(value) != value or not value.isprintable()):
        raise ValueError("has characters that are not allowed in a path")
    return value


Line = Annotated[str, BeforeValidator(_clean_line)]
"""One line of text from outside, cleaned and redacted. Every `str` of a `Model` is one; elsewhere it is named."""
Text = Annotated[str, BeforeValidator(_clean_text)]
"""The same on several lines: a log record, the output of a command, the description of a pull request."""
Visible = Annotated[str, BeforeValidator(_make_visible)]
"""Several lines, cleaned but not redacted: JSON that its reader opens and redacts."""
Exact = Annotated[str, BeforeValidator(_keep)]
"""Text as it is, where a single changed character would be wrong. Each use gives the reason."""
VisiblePath = Annotated[str, BeforeValidator(_check_path)]
"""A path that a model names. A path with a hidden character is refused: without the character it names another file."""

CLEANERS = (_clean_line, _clean_text, _make_visible, _keep, _check_path)


def clean_fields(schema: Any) -> Any:
    """The core schema of a model, in which each plain `str` of its fields is a `Line`, at any depth of a container.

    So a new field is cleaned, too. Nested models have schemas of their own; enums and literals do not count as `str`.
    """
    if schema["type"] == "model":
        fields = schema["schema"]
        while fields["type"] != "model-fields":
            fields = fields["schema"]
        for field in fields["fields"].values():
            field["schema"] = _with_lines(field["schema"])
    elif "schema" in schema:
        schema["schema"] = clean_fields(schema["schema"])
    return schema


def _with_lines(schema: Any) -> Any:
    kind = schema["type"]
    if kind == "str":
        return core_schema.no_info_before_validator_function(_clean_line, schema)
    if kind == "model" or (kind == "function-before" and schema["function"]["function"] in CLEANERS):
        return schema
    for part in ("schema", "items_schema", "keys_schema", "values_schema"):
        if isinstance(schema.get(part), dict):
            schema[part] = _with_lines(schema[part])
        elif isinstance(schema.get(part), list):
            schema[part] = [_with_lines(item) for item in schema[part]]
    if kind == "union":
        schema["choices"] = [_with_lines(choice) for choice in schema["choices"]]
    return schema


class CleanModel(BaseModel):
    """A model whose text comes from outside: cleaned and redacted when it is parsed, once, here."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: CoreSchema = clean_fields(handler(source))
        return schema
