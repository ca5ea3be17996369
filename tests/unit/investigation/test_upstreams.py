"""Outside hosts are found in log errors and in the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.logs import log_lines, write_tree
from workers.investigation.evidence.upstreams import count_blamed_hosts, hosts_in_code, named_hosts
from workers.investigation.logs.log_records import build_log_records


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
def test_outside_hosts_exclude_documentation_siblings_and_file_names(text: str, hosts: set[str]) -> None:
    assert named_hosts(text, {}) == hosts


def test_a_host_with_a_configured_status_page_counts_even_on_loopback() -> None:
    pages = {"127.0.0.1:9000": "http://127.0.0.1:9001"}

    assert named_hosts("POST http://127.0.0.1:9000/charge timed out", pages) == {"127.0.0.1:9000"}


def test_only_log_errors_blame_a_host(tmp_path: Path) -> None:
    records = build_log_records(
        [
            *log_lines("INFO asked https://api.payments.io", level="info"),
            *log_lines("timeout of https://api.payments.io"),
        ]
    )
    tree = write_tree(
        tmp_path, {"pay.py": 'BASE = "https://api.payments.io/v1"\n', "README.md": "https://other.io"}
    )

    assert count_blamed_hosts(records, {}) == {"api.payments.io": 1}
    assert hosts_in_code(tree, {}) == ["api.payments.io"]
