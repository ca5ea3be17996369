"""Evidence: what logs, requests, code and outside hosts say of one sick service, whatever hostile text they hold."""

from __future__ import annotations

import json
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.support.builders import ONSET, START, deployment, finding, incident
from tests.support.fakes.githttp import git
from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.railway import FakeRailway, LogRow, Request, World, WorldDeployment, WorldService
from tests.support.fakes.serving import serve
from workers.clients.git import Repositories
from workers.clients.github import GitHub
from workers.clients.railway import HttpLine, LogLine, Railway
from workers.errors import NotAvailable
from workers.investigation.evidence import read_evidence
from workers.investigation.evidence.code_changes import changed_places
from workers.investigation.evidence.code_places import Frame, frames, locate, stack_places
from workers.investigation.evidence.facts import finding_facts, number_facts
from workers.investigation.evidence.log_patterns import patterns, records
from workers.investigation.evidence.requests import request_patterns, route_of
from workers.investigation.evidence.routes import matches, route_places
from workers.investigation.evidence.suspects import examined_deployment, find_suspect
from workers.investigation.evidence.tree import Tree, tree_of
from workers.investigation.evidence.upstreams import count_blamed_hosts, hosts_in_code, named_hosts
from workers.models import (
    Deployment,
    Evidence,
    FactKind,
    GapPart,
    Incident,
    RequestPattern,
    Service,
    TrafficMinute,
    describe_gap,
)

PYTHON = """\
Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/starlette/routing.py", line 73, in app
    response = await f(request)
  File "/app/shop/orders.py", line 12, in place
    return total(items)
  File "/app/shop/pricing.py", line 5, in total
    return sum(PRICES[item] for item in items)
KeyError: 'gift'
"""
NODE = """\
TypeError: Cannot read properties of undefined (reading 'price')
    at total (/app/src/pricing.js:10:21)
    at async /app/src/orders.js:31:5
    at Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
"""


def lines(*messages: str, level: str = "error", gap: float = 0.0, instance: str = "i1") -> list[LogLine]:
    return [
        LogLine(timestamp=ONSET + timedelta(seconds=gap * n), message=text, level=level, instance_id=instance)
        for n, text in enumerate(messages)
    ]


def write(folder: Path, files: dict[str, str]) -> Tree:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(textwrap.dedent(text))
    return tree_of(folder)


# ---- logs --------------------------------------------------------------------------------------


def test_a_traceback_printed_line_by_line_is_one_record_per_replica() -> None:
    one = lines(*PYTHON.splitlines(), gap=0.001)
    other = lines(*PYTHON.splitlines(), gap=0.001, instance="i2")

    found = records([line for pair in zip(one, other, strict=True) for line in pair])

    assert [record.text for record in found] == [PYTHON.rstrip()] * 2


def test_two_tracebacks_one_after_the_other_are_two_records() -> None:
    found = records(lines(*(PYTHON * 2).splitlines(), gap=0.001))

    assert [record.text.count("Traceback") for record in found] == [1, 1]
    assert [record.text.count("KeyError") for record in found] == [1, 1]


def test_what_follows_a_traceback_is_not_part_of_it() -> None:
    found = records([*lines(*PYTHON.splitlines(), "INFO: 10.0.0.1 - GET /health 200")])

    assert [record.level for record in found] == ["error", "info"]


def test_chained_exceptions_stay_together() -> None:
    chain = PYTHON + "\nDuring handling of the above exception, another exception occurred:\n\n" + PYTHON

    [record] = records(lines(*chain.splitlines(), gap=0.001))

    assert record.text.count("Traceback") == 2


def test_a_stack_of_node_is_one_record_with_its_error() -> None:
    uncaught = "/app/src/pricing.js:10\n    return items.price;\n                 ^\n\n" + NODE

    [caught] = records(lines(*NODE.splitlines(), gap=0.001))
    [thrown] = records(lines(*uncaught.splitlines(), gap=0.001))

    assert caught.text.startswith("TypeError") and "orders.js" in caught.text
    assert "TypeError: Cannot read" in thrown.text


