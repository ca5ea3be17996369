"""Finds the outside hosts that a service depends on: those of failed calls in its logs, and those in its code. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from workers.investigation.code.tree import Tree
from workers.investigation.signs.host_names import clean_host, host_of, is_outside
from workers.models import Sign, SignKind

MAX_UPSTREAMS = 6  # outside hosts that become evidence; each costs a look at a status page
MAX_FILES_PER_HOST = 8  # own files that are listed for a host
MAX_LINE_CHARS = 1_000  # of a line of code that are searched; longer lines are minified
FAILED_CALLS = frozenset(
    {
        SignKind.CONNECTION_REFUSED, SignKind.UNREACHABLE, SignKind.CONNECTION_CLOSED, SignKind.UNKNOWN_HOST,
        SignKind.NO_RESPONSE, SignKind.ERROR_RESPONSE, SignKind.TLS_FAILED, SignKind.CREDENTIALS_REJECTED,
        SignKind.NOT_READY,
    }
)  # fmt: skip
"""Signs whose subject is the host of a call that failed."""
# The host of a URL, without its credentials.
URL = re.compile(
    r"\b(?:https?|wss?|amqps?|smtps?|grpc)://(?:[^\s/\"'<>@]{1,200}@)?([A-Za-z0-9_.-]{1,253}(?::\d{1,5})?)"
)
# A comment, alone on its line or at its end. An address holds `//` without a space after it.
COMMENT = re.compile(r"^\s*(?:#|//|/?\*|--|<!--|%|;).*|\s(?:#|//|--)\s.*")
DOCSTRING = re.compile(r'"""|\'\'\'')


def failed_hosts(signs: Iterable[Sign], known: Mapping[str, str]) -> list[str]:
    """The outside hosts of the failed calls, each once.

    Args:
        known: status pages by host. Their hosts count even as an address with a port.
    """
    subjects = [
        sign.subject
        for sign in signs
        if sign.kind in FAILED_CALLS or (sign.kind is SignKind.WRONG_ADDRESS and sign.subject in known)
    ]
    hosts = [subject if subject in known else host_of(subject).lower() for subject in subjects]
    return list(dict.fromkeys(host for host in hosts if host in known or is_outside(host)))


def count_blamed_hosts(
    counted_signs: Iterable[tuple[Sequence[Sign], int]], known: Mapping[str, str]
) -> Counter[str]:
    """The number of log errors and warnings that name each outside host of a failed call.

    Args:
        counted_signs: the signs of similar errors or warnings, and the number of these.
    """
    counts: Counter[str] = Counter()
    for signs, count in counted_signs:
        counts.update(dict.fromkeys(failed_hosts(signs, known), count))
    return counts


def hosts_in_code(tree: Tree, known: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The outside hosts that the service's own sources name outside of comments, each with these files."""
    files: dict[str, dict[str, None]] = {}
    for file in tree.sources():
        if tree.is_own(file):
            for host in _hosts_of_file(tree.lines(file), known):
                files.setdefault(host, {})[file] = None
    return {host: tuple(named)[:MAX_FILES_PER_HOST] for host, named in files.items()}


def _hosts_of_file(lines: Sequence[str], known: Mapping[str, str]) -> Iterator[str]:
    for line in _code_lines(lines):
        if "://" in line or any(host in line for host in known):
            yield from _hosts_of_line(line[:MAX_LINE_CHARS], known)


def _hosts_of_line(line: str, known: Mapping[str, str]) -> list[str]:
    hosts = [match.rstrip(".").lower() for match in URL.findall(line)]
    hosts = [host if host in known else host.split(":")[0] for host in hosts]
    hosts += [
        host
        for host in sorted(known)
        if re.search(rf"(?<![\w.-]){re.escape(host)}(?![\w-]|\.\w)", line, re.I)
    ]
    return list(dict.fromkeys(host for host in hosts if host in known or _may_be_called(host)))


def _may_be_called(host: str) -> bool:
    return "." in host and clean_host(host) == host and is_outside(host)


def _code_lines(lines: Sequence[str]) -> Iterator[str]:
    """The lines without comments and documentation strings: their links lead to manuals."""
    in_text = False
    for line in lines:
        quotes = len(DOCSTRING.findall(line))
        if not in_text and not quotes:
            yield COMMENT.sub("", line)
        in_text ^= quotes % 2 == 1
