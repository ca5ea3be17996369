"""Reading and changing journals. A journal is a Redis hash, and every change of one is a script.

This is what the receiver, the command line and the stages use. A worker's process uses `WorkerStore`, which can claim
journals besides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import redis
from redis.exceptions import DataError, NoScriptError, RedisError

from workers.engine import scripts
from workers.engine.codec import Record
from workers.engine.redis_errors import describe
from workers.engine.schema import SHARED_KEYS
from workers.engine.scripts import Script
from workers.errors import NotAvailable

T = TypeVar("T")

COLUMNS_BATCH = 200  # hashes that `columns` reads in one round trip; bounds the size of one reply


class JournalStore:
    """All journals of one Redis. Every method raises NotAvailable if Redis does not answer."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self._loaded: set[str] = set()
        scripts.read_all()

    # -- scripts ----------------------------------------------------------------------------------

    def run(
        self, script: Script, more_keys: Sequence[str] = (), more: Sequence[Any] = (), **named: Any
    ) -> Any:
        """Run a script and return its reply.

        Args:
            more_keys, more: keys and arguments of which the script takes any number, after the named ones.
            named: the keys and arguments by the names that the script declares. SHARED_KEYS are filled in.
        """
        call = script.call(_with_shared_keys(script, named), more_keys, more)
        with self._translated():
            self._load(script)
            try:
                return self.client.evalsha(script.sha, *call)
            except NoScriptError:
                # Redis restarted or flushed its scripts since this process loaded this one.
                return self.client.eval(script.source, *call)

    def run_batch(
        self, script: Script, calls: Sequence[Mapping[str, Any]], more_keys: Sequence[Sequence[str]] = ()
    ) -> list[Any | NotAvailable]:
        """Run a script once for each of these named keys and arguments, in one round trip.

        The calls succeed or fail independently: the reply of a call that Redis refused is a NotAvailable.

        Args:
            more_keys: for each call, the keys that follow the named ones; empty if none has any.
        """
        keys = more_keys or [()] * len(calls)
        flat = [
            script.call(_with_shared_keys(script, named), more)
            for named, more in zip(calls, keys, strict=True)
        ]
        with self._translated():
            self._load(script)
            batch = self.client.pipeline(transaction=False)
            for call in flat:
                batch.evalsha(script.sha, *call)
            replies: list[Any] = batch.execute(raise_on_error=False)
        for number, reply in enumerate(replies):
            if isinstance(reply, NoScriptError):
                replies[number] = self.run(script, keys[number], **calls[number])
            elif isinstance(reply, RedisError):
                replies[number] = NotAvailable(describe(self.client, reply))
        return replies

    def _load(self, script: Script) -> None:
        if script.name not in self._loaded:
            self.client.script_load(script.source)
            self._loaded.add(script.name)

    def open_journal(self, key: str, stage: str, *, after: float = 0, **fields: str | bytes | int) -> bool:
        """Open a journal unless it exists; False if it does. It is due after so many seconds."""
        return self.open_with(key, stage, fields, after=after)

    def open_with(
        self, key: str, stage: str, fields: Mapping[str, str | bytes | int], *, after: float = 0
    ) -> bool:
        """`open_journal` for fields whose names are no Python names, as those of records."""
        flat = [part for item in {"stage": stage, **fields}.items() for part in item]
        return bool(self.run(scripts.OPEN_JOURNAL, more=flat, journal=key, after_ms=int(after * 1000)))

    def wake(self, key: str, **fields: str | bytes | int) -> bool:
        """Make a journal due now, because something changed that its stage must see; False if it does not exist.

        Args:
            fields: plain fields that are set in the same transaction.
        """
        flat = [part for item in fields.items() for part in item]
        return bool(self.run(scripts.WAKE_JOURNAL, more=flat, journal=key))

    # -- reading ----------------------------------------------------------------------------------

    def command(self, command: str, *arguments: Any) -> Any:
        """The reply to a plain Redis command."""
        with self._translated():
            return getattr(self.client, command)(*arguments)

    def ping(self) -> None:
        """Raises NotAvailable unless Redis answers."""
        self.command("ping")

    def fields(self, key: str) -> dict[str, bytes]:
        """The whole hash; {} if there is none."""
        raw: dict[bytes, bytes] = self.command("hgetall", key)
        return {name.decode(): value for name, value in raw.items()}

    def read_record(self, key: str, record: Record[T]) -> T | None:
        """One record of a journal, whether or not a worker holds its claim; None if it is missing or unreadable."""
        return record.unpack(self.command("hget", key, record.field))

    def scan(self, pattern: str) -> list[bytes]:
        """The keys of all hashes that match a glob pattern, in no order. Walks all keys, a thousand at a time."""
        with self._translated():
            return list(self.client.scan_iter(pattern, count=1000, _type="HASH"))

    def columns(
        self, keys: Sequence[str], names: Sequence[str], batch: int = COLUMNS_BATCH
    ) -> list[dict[str, bytes]]:
        """These fields of many hashes, in the order of the keys; fields that are not set are left out."""
        rows: list[dict[str, bytes]] = []
        for start in range(0, len(keys), batch):
            rows += self._columns(keys[start : start + batch], names)
        return rows

    def _columns(self, keys: Sequence[str], names: Sequence[str]) -> list[dict[str, bytes]]:
        with self._translated():
            pipeline = self.client.pipeline(transaction=False)
            for key in keys:
                pipeline.hmget(key, list(names))
            rows = [zip(names, values, strict=True) for values in pipeline.execute()]
        return [{name: value for name, value in row if value is not None} for row in rows]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DataError:
            # A value of a type that Redis does not take is a bug of ours, not an outage.
            raise
        except RedisError as error:
            raise NotAvailable(describe(self.client, error)) from error


def field_text(fields: Mapping[str, bytes], name: str) -> str:
    """The text of a journal's hash field, "" if the field is not set."""
    return fields.get(name, b"").decode(errors="replace")


def _with_shared_keys(script: Script, named: Mapping[str, Any]) -> dict[str, Any]:
    return {name: SHARED_KEYS[name] for name in script.signature.keys if name in SHARED_KEYS} | dict(named)
