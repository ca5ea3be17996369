"""Questions to a person on a terminal. In a pipe nothing is asked; callers then use defaults or refuse."""

from __future__ import annotations

import getpass
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pydantic import SecretStr

from workers.cli.commands.shared import print_lines, print_progress
from workers.runtime.text import safe_line

CLEAR_LINE = "\r\x1b[K"  # ECMA-48: to the start of the line, and erase it


@dataclass(frozen=True)
class Console:
    """Standard input and output as a person sees them.

    Args:
        is_interactive: whether questions may be asked.
    """

    is_interactive: bool

    def show(self, lines: Iterable[str], colour: Callable[[str], str] | None = None) -> None:
        """Print lines; their text may be untrusted.

        Args:
            colour: adds colours to a line that has been cleaned.
        """
        print_lines(lines, colour)

    def show_progress(self, text: str) -> None:
        """Replace the last progress on a terminal; in a pipe print another line, to standard error."""
        if not self.is_interactive:
            print_progress(text)
            return
        columns = shutil.get_terminal_size().columns - 1
        print(f"{CLEAR_LINE}{safe_line(text)[:columns]}", end="", flush=True)

    def end_progress(self) -> None:
        """Remove the last progress from a terminal."""
        if self.is_interactive:
            print(CLEAR_LINE, end="", flush=True)

    def ask(self, question: str) -> str:
        """The answer of the person, without spaces around it; "" for an empty line.

        Raises:
            EOFError: the person closed the input (Ctrl-D).
        """
        return input(f"{safe_line(question)}: ").strip()

    def ask_secret(self, question: str) -> SecretStr:
        """The same, without showing what is typed."""
        return SecretStr(getpass.getpass(f"{safe_line(question)} (hidden): ").strip())

    def confirm(self, question: str) -> bool:
        """True if the person answers yes; an empty line, or a closed input, is a no."""
        try:
            return input(f"{safe_line(question)} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            return False


def standard_console() -> Console:
    """The console of this process: interactive if both input and output are a terminal."""
    return Console(sys.stdin.isatty() and sys.stdout.isatty())
