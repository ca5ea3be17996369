"""Renders the facts about causes. With `fact_sentences`, the only place of their wording; nothing decides by it."""

from __future__ import annotations

from collections.abc import Callable

from workers.models import Fact, FactKind, LogSource, SignKind
from workers.runtime.text import format_milliseconds, plural

SIGN_SENTENCES = {
    SignKind.SETTING_MISSING: "the setting {subject} is missing",
    SignKind.SETTING_INVALID: "the setting {subject} has a value that the service cannot use",
    SignKind.CREDENTIALS_REJECTED: "{subject} rejects the credentials",
    SignKind.WRONG_ADDRESS: "the address {subject} cannot be right inside a container",
    SignKind.PORT_IN_USE: "the port {subject} is in use",
    SignKind.CONNECTION_REFUSED: "{subject} refuses connections",
    SignKind.UNREACHABLE: "no connection to {subject} comes about",
    SignKind.NOT_READY: "{subject} is still starting",
    SignKind.CONNECTION_CLOSED: "{subject} closes connections",
    SignKind.UNKNOWN_HOST: "the host {subject} cannot be resolved",
    SignKind.NO_RESPONSE: "{subject} does not respond in time",
    SignKind.ERROR_RESPONSE: "{subject} responds with an error",
    SignKind.TLS_FAILED: "TLS with {subject} fails",
    SignKind.POOL_EXHAUSTED: "the service's own pool of connections is exhausted ({subject})",
    SignKind.RUNTIME_CEILING: "the runtime reaches its own memory ceiling ({subject})",
    SignKind.OUT_OF_MEMORY: "memory runs out",
    SignKind.DISK_FULL: "the disk is full ({subject})",
    SignKind.MODULE_MISSING: "the module {subject} is not installed",
    SignKind.LIBRARY_MISSING: "the image lacks {subject}",
    SignKind.COMMAND_MISSING: "the program {subject} does not exist",
    SignKind.WORKER_TIMEOUT: "{subject} ends workers for slow requests",
    SignKind.TERMINATED: "the process is ended from outside ({subject})",
    SignKind.HEALTH_CHECK_FAILED: "the health check fails ({subject})",
    SignKind.ARCHIVING_BEHIND: "PostgreSQL keeps its write-ahead log, because archiving is behind",
    SignKind.INPUT_REJECTED: "the service refuses the field {subject} of requests",
}
NOT_NAMED = "a host that is not named"
LOGS = {LogSource.DEPLOYMENT: "the logs show", LogSource.BUILD: "the build logs show"}


def _sign(fact: Fact) -> str:
    sign = fact.sign
    if sign is None:
        return ""
    sentence = SIGN_SENTENCES.get(sign.kind, sign.kind.value.replace("_", " ") + " {subject}")
    if not sign.subject:
        sentence = sentence.replace(" ({subject})", "").replace("the host {subject}", "{subject}")
    status = f" {sign.numbers['status']:.0f}" if "status" in sign.numbers else ""
    records = plural(int(fact.numbers.get("records", 1)), "record")
    source = LOGS[fact.source or LogSource.DEPLOYMENT]
    return f"{source} that {sentence.format(subject=sign.subject or NOT_NAMED)}{status} ({records})"


def _lines_dropped(fact: Fact) -> str:
    lines = int(fact.numbers["lines"])
    dropped = plural(lines, "log line") if lines else "log lines"
    return f"Railway dropped {dropped} of the service: what the logs lack proves nothing"


def _dns_answer(fact: Fact) -> str:
    answer = fact.answer
    if answer is None:
        return ""
    return f"the name service answered {answer.name} with {answer.rcode} {_times(answer.count)}"


def _flow(fact: Fact) -> str:
    flow = fact.flow
    if flow is None:
        return ""
    port = f" port {flow.port}" if flow.port else ""
    latency = "" if flow.latency_ms is None else f", latency {format_milliseconds(flow.latency_ms)}"
    if not flow.dropped:
        sent = format_bytes(flow.bytes)
        return f"{sent} sent to {flow.peer}{port} ({flow.peer_kind}), no packets dropped{latency}"
    cause = f" ({flow.drop_cause})" if flow.drop_cause else ""
    return f"{plural(flow.dropped, 'packet')} to {flow.peer}{port} ({flow.peer_kind}) dropped{cause}{latency}"


def _sibling(fact: Fact) -> str:
    sibling = fact.sibling
    if sibling is None:
        return ""
    states = {True: "is healthy", False: "is in trouble itself", None: "could not be read"}
    deployed = f", deployed {sibling.deployed_at:%Y-%m-%d %H:%M:%S} UTC" if sibling.deployed_at else ""
    return f"the service {sibling.name} of the same project {states[sibling.healthy]}{deployed}"


def _module(fact: Fact) -> str:
    module = fact.module
    if module is None:
        return ""
    if module.is_own:
        similar = f"; {module.similar} is there" if module.similar else ""
        return f"{module.name} is a name of the repository itself, which has no such file{similar}"
    if not module.manifest:
        return f"the repository has no manifest that could list {module.name}"
    package = f" ({module.package})" if module.package else ""
    verb = "lists" if module.listed else "does not list"
    return f"{module.manifest} {verb} {module.name}{package}"


def _setting(fact: Fact) -> str:
    setting = fact.setting
    if setting is None:
        return ""
    example = f"{setting.example} shows {setting.name}" if setting.example else ""
    if not setting.file:
        return example
    new = ", since the commit deployed at onset" if setting.required_since_suspect else ""
    return f"{setting.file}:{setting.line} reads {setting.name}{new}" + (f"; {example}" if example else "")


def format_bytes(count: float) -> str:
    """`1.2 GB`, `30 kB`; in powers of 1,000, as Railway bills them."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return plural(round(count), "byte")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


RENDERERS: dict[FactKind, Callable[[Fact], str]] = {
    FactKind.SIGN: _sign,
    FactKind.LINES_DROPPED: _lines_dropped,
    FactKind.DNS_ANSWER: _dns_answer,
    FactKind.NETWORK_FLOW: _flow,
    FactKind.SIBLING: _sibling,
    FactKind.MODULE: _module,
    FactKind.SETTING: _setting,
}
"""The renderers of the facts about causes, which `fact_sentences` takes over."""
