"""The checks that `up` runs once beside the start: `python -m workers.doctor.at_start`.

A process of its own, so that no check delays the start, and so that what the checks load leaves the memory with it.
"""

from __future__ import annotations

import logging
import sys

from workers import doctor
from workers.models.check_results import CheckReport, CheckStatus
from workers.runtime import logs
from workers.runtime.process import protect_process

LEVELS = {CheckStatus.ERROR: logging.ERROR, CheckStatus.WARNING: logging.WARNING}

log = logging.getLogger("trackwalker.checks")


def main() -> int:
    """Run the quick checks and report what does not work; 0, as a problem does not prevent the start."""
    protect_process()
    logs.configure("checks")
    _report(doctor.examine(is_quick=True))
    return 0


def _report(report: CheckReport) -> None:
    for result in report.problems:
        facts = {"area": result.area, "what": result.what, "repair": result.repair}
        log.log(LEVELS[result.status], "check failed", extra=facts)
    log.info("installation checked", extra={"problems": len(report.problems), "seconds": report.seconds})


if __name__ == "__main__":
    sys.exit(main())
