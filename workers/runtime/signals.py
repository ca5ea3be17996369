"""Waits for the signals that end a process, in any number and order, without a lock."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterable

ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PIPE_READ_BYTES = 4096  # more signals than arrive between two looks of a process
# `make`, systemd and a terminal send the same signal to a whole group, and a supervisor passes it on: what arrives so
# soon after the first signal is an echo of it, and no impatient person.
ECHO_SECONDS = 1.0


def hold() -> None:
    """Keep ending signals pending until `Signals` is made, also by the program that replaces this one by exec.

    Race: a signal that the interpreter has taken, but whose handler has not run yet, is lost with exec.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


class Signals:
    """The signals of this process. Only the main thread may make and use it.

    Race: a handler runs between two bytecodes of the main thread. If that thread waits for a `threading.Event` or
    clears it at that moment, it holds the Event's lock, and a handler that sets the Event waits for its own thread
    forever. Here a handler sets a plain field, and the interpreter writes a byte into a pipe.

    Args:
        wake_on: further signals after which `wait` returns.
        on_repeat: called in the handler for an ending signal that comes more than ECHO_SECONDS after the first.
    """

    def __init__(
        self, wake_on: Iterable[signal.Signals] = (), on_repeat: Callable[[], object] | None = None
    ) -> None:
        self._ending_since: float | None = None
        self._on_repeat = on_repeat
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        # A full pipe loses nothing: the process looks at everything, however many bytes there are.
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in wake_on:
            # Without a handler there is no byte.
            signal.signal(number, lambda *_: None)
        for number in ENDING:
            # `nohup` has SIGHUP ignored, so that the end of a terminal ends nothing.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._end)
        # The process that became this one by exec may have blocked them. What arrived since is delivered now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    @property
    def is_ending(self) -> bool:
        """True once SIGTERM, SIGINT or SIGHUP has arrived."""
        return self._ending_since is not None

    def has_ended(self) -> bool:
        """`is_ending` as a function, for a loop that takes one."""
        return self.is_ending

    def wait(self, seconds: float | None) -> None:
        """Return after the next signal, at once if one arrived since the last call.

        Args:
            seconds: the longest wait; None waits for a signal alone.
        """
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, PIPE_READ_BYTES)

    def wait_for_end(self) -> None:
        """Return once SIGTERM, SIGINT or SIGHUP has arrived."""
        while not self.is_ending:
            self.wait(None)

    def _end(self, *_: object) -> None:
        # One assignment: another handler may run before the next line.
        if self._ending_since is None:
            self._ending_since = time.monotonic()
        elif self._on_repeat is not None and time.monotonic() - self._ending_since > ECHO_SECONDS:
            self._on_repeat()
