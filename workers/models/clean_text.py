"""Text in models: cleaned and redacted when a value is parsed, in one place, so that no field can forget it."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from workers.runtime.characters import visible
from workers.runtime.redaction import remembered_version
from workers.runtime.text import safe_line, safe_text

MAX_CACHED_CHARS = 200
"""Characters up to which the cleaned form of a text is remembered: ids, names and sentences, which repeat."""


@lru_cache(maxsize=4096)
def _cached_line(text: str, _version: int) -> str:
    return safe_line(text)


def _clean_line(text: str) -> str:
    return _cached_line(text, remembered_version()) if len(text) <= MAX_CACHED_CHARS else safe_line(text)


def _keep(text: str) -> str:
    return text


def _check_path(path: str) -> str:
    if visible(path) != path or not path.isprintable():
        raise ValueError("has characters that are not allowed in a path")
    return path


Line = Annotated[str, AfterValidator(_clean_line)]
"""One line of text from outside, cleaned and redacted. Every `str` of a `Model` is one; elsewhere it is named."""
Text = Annotated[str, AfterValidator(safe_text)]
"""The same on several lines: a log record, the output of a command, the description of a pull request."""
Visible = Annotated[str, AfterValidator(visible)]
"""Several lines, cleaned but not redacted: JSON that its reader opens and redacts."""
Exact = Annotated[str, AfterValidator(_keep)]
"""Text as it is, where a single changed character would be wrong. Each use gives the reason."""

VisiblePath = Annotated[str, AfterValidator(_check_path)]
"""A path that a model names. One with a hidden character is refused, because without it it names another file."""

CLEANERS = (_clean_line, safe_text, visible, _keep, _check_path)


def clean_fields(schema: Any) -> Any:
    """The core schema of a model, in which each plain `str` of its fields is a `Line`, at any depth of a container.

    A new field cannot forget it. Nested models have schemas of their own, and enums and literals are no `str` here.
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
        return core_schema.no_info_after_validator_function(_clean_line, schema)
    if kind == "model" or (kind == "function-after" and schema["function"]["function"] in CLEANERS):
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