@pytest.mark.parametrize(
    "message",
    [
        json.dumps({"level": "error", "message": "request failed", "exc_info": PYTHON}),
        json.dumps({"level": 50, "msg": "request failed", "err": {"type": "KeyError", "stack": PYTHON}}),
        json.dumps({"level": "error", "message": "request failed", "exc_info": PYTHON})[:-9],
        "request failed " + PYTHON.replace("\n", "\\n"),
    ],
    ids=["python logger", "pino", "cut off", "escaped"],
)
def test_a_traceback_inside_one_line_is_opened(message: str) -> None:
    [record] = records(lines(message))

    assert record.level == "error"
    assert frames(record.text)[0] == Frame("/app/shop/pricing.py", 5, "total")


@pytest.mark.parametrize(
    ("message", "level", "shown"),
    [
        ("npm notice New minor version of npm available", "error", "stderr"),
        ("INFO:     Application startup complete.", "error", "info"),
        ("2026-11-20 12:00:00,123 WARNING shop: slow", "error", "warning"),
        ("payment failed", "error", "error"),
        ("finished with 0 errors", "error", "stderr"),
        ("ValueError: nothing to add", "", "error"),
        ("served GET /errors in 3 ms", "info", "info"),
        ("ERROR shop.api could not charge", "info", "error"),
    ],
)
def test_the_level_is_what_the_text_shows_not_where_it_was_printed(
    message: str, level: str, shown: str
) -> None:
    [record] = records(lines(message, level=level))

    assert record.level == shown


def test_lines_that_are_alike_are_one_pattern_with_a_count_errors_first() -> None:
    noise = [f"INFO GET /orders/{n} 200 in {n} ms from 10.0.0.{n}" for n in range(40)]
    failures = [f"ERROR order {n}f3a9c2e-1111-4222-8333-444455556666 failed: no price" for n in range(1, 4)]

    found = patterns(records(lines(*noise, *failures, gap=1)))

    assert [(one.level, one.count) for one in found] == [("error", 3), ("info", 40)]
    assert "<n>" in found[1].template and "<uuid>" in found[0].template


def test_the_sample_of_a_pattern_holds_the_whole_traceback() -> None:
    [pattern] = patterns(records(lines(PYTHON, PYTHON, gap=5)))

    assert (pattern.count, pattern.template) == (2, "KeyError: 'gift'")
    assert pattern.sample == PYTHON.rstrip()


def test_an_exception_of_any_name_is_the_headline() -> None:
    [pattern] = patterns(records(lines(PYTHON.replace("KeyError: 'gift'", "shop.SoldOut: gift"))))

    assert pattern.template == "shop.SoldOut: gift"


@pytest.mark.parametrize("said", ["Error: no price", "SoldOut: gift", "TypeError: x is undefined"])
def test_what_an_uncaught_error_of_node_says_is_the_headline_not_the_line_it_came_from(said: str) -> None:
    uncaught = f"/app/src/pricing.js:10\n    throw problem;\n    ^\n\n{said}\n    at total (/app/src/pricing.js:10:21)"

    [pattern] = patterns(records(lines(*uncaught.splitlines(), gap=0.001)))

    assert (pattern.template, pattern.level) == (said, "error")


def test_an_exception_of_nodes_own_naming_is_the_headline_before_the_message_beside_it() -> None:
    said = json.dumps(
        {"level": 50, "msg": "no", "err": {"stack": "SoldOut: gift\n    at total (/app/a.js:1:2)"}}
    )

    [pattern] = patterns(records(lines(said)))

    assert (pattern.template, pattern.level) == ("SoldOut: gift", "error")


def test_a_warning_with_a_stack_is_no_error() -> None:
    said = "(node:7) [DEP0040] DeprecationWarning: the punycode module\n    at node:punycode:3:11"

    [pattern] = patterns(records(lines(said)))

    assert pattern.level != "error"


def test_text_is_redacted_before_it_is_cut_and_holds_no_control_characters() -> None:
    secret = "sk-live0123456789abcdefghijklmnop"
    hostile = f"\x1b[31mERROR\x1b[0m {'x' * 3_990} {secret}\x00\u202e {'y' * 90_000}"

    [pattern] = patterns(records(lines(hostile)))

    assert secret[:12] not in pattern.sample + pattern.template
    assert not set("\x1b\x00\u202e") & set(pattern.sample + pattern.template)
    assert len(pattern.sample) <= 4_100 and len(pattern.template) <= 310


