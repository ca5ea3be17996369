"""New addresses in a patch, for the reviewer. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workers.remediation.policy.changes import Change
from workers.remediation.policy.test_files import is_test

HOST = re.compile(
    r"\b(?:https?|wss?|ftp|postgres(?:ql)?|mysql|redis|amqps?|mongodb(?:\+srv)?|smtp)://(?:[^\s/@'\"]*@)?([\w.-]+)",
    re.I,
)
BARE_HOST = re.compile(
    r"""["'`](?:[\w-]{1,63}\.){1,4}(?:[a-z]{2,12})(?::\d{1,5})?(?:/[^"'`\s]{0,80})?["'`]""", re.I
)
ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
LOCAL_HOST = re.compile(
    r"localhost|127\.[\d.]+|0\.0\.0\.0|(?:.*\.)?example(?:\.\w+)?|.*\.(?:test|invalid|local|internal)"
)
"""Hosts on the same machine or network, and the names that RFC 2606 and RFC 6761 reserve."""
FILE_NAME = re.compile(
    r"(?:py|[cm]?[jt]sx?|json|ya?ml|toml|txt|md|html?|css|sql|csv|xml|png|jpe?g|svg|pdf|log|ini|cfg|conf|sh|go|rb|rs|java|php"
    r"|env|lock|tmpl|j2|gz|zip|parquet|proto|id|name|value|key|total|price|data|error|message|status|code|user"
    r"|count|info)", re.I
)  # fmt: skip
"""Endings of file names and of dotted keys, which are written like hosts."""


def find_new_hosts(changes: Sequence[Change]) -> list[str]:
    """One sentence for each host that an added line names and the old text of its file does not."""
    notes = []
    for change in changes:
        if is_test(change.path):
            continue
        text, old = "\n".join(change.added), (change.old or "").lower()
        hosts = {host.lower() for host in HOST.findall(text)} | {match[0] for match in ADDRESS.finditer(text)}
        for match in BARE_HOST.finditer(text):
            host = re.split(r"[:/]", match[0].strip("\"'`"))[0].lower()
            if not FILE_NAME.fullmatch(host.rpartition(".")[2]):
                hosts.add(host)
        notes += [
            f"the patch names a new host, {host} ({change.path})"
            for host in sorted(hosts)
            if host not in old and not LOCAL_HOST.fullmatch(host)
        ]
    return notes
