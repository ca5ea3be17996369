"""Each lane by its own facts, and the traps: what looks like code and is not, and the other way round."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from workers.investigation.diagnosis import diagnose
from workers.models import (
    Category,
    CodeLocation,
    Deployment,
    Evidence,
    Fact,
    Finding,
    Gap,
    GapPart,
    Incident,
    LogPattern,
    Repository,
    RequestPattern,
    Service,
    Severity,
    Subject,
    Suspect,
    TrafficMinute,
    Upstream,
    Verdict,
    Window,
)

END = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
START, ONSET = END - timedelta(minutes=30), END - timedelta(minutes=12)
CODE = Repository(name="acme/shop", base="main", deployed="c" * 40)
UNREAD_LOGS = Gap(part=GapPart.DEPLOYMENT_LOGS, subject="api", reason="Railway is busy")


def finding(
    kind: str = "server_errors", *, ongoing: bool = True, since: datetime = ONSET, **numbers: float
) -> Finding:
    return Finding.model_validate(
        {
            "service_id": "s1", "service": "api", "kind": kind, "severity": Severity.CRITICAL, "since": since,
            "ongoing": ongoing, "numbers": numbers, "sentence": f"api is sick: {kind}",
        }
    )  # fmt: skip


def notice(kind: str, since: datetime = ONSET) -> Finding:
    return finding(kind, since=since).model_copy(update={"severity": Severity.NOTICE})


def incident(*findings: Finding, load: tuple[int, int] = (50, 50), cause: str = "service") -> Incident:
    steps = tuple(
        TrafficMinute(
            at=int(START.timestamp()) + 60 * n, requests=load[0] if n < 18 else load[1], ok=40, client_errors=0,
            server_errors=0,
        )
        for n in range(30)
    )  # fmt: skip
    service = Service(id="s1", name="api", traffic=steps, memory_limit=1.0, cpu_limit=2.0)
    return Incident(
        fingerprint="f" * 16, occurrence="20261120T1200", project_id="p", project_name="shop", environment_id="e",
        environment_name="production", findings=findings, window=Window(start=START, end=END), opened_at=END,
        subject=Subject.model_validate({"kind": cause, "key": "s1", "name": "api"}), service=service,
    )  # fmt: skip


def pattern(template: str, count: int = 20, sample: str = "", level: str = "error") -> LogPattern:
    return LogPattern(
        template=template, count=count, level=level, first=ONSET, last=END, sample=sample or template
    )


def place(
    file: str = "shop/pricing.py", line: int = 5, why: str = "stack", excerpt: str = ""
) -> CodeLocation:
    values = {"file": file, "line": line, "function": "total", "why": why, "count": 20, "excerpt": excerpt}
    return CodeLocation.model_validate(values)


def suspect(minutes: float = 4, *files: str) -> Suspect:
    return Suspect(deployment_id="d1", commit="c" * 40, at=ONSET - timedelta(minutes=minutes), files=files)


def request(
    status: int = 500, *, route: str = "/orders", platform: bool = False, count: int = 20
) -> RequestPattern:
    return RequestPattern(
        method="GET",
        route=route,
        path=route,
        status=status,
        count=count,
        slowest_ms=4e3,
        platform_answer=platform,
    )


def evidence(
    said: Sequence[LogPattern] = (), places: Sequence[CodeLocation] = (), *, built: Sequence[LogPattern] = (),
    requests: Sequence[RequestPattern] = (), suspect: Suspect | None = None, upstreams: Sequence[Upstream] = (),
    repository: Repository | None = CODE, failed_reads: tuple[Gap, ...] = (), kinds: Sequence[str] = ("server_errors",),
) -> Evidence:  # fmt: skip
    texts = [f"api is sick: {kind} [critical]" for kind in kinds]
    texts += [f"the logs say {one.count} times: {one.template}" for one in (*built, *said)]
    texts += [f"stack traces name {one.file}:{one.line}" for one in places]
    texts += [
        f"{one.errors} records of trouble name the outside host {one.host}; its status page says {one.state}"
        for one in upstreams
    ]
    texts += [f"that commit changed {', '.join(suspect.files)}"] if suspect else []
    texts += [f"GET {one.route} was refused with {one.status}" for one in requests if 400 <= one.status < 500]
    return Evidence(
        facts=tuple(Fact(id=f"E{n}", text=text) for n, text in enumerate(texts, start=1)),
        patterns=tuple(said), build_patterns=tuple(built), locations=tuple(places), requests=tuple(requests),
        suspect=suspect, upstreams=tuple(upstreams), repository=repository, failed_reads=failed_reads,
    )  # fmt: skip


def verdict(known: Evidence, *findings: Finding, load: tuple[int, int] = (50, 50)) -> Verdict:
    return diagnose(incident(*(findings or (finding(),)), load=load), known)


BUG = pattern(
    "KeyError: 'gift'",
    sample="Traceback\n  File \"/app/shop/pricing.py\", line 5, in total\nKeyError: 'gift'",
)


def test_a_trace_into_own_code_is_code_and_names_place_error_and_facts() -> None:
    found = verdict(evidence([BUG], [place()]))

    assert found.category is Category.CODE
    assert found.summary == "api fails at shop/pricing.py:5 in total: KeyError: 'gift'"
    assert found.supports == ("E1", "E3", "E2")


def test_an_error_is_quoted_as_it_was_said_not_as_its_pattern() -> None:
    masked = pattern(
        "PoolExhausted: no connection free within <n> s",
        sample='Traceback\n  File "/app/shop/pool.py", line 5, in take\nPoolExhausted: no connection free within 0.2 s',
    )

    found = verdict(evidence([masked], [place()]))

    assert found.summary.endswith("PoolExhausted: no connection free within 0.2 s")


def test_the_error_that_is_quoted_is_the_one_whose_trace_names_the_place() -> None:
    beside = pattern("POST /orders failed for a customer", count=60)

    found = verdict(evidence([beside, BUG], [place()]))

    assert found.summary == "api fails at shop/pricing.py:5 in total: KeyError: 'gift'"


def test_without_a_cause_the_trouble_in_the_logs_is_told_all_the_same() -> None:
    said = pattern("cannot open the data file: permission denied")

    found = verdict(evidence([said], repository=None, kinds=["crashed"]), finding("crashed"))

    assert found.category is Category.INCONCLUSIVE
    assert found.supports == ("E1", "E2")


def test_a_commit_that_touched_the_place_makes_it_surer() -> None:
    sure = verdict(evidence([BUG], [place()], suspect=suspect(4, "shop/pricing.py")))
    less = verdict(evidence([BUG], [place()], suspect=suspect(4, "README.md")))

    assert sure.confidence > less.confidence


def test_code_that_cannot_be_read_is_no_lane_code() -> None:
    assert verdict(evidence([BUG], [], repository=None)).category is Category.INCONCLUSIVE


@pytest.mark.parametrize("known", [Evidence(), Evidence(failed_reads=(UNREAD_LOGS,))])
def test_a_case_without_facts_is_inconclusive(known: Evidence) -> None:
    found = verdict(known)

    assert found.category is Category.INCONCLUSIVE
    assert found.supports == () and found.next_checks and found.action


def test_failed_reads_are_inconclusive_and_become_the_next_checks() -> None:
    found = verdict(evidence(failed_reads=(UNREAD_LOGS,)))

    assert found.category is Category.INCONCLUSIVE
    assert "could not be read: deployment logs of api" in found.next_checks[0]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (
            pattern(
                "KeyError: 'STRIPE_KEY'", sample="return os.environ['STRIPE_KEY']\nKeyError: 'STRIPE_KEY'"
            ),
            "STRIPE_KEY",
        ),
        (pattern("Error: DATABASE_URL is not set"), "DATABASE_URL"),
        (pattern("Missing required environment variable: SMTP_HOST"), "SMTP_HOST"),
        (pattern("Error: connect ECONNREFUSED 127.0.0.1:5432"), None),
        (pattern('FATAL: password authentication failed for user "shop"'), None),
        (pattern("TypeError: Invalid URL: 'undefined/v1/orders'"), None),
        (
            pattern(
                "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://api.x.io"
            ),
            None,
        ),
    ],
)
def test_what_the_environment_lacks_is_configuration_even_with_a_trace(
    said: LogPattern, name: str | None
) -> None:
    found = verdict(evidence([said], [place()]))

    assert found.category is Category.CONFIGURATION
    assert name is None or name in found.action


@pytest.mark.parametrize("said", [pattern("KeyError: 'EUR'"), pattern("ReferenceError: MAX_ITEMS is not defined"),
                                  pattern("TypeError: undefined is not a function")])  # fmt: skip
def test_capitals_and_undefined_alone_are_code(said: LogPattern) -> None:
    assert verdict(evidence([said], [place()])).category is Category.CODE


def test_a_line_that_reads_the_environment_makes_its_keyerror_configuration() -> None:
    said = pattern(
        "KeyError: 'REGION'", sample="  File \"/app/shop/pricing.py\", line 5, in total\nKeyError: 'REGION'"
    )
    reads = place(excerpt=">    5 region = os.environ['REGION']")

    assert verdict(evidence([said], [reads])).category is Category.CONFIGURATION
    assert (
        verdict(evidence([said], [place(excerpt=">    5 region = table['REGION']")])).category
        is Category.CODE
    )


def test_a_complaint_beside_the_line_that_reads_the_environment_is_configuration_and_names_the_variable() -> (
    None
):
    said = pattern(
        "Error: MAIL_KEY is required", sample="Error: MAIL_KEY is required\n    at /app/mail.js:5:9"
    )
    beside = place("mail.js", excerpt="     4 const key = process.env.MAIL_KEY;\n>    5 if (!key) throw")
    nowhere = place("mail.js", excerpt="     4 const key = body.key;\n>    5 if (!key) throw")

    found = verdict(evidence([said], [beside]))

    assert found.category is Category.CONFIGURATION
    assert "set MAIL_KEY" in found.action
    assert verdict(evidence([said], [nowhere])).category is Category.CODE


def test_only_edge_answers_while_it_runs_is_a_wrong_port() -> None:
    quiet = incident(finding(), load=(0, 0))
    assert quiet.service is not None
    steps = tuple(one.model_copy(update={"ok": 0}) for one in quiet.service.traffic)
    quiet = quiet.model_copy(update={"service": quiet.service.model_copy(update={"traffic": steps})})
    known = evidence(requests=[request(502, platform=True)])

    assert diagnose(quiet, known).category is Category.CONFIGURATION
    assert diagnose(incident(finding(), finding("crashed")), known).category is not Category.CONFIGURATION


def host(state: str = "unknown", errors: int = 20) -> Upstream:
    return Upstream.model_validate(
        {"host": "api.payments.io", "errors": errors, "in_code": True, "state": state, "description": ""}
    )


TIMEOUT = pattern("ReadTimeout: HTTPSConnectionPool(host='api.payments.io', port=<n>): Read timed out.")


@pytest.mark.parametrize("state", ["down", "degraded", "unknown", "operational"])
def test_an_outside_host_that_does_not_answer_is_upstream_even_with_a_trace(state: str) -> None:
    found = verdict(evidence([TIMEOUT], [place("shop/pay.py")], upstreams=[host(state)]))

    assert found.category is Category.UPSTREAM
    assert "api.payments.io" in found.summary and "wait" in found.action
    assert "E2" in found.supports


def test_a_client_that_was_just_changed_while_its_host_is_well_is_code() -> None:
    known = evidence(
        [TIMEOUT], [place("shop/pay.py")], upstreams=[host("operational")], suspect=suspect(4, "shop/pay.py")
    )

    assert verdict(known).category is Category.CODE


def test_our_own_error_beside_a_hosts_name_is_code() -> None:
    said = pattern("TypeError: cannot read 'amount' of the answer of https://api.payments.io/v1")

    assert verdict(evidence([said], [place()], upstreams=[host("unknown")])).category is Category.CODE
    assert verdict(evidence([said], [place()], upstreams=[host("degraded")])).category is Category.CODE


def test_a_few_timeouts_do_not_excuse_a_bug_that_dominates() -> None:
    few = TIMEOUT.model_copy(update={"count": 3})

    assert verdict(evidence([BUG, few], [place()], upstreams=[host("unknown", 3)])).category is Category.CODE


def test_a_neighbour_of_the_project_that_does_not_answer_is_named() -> None:
    down = pattern("ConnectError: connect ECONNREFUSED http://inventory.railway.internal:<n>")
    wrong = pattern("Error: getaddrinfo ENOTFOUND inventroy.railway.internal")

    assert verdict(evidence([down], [place()])).category is Category.UPSTREAM
    assert "inventory" in verdict(evidence([down], [place()])).action
    assert verdict(evidence([wrong], [place()])).category is Category.CONFIGURATION


def test_a_newest_deployment_that_never_lived_is_deployment() -> None:
    ill = pattern("<n>/<n> replicas never became healthy!")
    found = verdict(evidence(built=[ill], kinds=["failed_deployment"]), finding("failed_deployment"))

    assert found.category is Category.DEPLOYMENT
    assert "health check" in found.summary


def test_a_failed_deployment_that_lacks_a_variable_is_configuration_and_without_logs_inconclusive() -> None:
    lacks = pattern("Error: DATABASE_URL must be set")

    assert verdict(evidence([lacks]), finding("failed_deployment")).category is Category.CONFIGURATION
    assert verdict(evidence(), finding("failed_deployment")).category is Category.INCONCLUSIVE


def test_a_leak_after_a_commit_with_a_place_is_code_and_without_one_inconclusive() -> None:
    grows = finding("memory_growth", since=START)
    known = evidence(places=[place(why="changed")], suspect=suspect(300, "shop/pricing.py"))

    assert verdict(known, grows).category is Category.CODE
    assert "leaks memory" in verdict(known, grows).summary
    assert verdict(evidence(), grows).category is Category.INCONCLUSIVE


def test_slowness_that_begins_long_after_the_last_commit_does_not_convict_it() -> None:
    slow = finding("latency")
    fresh = evidence(places=[place(why="changed")], suspect=suspect(4, "shop/pricing.py"))
    stale = evidence(places=[place(why="changed")], suspect=suspect(60 * 24 * 3, "shop/pricing.py"))

    assert verdict(fresh, slow).category is Category.CODE
    assert verdict(stale, slow).category is Category.INCONCLUSIVE


def test_one_slow_route_whose_handler_is_known_is_code_and_many_are_not() -> None:
    slow = finding("latency")
    one = evidence(places=[place(why="route")], requests=[request(200, route="/reports")])
    many = evidence(
        places=[place(why="route")],
        requests=[request(200, route="/reports"), request(200, route="/orders"), request(200, route="/")],
    )

    assert verdict(one, slow).category is Category.CODE
    assert verdict(many, slow).category is Category.INCONCLUSIVE


def test_more_load_without_errors_is_traffic_and_with_errors_of_the_code_it_is_not() -> None:
    busy = finding("cpu", peak_vcpu=2.0, limit_vcpu=2.0)

    assert verdict(evidence(), busy, load=(50, 200)).category is Category.TRAFFIC
    assert verdict(evidence([BUG], [place()]), busy, finding(), load=(50, 200)).category is Category.CODE


def test_need_near_the_limit_without_growth_says_the_limit_that_would_hold() -> None:
    found = verdict(evidence(), finding("memory", peak_gb=0.96, limit_gb=1.0))

    assert found.category is Category.RESOURCE_LIMIT
    assert "from 1 to 1.5 GB" in found.action


def test_running_out_of_memory_without_a_suspect_is_a_limit_not_the_line_that_happened_to_ask() -> None:
    gone = pattern("MemoryError", sample='  File "/app/shop/pricing.py", line 5, in total\nMemoryError')
    found = verdict(evidence([gone], [place()]), finding("crashed"))

    assert found.category is Category.RESOURCE_LIMIT


def test_a_full_volume_is_a_resource_limit() -> None:
    assert verdict(evidence(), finding("volume", used_percent=97)).category is Category.RESOURCE_LIMIT


def test_platform_trouble_waits() -> None:
    found = diagnose(incident(finding(), cause="platform"), evidence([BUG], [place()]))

    assert found.category is Category.PLATFORM and "wait" in found.action


def test_what_is_over_and_not_in_the_code_is_transient_and_in_the_code_it_is_code() -> None:
    over = finding(ongoing=False)

    assert verdict(evidence(), over).category is Category.TRANSIENT
    assert verdict(evidence([BUG], [place()]), over).category is Category.CODE


def test_a_process_that_ended_quietly_is_configuration_unless_its_logs_were_not_seen() -> None:
    assert verdict(evidence(), finding("stopped")).category is Category.CONFIGURATION
    unseen = evidence(failed_reads=(UNREAD_LOGS,))
    assert verdict(unseen, finding("stopped")).category is Category.INCONCLUSIVE


def test_every_verdict_names_known_facts_at_most_five_checks_and_acts_where_nothing_is_mended() -> None:
    cases = [
        verdict(evidence([BUG], [place()], upstreams=[host("degraded", 1)])),
        verdict(evidence([TIMEOUT], [place()], upstreams=[host("down")])),
        verdict(
            evidence(failed_reads=tuple(UNREAD_LOGS.model_copy(update={"subject": f"{n}"}) for n in range(9)))
        ),
        verdict(evidence(), finding("memory", peak_gb=1, limit_gb=1), load=(50, 200)),
        verdict(evidence(), finding(ongoing=False)),
    ]

    for found in cases:
        assert all(one.startswith("E") for one in (*found.supports, *found.contradicts))
        assert not set(found.supports) & set(found.contradicts)
        assert len(found.next_checks) <= 5 and 0 < found.confidence < 1
        assert found.action or found.category in (Category.CODE, Category.DEPLOYMENT)


def test_a_doubt_is_named_against_the_verdict() -> None:
    found = verdict(evidence([TIMEOUT], [place()], upstreams=[host("down")], suspect=suspect(4, "README.md")))

    assert found.category is Category.UPSTREAM
    assert "E3" in found.contradicts, "the trace into our own code"


# ---- memory, CPU and volumes ---------------------------------------------------------------------


def test_a_kill_for_memory_without_a_suspect_is_a_limit_and_with_a_fresh_commit_a_leak() -> None:
    killed = finding("oom_killed", limit_gb=1.0)
    fresh = evidence(places=[place(why="changed")], suspect=suspect(4, "shop/pricing.py"))

    alone, suspected = verdict(evidence(), killed), verdict(fresh, killed)

    assert alone.category is Category.RESOURCE_LIMIT and "from 1 to 1.5 GB" in alone.action
    assert suspected.category is Category.CODE and "leaks memory" in suspected.summary


def test_a_kill_for_memory_is_not_blamed_on_the_line_that_was_running() -> None:
    assert verdict(evidence([BUG], [place()]), finding("oom_killed")).category is Category.RESOURCE_LIMIT


@pytest.mark.parametrize("numbers", [{"mean_percent": 20.0, "baseline_percent": 4.0}, {"baseline_vcpu": 0.2}])
def test_cpu_far_below_its_limit_is_no_need_for_more(numbers: dict[str, float]) -> None:
    loop = finding("cpu").model_copy(update={"numbers": numbers})
    fresh = evidence(places=[place(why="changed")], suspect=suspect(4, "shop/pricing.py"))

    assert verdict(fresh, loop).category is Category.CODE
    assert verdict(evidence(), loop).category is Category.INCONCLUSIVE


def test_a_busy_loop_on_one_slow_route_is_its_handlers() -> None:
    loop = finding("cpu", mean_percent=20.0, baseline_percent=4.0)
    known = evidence(places=[place(why="route")], requests=[request(200, route="/reports")])

    assert verdict(known, loop).category is Category.CODE


def test_saturation_beside_a_surge_is_traffic_unless_the_surge_came_long_after() -> None:
    busy = finding("cpu", mean_percent=96.0, limit_vcpu=2.0)
    later = ONSET + timedelta(minutes=10)

    assert verdict(evidence(), busy, notice("traffic_surge")).category is Category.TRAFFIC
    assert verdict(evidence(), busy, notice("traffic_surge", later)).category is Category.RESOURCE_LIMIT


def test_a_volume_that_fills_names_the_time_that_is_left() -> None:
    filling = finding("volume", used_percent=91).model_copy(update={"seconds_to_limit": 3 * 3600.0})

    assert "within 3 h" in verdict(evidence(), filling).action


def test_a_full_disk_is_not_the_code_that_could_not_write() -> None:
    full = pattern("OSError: [Errno <n>] No space left on device", sample="No space left on device")

    found = verdict(evidence([full], [place()]), finding(), finding("volume", used_percent=100))

    assert found.category is Category.RESOURCE_LIMIT and "enlarge the volume" in found.action


def test_a_leak_over_many_windows_is_code_by_the_commit_it_began_with() -> None:
    slow = finding("memory_growth", since=END - timedelta(hours=40), hours_seen=40.0, windows=80.0)
    begun = suspect(4, "shop/pricing.py").model_copy(update={"at": END - timedelta(hours=41)})

    found = verdict(evidence(places=[place(why="changed")], suspect=begun), slow)

    assert found.category is Category.CODE and "leaks memory" in found.summary


# ---- requests that are refused or stay away ------------------------------------------------------


def test_refusals_since_a_commit_are_code_at_the_route_that_it_changed() -> None:
    known = evidence(
        places=[place("shop/web.py", 7, "route"), place("shop/web.py", 3, "changed")],
        requests=[request(422)], suspect=suspect(4, "shop/web.py"), kinds=["client_errors"],
    )  # fmt: skip

    found = verdict(known, finding("client_errors"))

    assert found.category is Category.CODE and "shop/web.py:7" in found.summary
    assert "E1" in found.supports


@pytest.mark.parametrize(
    ("status", "load", "lane"),
    [
        (404, (50, 50), Category.INCONCLUSIVE),
        (401, (50, 50), Category.CONFIGURATION),
        (429, (50, 200), Category.TRAFFIC),
    ],
)
def test_refusals_without_a_fresh_commit_are_no_code(
    status: int, load: tuple[int, int], lane: Category
) -> None:
    known = evidence(requests=[request(status)], suspect=suspect(60 * 24 * 3, "shop/web.py"))

    assert verdict(known, finding("client_errors"), load=load).category is lane


@pytest.mark.parametrize(("public", "lane"), [(True, Category.INCONCLUSIVE), (False, Category.CONFIGURATION)])
def test_requests_that_stay_away_are_told_with_what_leads_to_the_service(
    public: bool, lane: Category
) -> None:
    lost = with_service(incident(finding("traffic_lost")), public=public)

    found = diagnose(lost, evidence([BUG], [place()]))

    assert found.category is lane
    assert "domain" in found.action


# ---- what is not there ---------------------------------------------------------------------------


def with_service(of: Incident, **facts: object) -> Incident:
    assert of.service is not None
    return of.model_copy(update={"service": of.service.model_copy(update=facts)})


@pytest.mark.parametrize("listed", [True, False])
def test_a_service_that_is_gone_is_configuration_and_said_to_be_gone(listed: bool) -> None:
    gone = incident(finding("missing"))

    found = diagnose(gone if listed else gone.model_copy(update={"service": None}), evidence(repository=None))

    assert found.category is Category.CONFIGURATION
    assert ("no deployment" if listed else "gone from the environment") in found.summary


@pytest.mark.parametrize(
    ("status", "lane"),
    [
        ("NEEDS_APPROVAL", Category.CONFIGURATION),
        ("WAITING", Category.CONFIGURATION),
        ("QUEUED", Category.PLATFORM),
        ("BUILDING", Category.DEPLOYMENT),
    ],
)
def test_a_deployment_that_gets_no_further_is_told_and_nothing_is_mended(status: str, lane: Category) -> None:
    hung = Deployment(id="dep-12345678", service_id="s1", status=status, created_at=START)
    stuck = finding("stuck_deployment").model_copy(update={"deployment_id": hung.id})

    found = diagnose(with_service(incident(stuck), latest=hung, deployments=(hung,)), evidence())

    assert found.category is lane
    assert found.action, "a verdict that names what would end it starts no agent"


def test_a_deployment_that_hangs_does_not_hide_what_is_wrong_with_the_one_that_serves() -> None:
    assert (
        verdict(evidence([BUG], [place()]), finding(), finding("stuck_deployment")).category is Category.CODE
    )
