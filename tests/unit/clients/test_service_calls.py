"""Calls between services, inferred from variable references and DNS lookups."""

from __future__ import annotations

import pytest

from workers.clients.railway.graphql_types import Variable
from workers.clients.railway.service_calls import Lookup, find_calls
from workers.models import Service

CART = "7d1e4f5c-9a63-4b1d-8e3f-4a5b6c7d8e9f"
SHOP = Service(id="shop-id", name="shop")
SERVICES = [
    SHOP,
    Service(id=CART, name="Cart API"),
    Service(id="redis-id", name="Redis", image="docker.io/library/Redis:7"),
    Service(id="dotted-id", name="my.app"),
]


def called(name: str, *references: str, service: str | None = "shop-id") -> list[str]:
    """Services that the shop calls because of one of its variables."""
    variable = Variable(name=name, service_id=service, references=list(references))
    return [callee for _, callee in find_calls(SERVICES, [variable], [])]


@pytest.mark.parametrize(
    "reference",
    [
        "Cart API.RAILWAY_PRIVATE_DOMAIN", "cart api.RAILWAY_PRIVATE_DOMAIN", "${{Cart API.RAILWAY_PRIVATE_DOMAIN}}",
        "${{ Cart API.PORT }}", '${{"Cart API".PORT}}', "http://${{Cart API.RAILWAY_PRIVATE_DOMAIN}}:${{PORT}}/",
        "Cart API", f"{CART}.RAILWAY_PRIVATE_DOMAIN", f"${{{{{CART.upper()}.PORT}}}}", f"service:{CART}:PORT", CART,
    ],
)  # fmt: skip
def test_a_reference_is_parsed_in_every_form(reference: str) -> None:
    assert called("CART_URL", reference) == [CART]


@pytest.mark.parametrize(
    "reference",
    [
        "shared.CART_URL", "CART_URL", "${{CART_URL}}", "nobody.URL", "", ".", "..", "${{}}", "shop.PORT", "shop",
        "${{" * 400,
    ],
)  # fmt: skip
def test_a_reference_to_a_shared_an_unknown_or_the_own_variable_is_no_call(reference: str) -> None:
    assert called("CART_URL", reference) == []


@pytest.mark.parametrize(
    ("name", "reference", "counts"),
    [
        ("CART", "Cart API.RAILWAY_PRIVATE_DOMAIN", True), ("CART_HOST", "Cart API.NAME", True),
        ("DATABASE_URL", "Cart API.NAME", True), ("CONNECTION_STRING", "Cart API.NAME", True),
        ("SIGNING_KEY", "Cart API.SIGNING_KEY", False), ("RELEASE", "Cart API.RAILWAY_GIT_COMMIT_SHA", False),
        ("CORS_ORIGINS", "Cart API.RAILWAY_PUBLIC_DOMAIN", False),
        ("ALLOWED_HOSTS", "Cart API.RAILWAY_PUBLIC_DOMAIN", False),
        ("CACHE_PASSWORD", "Redis.REDIS_PASSWORD", True),
    ],
)  # fmt: skip
def test_only_a_reference_to_an_address_or_to_a_database_is_a_call(
    name: str, reference: str, counts: bool
) -> None:
    assert bool(called(name, reference)) is counts


def test_a_service_name_may_contain_a_dot() -> None:
    assert called("APP_URL", "my.app.RAILWAY_PRIVATE_DOMAIN") == ["dotted-id"]


def test_a_reference_to_a_shared_variable_is_a_call_of_its_targets() -> None:
    shared = Variable(name="CACHE_URL", references=["Redis.REDIS_URL"])
    own = Variable(name="CACHE", service_id="shop-id", references=["${{shared.CACHE_URL}}"])

    assert find_calls(SERVICES, [own, shared], []) == (("shop-id", "redis-id"),)


def test_a_variable_of_an_unknown_service_is_no_call() -> None:
    assert called("CART_URL", "Cart API.PORT", service="elsewhere") == []


@pytest.mark.parametrize(
    ("qname", "callee"),
    [
        ("cart-api.railway.internal", CART), ("Cart-API.Railway.Internal.", CART),
        ("redis.railway.internal", "redis-id"), ("my.app.railway.internal", "dotted-id"),
        ("my-app.railway.internal", "dotted-id"), ("shop.railway.internal", None),
        ("cart-api.example.com", None), ("cart-api", None), ("", None), (".railway.internal", None),
        ("x" * 100_000, None),
    ],
)  # fmt: skip
def test_a_lookup_of_a_private_name_is_a_call(qname: str, callee: str | None) -> None:
    calls = find_calls(SERVICES, [], [Lookup(qname=qname, service_id="shop-id")])

    assert calls == ((("shop-id", callee),) if callee else ())


def test_a_lookup_of_an_external_name_is_no_call() -> None:
    lookup = Lookup(qname="redis.railway.internal", service_id="shop-id", query_zone="external")

    assert find_calls(SERVICES, [], [lookup]) == ()


def test_each_pair_occurs_once_and_the_pairs_are_sorted() -> None:
    variables = [
        Variable(name=f"URL_{n}", service_id="shop-id", references=["Redis.REDIS_URL", "Cart API.PORT"])
        for n in range(3)
    ]
    lookups = [Lookup(qname="redis.railway.internal", service_id="shop-id")] * 3

    assert find_calls(SERVICES, variables, lookups) == (("shop-id", CART), ("shop-id", "redis-id"))
