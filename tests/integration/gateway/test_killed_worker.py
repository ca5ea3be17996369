"""A worker that is killed during a call of the model leaves its reservation and the transcript of earlier calls."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.support.fakes.model_provider import FakeProvider, stream
from tests.support.model_streams import EVENTS, stream_bytes
from tests.support.polling import wait_until
from workers.engine import records
from workers.engine.schema import PREFIX
from workers.engine.worker_store import WorkerStore

PROJECT = Path(__file__).parents[3]
KEY = f"{PREFIX}incident:abc:1"
WORKER = """
import sys, threading
from tests.support.model_gateway import running_gateway
from workers.engine import records
from workers.engine.worker_store import WorkerStore
from workers.gateway.transcript import TranscriptRecorder
from workers.runtime.store import client

store = WorkerStore(client(sys.argv[1]))
claim = store.claim(sys.argv[3], "plan")
recorder = TranscriptRecorder(lambda transcript: claim.record(records.READER_CALLS, transcript))
with running_gateway("chat", sys.argv[2]) as gateway:
    gateway.budget.on_usage = lambda usage: claim.record(records.USAGE, usage)
    gateway.add = recorder.add
    gateway.ask()
    gateway.ask()
"""


def test_a_worker_killed_during_a_call_leaves_its_reservation_and_its_transcript(
    journal: WorkerStore, store_url: str, provider: FakeProvider
) -> None:
    first = stream_bytes("chat", EVENTS["chat"])
    provider.scripts = [stream(first), stream(first[:2], end="hang")]
    journal.open_journal(KEY, "plan")
    process = subprocess.Popen([sys.executable, "-c", WORKER, store_url, provider.url, KEY], cwd=PROJECT)

    wait_until(lambda: len(provider.received) == 2, what="the second call")
    process.send_signal(signal.SIGKILL)
    process.wait(10)

    usage, calls = journal.read_record(KEY, records.USAGE), journal.read_record(KEY, records.READER_CALLS)
    assert usage is not None
    assert calls is not None
    assert usage.calls == 2
    assert usage.tokens > 1260 + 8000, "the settled call, and the whole reservation of the one under way"
    assert [call.is_complete for call in calls.calls] == [True]