def test_a_megabyte_of_hostile_lines_takes_seconds_at_most() -> None:
    walls = [
        "a" * 200_000,
        "Traceback " * 20_000,
        '{"a":' * 40_000,
        "at (" * 50_000,
        "1." * 100_000,
        "\\n    at " * 20_000,
    ]
    many = [f"{n:x} {'z' * (n % 50)} failed" for n in range(5_000)]

    began = time.process_time()
    found = patterns(records([*lines(*walls), *lines(*many)]))

    assert time.process_time() - began < 8
    assert len(found) <= 20


# ---- places ------------------------------------------------------------------------------------


def test_frames_come_innermost_first() -> None:
    assert [frame.line for frame in frames(PYTHON)] == [5, 12, 73]
    assert frames(NODE)[0] == Frame("/app/src/pricing.js", 10, "total")
    assert frames(NODE)[1] == Frame("/app/src/orders.js", 31, None)


def test_the_cause_of_a_raise_from_comes_first_and_of_a_failing_handler_what_got_out() -> None:
    first = 'Traceback (most recent call last):\n  File "/app/a.py", line 1, in a\nKeyError: 1\n'
    second = 'Traceback (most recent call last):\n  File "/app/b.py", line 2, in b\nValueError: 2\n'
    cause = "\nThe above exception was the direct cause of the following exception:\n\n"
    handling = "\nDuring handling of the above exception, another exception occurred:\n\n"

    assert frames(first + cause + second)[0].path == "/app/a.py"
    assert frames(first + handling + second)[0].path == "/app/b.py"


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/app/shop/pricing.py", "shop/pricing.py"),
        ("/usr/src/app/shop/pricing.py", "shop/pricing.py"),
        ("/tmp/run-17/build/shop/pricing.py", "shop/pricing.py"),
        ("shop/pricing.py", "shop/pricing.py"),
        ("/app/dist/api.js", "src/api.ts"),
        ("/app/main.py", "main.py"),
        ("/usr/local/lib/python3.11/main.py", None),
        ("/app/node_modules/express/main.py", None),
        ("/app/other/pricing.py", None),
        ("/app/../main.py", None),
        ("/app/absent.py", None),
    ],
)
def test_a_deployed_path_is_mapped_to_the_file_of_the_repository(
    tmp_path: Path, path: str, file: str | None
) -> None:
    tree = write(tmp_path, {"shop/pricing.py": "", "shop/orders.py": "", "src/api.ts": "", "main.py": ""})

    assert locate(path, tree) == file


def test_the_services_root_directory_wins_over_a_namesake(tmp_path: Path) -> None:
    files = write(tmp_path, {"web/app.py": "", "api/app.py": "", "app.py": ""}).files

    assert locate("/app/app.py", Tree(tmp_path, files, "api")) == "api/app.py"
    assert locate("/app/app.py", Tree(tmp_path, files, "")) == "app.py"
    assert locate("/app/web/app.py", Tree(tmp_path, files, "api")) == "web/app.py"


def test_places_are_the_own_frames_of_the_most_frequent_trace(tmp_path: Path) -> None:
    code = "PRICES = {}\n\n\ndef total(items):\n    return sum(PRICES[item] for item in items)\n"
    tree = write(tmp_path, {"shop/pricing.py": code, "shop/orders.py": "\n" * 20})
    rare = PYTHON.replace("line 5", "line 1").replace("'gift'", "'rare'")

    found = stack_places(records(lines(rare, PYTHON, PYTHON, gap=5)), tree)

    assert [(one.file, one.line, one.function, one.count) for one in found] == [
        ("shop/pricing.py", 5, "total", 2), ("shop/orders.py", 12, "place", 3), ("shop/pricing.py", 1, "total", 1)
    ]  # fmt: skip
    assert ">    5     return sum(PRICES" in found[0].excerpt


def test_a_link_out_of_the_clone_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("KEY = 'outside'\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "app.py").symlink_to(tmp_path / "secret.py")
    trace = 'Traceback (most recent call last):\n  File "/app/app.py", line 1, in f\nKeyError: 1'

    found = stack_places(records(lines(trace)), tree_of(tmp_path / "tree"))

    assert "outside" not in "".join(one.excerpt for one in found)


# ---- routes and requests -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("route", "path", "better"),
    [
        ("/orders/{order_id}", "/orders/17", "/orders/{order_id}/gift"),
        ("/orders/:id/gift", "/orders/17/gift", "/orders/:id"),
        ("/orders/<int:order_id>", "/orders/17", "/<path:anything>"),
        ("/gift/:id", "/api/v1/gift/7", "/other/:id"),
        ("/orders/", "/orders/17", "/other/"),
        ("/", "/", "/orders"),
    ],
)
def test_a_route_of_the_code_fits_the_path_it_answers(route: str, path: str, better: str) -> None:
    assert matches(route, path) > matches(better, path)
    assert matches("/something/else", path) == 0


