"""Prometheus' own tool accepts the alert rules, and they fire as they should."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy" / "prometheus-rules.yml"
RULE_TESTS = ROOT / "tests" / "data" / "prometheus" / "rules_test.yml"
PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
@pytest.mark.parametrize("arguments", [("check", "rules", str(RULES)), ("test", "rules", str(RULE_TESTS))])
def test_promtool_accepts_the_rules_and_they_fire_as_they_should(arguments: tuple[str, ...]) -> None:
    result = subprocess.run([str(PROMTOOL), *arguments], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
