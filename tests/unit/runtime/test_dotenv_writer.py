"""Writing settings into `.env` keeps everything else, and what is written can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.errors import SettingsError
from workers.runtime.dotenv_file import read_dotenv
from workers.runtime.dotenv_writer import merge, update_dotenv

FILE = "# tokens\n\nexport A=1  # one\nB = 'two words'\n\n#C=\nEMPTY=\n"


def test_other_lines_stay_to_the_byte() -> None:
    assert merge(FILE, {"A": "1", "D": "4"}) == FILE + "D=4\n"


def test_a_changed_value_stays_in_its_place() -> None:
    assert merge(FILE, {"B": "3"}) == FILE.replace("B = 'two words'", "B=3")


def test_none_removes_a_variable() -> None:
    assert merge("A=1\nB=2\nA=3\n", {"A": None}) == "B=2\n"


def test_a_repeated_variable_is_written_once() -> None:
    assert merge("A=1\nB=2\nA=3\n", {"A": "4"}) == "B=2\nA=4\n"


def test_a_value_over_several_lines_is_replaced_whole() -> None:
    assert merge('KEY="line 1\nline 2"\nB=2\n', {"KEY": "x"}) == "KEY=x\nB=2\n"


def test_windows_line_endings_stay() -> None:
    assert merge("A=1\r\nB=2", {"B": "3", "C": "4"}) == "A=1\r\nB=3\r\nC=4\r\n"


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "#on-call",
        "two words",
        "it's",
        'a "quote"',
        "a#b",
        "=",
        "a\\b",
        "ends with \\",
        "\\'",
        "it's \\' over\\",
        "$HOME `id` $(id)",
        "two\\\\backslashes \\n",
        "postgres://u:p@h:1/x?a=b&c=d",
    ],
)
def test_a_written_value_is_read_as_it_was(tmp_path: Path, value: str) -> None:
    path = tmp_path / ".env"

    update_dotenv(path, {"NAME": value, "NEXT": "1"})

    assert read_dotenv(path).values == {"NAME": value, "NEXT": "1"}


@pytest.mark.parametrize("value", ["${PATH}", "a${X:-b}", "${{Redis.REDIS_URL}}"])
def test_a_value_that_a_reader_would_replace_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(SettingsError, match="NAME"):
        update_dotenv(tmp_path / ".env", {"NAME": value})


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "a", "a'", 'a"', "a\\", "a\\'", "#"])
def test_no_value_sets_another_variable(tmp_path: Path, start: str, ending: str) -> None:
    path = tmp_path / ".env"

    update_dotenv(path, {"NAME": f"{start}{ending}EVIL=1{ending}'EVIL=1", "NEXT": "1"})

    assert set(read_dotenv(path).values) == {"NAME", "NEXT"}
    assert not read_dotenv(path).problems


def test_a_control_character_is_refused(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("A=1\n")

    with pytest.raises(SettingsError, match="NAME"):
        update_dotenv(path, {"NAME": "a\x1b[2Jb"})

    assert path.read_text() == "A=1\n"


def test_only_the_owner_may_read_the_file_and_a_link_stays_one(tmp_path: Path) -> None:
    target = tmp_path / "shared" / "env"
    target.parent.mkdir()
    target.write_text("\ufeffA=1\n", encoding="utf-8")
    target.chmod(0o644)
    link = tmp_path / ".env"
    link.symlink_to(target)

    update_dotenv(link, {"B": "2"})

    assert link.is_symlink()
    assert target.read_bytes() == b"\xef\xbb\xbfA=1\nB=2\n"
    assert target.stat().st_mode & 0o777 == 0o600
    assert list(target.parent.iterdir()) == [target]
