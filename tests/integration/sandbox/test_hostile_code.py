"""Hostile code in every level of the sandbox that this machine allows."""

from __future__ import annotations

import os

import pytest

from tests.support.sandbox_probes import levels, probe_folder, run_probes

LEVELS = ("bubblewrap", "landlock", "uid", "landlock without mounts", "uid without mounts")


@pytest.mark.parametrize("name", LEVELS)
def test_hostile_code_is_refused_and_honest_code_works(name: str) -> None:
    with probe_folder() as folder:
        level = next((level for level in levels(folder, only=name)), None)
        if level is None:
            pytest.skip("this machine does not allow the level")

        results = run_probes(level.sandbox, level.python)

        assert [result for result in results if not result.ok] == []
        assert len(results) >= 60


def test_root_gets_bubblewrap_with_a_uid_and_names_no_limitation() -> None:
    if os.geteuid() != 0:
        pytest.skip("the strictest level needs root")
    with probe_folder() as folder:
        level = next((level for level in levels(folder, only="bubblewrap")), None)

    assert level is None or (level.sandbox.own_uid, level.sandbox.limitations) == (True, ())
