"""The brief: the best facts first, each with its source, at most a twentieth of the logs and within its limit."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tests.support.agent_answers import pattern
from workers.agent.brief import MAX_BRIEF_CHARS, MIN_BRIEF_CHARS, SHARE_OF_LOGS
from workers.agent.samples import short_sample
from workers.cli.diagnosis import write_brief

FILES = {"shop/pricing.py": "def total(items):\n    return 1\n" * 9, "main.py": "import shop\n" * 9}
LIBRARY = (
    '  File "/opt/venv/lib/python3.12/site-packages/starlette/routing.py", line {number}, in app\n'
    "    await g()\n    ^^^^^"
)
OWN = '  File "/app/shop/pricing.py", line 5, in total\n    return PRICES[name]\n           ~~~~~~^^^^^^'
TRACE = "\n".join(
    [
        "Traceback (most recent call last):",
        *(LIBRARY.format(number=number) for number in range(60)),
        '  File "/app/main.py", line 3, in middleware\n    return await call_next(request)',
        OWN,
        "KeyError: 'gift'",
    ]
)


def case(seed: int) -> tuple[dict[str, Any], int]:
    """A generated incident and the characters of its logs."""
    draw = random.Random(seed)
    blocks = [TRACE] * draw.choice([0, 1, 5, 40]) + [
        f"ERROR order {number} failed: {draw.choice(['declined', 'no stock', 'x' * 300])} {draw.random()}"
        for number in range(draw.choice([0, 3, 50, 900]))
    ]
    lines = [line for block in blocks for line in block.split("\n")]
    logs = [
        {"at": f"2026-11-20T11:{number // 600:02}:{number // 10 % 60:02}.{number % 10}Z", "message": line}
        | {"severity": "error"}
        for number, line in enumerate(lines)
    ]  # fmt: skip
    requests = [
        {"method": "GET", "path": f"/r{number}", "status": 500, "count": 3}
        for number in range(draw.choice([0, 9]))
    ]
    services = [{"name": f"service-{number}", "healthy": False} for number in range(draw.choice([0, 60]))]
    findings = draw.sample(["server_errors", "latency", "crashed", "memory"], 2)
    suspect = {
        "commit": "c" * 40,
        "deployed_at": "2026-11-20T10:00:00Z",
        "files": [f"a/{n}.py" for n in range(90)],
    }
    value = {
        "service": "api", "findings": findings, "logs": logs, "requests": requests, "services": services,
        "repository": {"files": FILES}, "suspect": suspect,
    }  # fmt: skip
    return value, sum(len(line) + 1 for line in lines)


@pytest.mark.parametrize("seed", range(30))
def test_a_brief_is_at_most_a_twentieth_of_the_logs_and_within_its_limit(seed: int) -> None:
    value, raw_chars = case(seed)

    brief = write_brief(json.dumps(value))

    assert len(brief) <= max(MIN_BRIEF_CHARS, min(raw_chars // SHARE_OF_LOGS, MAX_BRIEF_CHARS))
    assert "- E1 finding" in brief and "E1 (metrics): api: " in brief


def test_the_brief_keeps_the_innermost_own_frame_and_the_exception_of_a_long_trace() -> None:
    logs = [
        {"at": "2026-11-20T11:48:00Z", "severity": "error", "message": line} for line in TRACE.split("\n")
    ]
    value = {
        "service": "api",
        "findings": ["server_errors"],
        "logs": logs,
        "repository": {"files": FILES},
    }

    samples = write_brief(json.dumps(value)).partition("# Log samples")[2]

    assert '/app/shop/pricing.py", line 5' in samples and "return PRICES[name]" in samples
    assert "KeyError: 'gift'" in samples


@pytest.mark.parametrize("limit", [300, 600, 2_000])
def test_a_short_sample_has_what_tells_the_cause(limit: int) -> None:
    long = pattern(TRACE).model_copy(
        update={"headline": "KeyError: 'gift'", "locations": ("shop/pricing.py:5", "main.py:3")}
    )

    sample = short_sample(long, limit)

    assert len(sample) <= limit
    assert OWN.split("\n", maxsplit=1)[0] in sample and sample.endswith("KeyError: 'gift'")


def test_a_sample_that_fits_is_whole() -> None:
    assert short_sample(pattern("a\nb"), 100) == pattern("a\nb").sample
