"""The exceptions that the evidence names for a culprit file. Pure."""

from __future__ import annotations

import posixpath
import re

from workers.models import Evidence

ERROR_LINE = re.compile(
    r"^\s*(?:Uncaught\s+)?(?:[\w.]+\.)?([A-Z]\w*(?:Error|Exception|Exit|Interrupt))(?::|$|\s*\()",
    re.MULTILINE,
)
"""The line of a stack trace that names the exception, in Python and JavaScript."""


def exception_names(evidence: Evidence | None, file: str | None) -> frozenset[str]:
    """Names of the exceptions in stack traces that pass through the file; empty if there are none."""
    if evidence is None or not file:
        return frozenset()
    name = posixpath.basename(file)
    samples = [pattern.sample for pattern in (*evidence.patterns, *evidence.build_patterns)]
    return frozenset(error for sample in samples if name in sample for error in ERROR_LINE.findall(sample))