def test_the_handler_of_a_failing_route_is_found_by_its_text(tmp_path: Path) -> None:
    tree = write(
        tmp_path,
        {
            "app.py": """\
                @app.get("/health")
                def health(): ...

                @app.get("/reports/{day}")
                @cached
                async def report(day): ...
                """,
            "client.py": 'def ask():\n    return requests.get("/reports/today")\n',
            "tests/test_app.py": 'client.get("/reports/2026-11-20")\n',
        },
    )
    slow = RequestPattern(
        method="GET", route="/reports/:id", path="/reports/2026-11-20", status=200, count=9, slowest_ms=4e3
    )

    [place] = route_places([slow], tree)

    assert (place.file, place.line, place.function, place.count) == ("app.py", 4, "report", 9)


@pytest.mark.parametrize(
    ("code", "function"),
    [
        ("router.get('/search', search);\n", "search"),
        ("app.get('/search', async (req, res) => {\n  res.json([]);\n});\n", None),
        ("urlpatterns = [\n    path('search', views.search),\n]\n", "search"),
        (
            "class H(Base):\n    def do_GET(self):\n        if self.path == '/search':\n            run()\n",
            "do_GET",
        ),
    ],
    ids=["express", "arrow", "django", "http.server"],
)
def test_handlers_are_found_however_routes_are_written(
    tmp_path: Path, code: str, function: str | None
) -> None:
    tree = write(tmp_path, {"server.py" if "self" in code or "views" in code else "server.js": code})
    slow = RequestPattern(method="GET", route="/search", path="/search", status=200, count=1, slowest_ms=4e3)

    [place] = route_places([slow], tree)

    assert place.function == function


def test_requests_are_grouped_by_masked_route_without_query_strings() -> None:
    def line(path: str, status: int = 500, platform: bool = False) -> HttpLine:
        return HttpLine(
            timestamp=ONSET, method="GET", path=path, status=status, ms=5, platform_answer=platform
        )

    found = request_patterns(
        [line("/orders/17?token=hunter2hunter2"), line("/orders/18"), line("/orders", 502, platform=True)]
    )

    assert [(one.route, one.status, one.count, one.platform_answer) for one in found] == [
        ("/orders/:id", 500, 2, False), ("/orders", 502, 1, True)
    ]  # fmt: skip
    assert "hunter2" not in str(found)
    assert route_of("/users/6f9619ff-8b86-4d01-b42d-00cf4fc964ff/a@b.example") == "/users/:id/:id"


# ---- upstreams -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("getaddrinfo ENOTFOUND api.payments.io", {"api.payments.io"}),
        ("HTTPSConnectionPool(host='api.payments.io', port=443): Read timed out", {"api.payments.io"}),
        ("503 Server Error for url: https://api.payments.io/v1/charges", {"api.payments.io"}),
        ("For more information see https://docs.python.org/3 and https://errors.pydantic.dev/2", set()),
        ("connect ECONNREFUSED 127.0.0.1:5432; http://inventory.railway.internal:8080", set()),
        ("cannot import app.py from main.js", set()),
    ],
)
def test_outside_hosts_are_what_a_service_depends_on(text: str, hosts: set[str]) -> None:
    assert named_hosts(text, {}) == hosts


def test_a_host_with_a_status_page_set_counts_even_on_loopback() -> None:
    known = {"127.0.0.1:9000": "http://127.0.0.1:9001"}

    assert named_hosts("POST http://127.0.0.1:9000/charge timed out", known) == {"127.0.0.1:9000"}


def test_only_records_of_trouble_blame_a_host(tmp_path: Path) -> None:
    said = records(
        [
            *lines("INFO asked https://api.payments.io", level="info"),
            *lines("timeout of https://api.payments.io"),
        ]
    )
    tree = write(
        tmp_path, {"pay.py": 'BASE = "https://api.payments.io/v1"\n', "README.md": "https://other.io"}
    )

    assert count_blamed_hosts(said, {}) == {"api.payments.io": 1}
    assert hosts_in_code(tree, {}) == ["api.payments.io"]


