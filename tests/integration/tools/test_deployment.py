"""The files for systemd and Docker, read by the programs that they are for, where these are installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNITS = ("trackwalker.service", "trackwalker@.service")
SYSTEM_PYTHON = "/usr/bin/python3"
READ_YAML = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_the_unit(name: str, tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "systemd" / name).read_text()
    # systemd checks that the programs exist, and they do only where Trackwalker is installed.
    program = next(line for line in text.splitlines() if line.startswith("ExecStart=")).split()[0]
    (tmp_path / name).write_text(text.replace(program, "ExecStart=/bin/true"))

    finished = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / name],
        capture_output=True,
        text=True,
        check=False,
    )

    assert [line for line in finished.stderr.splitlines() if "trackwalker" in line] == []


def test_a_split_installation_runs_the_line_of_the_procfile(tmp_path: Path) -> None:
    run = tmp_path / "deploy" / "systemd" / "run"
    run.parent.mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "systemd" / "run", run)
    (tmp_path / "Procfile").write_text("web: echo the web process\nworker: echo work\n")

    finished = subprocess.run([run, "web"], capture_output=True, text=True, check=False)
    unknown = subprocess.run([run, "clock"], capture_output=True, text=True, check=False)

    assert (finished.returncode, finished.stdout) == (0, "the web process\n")
    assert (unknown.returncode, unknown.stderr) == (2, "trackwalker: no process clock in the Procfile\n")


def test_the_procfile_has_every_process_that_the_units_name() -> None:
    names = [line.partition(":")[0] for line in (ROOT / "Procfile").read_text().splitlines()]

    assert names == ["web", "worker", "clock"]


def _has_yaml() -> bool:
    if not os.access(SYSTEM_PYTHON, os.X_OK):
        return False
    return (
        subprocess.run([SYSTEM_PYTHON, "-c", "import yaml"], capture_output=True, check=False).returncode == 0
    )


@pytest.mark.skipif(not _has_yaml(), reason="the system's Python has no YAML reader (python3-yaml)")
def test_the_compose_file_is_yaml_with_both_services() -> None:
    compose = json.loads(
        subprocess.check_output(
            [SYSTEM_PYTHON, "-c", READ_YAML], input=(ROOT / "compose.yaml").read_text(), text=True
        )
    )

    assert set(compose["services"]) == {"trackwalker", "valkey"}
    assert compose["services"]["valkey"]["profiles"] == ["valkey"]
    assert set(compose["volumes"]) == {"state", "valkey"}
