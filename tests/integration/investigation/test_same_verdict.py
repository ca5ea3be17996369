"""The same facts give the same verdict, whatever the seed of Python's hashes: a replay decides as the worker did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SEEDS = ("0", "1", "5")
PROGRAM = """
import json
from tests.support.cause_cases import CASES
from workers.investigation.diagnosis import diagnose
print(json.dumps({case.name: diagnose(*case.build()).model_dump(mode="json") for case in CASES}))
"""


def verdicts(seed: str) -> dict[str, object]:
    """The verdicts of all cases, by a Python with that seed."""
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    result: dict[str, object] = json.loads(run.stdout)
    return result


def test_every_case_gets_the_same_verdict_under_any_hash_seed() -> None:
    first, *others = (verdicts(seed) for seed in SEEDS)

    assert len(first) > 100
    assert all(other == first for other in others)
