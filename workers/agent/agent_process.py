"""Starts the process of a coding agent in the sandbox, and ends it with everything that it started."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from workers.agent.coding_agent import Job
from workers.errors import AgentBusy, AgentRefused
from workers.sandbox.commands import Output, kill, start


@contextmanager
def running(
    job: Job, argv: Sequence[str], *, writable: Sequence[Path], readable: Sequence[Path],
    env: Mapping[str, str], stdin: Output = subprocess.DEVNULL, stdout: Output, stderr: Output,
) -> Iterator[subprocess.Popen[bytes]]:  # fmt: skip
    """The process for the block. It reaches the job's ports and no other network; a writer may change the clone.

    Args:
        job: the run.
        argv: the command.
        writable: folders that it can write besides the clone.
        readable: paths that it can read besides the clone.
        env: its whole environment.
        stdin, stdout, stderr: as for `subprocess.Popen`.

    Raises:
        AgentRefused: the process exceeded a bound of the sandbox.
    """
    owned = [job.clone] if job.role == "writer" else []
    process = start(
        job.agent.sandbox, argv, cwd=job.clone, writable=[*writable, *owned], readable=[job.clone, *readable],
        env=env, ports=job.ports, stdin=stdin, stdout=stdout, stderr=stderr,
    )  # fmt: skip
    problem: AgentBusy | None = None
    try:
        job.on_start(process)
        yield process
    except AgentBusy as error:
        problem = error
    finally:
        kill(process)
        exceeded = process.exceeded()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
    if problem is not None and exceeded:
        raise AgentRefused(f"the agent was ended: it exceeded its limit of {exceeded}") from problem
    if problem is not None:
        raise problem
