"""The Lua scripts: every change of a journal is one of them, and Redis runs each as one transaction.

The sources are in `lua/`, one script a file, with its keys and arguments declared on top:

    local journal, schedule = KEYS[1], KEYS[2]
    local stage, after_ms = ARGV[1], tonumber(ARGV[2])
    -- ARGV[3] onwards: field, value, …

`JournalStore.run` takes the same names as keyword arguments and puts them in this order. A line
`-- @include common/now.lua` stands for the text of that file.

All times are milliseconds of Redis's clock. Scripts that change a claimed journal compare fence and token first
(`common/check_claim.lua`), so that a worker that lost its claim changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "lua"

_INCLUDE = re.compile(r"^-- @include (\S+)\n", re.MULTILINE)
_DECLARATION = re.compile(
    r"^local ([\w, ]+) =\s+((?:(?:tonumber\()?(?:KEYS|ARGV)\[\d+\]\)?(?:, )?)+)$", re.MULTILINE
)
_REST = re.compile(r"^-- (KEYS|ARGV)\[(\d+)\] onwards: ", re.MULTILINE)


@dataclass(frozen=True)
class Signature:
    """The declarations of a script: names of its keys and arguments in order, and whether more may follow."""

    keys: tuple[str, ...]
    arguments: tuple[str, ...]
    has_more_keys: bool
    has_more_arguments: bool


@dataclass(frozen=True)
class Script:
    """One Lua script by the name of its file. The file is read once, at the latest when the script first runs."""

    name: str

    @cached_property
    def source(self) -> str:
        """The script as Redis gets it, with its includes."""
        return _INCLUDE.sub(_included, (FOLDER / f"{self.name}.lua").read_text(encoding="utf-8"))

    @cached_property
    def sha(self) -> str:
        """The hash by which EVALSHA calls it."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    @cached_property
    def signature(self) -> Signature:
        """The names that the script declares."""
        return _signature(self.source)

    def call(
        self, named: Mapping[str, Any], more_keys: Sequence[str] = (), more: Sequence[Any] = ()
    ) -> list[Any]:
        """The number of keys, the keys and the arguments of one call, as EVALSHA takes them after the hash.

        Args:
            named: a value for every declared name.
            more_keys, more: the keys and arguments that the script declares with `onwards`.

        Raises:
            TypeError: a declared name is missing, a given one is not declared, or more follow than the script takes.
        """
        signature = self.signature
        if (more_keys and not signature.has_more_keys) or (more and not signature.has_more_arguments):
            raise TypeError(f"script {self.name} takes no more keys or arguments than it names")
        if len(named) != len(signature.keys) + len(signature.arguments):
            self._reject(named)
        try:
            keys = [named[name] for name in signature.keys]
            arguments = [named[name] for name in signature.arguments]
        except KeyError:
            self._reject(named)
            raise
        return [len(keys) + len(more_keys), *keys, *more_keys, *arguments, *more]

    def _reject(self, named: Mapping[str, Any]) -> None:
        declared = {*self.signature.keys, *self.signature.arguments}
        missing, unknown = sorted(declared - named.keys()), sorted(named.keys() - declared)
        raise TypeError(f"script {self.name}: missing {missing}, unknown {unknown}")


def _included(line: re.Match[str]) -> str:
    return (FOLDER / line[1]).read_text(encoding="utf-8")


def _signature(source: str) -> Signature:
    names: dict[str, list[str]] = {"KEYS": [], "ARGV": []}
    for declaration in _DECLARATION.finditer(source):
        values = re.findall(r"(KEYS|ARGV)\[(\d+)\]", declaration[2])
        for name, (table, position) in zip(declaration[1].split(", "), values, strict=True):
            # Declared out of order, a value would silently arrive under another name.
            if int(position) != len(names[table]) + 1:
                raise ValueError(f"{name} = {table}[{position}] is declared out of order")
            names[table].append(name)
    more = {table: int(position) for table, position in _REST.findall(source)}
    for table, position in more.items():
        if position != len(names[table]) + 1:
            raise ValueError(f"{table}[{position}] onwards is declared out of order")
    return Signature(tuple(names["KEYS"]), tuple(names["ARGV"]), "KEYS" in more, "ARGV" in more)


# Any journal.
OPEN_JOURNAL = Script("open_journal")
WAKE_JOURNAL = Script("wake_journal")

# A claimed journal.
CLAIM = Script("claim")
RENEW_LEASE = Script("renew_lease")
CHECK_FENCE = Script("check_fence")
RECORD = Script("record")
ADVANCE = Script("advance")
END = Script("end")

# The schedule.
DISPATCH = Script("dispatch")
BRING_FORWARD = Script("bring_forward")
ADOPT_UNKNOWN_STAGE = Script("adopt_unknown_stage")

# Alerts, sweeps and incidents.
STORE_ALERT = Script("store_alert")
ENQUEUE_ON_SWEEP = Script("enqueue_on_sweep")
ASSIGN_GROUP = Script("assign_group")
OPEN_INCIDENT = Script("open_incident")
SUPPRESS = Script("suppress")
UNSUPPRESS = Script("unsuppress")
UPDATE_SYMPTOMS = Script("update_symptoms")
UPDATE_RECOVERY = Script("update_recovery")
NOTE_IN_INCIDENT = Script("note_in_incident")
ADVANCE_CURSOR = Script("advance_cursor")
START_WATCHDOG = Script("start_watchdog")

# Reservations and budgets.
RESERVE = Script("reserve")
RELEASE_RESERVATIONS = Script("release_reservations")
RESERVE_BUDGET = Script("reserve_budget")
SETTLE_BUDGET = Script("settle_budget")
COUNT_AGENT_RUN = Script("count_agent_run")

# Actions of people. Each records its result in the same transaction, so that a repeat has no effect.
APPEND_AUDIT = Script("append_audit")
ACKNOWLEDGE = Script("acknowledge")
DECIDE = Script("decide")
OPEN_ROLLBACK = Script("open_rollback")
UNDO_DECISION = Script("undo_decision")
CANCEL = Script("cancel")
RETRY = Script("retry")
REQUEST_FIX = Script("request_fix")

# Data beside the journals.
STORE_HISTORY = Script("store_history")
STORE_RATE_LIMIT = Script("store_rate_limit")

ALL: tuple[Script, ...] = tuple(value for value in vars().copy().values() if isinstance(value, Script))
"""Every script of the product."""


def read_all() -> None:
    """Read every file that is not read yet: 3 ms, once in a process.

    Race: a newer version is installed over the files of a running process. Its scripts take other arguments than the
    code that this process loaded.
    """
    for script in ALL:
        _ = script.source
