"""Checks our queries and the fake's schema against Railway's: `python -m tests.support.railway_contract`.

RAILWAY_SCHEMA names the introspection result (JSON). Exits with 1 and the differences if they do not match.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    NoDeprecatedCustomRule,
    build_client_schema,
    parse,
    specified_rules,
    validate,
)  # fmt: skip

from tests.support.fakes.railway import SCHEMA
from workers.clients.railway import DOCUMENTS

DEFAULT = "../shared/railway/schema.json"
BUILT_IN = {"String", "Int", "Float", "Boolean", "ID"}


def main(arguments: list[str]) -> int:
    path = Path(arguments[0] if arguments else os.environ.get("RAILWAY_SCHEMA", DEFAULT))
    try:
        whole = load(path)
    except (OSError, ValueError) as error:
        print(
            f"no schema to check against: {error}\nset RAILWAY_SCHEMA to Railway's introspection result (JSON)"
        )
        return 1
    reasons = queries(whole)
    for name in DOCUMENTS:
        print(f"{name}: {'; '.join(reasons[name]) or 'ok'}")
    counted, differences = subset(SCHEMA, whole)
    print(f"fake: {counted['types']} types, {counted['members']} fields, arguments and values checked")
    print("\n".join(differences))
    return 1 if differences or any(reasons.values()) else 0


def load(path: Path) -> GraphQLSchema:
    """The schema in an introspection result. Raises OSError or ValueError."""
    content = json.loads(path.read_text())
    try:
        # Railway deprecates a field of an interface in one of its types only, which graphql-core takes for invalid.
        return build_client_schema(content.get("data", content), assume_valid=True)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{path} holds no introspection result: {error}") from error


def queries(whole: GraphQLSchema, documents: Mapping[str, str] = DOCUMENTS) -> dict[str, list[str]]:
    """Per document, the reasons for which Railway would refuse it, and its use of deprecated fields."""
    rules = [*specified_rules, NoDeprecatedCustomRule]
    return {
        name: [error.message for error in validate(whole, parse(text), rules)]
        for name, text in documents.items()
    }


def subset(part: GraphQLSchema, whole: GraphQLSchema) -> tuple[dict[str, int], list[str]]:
    """Number of compared types and members, and each difference between the part and the whole schema."""
    counted, differences = {"types": 0, "members": 0}, []
    for name, mine in part.type_map.items():
        if name.startswith("__") or name in BUILT_IN:
            continue
        counted["types"] += 1
        theirs = whole.type_map.get(name)
        if theirs is None or type(theirs).__name__ != type(mine).__name__:
            differences.append(f"{name}: no such {type(mine).__name__} in Railway's schema")
            continue
        their_types = dict(members(theirs))
        for member, type_name in members(mine):
            counted["members"] += 1
            if their_types.get(member) != type_name:
                differences.append(
                    f"{name}.{member}: {type_name} here, {their_types.get(member, 'absent')} in Railway's schema"
                )
        differences += required(name, mine, theirs)
    return counted, differences


def members(kind: Any) -> Iterator[tuple[str, str]]:
    """Fields, arguments and enum values of a type, each with its type as text."""
    if isinstance(kind, GraphQLEnumType):
        yield from ((value, "value") for value in kind.values)
    if isinstance(kind, GraphQLInputObjectType):
        yield from ((name, str(member.type)) for name, member in kind.fields.items())
    if isinstance(kind, GraphQLObjectType):
        for name, member in kind.fields.items():
            yield name, str(member.type)
            yield from (
                (f"{name}({argument})", str(details.type)) for argument, details in member.args.items()
            )


def required(name: str, mine: Any, theirs: Any) -> Iterator[str]:
    """Arguments and input fields that Railway requires and the part does not have."""
    ours = dict(members(mine))
    for member, type_name in members(theirs):
        field = member.partition("(")[0]
        argument = member != field or isinstance(theirs, GraphQLInputObjectType)
        if argument and type_name.endswith("!") and member not in ours and (member == field or field in ours):
            yield f"{name}.{member}: required by Railway, unknown here"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
