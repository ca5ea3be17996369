"""The Lua scripts as Python sees them: their declarations, their includes, and the calls that are made from both."""

from __future__ import annotations

import pytest

from workers.engine import scripts
from workers.engine.scripts import FOLDER, Script


def test_every_file_is_a_script_and_every_script_has_a_file() -> None:
    files = {path.stem for path in FOLDER.glob("*.lua")}

    names = [script.name for script in scripts.ALL]

    assert sorted(names) == sorted(files)


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_every_key_and_argument_has_a_declared_name(script: Script) -> None:
    signature = script.signature

    declared = "\n".join(line for line in script.source.splitlines() if line.startswith(("local ", "-- ")))

    for table, names, has_more in (
        ("KEYS", signature.keys, signature.has_more_keys),
        ("ARGV", signature.arguments, signature.has_more_arguments),
    ):
        for position in range(1, len(names) + has_more + 1):
            assert f"{table}[{position}]" in declared
    assert "@include" not in script.source


def test_a_call_puts_keys_and_arguments_in_the_declared_order() -> None:
    named = {"stage": "survey", "slot": "c", "journal": "a", "schedule": "b"}

    call = scripts.CLAIM.call(named | {"token": "t", "lease_ms": 5, "uses_slot": 0})

    assert call == [3, "a", "b", "c", "survey", "t", 5, 0]


def test_any_number_of_keys_and_arguments_follow_the_named_ones() -> None:
    call = scripts.RESERVE.call({"holder": "h", "ttl_ms": 1, "cancelled_ttl_ms": 2}, ["x", "y"])

    assert call == [2, "x", "y", "h", 1, 2]


@pytest.mark.parametrize(
    "named",
    [{"journal": "a"}, {"journal": "a", "fence": 1, "tokens": 2}, {"journal": "a", "fence": 1, "token": 2, "x": 3}],
    ids=["too few", "misspelt", "too many"],
)  # fmt: skip
def test_a_call_with_other_names_is_refused(named: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="script record"):
        scripts.RECORD.call(named)


def test_more_arguments_are_refused_by_a_script_that_declares_none() -> None:
    with pytest.raises(TypeError, match="takes no more"):
        scripts.CHECK_FENCE.call({"journal": "a", "fence": 1, "token": 2, "min_lease_ms": 3}, more=[4])
