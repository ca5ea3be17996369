"""A worker that stops itself exactly between check and send: `dramatiq tests.soak.worker:build`.

Whenever a file lies in `stops/wanted` of the run's folder, the next effect of some worker takes it and stops the whole
process right after the store has confirmed the claim. Whoever put it there continues the process later.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from workers import main
from workers.engine.journal import Claim

FOLDER = "SOAK_FOLDER"
confirmed = Claim.check_fence


def build() -> None:
    """What `workers.main:build` makes, with the seam."""
    stops = Path(os.environ[FOLDER]) / "stops"

    def confirm(claim: Claim) -> None:
        confirmed(claim)
        if _take(stops):
            (stops / "stopped" / str(os.getpid())).write_text(claim.id)
            os.kill(os.getpid(), signal.SIGSTOP)

    Claim.check_fence = confirm  # type: ignore[assignment, method-assign]  # the seam
    main.build()


def _take(stops: Path) -> bool:
    """Whether a stop was wanted and is ours."""
    for wanted in (stops / "signals").iterdir():
        try:
            wanted.unlink()
        except FileNotFoundError:
            continue  # another worker's
        return True
    return False
