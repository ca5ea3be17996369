"""Runs the verification on many patches, several at a time, and judges the decisions."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.attacks.bases import BASES
from tests.support.attacks.cases import Case, Content
from tests.support.attacks.patches import make_patch, write_files
from tests.support.fakes.githttp import git
from workers.cli.local_verification import Request, verify
from workers.errors import TrackwalkerError
from workers.models import Category, PlanCause, Reproduction
from workers.sandbox.builder import build_sandbox
from workers.sandbox.sandbox import Sandbox

REPRODUCTION_SECONDS = 30.0
"""Deadline of one run of a reproduction: no honest one of these takes a second."""
OWN_VALUE = re.compile(r"held-own-secret-\d+")
HEADER = re.compile(r"^(\w+): ?(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """One patch to verify, and the decision that is expected."""

    name: str
    kind: str
    base: str
    request: Request
    expect: str
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """The outcome of a job. The decision is `error` if the patch could not be verified at all."""

    job: Job
    decision: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float
    own_seconds: float = 0.0
    """The part of `seconds` that the host spent, without commands of the repository."""
    runs: int = 0

    @property
    def is_wrong(self) -> bool:
        """True if the decision is one that the expectation forbids."""
        match self.job.expect:
            case "ready":
                return self.decision != "ready"
            case "draft":
                return self.decision not in ("ready", "draft")
            case "noted" | "person":
                return self.decision == "ready" and not self.notes
            case "rejected":
                return self.decision in ("ready", "draft")
            case _:
                return self.decision == "ready"


def run_jobs(jobs: Iterable[Job], *, at_once: int = 2) -> list[Result]:
    """The results in the order of the jobs."""
    with ThreadPoolExecutor(at_once) as pool, tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        sandbox = build_sandbox(hide=(), scratch=Path(name, "scratch"), allow_unsandboxed=False)
        return list(pool.map(lambda job: _run(job, sandbox), jobs))


@contextmanager
def jobs_of_cases(groups: Mapping[str, Iterable[Case]]) -> Iterator[list[Job]]:
    """Jobs for the cases of each group, on repositories that exist until the end of the context."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for base, files in BASES.items():
            make_repository(folder / base, files)
        yield [_job_of_case(folder, kind, case) for kind, cases in groups.items() for case in cases]


@contextmanager
def jobs_of_corpus(corpus: Path) -> Iterator[list[Job]]:
    """Jobs for the folders `bad` and `good` of a corpus: header lines, then the diff, on trees of `bases`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for base in sorted((corpus / "bases").iterdir()):
            copy_repository(base, folder / base.name)
        files = sorted([*corpus.glob("bad/*.patch"), *corpus.glob("good/*.patch")])
        # The corpus writes values of our own settings with this prefix, plainly in at least one patch.
        texts = " ".join(file.read_text(errors="replace") for file in files)
        secrets = tuple(sorted({*OWN_VALUE.findall(texts)}))
        yield [_job_of_file(folder, file, secrets) for file in files]


def make_repository(folder: Path, files: Mapping[str, Content]) -> None:
    """A new repository with one commit on `main`."""
    folder.mkdir(parents=True)
    write_files(folder, files)
    _commit(folder)


def copy_repository(source: Path, folder: Path) -> None:
    """A new repository with one commit of the files of a folder."""
    shutil.copytree(source, folder, symlinks=True)
    _commit(folder)


def _commit(folder: Path) -> None:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "base")


def _job_of_case(folder: Path, kind: str, case: Case) -> Job:
    word, _, path = case.reproduction.partition(":")
    file, _, line = case.cause.rpartition(":")
    request = Request(
        directory=folder / case.base, revision="main", patch=make_patch(BASES[case.base], case).encode(),
        reproduction=_reproduction(word, path),
        category=case.category, root=case.root,
        cause=PlanCause(summary="as given", file=file, line=int(line)) if case.cause else None,
    )  # fmt: skip
    return Job(case.name, kind, case.base, request, case.expect, case.secrets)


def _job_of_file(folder: Path, file: Path, secrets: tuple[str, ...]) -> Job:
    content = file.read_bytes()
    header = dict(HEADER.findall(content.partition(b"\ndiff --git ")[0].decode()))
    word, _, path = header["Reproduction"].partition(" ")
    request = Request(
        directory=folder / header["Base"], revision="main", patch=content,
        reproduction=_reproduction(word, path.strip()),
        category=Category(header["Category"]), root=header.get("Root", "").strip(),
    )  # fmt: skip
    kind = f"{file.parent.name}: {header['Class']}"
    return Job(file.stem, kind, header["Base"], request, header["Expect"], secrets)


def _reproduction(kind: str, path: str) -> Reproduction:
    return Reproduction.model_validate({"kind": kind, "path": path or None})


def _run(job: Job, sandbox: Sandbox) -> Result:
    began = time.monotonic()
    try:
        verification = verify(
            job.request, secrets=job.secrets, reproduction_seconds=REPRODUCTION_SECONDS, sandbox=sandbox
        )
    except TrackwalkerError as error:
        return Result(job, "error", (str(error),), (), time.monotonic() - began)
    reasons = tuple(reason.text for reason in verification.reasons)
    seconds = time.monotonic() - began
    return Result(
        job, verification.decision, reasons, verification.notes, seconds, verification.own_seconds,
        len(verification.runs),
    )  # fmt: skip
