"""All classes of lives."""

from __future__ import annotations

from tests.eval import lived_failing, lived_healthy
from tests.eval.lived import LivedClass

LIVED = {
    each.name: each
    for module in (lived_healthy, lived_failing)
    for each in vars(module).values()
    if isinstance(each, LivedClass)
}
