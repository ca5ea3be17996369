"""Base types of Railway's answers: the frozen base model, lists that skip invalid items, the envelope, pages."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
)
from pydantic.alias_generators import to_camel

from workers.models import CleanModel
from workers.runtime.text import one_line

T = TypeVar("T")

MAX_NAME_CHARS = 200
"""A longer name fills a Slack line and says nothing more."""

# Names are printed in Slack, in logs and on terminals, so they become one line without control characters.
Name = Annotated[str, AfterValidator(lambda name: one_line(name)[:MAX_NAME_CHARS])]


class ApiModel(CleanModel):
    """Base of the types below; text is cleaned and redacted as in `Model`.

    A field that the schema declares nullable has a default here.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


def _validate_items(value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    counts = info.context if isinstance(info.context, list) else []
    counted_before = len(counts)
    try:
        return handler(value)
    except ValidationError as error:
        if not isinstance(value, list):
            raise
        invalid = {item["loc"][0] for item in error.errors(include_url=False, include_input=False)}
        # The second pass validates the other items again and counts the invalid items inside them again.
        del counts[counted_before:]
        counts.append(len(invalid))
        return handler([item for index, item in enumerate(value) if index not in invalid])


ValidItems = Annotated[list[T], WrapValidator(_validate_items)]
"""The items of a list that validate. If the validation context is a list, the number of the others is appended."""


class ErrorEntry(ApiModel):
    """One entry of `errors`."""

    message: str = ""
    path: list[str | int] | None = None


class Envelope(ApiModel):
    """A GraphQL response."""

    data: dict[str, Any] | None = None
    errors: list[ErrorEntry] = Field(default_factory=list)

    @field_validator("errors", mode="before")
    @classmethod
    def _drop_malformed(cls, value: object) -> object:
        return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []

    @property
    def empty(self) -> bool:
        """True without data, or if every requested field is null."""
        return not self.data or all(value is None for value in self.data.values())


class PageInfo(ApiModel):
    has_next_page: bool = False
    end_cursor: str | None = None


class Edge(ApiModel, Generic[T]):
    node: T


class Page(ApiModel, Generic[T]):
    """One page of a Relay connection."""

    edges: ValidItems[Edge[T]]
    page_info: PageInfo = PageInfo()

    @property
    def nodes(self) -> list[T]:
        return [edge.node for edge in self.edges]
