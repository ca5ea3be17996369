"""A `.env` file: what is read, and how each line that cannot be read is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.errors import SettingsError
from workers.runtime.dotenv_file import read_dotenv
from workers.runtime.settings import read


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"SECRET", "line 2 has no `=`"),
        (b"SECRET: value", "line 2 has no `=`"),
        (b"=value", "line 2 has no name"),
        (b"SECRET KEY=value", "line 2 is not NAME=value"),
        (b'SECRET="value', "line 2 has a quote that is not closed"),
        (b"SECRET=caf\xe9", "line 2 is not UTF-8"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_without_its_value(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"A=1\n" + line + b"\nB=2\n")

    [(place, text)] = read_dotenv(file).problems

    assert reason in f"{place} {text}"
    assert str(file) in place
    assert "value" not in text.replace("NAME=value", "")


def test_the_other_lines_are_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\n\n\nnothing\n# a comment\nexport B='2'\nC=x # aside\nA=3\n")

    read_file = read_dotenv(file)

    assert read_file.values == {"A": "3", "B": "2", "C": "x"}
    assert [place for place, _ in read_file.problems] == [f"{file} line 4"]
    assert read_file.repeated == ("A",)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_named_as_such(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / ".env"
    file.write_text("RAILWAY_TOKEN=t\n", encoding=encoding)

    assert read_dotenv(file).problems == ((str(file), "is UTF-16: save it as UTF-8"),)


def test_a_mark_at_the_beginning_and_line_ends_of_windows_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"\xef\xbb\xbfRAILWAY_TOKEN=t\r\nSLACK_CHANNEL=#on-call\r\n")

    assert read_dotenv(file).values == {"RAILWAY_TOKEN": "t", "SLACK_CHANNEL": "#on-call"}


def test_every_command_refuses_a_file_with_a_line_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PORT 8000\n")

    with pytest.raises(SettingsError, match=r"\.env line 1: has no `=`: write NAME=value"):
        read({}, dotenv=file)
