"""A hostile record costs bounded time, and the same record always gives the same signs."""

from __future__ import annotations

import time

import pytest

from workers.investigation.signs import read_signs
from workers.investigation.signs.call_targets import TARGETS
from workers.investigation.signs.ceiling_signs import CEILINGS, DISKS
from workers.investigation.signs.connection_signs import PHRASES
from workers.investigation.signs.credential_wordings import CREDENTIALS
from workers.investigation.signs.input_wordings import INPUTS
from workers.investigation.signs.module_wordings import COMMANDS, LIBRARIES, MODULES
from workers.investigation.signs.platform_wordings import ACCOMPANYING, PLATFORM
from workers.investigation.signs.pool_wordings import POOLS
from workers.investigation.signs.programming_signs import STATEMENTS
from workers.investigation.signs.required_text import required_text
from workers.investigation.signs.setting_wordings import GENERIC
from workers.investigation.signs.setting_wordings_node import NODE
from workers.investigation.signs.setting_wordings_other import COMPILED, RUBY_PHP_ELIXIR
from workers.investigation.signs.setting_wordings_python import PYTHON
from workers.investigation.signs.wordings import compiled

TABLES = (
    *(
        GENERIC,
        NODE,
        PYTHON,
        RUBY_PHP_ELIXIR,
        COMPILED,
        PHRASES,
        CREDENTIALS,
        POOLS,
        CEILINGS,
        DISKS,
        MODULES,
    ),
    *(LIBRARIES, COMMANDS, PLATFORM, ACCOMPANYING, STATEMENTS, INPUTS),
)
SECONDS_FOR_200_000_CHARS = 10.0  # CPU seconds; a pattern that backtracks takes minutes

HOSTILE = {
    "one long line": "a" * 200_000,
    "spaces": " " * 200_000,
    "words of settings": "missing required environment variable DATABASE_URL " * 4_000,
    "names in capitals": "A_B" * 66_000,
    "half of a list": "Missing environment variables: " + "A_B, " * 40_000,
    "phrases without a host": "connection refused getaddrinfo ENOTFOUND timed out " * 4_000,
    "hosts": "https://a.b.c.d.e.f/" * 10_000,
    "dotted names": "connect to " + "a." * 100_000,
    "colons": "ECONNREFUSED " + ":" * 200_000,
    "addresses": "Connect call failed ('" + "1:" * 100_000,
    "frames": '  File "/app/x.py", line 1, in f\n    x()\n' * 4_500,
    "code": 'File "/app/x.py", line 1\n' + '  os.environ["A_B"].get(\n' * 8_000,
    "pydantic": "9 validation errors for Settings\n" + "a_b\n  Field required\n" * 9_000,
    "zod": 'ZodError "path": [ "A_B" ], {' * 7_000,
    "braces": "Invalid environment variables: " + "{" * 200_000,
    "quotes": "could not write to file " + '"' * 200_000,
    "classes": "Caused by: KeyError: TypeError: " * 6_000,
    "escapes": '{"message": "' + '\\n\\"' * 50_000,
    "npm": "npm ERR! code\n" * 14_000,
    "lines": "\n" * 200_000,
    "urls of calls": 'Post "https://' * 14_000,
    "destructured": 'File "/a.js", line 1\n  ' + "{ a, " * 40_000 + "process.env",
    "ruby": "x.rb:1:in 'a': " * 13_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_record_is_read_in_bounded_time(name: str) -> None:
    begin = time.process_time()

    read_signs(HOSTILE[name], [HOSTILE[name][:4_000]])

    assert time.process_time() - begin < SECONDS_FOR_200_000_CHARS


def test_every_wording_compiles_and_is_searched_by_a_literal() -> None:
    patterns = [(entry.pattern, entry.exact_case) for table in TABLES for entry in table]
    patterns += [(entry.pattern, True) for entry in TARGETS]

    for pattern, exact_case in patterns:
        compiled(pattern, exact_case)

    without_literal = [pattern for pattern, _ in patterns if not required_text(pattern)]

    assert len(without_literal) <= 2  # `host:port` and `to host` have no word of their own


def test_the_signs_of_a_record_are_in_the_order_of_its_text() -> None:
    text = "Error: Missing required environment variables: B_KEY, A_KEY\nconnect ECONNREFUSED 10.0.0.4:5432"

    assert [sign.subject for sign in read_signs(text)] == ["B_KEY", "A_KEY", "10.0.0.4:5432"]
