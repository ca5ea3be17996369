"""Runs a command on a real pseudo-terminal, as a person at a keyboard does."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

ROWS, COLUMNS = 50, 120
CHUNK_BYTES = 65_536
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WAIT_SECONDS = 30.0
CTRL_C, CTRL_D = "\x03", "\x04"


@dataclass
class Terminal:
    """A program and the terminal that it runs on. `shown` is everything that it printed, without colours."""

    process: subprocess.Popen[bytes]
    controller: int
    shown: str = ""
    typed: list[str] = field(default_factory=list)
    _read: int = 0

    def expect(self, text: str, seconds: float = WAIT_SECONDS) -> Self:
        """Wait until the program prints the text, after what was expected before."""
        ends = time.monotonic() + seconds
        while (place := self.shown.find(text, self._read)) < 0:
            if not self._read_more(ends):
                raise AssertionError(f"{text!r} was not printed, but:\n{self.shown[self._read :]}")
        self._read = place + len(text)
        return self

    def type(self, line: str) -> Self:
        """Type a line and press Enter."""
        if line:
            self.typed.append(line)
        return self.press(line + "\n")

    def press(self, keys: str) -> Self:
        """Press keys, without Enter."""
        os.write(self.controller, keys.encode())
        return self

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        """The exit code."""
        ends = time.monotonic() + seconds
        while self.process.poll() is None and self._read_more(ends):
            pass
        code = self.process.wait(max(0.1, ends - time.monotonic()))
        while self._read_more(time.monotonic() + 0.05):
            pass
        return code

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self.controller)[3] & termios.ECHO)

    def _read_more(self, ends: float) -> bool:
        """Read what comes until then; False if nothing does."""
        ready, _, _ = select.select([self.controller], [], [], max(0.0, ends - time.monotonic()))
        try:
            data = os.read(self.controller, CHUNK_BYTES) if ready else b""
        except OSError:  # EIO: the program has closed its side
            data = b""
        self.shown += ESCAPES.sub("", data.decode(errors="replace")).replace("\r\n", "\n")
        return bool(data)


@contextmanager
def on_terminal(command: Sequence[str | Path], folder: Path, environ: dict[str, str]) -> Iterator[Terminal]:
    """Run the command on a terminal of its own while the block runs."""
    controller, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command, cwd=folder, env=environ | {"TERM": "xterm-256color"}, stdin=side, stdout=side, stderr=side,
        start_new_session=True, preexec_fn=_take_terminal,  # noqa: PLW1509 (nothing else runs in the child)
    )  # fmt: skip
    os.close(side)
    try:
        yield Terminal(process, controller)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(controller)


def _take_terminal() -> None:
    """Make standard input the controlling terminal, so that Ctrl-C is a signal and /dev/tty exists."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
