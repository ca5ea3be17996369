"""A permission request of an agent is refused unless its kind and all of its paths are allowed for the role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workers.agent.acp_permissions import MAX_PATHS, permission_outcome
from workers.agent.config import Role

OPTIONS = [
    {"optionId": "always", "kind": "allow_always"},
    {"optionId": "yes", "kind": "allow_once"},
    {"optionId": "no", "kind": "reject_once"},
]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with a link out of it."""
    clone = tmp_path / "clone"
    (clone / "app").mkdir(parents=True)
    (clone / "app" / "share.py").write_text("x")
    (clone / "out").symlink_to("/etc")
    return clone


def decide(role: Role, clone: Path, call: Any, known: object = None, options: object = OPTIONS) -> Any:
    return permission_outcome(role, clone, call, known, options)


def edit(*paths: str) -> dict[str, Any]:
    return {"kind": "edit", "locations": [{"path": path} for path in paths]}


@pytest.mark.parametrize(
    ("role", "call"),
    [
        ("reader", {"kind": "read"}),
        ("reader", {"kind": "search", "rawInput": {"path": "{clone}/app"}}),
        ("writer", {"kind": "read", "locations": [{"path": "{clone}/app/share.py"}]}),
        ("writer", {"kind": "edit", "locations": [{"path": "{clone}/app/share.py"}]}),
        ("writer", {"kind": "edit", "content": [{"type": "diff", "path": "{clone}/app/new.py"}]}),
        ("writer", {"kind": "edit", "rawInput": {"file_path": "app/share.py"}}),
    ],
)
def test_a_call_that_the_role_may_make_inside_the_clone_is_allowed_once(
    clone: Path, role: Role, call: dict[str, Any]
) -> None:
    assert decide(role, clone, fill(call, clone)) == {"outcome": "selected", "optionId": "yes"}


def fill(value: Any, clone: Path) -> Any:
    if isinstance(value, str):
        return value.replace("{clone}", str(clone))
    if isinstance(value, dict):
        return {key: fill(item, clone) for key, item in value.items()}
    return [fill(item, clone) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("role", "call"),
    [
        ("reader", edit("{clone}/app/share.py")),
        *(
            (role, {"kind": kind})
            for role in ("reader", "writer")
            for kind in (
                "execute",
                "fetch",
                "delete",
                "move",
                "switch_mode",
                "other",
                "READ",
                "",
                7,
                ["read"],
            )
        ),
        ("writer", {}),
        ("writer", {"kind": "edit"}),
        ("writer", edit("/etc/passwd")),
        ("writer", edit("{clone}/../outside")),
        ("writer", edit("{clone}/out/cron.d/x")),
        ("writer", edit("{clone}-other/x")),
        ("writer", edit("{clone}/app/share.py", "/etc/passwd")),
        ("writer", {"kind": "edit", "locations": [{"path": 7}]}),
        ("writer", {"kind": "edit", "locations": [{"path": "a\0b"}]}),
        ("writer", {"kind": "edit", "rawInput": {"file_path": "/root/.ssh/authorized_keys"}}),
        ("writer", edit("{clone}/.github/workflows/own.yml")),
        ("writer", edit("{clone}/.git/hooks/pre-commit")),
        ("writer", edit("{clone}/app/AGENTS.md")),
        ("writer", edit(*["{clone}/app/share.py"] * (MAX_PATHS + 1))),
        ("reader", {"kind": "read", "locations": [{"path": "/proc/self/environ"}]}),
        ("reader", {"kind": "read", "rawInput": {"filePath": "{clone}/out/passwd"}}),
    ],
)
def test_a_call_outside_the_permissions_of_the_role_is_rejected(
    clone: Path, role: Role, call: dict[str, Any]
) -> None:
    assert decide(role, clone, fill(call, clone)) == {"outcome": "selected", "optionId": "no"}


def test_a_call_that_was_announced_with_another_kind_is_rejected(clone: Path) -> None:
    assert decide("reader", clone, {"kind": "read"}, known="execute")["optionId"] == "no"


def test_a_call_without_a_kind_has_its_announced_kind(clone: Path) -> None:
    assert decide("reader", clone, {"rawInput": {}}, known="read")["optionId"] == "yes"


@pytest.mark.parametrize(
    "options",
    [
        None, [], "allow_once", [{"kind": "allow_always", "optionId": "always"}], [{"kind": "allow_once"}],
        [{"kind": "allow_once", "optionId": 1}], ["allow_once"],
    ],
)  # fmt: skip
def test_without_a_permission_for_once_the_call_is_cancelled(clone: Path, options: object) -> None:
    assert decide("reader", clone, {"kind": "read"}, options=options) == {"outcome": "cancelled"}
