"""A worker that stops itself exactly between the check of its fence and the effect.

Run as `dramatiq tests.chaos.worker:build`. While a file lies in `stops/requested` of the run's folder, the next effect
of any worker removes it and sends SIGSTOP to its own process, right after the store has confirmed the claim. The
installation continues the process later.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from workers import main
from workers.engine.claim import Claim

FOLDER = "CHAOS_FOLDER"  # environment variable with the folder of the run
check_fence = Claim.check_fence


def build() -> None:
    """Build the worker of `workers.main` with the seam in `Claim.check_fence`."""
    stops = Path(os.environ[FOLDER]) / "stops"

    def check_and_stop(claim: Claim) -> None:
        check_fence(claim)
        if _take(stops):
            (stops / "stopped" / str(os.getpid())).write_text(claim.id)
            os.kill(os.getpid(), signal.SIGSTOP)

    Claim.check_fence = check_and_stop  # type: ignore[assignment, method-assign]  # the seam
    main.build()


def _take(stops: Path) -> bool:
    """True if a stop was requested and no other worker has taken it."""
    for request in (stops / "requested").iterdir():
        try:
            request.unlink()
        except FileNotFoundError:
            continue  # another worker took it
        return True
    return False
