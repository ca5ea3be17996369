"""All cases by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.support.attacks.bad_code import BAD_CODE
from tests.support.attacks.bad_paths import BAD_PATHS, NEW_FILES
from tests.support.attacks.bad_tests import BAD_TESTS
from tests.support.attacks.cases import Case
from tests.support.attacks.forged_node import FORGED_NODE
from tests.support.attacks.forged_reproductions import FORGED_REPRODUCTIONS
from tests.support.attacks.forged_runner import FORGED_RUNNERS
from tests.support.attacks.forged_source import FORGED_SOURCES
from tests.support.attacks.good import GOOD_PYTHON
from tests.support.attacks.good_others import GOOD_OTHERS

FORGED: Mapping[str, Sequence[Case]] = {
    **FORGED_SOURCES,
    **FORGED_RUNNERS,
    **FORGED_REPRODUCTIONS,
    **FORGED_NODE,
}
BAD: Mapping[str, Sequence[Case]] = {**BAD_PATHS, **BAD_CODE, **BAD_TESTS}
GOOD: Mapping[str, Sequence[Case]] = {**GOOD_PYTHON, **GOOD_OTHERS}
MEASURED_FILES = 6
"""New files of each kind that a benchmark takes: the policy refuses them by path, which its unit test shows for all."""
MEASURED_BAD: Mapping[str, Sequence[Case]] = {
    kind: cases[:MEASURED_FILES] if kind in NEW_FILES else cases for kind, cases in BAD.items()
}
ALL_CASES: Mapping[str, Sequence[Case]] = {**FORGED, **BAD, **GOOD}
