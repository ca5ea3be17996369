"""The Dramatiq broker. A message holds only a journal's key, so losing or doubling a message is harmless.

Dramatiq's own Redis consumers poll: eight of them, about once a second, with a write each time. `SignalledBroker`
publishes a signal with each message instead, so that an idle worker neither asks nor writes, and a busy one starts
a message within milliseconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer, _scripts
from redis.exceptions import RedisError, ResponseError

from workers.engine.stage_table import STAGES

NAMESPACE = "trackwalker2:dramatiq"  # prefix of all keys of the queues
SIGNAL_CHANNEL = f"{NAMESPACE}:enqueued"  # Pub/Sub channel; a signal is the name of the queue
MAX_QUEUED = 100  # messages in a queue; the dispatcher sends no more and tries again 15 s later
SEND_INTERVAL_SECONDS = 0.25  # shortest time between two messages from a web process
POLL_SECONDS = 5.0  # the queues are checked this often for messages whose signal was lost
RESUBSCRIBE_SECONDS = 1.0  # delay before a new subscription, and the polling interval until it stands
HEARTBEAT_SECONDS = 30.0  # half of Dramatiq's heartbeat timeout (60 s)
FULL_PAUSE_SECONDS = 0.05  # delay of a consumer that has fetched as many messages as it may hold

# Appended to Dramatiq's own script, so that message and signal are one atomic command. pcall, because a user of a
# managed Redis may lack the permission to publish (ACL), and then polling has to do.
PUBLISH_SIGNAL = """
if command == "enqueue" or command == "requeue" then
  redis.pcall("publish", namespace .. ":enqueued", queue_name)
end
"""

log = logging.getLogger("trackwalker.broker")


class SignalledBroker(RedisBroker):
    """Dramatiq's Redis broker with consumers that wait for a signal, and without delay queues, which nothing uses."""

    def __init__(self, client: redis.Redis, middleware: list[dramatiq.Middleware]) -> None:
        super().__init__(client=client, namespace=NAMESPACE, middleware=middleware)  # type: ignore[no-untyped-call]  # dramatiq types no constructor
        source = _scripts["dispatch"].decode() + PUBLISH_SIGNAL
        self.scripts["dispatch"] = client.register_script(source)
        self._signals: dict[str, threading.Event] = {}
        self._consumers: set[_RedisConsumer] = set()
        self._listener: SignalListener | None = None
        self._lock = threading.Lock()

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue, but no delay queue beside it: the schedule delays, and each queue costs a thread."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> _RedisConsumer:
        """A consumer of the queue. The first one starts the thread that listens for signals."""
        with self._lock:
            signal = self._signals.setdefault(queue_name, threading.Event())
            if self._listener is None:
                self._listener = SignalListener(self.client, self._signals)
                self._listener.start()
            consumer = _SignalledConsumer(self, queue_name, prefetch, timeout, signal)
            self._consumers.add(consumer)
        # Messages from before the subscription have no signal.
        signal.set()
        return consumer

    def forget(self, consumer: _RedisConsumer) -> None:
        """Called by a consumer that closes. The last one stops the thread that listens for signals."""
        with self._lock:
            self._consumers.discard(consumer)
            if not self._consumers and self._listener is not None:
                self._listener.ended.set()
                self._listener = None


class _SignalledConsumer(_RedisConsumer):
    """Fetches when its queue's signal is set, and once per HEARTBEAT_SECONDS so that its broker counts as alive."""

    def __init__(
        self, broker: SignalledBroker, queue_name: str, prefetch: int, timeout: int, signal: threading.Event
    ) -> None:
        super().__init__(broker, queue_name, prefetch, timeout)  # type: ignore[no-untyped-call]  # see above
        self._signal, self._fetched_at = signal, 0.0

    def __next__(self) -> dramatiq.MessageProxy | None:
        if not self.message_cache and not self._should_fetch():
            return None
        # Dramatiq sleeps longer after each fetch that finds nothing, up to a second; after the first, 5 to 10 ms.
        self.misses = 0
        message: dramatiq.MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]  # see above
        if message is not None:
            # A fetch takes a limited number of messages, so there may be more in the queue.
            self._signal.set()
        return message

    def close(self) -> None:
        self.broker.forget(self)

    def _should_fetch(self) -> bool:
        if self.outstanding_message_count >= self.prefetch:
            # The signal stays set: the messages are fetched as soon as a thread has finished one.
            time.sleep(FULL_PAUSE_SECONDS)
            return False
        signalled = self._signal.wait(self.timeout / 1000)
        if not signalled and time.monotonic() - self._fetched_at < HEARTBEAT_SECONDS:
            return False
        # Cleared before the fetch: a message that arrives meanwhile sets it again.
        self._signal.clear()
        self._fetched_at = time.monotonic()
        return True


