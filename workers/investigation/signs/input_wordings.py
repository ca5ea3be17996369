"""Reads fields of requests that the service refuses, as validators of each framework name them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.setting_blocks import PYDANTIC, PYDANTIC_ITEM, SETTINGS_MODEL
from workers.investigation.signs.wordings import MAX_MATCHES, Wording, read_table, sign
from workers.models import Sign, SignKind

INPUT = SignKind.INPUT_REJECTED

INPUTS: tuple[Wording, ...] = (
    # FastAPI: RequestValidationError prints pydantic's list of errors.
    Wording(INPUT, r"'loc': [(\[]'(?:body|query|path|header)', (?:\d{1,4}, )?'(?P<subject>[\w.-]{1,80})'"),
    Wording(
        INPUT, r"\"loc\": ?\[\"(?:body|query|path|header)\", ?(?:\d{1,4}, ?)?\"(?P<subject>[\w.-]{1,80})\""
    ),
    # Fastify and ajv; joi and celebrate; class-validator is prose.
    Wording(
        INPUT, r"(?:body|querystring|params|headers) must have required property '(?P<subject>[\w.-]{1,80})'"
    ),
    Wording(
        INPUT, r"FST_ERR_VALIDATION[^\n]{0,80}(?:body|querystring|params)/(?P<subject>[\w.-]{1,80}) must"
    ),
    Wording(INPUT, r"(?:body|querystring|params)/(?P<subject>[\w.-]{1,80}) must (?:be|match|NOT|have)"),
    # Django REST framework, marshmallow.
    Wording(
        INPUT,
        r"[\"'](?P<subject>\w{1,80})[\"']: ?\[(?:ErrorDetail\(string=)?[\"'](?:This field (?:is required|may not be)|Missing data for required field|Not a valid)",
    ),
    # Rails strong parameters, Spring's BindingResult, go-playground/validator, Laravel, ASP.NET Core.
    Wording(INPUT, r"param is missing or the value is empty(?: or invalid)?: (?P<subject>[\w.]{1,80})"),
    Wording(INPUT, r"Field error in object '\w{1,80}' on field '(?P<subject>[\w.\[\]]{1,80})'"),
    Wording(
        INPUT,
        r"Required request (?:body|parameter) '?(?P<subject>\w{1,80})'? (?:is missing|for method|of type)",
    ),
    Wording(INPUT, r"Error:Field validation for '(?P<subject>\w{1,80})' failed on the '"),
    Wording(INPUT, r"ValidationException: The (?P<subject>[a-z][a-z ]{0,60}) field (?:is required|must be)"),
    Wording(INPUT, r"The (?P<subject>\w{1,60}) field is required\.(?! Set)"),
)


def input_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of kind `INPUT_REJECTED`, one for each field."""
    yield from read_table(INPUTS, record.message, record.lowered)
    if "validation error" not in record.lowered or "pydantic_settings" in record.whole:
        return
    for header in PYDANTIC.finditer(record.message):
        if not SETTINGS_MODEL.search(header["model"]):
            items = PYDANTIC_ITEM.finditer(record.message[header.end() : header.end() + 6_000])
            for item, _ in zip(items, range(MAX_MATCHES), strict=False):
                yield sign(INPUT, item["name"])
