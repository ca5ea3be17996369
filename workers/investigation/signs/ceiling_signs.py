"""Reads ceilings: heaps of runtimes, limits of processes and stores, memory that ran out, full disks. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from workers.investigation.signs.record_text import RecordText
from workers.investigation.signs.wordings import Wording, has_any, read_table, sign
from workers.models import Sign, SignKind

CEILING = SignKind.RUNTIME_CEILING
MEMORY = SignKind.OUT_OF_MEMORY
DISK = SignKind.DISK_FULL
V8_OPTION = "NODE_OPTIONS=--max-old-space-size"

CEILINGS: tuple[Wording, ...] = (
    # JVM: HotSpot's OutOfMemoryError messages.
    Wording(CEILING, r"OutOfMemoryError: (?:Java heap space|GC overhead limit exceeded)", "-Xmx"),
    Wording(CEILING, r"OutOfMemoryError: (?:Metaspace|Compressed class space)", "-XX:MaxMetaspaceSize"),
    Wording(
        CEILING,
        r"OutOfMemoryError: (?:Direct buffer memory|Cannot reserve \d{1,12} bytes of direct buffer memory)",
        "-XX:MaxDirectMemorySize",
    ),
    Wording(CEILING, r"OutOfMemoryError: unable to create (?:new )?native thread", "threads"),
    Wording(CEILING, r"java\.lang\.StackOverflowError(?=$|:)", "-Xss"),
    # PHP's memory_limit and execution time.
    Wording(CEILING, r"Allowed memory size of (?P<n_limit_bytes>\d{1,14}) bytes exhausted", "memory_limit"),
    # Go: the runtime's own limit is soft; these words mean that the system refused more.
    Wording(
        MEMORY,
        r"fatal error: runtime: (?:out of memory|cannot allocate memory)|runtime: out of memory: cannot allocate",
    ),
    Wording(CEILING, r"runtime: goroutine stack exceeds (?P<n_limit_bytes>\d{1,14})-byte limit", "recursion"),
    # Ruby, .NET, Python, Rust.
    Wording(MEMORY, r"NoMemoryError\b|\[FATAL\] failed to allocate memory"),
    Wording(MEMORY, r"System\.OutOfMemoryException"),
    Wording(MEMORY, r"^(?:[\w.]{1,60}: )?(?:\w{1,20}\.)*_?\w{0,10}MemoryError\b"),
    Wording(MEMORY, r"memory allocation of \d{1,14} bytes failed"),
    Wording(
        MEMORY,
        r"std::bad_alloc|insufficient memory for the Java Runtime|Native memory allocation \(\w{1,12}\) failed",
    ),
    Wording(
        MEMORY,
        r"Array buffer allocation failed|npm (?:ERR!|error) signal SIGKILL|CUDA out of memory|panic\(main thread\): Out of memory",
    ),
    Wording(MEMORY, r"[Cc]annot allocate memory|\bENOMEM\b"),
    # The kernel and the shell: exit code 137 is SIGKILL, which the kernel sends if memory runs out.
    Wording(MEMORY, r"Out of memory: Kill(?:ed)? process|\boom-kill|\bOOM[ -]?[Kk]ill"),
    Wording(
        MEMORY,
        r"(?:exit(?:ed)?|terminated|failed|stopped|finished)[^\n]{0,60}?(?:code|status)[:= ]{1,2}137\b",
    ),
    Wording(
        MEMORY,
        r"^(?:[\w./-]{1,80}: line \d{1,5}:\s{1,8}\d{1,8} )?Killed(?:\s{2,20}\S[^\n]{0,120})?$|signal: killed",
    ),
    Wording(MEMORY, r"WorkerLostError: Worker exited prematurely: signal 9 \(SIGKILL\)"),
    # Supervisors that replace a worker above a limit: PM2, Celery, puma_worker_killer.
    Wording(CEILING, r"exceeds --max-memory-restart value", "--max-memory-restart"),
    Wording(
        CEILING,
        r"child process exceeded memory limit|exceeding memory limit \(\d{1,12}KiB",
        "--max-memory-per-child",
    ),
    Wording(CEILING, r"PumaWorkerKiller: Out of memory", "PumaWorkerKiller.ram"),
    # Redis and Valkey: maxmemory with noeviction.
    Wording(CEILING, r"OOM command not allowed when used memory > 'maxmemory'", "maxmemory"),
    # PostgreSQL's shared memory in containers, and its memory settings.
    Wording(CEILING, r"could not resize shared memory segment", "shm_size"),
    # Open files and processes.
    Wording(CEILING, r"\bEMFILE\b|\bENFILE\b|[Tt]oo many open files", "nofile"),
    Wording(
        CEILING,
        r"can't start new thread|fork: (?:retry: )?Resource temporarily unavailable|pthread_create failed",
        "nproc",
    ),
    Wording(CEILING, r"System limit for number of file watchers reached", "fs.inotify.max_user_watches"),
)
DISKS: tuple[Wording, ...] = (
    Wording(
        DISK,
        r"(?:could not (?:extend|write to|create) file|could not open file|write(?: to)?|open|mkdir|cannot create directory)[^\n]{0,20}? [\"'‘](?P<subject>[\w./-]{2,100})[\"'’][^\n]{0,40}(?:No space left on device|ENOSPC)",
    ),
    Wording(DISK, r"ENOSPC: no space left on device, \w{2,12}(?: '(?P<subject>[\w./-]{2,100})')?"),
    Wording(DISK, r"[Nn]o space left on device|\bENOSPC\b|\bdisk (?:is )?full\b|DiskFull"),
    Wording(DISK, r"MISCONF [^\n]{0,120}unable to persist to disk"),
    Wording(DISK, r"flood[- ]stage disk watermark|[Dd]isk quota exceeded|EDQUOT"),
    Wording(DISK, r"Errcode: 28|The table '[^'\n]{1,80}' is full"),
)
V8_DEATH = re.compile(
    r"Ineffective mark-compacts near heap limit|(?:Reached heap limit|CALL_AND_RETRY_LAST|invalid (?:array|table) length)[^\n]{0,20} ?Allocation failed|JavaScript heap out of memory|ERR_WORKER_OUT_OF_MEMORY"
)
# `Mark-Compact 2045.1 (2079.9) -> 2044.6 (2081.1) MB`: used (committed) before and after the collection.
MARK_COMPACT = re.compile(
    r"(?:Mark-Compact|Mark-sweep|Scavenge)(?: \(reduce\))? [\d.]{1,10} \((?P<committed>[\d.]{1,10})\) -> (?P<used>[\d.]{1,10}) \([\d.]{1,10}\) MB"
)
GUESS = "perhaps out of memory"
"""gunicorn's words beside each SIGKILL, which it sends itself after a time-out."""


def ceiling_signs(record: RecordText) -> Iterator[Sign]:
    """Signs of memory, files and disks that ran out; those of V8 with the heap that it had reached, in MB."""
    yield from _v8(record)
    for table in (CEILINGS, DISKS):
        for reading in read_table(table, record.message, record.lowered):
            if reading.kind is not MEMORY or GUESS not in record.lowered:
                yield _in_megabytes(reading)


def _v8(record: RecordText) -> Iterator[Sign]:
    if not has_any(record.lowered, ("heap", "mark-", "scavenge", "err_worker_out_of_memory")):
        return
    collections = list(MARK_COMPACT.finditer(record.whole))
    last_gcs = "<--- last few gcs" in record.lowered or (
        "allocation failure" in record.lowered and collections
    )
    if V8_DEATH.search(record.message) or last_gcs:
        numbers = {"limit_mb": float(collections[-1]["committed"])} if collections else {}
        yield sign(CEILING, V8_OPTION, numbers)


def _in_megabytes(reading: Sign) -> Sign:
    limit = reading.numbers.get("limit_bytes")
    return (
        sign(reading.kind, reading.subject, {"limit_mb": round(limit / 1024 / 1024, 1)}) if limit else reading
    )
