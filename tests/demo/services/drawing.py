"""Draws a service and its fault: everything that differs with the seed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, get_args

from tests.support.fakes.traffic import Route

Kind = Literal["exception", "leak", "lock", "quadratic", "node"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Fault:
    """A service and its bug."""

    kind: Kind
    template: str
    language: Literal["python", "node"]
    service: str
    words: Mapping[str, str]
    """Placeholder → text, for the templates in the folder `template`."""
    messages: tuple[str, str]
    """Messages of the healthy first commit and of the commit that brings the bug."""
    start_command: str
    culprit: str
    """The file with the bug, relative to the service's root."""
    mix: tuple[Route, ...]
    clients: int
    """Number of concurrent callers that makes the bug show."""
    per_second: float
    symptom: Literal["5xx", "p95"]
    tests: tuple[str, ...]
    """The command that runs the service's own tests."""
    root: str = ""
    """Folder of the service in its repository; empty if the repository contains only the service."""


def runnable() -> tuple[Kind, ...]:
    """The kinds whose service can run on this machine: `node` needs Node.js."""
    return tuple(kind for kind in KINDS if kind != "node" or shutil.which("node"))


def draw(seed: int, kind: Kind | None = None) -> Fault:
    """The fault of this seed, always the same.

    Args:
        kind: kind of bug; None lets the seed choose one that can run on this machine.
    """
    random = Random(seed)
    chosen = random.choice(runnable())
    drawn = DRAWN[kind or chosen](random)
    return replace(drawn, root=random.choice(["", "", f"services/{drawn.service}"]))


def _exception(random: Random) -> Fault:
    order = random.choice(["order", "basket", "booking"])
    voucher = random.choice(["voucher", "coupon", "promotion"])
    words = {
        "service": random.choice(["pricing", "checkout", "tills"]),
        "order": order,
        "orders": order + "s",
        "voucher": voucher,
        "RATES": f"{voucher.upper()}S",
        "rate": str(random.choice([5, 10, 12])),
        "free_from": str(random.choice([4000, 5000, 7500])),
        "shipping": str(random.choice([390, 490, 590])),
    }
    lines = [{"cents": random.randrange(300, 3000), "count": random.randrange(1, 4)} for _ in range(3)]
    bodies = [
        ({"lines": lines}, random.randrange(5, 8)),
        ({"lines": lines, "gift": True, voucher: {"code": "WELCOME"}}, 2),
        ({"lines": lines, "gift": True}, random.randrange(2, 5)),
    ]
    mix = [Route("POST", f"/{order}s/quote", weight, json.dumps(body)) for body, weight in bodies]
    messages = (f"{words['service']}: price {order}s", f"Take the {voucher} off gift {order}s")
    return _python("exception", "orders", words, messages, "pricing.py", mix, "5xx")


def _leak(random: Random) -> Fault:
    item = random.choice(["book", "lens", "tyre"])
    items = {"book": "books", "lens": "lenses", "tyre": "tyres"}[item]
    known_ids = random.choice([40, 60, 80])
    words = {
        "service": random.choice(["stock", "depot", "shelves"]),
        "item": item,
        "items": items,
        "known": str(known_ids),
        "size": str(random.choice([4, 6, 8])),
        "wait": random.choice(["0.1", "0.15", "0.2"]),
    }
    mix = [Route("GET", f"/{items}/{{n}}", 12, numbers=(0, known_ids)), Route("GET", f"/{items}/9{{n}}", 1)]
    messages = (f"{words['service']}: count {items}", f"Leave out {items} that are set aside")
    return _python("leak", "stock", words, messages, "stock.py", mix, "5xx")


def _lock(random: Random) -> Fault:
    rates = random.choice(["rates", "tariffs", "parcels"])
    words = {
        "service": random.choice(["shipping", "parcel-rates", "carriers"]),
        "rates": rates,
        "rate_of": random.choice(["rate_of", "cents_to", "rate_for"]),
        "known": random.choice(["known", "answers", "cached"]),
        "lock": random.choice(["lock", "guard", "mutex"]),
        "trip": random.choice(["0.11", "0.13", "0.15"]),
        "base": str(random.choice([290, 390, 450])),
    }
    mix = [Route("GET", f"/{rates}/{{n}}", 9, numbers=(10_000, 99_999)), Route("GET", "/health", 1)]
    messages = (f"{words['service']}: ask the carrier", "Ask the carrier only once per postcode")
    fault = _python("lock", "shipping", words, messages, f"{rates}.py", mix, "p95")
    return _with_load(fault, clients=20, per_second=60)


def _quadratic(random: Random) -> Fault:
    words = {
        "service": random.choice(["audience", "reports", "counting"]),
        "visitors": random.choice(["visitors", "readers", "guests"]),
        "report": random.choice(["report", "summary", "digest"]),
        "different": random.choice(["different", "distinct", "unique"]),
        "seen": random.choice(["seen", "found", "so_far"]),
        "one": random.choice(["one", "entry", "who"]),
    }
    ids = [f"v-{random.randrange(10**9)}" for _ in range(random.randrange(6500, 7500))]
    mix = [Route("POST", f"/{words['report']}", 4, json.dumps(ids)), Route("GET", "/health", 1)]
    messages = (f"{words['service']}: count {words['visitors']}", "Keep the order in which they came")
    fault = _python("quadratic", "visitors", words, messages, "counting.py", mix, "p95")
    return _with_load(fault, clients=8, per_second=10)


def _node(random: Random) -> Fault:
    item = random.choice(["piece", "article", "product"])
    offer = random.choice(["offer", "sale", "deal"])
    known_ids, every = random.choice([60, 90]), random.choice([2, 3])
    words = {
        "service": random.choice(["catalog", "showroom", "listing"]),
        "item": item,
        "items": item + "s",
        "offer": offer,
        "OFFERS": offer + "s",
        "known": str(known_ids),
        "every": str(every),
        "base": str(random.choice([1900, 2500])),
        "percent": str(random.choice([10, 25, 30])),
        "extra": random.choice(["sofa", "mirror", "rug"]),
    }
    return Fault(
        kind="node",
        template="catalog",
        language="node",
        service=words["service"],
        words=words | {"minor": str(random.randrange(9))},
        messages=(f"{words['service']}: show {item}s", f"Show what a {item} costs on {offer}"),
        start_command="node server.js",
        culprit="lib/catalog.js",
        mix=(Route("GET", f"/{item}s/{{n}}", 9, numbers=(0, known_ids)), Route("GET", "/health", 1)),
        clients=6,
        per_second=25,
        symptom="5xx",
        tests=("node", "--test"),
    )


def _python(
    kind: Kind,
    template: str,
    words: dict[str, str],
    messages: tuple[str, str],
    culprit: str,
    mix: list[Route],
    symptom: Literal["5xx", "p95"],
) -> Fault:
    return Fault(
        kind=kind,
        template=template,
        language="python",
        service=words["service"],
        words=words | {"minor": str(len(culprit))},
        messages=messages,
        start_command="python app.py",
        culprit=culprit,
        mix=tuple(mix),
        clients=6,
        per_second=25,
        symptom=symptom,
        tests=("python", "-m", "unittest", "discover", "-s", "tests", "-t", "."),
    )


def _with_load(fault: Fault, *, clients: int, per_second: float) -> Fault:
    return replace(fault, clients=clients, per_second=per_second)


DRAWN: dict[Kind, Callable[[Random], Fault]] = {
    "exception": _exception,
    "leak": _leak,
    "lock": _lock,
    "quadratic": _quadratic,
    "node": _node,
}