class SignalListener(threading.Thread):
    """Sets the event of a queue when any process enqueues a message on it, until `ended` is set.

    A signal can be lost, for example with a connection that a firewall dropped silently. So the listener also checks
    the queues every POLL_SECONDS, and sets all events after each new subscription.
    """

    def __init__(self, client: redis.Redis, signals: dict[str, threading.Event]) -> None:
        super().__init__(name="signal-listener", daemon=True)
        self.client, self.signals, self.ended = client, signals, threading.Event()

    def run(self) -> None:
        warned = False
        while not self.ended.is_set():
            try:
                self._listen()
            except RedisError as error:
                if isinstance(error, ResponseError) and not warned:
                    # Any other error is an outage, which the dispatcher logs.
                    log.warning("signals not available, polling the queues", extra={"error": str(error)})
                    warned = True
            except Exception:
                # A client that was closed under a listener that has to end raises all kinds of errors.
                if not self.ended.is_set():
                    log.exception("signal listener error")
            self.ended.wait(RESUBSCRIBE_SECONDS)
            self._set_all()

    def _listen(self) -> None:
        with self.client.pubsub() as subscription:  # type: ignore[no-untyped-call]  # redis-py types no pubsub
            subscription.subscribe(SIGNAL_CHANNEL)
            while not self.ended.is_set():
                signal = subscription.get_message(timeout=POLL_SECONDS)
                if signal is None:
                    self._poll()
                elif signal["type"] == "message" and (event := self.signals.get(signal["data"].decode())):
                    event.set()
                else:
                    # The answer to SUBSCRIBE, also after redis-py has reconnected by itself.
                    self._set_all()

    def _poll(self) -> None:
        if self.client.exists(*(f"{NAMESPACE}:{queue}" for queue in list(self.signals))):
            self._set_all()

    def _set_all(self) -> None:
        for event in list(self.signals.values()):
            event.set()


def make_broker(client: redis.Redis, middleware: list[dramatiq.Middleware] | None = None) -> RedisBroker:
    """A broker without retries, time limits or age limits, because the journal has its own.

    Args:
        middleware: Dramatiq middleware; None for none at all, not Dramatiq's defaults.
    """
    return SignalledBroker(client, middleware or [])


def make_message(stage: str, key: str) -> dramatiq.Message[None]:
    """The message that makes a worker claim the journal for the stage."""
    return dramatiq.Message(
        queue_name=STAGES[stage].queue, actor_name=stage, args=(key,), kwargs={}, options={}
    )


def intake_sender(client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> Callable[[str], None]:
    """A function that sends the message of stage `intake` for a new alert.

    It never raises, because the dispatcher sends a missing message within about a second. It sends at most one message
    per SEND_INTERVAL_SECONDS: alerts that arrive together join the sweep that the first of them starts.

    Args:
        clock: seconds on a monotonic clock.
    """
    broker, lock, last = make_broker(client), threading.Lock(), [-SEND_INTERVAL_SECONDS]

    def send(key: str) -> None:
        with lock:
            if clock() - last[0] < SEND_INTERVAL_SECONDS:
                return
            last[0] = clock()
        try:
            if int(client.llen(f"{NAMESPACE}:sweeps")) < MAX_QUEUED:
                broker.declare_queue("sweeps")
                broker.enqueue(make_message("intake", key))
        except (RedisError, dramatiq.DramatiqError) as error:
            log.warning("message not sent", extra={"journal": key, "error": type(error).__name__})

    return send