# ---- whose logs, which suspect -------------------------------------------------------------------


SENTENCE = "34 % of requests failing (5xx, 276 of 812) since 11:48 UTC, ongoing"


def incident_of(
    kind: str = "server_errors", service: Service | None = None, deployment_id: str | None = None
) -> Incident:
    return incident(finding(kind, sentence=SENTENCE, deployment_id=deployment_id), service=service)


def test_the_suspect_is_the_newest_deployment_at_or_shortly_before_the_onset() -> None:
    history = (
        deployment("after", minutes_before_onset=-8), deployment("failed", "FAILED", minutes_before_onset=1),
        deployment("guilty", minutes_before_onset=4), deployment("old", minutes_before_onset=900),
    )  # fmt: skip
    service = Service(id="svc-api", name="api", serving=history[0], latest=history[0], deployments=history)

    found = find_suspect(incident_of(service=service), service)

    assert found is not None and found.deployment_id == "guilty"


def test_a_failed_deployment_suspects_itself_and_a_crashed_one_is_read() -> None:
    failed, crashed, live = deployment("new", "FAILED"), deployment("dead", "CRASHED"), deployment("live")
    broken = Service(id="svc-api", name="api", serving=live, latest=failed, deployments=(failed, live))
    dead = Service(id="svc-api", name="api", serving=live, latest=crashed, deployments=(crashed, live))

    suspect = find_suspect(incident_of("failed_deployment", broken), broken)
    read = examined_deployment(incident_of("failed_deployment", broken), broken)
    other = examined_deployment(incident_of("crashed", dead, "dead"), dead)

    assert suspect is not None and suspect.deployment_id == "new"
    assert read == failed and other == crashed


def test_a_deployment_that_gets_no_further_is_read_and_suspects_itself() -> None:
    stuck, live = deployment("new", "BUILDING"), deployment("live")
    service = Service(id="svc-api", name="api", serving=live, latest=stuck, deployments=(stuck, live))
    of = incident_of("stuck_deployment", service)

    suspect = find_suspect(of, service)

    assert examined_deployment(of, service) == stuck
    assert suspect is not None and suspect.deployment_id == "new"


def test_whoever_was_killed_for_its_memory_is_read() -> None:
    killed, live = deployment("killed", "REMOVED"), deployment("live")
    service = Service(id="svc-api", name="api", serving=live, latest=live, deployments=(live, killed))

    assert examined_deployment(incident_of("oom_killed", service, "killed"), service) == killed


def test_those_that_suffer_are_facts_of_the_case_also_where_the_service_is_gone() -> None:
    gone = incident_of("missing")
    web = gone.findings[0].model_copy(update={"service": "web", "sentence": "12 % of requests failing"})
    felt = gone.model_copy(update={"symptoms": (web,)})

    alone, with_web = (facts(Evidence(facts=number_facts(finding_facts(of)))) for of in (gone, felt))

    assert "also affected" not in alone
    assert "also affected: web: 12 % of requests failing [critical]" in with_web


def test_changed_places_are_the_sources_of_the_commit_not_its_papers(tmp_path: Path) -> None:
    tree = write(tmp_path, {"app.py": "a\nb\nc\n", "README.md": "x", "tests/test_app.py": "y"})

    found = changed_places(
        {"README.md": [1], "tests/test_app.py": [1], "gone.py": [], "app.py": [2, 3]}, tree
    )

    assert [(one.file, one.line, one.why, one.count) for one in found] == [("app.py", 2, "changed", 2)]


# ---- the whole stage -------------------------------------------------------------------------------


