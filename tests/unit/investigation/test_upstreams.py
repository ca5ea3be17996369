"""Outside hosts are those of failed calls in the logs, and those that the code itself calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.logs import write_tree
from workers.investigation.evidence.upstreams import count_blamed_hosts, failed_hosts, hosts_in_code
from workers.investigation.signs import read_signs


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("Error: getaddrinfo ENOTFOUND api.payments.io", ["api.payments.io"]),
        ("HTTPSConnectionPool(host='api.payments.io', port=443): Read timed out.", ["api.payments.io"]),
        ("503 Server Error: Service Unavailable for url: https://api.payments.io/v1", ["api.payments.io"]),
        ("For more information see https://docs.python.org/3 and https://errors.pydantic.dev/2", []),
        ("connect ECONNREFUSED 127.0.0.1:5432", []),
        ("connect ECONNREFUSED fd12:845d:df9f:0:1000:f:441f:4f56:6379", []),
        ("getaddrinfo ENOTFOUND redis.railway.internal", []),
        ("cannot import app.py from main.js", []),
    ],
)
def test_only_the_outside_host_of_a_failed_call_is_blamed(text: str, hosts: list[str]) -> None:
    assert failed_hosts(read_signs(text), {}) == hosts


def test_a_host_with_a_configured_status_page_counts_even_on_loopback() -> None:
    pages = {"127.0.0.1:9000": "http://127.0.0.1:9001"}

    assert failed_hosts(read_signs("connect ECONNREFUSED 127.0.0.1:9000"), pages) == ["127.0.0.1:9000"]


def test_each_record_counts_once_for_a_host() -> None:
    refused, timed_out = (
        read_signs(f"Error: connect {code} api.payments.io:443") for code in ("ECONNREFUSED", "ETIMEDOUT")
    )

    assert count_blamed_hosts([(refused, 3), (timed_out, 4), ((), 9)], {}) == {"api.payments.io": 7}


def test_hosts_in_comments_and_documentation_are_no_dependency(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path,
        {
            "pay.py": (
                '"""Pays.\n\nSee https://manual.bank.io/pay\n"""\n'
                'BASE = "https://api.payments.io/v1"  # as in https://blog.payments.io\n'
                "# https://old.payments.io\n"
            ),
            "send.js": 'const url = "https://api.mail.io"; // https://faq.mail.io\n'
            "/* https://x.mail.io\n * https://y.io\n */\n",
            "refund.py": 'import pay\nREFUND = "https://api.payments.io/v2"\n',
            "README.md": "https://other.io",
        },
    )

    assert hosts_in_code(tree, {}) == {
        "api.payments.io": ("pay.py", "refund.py"),
        "api.mail.io": ("send.js",),
    }
