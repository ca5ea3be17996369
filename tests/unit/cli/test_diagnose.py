"""The public format of cases: every key but the service may be missing, and errors name the field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workers.cli.diagnosis import answer_lines, diagnose_line, write_brief
from workers.errors import InvalidCase

AT = "2026-11-20T11:48:00Z"
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "/app/shop/pricing.py", line 2, in total',
    "    return prices[name]",
    "KeyError: 'gift'",
]
FILES = {"shop/pricing.py": "def total(prices, name):\n    return prices[name]\n"}


def diagnosed(**fields: Any) -> dict[str, Any]:
    """The answer to a case about the service `api`."""
    answer: dict[str, Any] = json.loads(diagnose_line(json.dumps({"service": "api", **fields})))
    return answer


def log(*messages: str) -> list[dict[str, str]]:
    return [{"at": AT, "severity": "error", "instance": "i1", "message": text} for text in messages]


def test_a_case_needs_only_a_service() -> None:
    answer = diagnosed()

    assert answer["service"] == "api" and answer["category"] == "inconclusive" and answer["records"] == 0
    assert list(answer) == [
        "service", "category", "summary", "action", "confidence", "places", "facts", "upstreams", "patterns",
        "records", "next_checks",
    ]  # fmt: skip


def test_the_answer_names_the_cause_and_its_place() -> None:
    answer = diagnosed(findings=["server_errors"], logs=log(*TRACEBACK), repository={"files": FILES})

    assert answer["category"] == "code" and "KeyError: 'gift'" in answer["summary"]
    assert answer["places"] == [{"file": "shop/pricing.py", "line": 2, "function": "total", "why": "stack"}]
    assert [fact["id"] for fact in answer["facts"]][:2] == ["E1", "E2"]
    [pattern] = answer["patterns"]
    assert pattern["count"] == 1 and pattern["level"] == "error" and "pricing.py" in pattern["example"]


def test_the_repository_may_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "api" / "shop").mkdir(parents=True)
    (tmp_path / "api" / "shop" / "pricing.py").write_text(FILES["shop/pricing.py"])

    answer = diagnosed(
        findings=["server_errors"], logs=log(*TRACEBACK), repository={"path": str(tmp_path), "root": "api"}
    )

    assert answer["places"][0]["file"] == "api/shop/pricing.py"


def test_a_brief_is_the_prompt_of_the_agent() -> None:
    case = {
        "service": "api",
        "findings": ["server_errors"],
        "logs": log(*TRACEBACK),
        "repository": {"files": FILES},
    }

    brief = write_brief(json.dumps(case))

    assert "KeyError: 'gift'" in brief and "shop/pricing.py:2" in brief


@pytest.mark.parametrize(
    ("case", "field"),
    [
        ("[]", "Input should be an object"),
        ('{"service": ""}', "service: "),
        ('{"service": "a", "findings": ["slow"]}', "findings.0.kind: "),
        ('{"service": "a", "logs": [{"at": "yesterday", "message": ""}]}', "logs.0.at: "),
        ('{"service": "a", "window": {"start": "2026-11-20T12:00:00Z", "end": "2026-11-20T11:00:00Z"}}', "window: "),
        ('{"service": "a", "requests": [{"path": "/", "status": -1}]}', "requests.0.status: "),
        ('{"service": "a", "upstreams": {"api.x.io": "fine"}}', "upstreams.api.x.io: "),
        ('{"service": "a", "repository": {}}', "repository: "),
        ('{"service": "a", "repository": {"files": {"../x": ""}}}', "repository.files: "),
        ('{"service": "a", "repository": {"files": {"/etc/x": ""}}}', "repository.files: "),
        ('{"service": "a", "repository": {"files": {"a": "", "a/b": ""}}}', "repository.files: "),
        ('{"service": "a", "repository": {"files": {"a\\u0000b": ""}}}', "repository.files: "),
        ('{"service": "a", "repository": {"path": "/nowhere/at/all"}}', "repository.path: "),
        ('{"service": "a", "limits": {"memory_gb": NaN}}', ""),
    ],
)  # fmt: skip
def test_an_invalid_case_names_its_field(case: str, field: str) -> None:
    with pytest.raises(InvalidCase) as raised:
        diagnose_line(case)

    assert str(raised.value).startswith(field)


def test_the_lines_after_an_invalid_one_are_answered() -> None:
    lines = [b"{}\n", b"\n", b'{"service": "api"}\n', b"\xff\n"]

    first, second, third = answer_lines(lines, diagnose_line)

    assert json.loads(first.text) == {"line": 1, "error": "service: Field required"} and not first.is_valid
    assert second.is_valid and json.loads(second.text)["service"] == "api"
    assert json.loads(third.text)["line"] == 4 and not third.is_valid


def test_short_forms_and_nulls_are_valid() -> None:
    answer = diagnosed(
        findings=["server_errors"], logs=["KeyError: 'gift'"], services=["postgres"], usage={"cpu_percent_peak": None},
        suspect={"files": ["shop/pricing.py"]}, repository={"files": FILES}, window=None,
    )  # fmt: skip

    assert answer["records"] == 1
    assert {"file": "shop/pricing.py", "line": None, "function": None, "why": "changed"} in answer["places"]


def test_usage_and_limits_rule_memory_out_and_claim_nothing_else() -> None:
    usage = {"memory_percent_peak": 39, "cpu_percent_peak": 12}

    texts = [fact["text"] for fact in diagnosed(findings=["server_errors"], usage=usage)["facts"]]

    assert "memory stayed below 40 % of its limit" in texts and "CPU stayed below 13 % of its limit" in texts
    assert not any("restart" in text for text in texts)


def test_the_network_and_the_neighbours_are_facts() -> None:
    answer = diagnosed(
        findings=["egress"],
        services=[{"name": "postgres", "healthy": False}],
        network={
            "dns": [{"name": "api.mail.io", "rcode": "SERVFAIL", "count": 7}],
            "flows": [{"peer": "34.1.2.3", "peer_kind": "internet", "port": 443, "bytes": 9e11}],
        },
    )

    texts = [fact["text"] for fact in answer["facts"]]
    assert "the name service answered api.mail.io with SERVFAIL 7 times" in texts
    assert "900 GB sent to 34.1.2.3 port 443 (internet), no packets dropped" in texts
    assert "the service postgres of the same project is in trouble itself" in texts