@dataclass
class Place:
    """A Railway and a GitHub on loopback, and what asks them."""

    railway: FakeRailway
    github: FakeGitHub
    service: Service
    railway_url: str
    github_url: str
    folder: Path

    def read(self, kind: str = "server_errors", *, require_all: bool = False, **changes: object) -> Evidence:
        service = self.service.model_copy(update=changes)
        client = Railway(self.railway_url, token=SecretStr(self.railway.token))
        hub = GitHub(self.github_url, self.github_url, token=SecretStr(self.github.token))
        repositories = Repositories(self.folder / "ours", self.github_url, hub.credentials)
        try:
            return read_evidence(
                incident_of(kind, service),
                railway=client,
                github=hub,
                repositories=repositories,
                status_pages={},
                require_all=require_all,
            )
        finally:
            client.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A shop whose newest commit broke `shop/pricing.py`, deployed four minutes before the onset."""
    work = tmp_path / "work"
    good = {
        "shop/pricing.py": "PRICES = {}\n",
        "shop/orders.py": "\n" * 11 + "place = None\n",
        "README.md": "shop\n",
    }
    write(work, good)
    (work / "shop/web.py").write_text('@app.post("/orders")\ndef place(order): ...\n')
    git(work, "init", "-q", "-b", "main")
    for subject, extra in (
        ("Begin", {}),
        ("Sell gifts", {"shop/pricing.py": "PRICES = {}\n" + "#\n" * 3 + "sum(P)\n"}),
    ):
        write(work, extra)
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", subject)
    commit = git(work, "rev-parse", "HEAD")
    github = FakeGitHub(tmp_path / "github")
    github.create("acme/shop", work)
    live = deployment("guilty", minutes_before_onset=4, commit=commit)
    world = World("p", "shop", "e", "production", services=[sick_service(live)])
    minutes = tuple(
        TrafficMinute(
            at=int(START.timestamp()) + 60 * n, requests=50, ok=33, client_errors=0, server_errors=17
        )
        for n in range(30)
    )
    service = Service(
        id="svc-api", name="api", repo="acme/shop", branch="main", public=True, serving=live, latest=live,
        deployments=(live,), traffic=minutes,
    )  # fmt: skip
    railway = FakeRailway(world)
    with serve(railway.app, railway.faults) as one, serve(github.app, github.faults) as two:
        yield Place(railway, github, service, one.url, two.url, tmp_path)


def sick_service(live: Deployment) -> WorldService:
    rows = [
        LogRow(ONSET.timestamp() + 10 * n + m / 1000, text, "error", instance_id="i1")
        for n in range(5)
        for m, text in enumerate(PYTHON.splitlines())
    ]
    rows.append(LogRow(ONSET.timestamp() + 70, "INFO ready, key=sk-live0123456789abcdefghijkl", "info"))
    requests = [
        Request(ONSET.timestamp() + n, "POST", "/orders?card=4242424242424242", 500, 12.0, live.id, "i1")
        for n in range(7)
    ]
    at = live.created_at.timestamp()
    world = WorldDeployment(live.id, "svc-api", live.status, at, at, {"commitHash": live.commit}, logs=rows)
    return WorldService(
        "svc-api",
        "api",
        "acme/shop",
        deployments=[world],
        active=[live.id],
        requests=requests,
        domains=["x.example"],
    )


def kinds(evidence: Evidence) -> set[FactKind]:
    return {fact.kind for fact in evidence.facts}


def facts(evidence: Evidence) -> str:
    return "\n".join(f"{fact.id} {fact.text}" for fact in evidence.facts)


def test_the_facts_name_finding_commit_pattern_route_and_code_place(place: Place) -> None:
    evidence = place.read()

    told = facts(evidence)
    assert [fact.id for fact in evidence.facts] == [f"E{n + 1}" for n in range(len(evidence.facts))]
    assert "E1 api: 34 % of requests failing" in told
    assert 'Sell gifts" by ada' in told and "the failure started 4 min after it" in told
    assert "changed shop/pricing.py" in told
    assert "logged 5 times from" in told and "KeyError: 'gift'" in told
    assert "POST /orders failed 7 times with 500" in told
    assert "stack traces point to shop/pricing.py:5 in total (5 times)" in told
    assert evidence.failed_reads == ()


def test_the_evidence_holds_no_secret_and_the_clone_is_gone(place: Place) -> None:
    evidence = place.read()

    assert "sk-live" not in evidence.model_dump_json() and "4242" not in evidence.model_dump_json()
    assert list((place.folder / "ours" / "trees").iterdir()) == []


def test_a_leak_without_a_trace_points_at_what_the_suspect_changed(place: Place) -> None:
    place.railway.world.services[0].deployments[0].logs.clear()

    evidence = place.read("memory_growth")

    assert [(one.file, one.line, one.why) for one in evidence.locations][-1] == (
        "shop/pricing.py",
        2,
        "changed",
    )
    assert FactKind.NO_LOG_ERRORS not in kinds(evidence), "an empty log proves nothing"


def test_a_failed_deployment_is_read_from_its_build_logs_whenever_it_was_built(place: Place) -> None:
    world = place.railway.world.services[0].deployments[0]
    world.logs.clear()
    built = place.service.serving.created_at.timestamp() + 5 if place.service.serving else 0.0
    for n, text in enumerate(
        ("Attempt #1 failed with service unavailable", "1/1 replicas never became healthy!")
    ):
        world.build_logs.append(LogRow(built + n, text, "info"))
    assert place.service.latest is not None
    failed = place.service.latest.model_copy(update={"status": "FAILED"})

    evidence = place.read("failed_deployment", serving=None, latest=failed, deployments=(failed,))

    assert "never became healthy" in " ".join(one.template for one in evidence.build_patterns)


def test_a_read_that_fails_is_a_sentence_and_the_rest_is_read(place: Place) -> None:
    place.railway.broken["deploymentLogs"] = "Not Authorized"

    evidence = place.read()

    assert any(gap.part is GapPart.DEPLOYMENT_LOGS and gap.subject == "api" for gap in evidence.failed_reads)
    assert "POST /orders failed 7 times" in facts(evidence)
    assert FactKind.NO_LOG_ERRORS not in kinds(evidence)


def test_code_that_cannot_be_read_is_said(place: Place) -> None:
    place.github.repositories.clear()

    evidence = place.read()

    assert any("code of acme/shop" in describe_gap(gap) for gap in evidence.failed_reads)
    assert evidence.locations == () and evidence.patterns


def test_a_service_without_a_repository_has_evidence_all_the_same(place: Place) -> None:
    assert place.service.serving is not None
    image = place.service.serving.model_copy(update={"repo": None, "commit": None, "branch": None})

    evidence = place.read(repo=None, branch=None, serving=image, latest=image, deployments=(image,))

    assert evidence.repository is None and evidence.patterns
    assert any("not deployed from a repository" in gap.reason for gap in evidence.failed_reads)


def test_when_nothing_at_all_can_be_read_now_it_is_tried_again_later(place: Place) -> None:
    place.railway.faults.add("503", times=99, retry_after="0")
    place.github.faults.add("503", times=99, retry_after="0")

    with pytest.raises(NotAvailable):
        place.read()


def test_where_nothing_that_the_service_said_can_be_read_now_the_code_alone_is_not_judged(
    place: Place,
) -> None:
    place.railway.faults.add("503", times=99, retry_after="0")

    with pytest.raises(NotAvailable):
        place.read()


def test_a_log_that_is_refused_for_good_does_not_hold_up_the_rest(place: Place) -> None:
    for field in ("deploymentLogs", "buildLogs", "httpLogs"):
        place.railway.broken[field] = "Not Authorized"

    evidence = place.read()

    assert evidence.repository is not None
    assert any(gap.part is GapPart.DEPLOYMENT_LOGS for gap in evidence.failed_reads)


def test_who_require_alls_goes_without_nothing_that_is_only_away(place: Place) -> None:
    place.github.faults.add("503", times=99, retry_after="0")

    with pytest.raises(NotAvailable):
        place.read(require_all=True)

    assert place.read().patterns


def test_refused_requests_are_read_where_they_are_the_trouble_with_the_place_that_answers(
    place: Place,
) -> None:
    world = place.railway.world.services[0]
    live = world.deployments[0].id
    for n in range(9):
        world.requests.append(Request(ONSET.timestamp() + n, "POST", "/orders", 422, 3.0, live, "i1"))

    beside, told = place.read(), place.read("client_errors")

    assert "422" not in facts(beside)
    assert "POST /orders was refused 9 times with 422" in facts(told)
    assert told.requests[0].status == 422, "what is sick comes first"
    assert {one.why for one in told.locations} >= {"route", "changed"}


@pytest.mark.parametrize(
    ("public", "kind"), [(True, FactKind.PUBLIC_DOMAIN), (False, FactKind.NO_PUBLIC_DOMAIN)]
)
def test_the_public_domain_is_stated_only_if_the_traffic_is_gone(
    place: Place, public: bool, kind: FactKind
) -> None:
    assert kind in kinds(place.read("traffic_lost", public=public))
    assert kind not in kinds(place.read(public=public))
