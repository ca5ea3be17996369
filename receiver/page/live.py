"""Server-sent events: a browser learns that its page has changed, and fetches it again.

One read of Redis every two seconds serves all streams, and none is made while nobody watches. A stream carries no data,
only a version; it ends by itself, so that the browser's next request is checked again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor

from workers.engine.journal_store import JournalStore
from workers.engine.schema import DECISIONS, ENDED, ENDED_INCIDENTS, OPEN, journal_id, journal_key
from workers.errors import NotAvailable

POLL_SECONDS = 2.0  # a change is shown about a second later on average
HEARTBEAT_SECONDS = (
    8.0  # below the receiver's deadline for a response, and below the idle timeouts of proxies
)
STREAM_SECONDS = 300.0  # then the browser connects again, and shows its session
RETRY_MS = 3000  # delay of the browser before it connects again
BUSY_RETRY_MS = 30_000  # delay where too many streams are open
MAX_STREAMS = (
    24  # open at once: more tabs than an on-call team has, far fewer than the receiver's connections
)
FIELDS = (
    "stage", "fence", "ended", "firings", "found_by", "clean_sweeps", "recovered_by", "attempts", "crashes", "reason",
    "suppressed_by", "group", "fix_requests", "rewatch_count", "generation", "cancel_count", "given_up",
)  # fmt: skip
"""Fields of a journal's hash whose change is visible; a lease that is renewed is not."""

ReadVersions = Callable[[frozenset[str]], Mapping[str, str]]
NOW = ""
"""The topic of everything but one incident's page; an incident's topic is its journal's id."""


class Live:
    """The open streams, and the one task that looks for changes while there are any.

    Args:
        read: the version of each of these topics; called in a thread.
    """

    def __init__(self, read: ReadVersions, threads: Executor) -> None:
        self.read, self.threads = read, threads
        self.streams: dict[asyncio.Queue[str], str] = {}
        self.task: asyncio.Task[None] | None = None

    @property
    def is_full(self) -> bool:
        return len(self.streams) >= MAX_STREAMS

    async def events(self, topic: str) -> AsyncIterator[bytes]:
        """The bytes of one stream. The first event has the present version, each further one a changed version."""
        if self.is_full:  # requests side by side may all have seen one free place
            yield f"retry: {BUSY_RETRY_MS}\n\n".encode()
            return
        queue: asyncio.Queue[str] = asyncio.Queue()
        self.streams[queue] = topic
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self._poll())
        loop = asyncio.get_running_loop()
        ends = loop.time() + STREAM_SECONDS
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            while loop.time() < ends:
                yield await _next_event(queue)
        finally:
            del self.streams[queue]

    async def _poll(self) -> None:
        versions: dict[asyncio.Queue[str], str] = {}
        loop = asyncio.get_running_loop()
        while self.streams:
            try:
                present = await loop.run_in_executor(
                    self.threads, self.read, frozenset(self.streams.values())
                )
            except NotAvailable:
                present = {}
            for queue, topic in self.streams.items():
                if topic in present and versions.get(queue) != present[topic]:
                    versions[queue] = present[topic]
                    queue.put_nowait(present[topic])
            await asyncio.sleep(POLL_SECONDS)


async def _next_event(queue: asyncio.Queue[str]) -> bytes:
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            version = await queue.get()
    except TimeoutError:
        return b": still here\n\n"
    return f"event: version\ndata: {version}\n\n".encode()


def read_versions(store: JournalStore, topics: frozenset[str]) -> dict[str, str]:
    """A digest of what each topic's page shows, from a few fields and sizes in one round trip.

    Raises:
        NotAvailable: Redis does not answer.
    """
    ordered = sorted(topics)
    opened = sorted(journal_id(raw.decode()) for raw in store.command("hvals", OPEN)) if NOW in topics else []
    common = _common(store) if NOW in topics else b""
    versions = {}
    for topic in ordered:
        ids = opened if topic == NOW else [topic]
        rows = store.columns([journal_key(name) for name in ids], FIELDS)
        names = [_record_names(store, name) for name in ids]
        text = repr((common if topic == NOW else b"", ids, rows, names)).encode()
        versions[topic] = hashlib.sha256(text).hexdigest()[:16]
    return versions


def _record_names(store: JournalStore, journal: str) -> list[bytes]:
    """The records of a journal: a new one is news. A lease that comes and goes is none."""
    return sorted(name for name in store.command("hkeys", journal_key(journal)) if name.startswith(b"r:"))


def _common(store: JournalStore) -> bytes:
    ended = [store.command("zrange", key, -1, -1) for key in (ENDED, ENDED_INCIDENTS)]
    return repr((ended, sorted(store.fields(DECISIONS).items()))).encode()
