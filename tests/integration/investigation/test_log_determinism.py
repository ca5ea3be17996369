"""The same log gives the same groups under any hash seed."""

from __future__ import annotations

import subprocess
import sys

from tests.support.logs import PYTHON_TRACEBACK, log_lines
from workers.investigation.logs.log_patterns import group_records
from workers.investigation.logs.log_records import build_log_records

PROGRAM = f"import {__name__} as module; print(module.describe_groups())"


def test_the_groups_do_not_depend_on_the_hash_seed() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(outputs) == 1


def describe_groups() -> list[tuple[str, int, str]]:
    """Template, count and best record of each group of a log with many equally frequent messages."""
    words = ("price", "stock", "mail", "label")
    lines = [f"ERROR {word} of order {number} failed" for number in range(3) for word in words]
    wide = "{" + ",".join(f'"err{number}":"{word}\\n    at b"' for number, word in enumerate(words)) + "}"
    groups = group_records(build_log_records(log_lines(*lines, wide, PYTHON_TRACEBACK, gap=0.01)))
    return [(group.template, group.count, group.best.text) for group in groups]
