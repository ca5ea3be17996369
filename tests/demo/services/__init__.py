"""Small web services with one real bug each, drawn by seed and written as git repositories.

`draw(seed)` gives a Fault, `write(fault, folder)` its Commits. There are several kinds of bugs; names, routes and
numbers differ with the seed. `fixing` contains the fix and the reproduction of each kind.
"""

from __future__ import annotations

from tests.demo.services.drawing import KINDS, Fault, Kind, draw, runnable
from tests.demo.services.writing import Commits, write

__all__ = ["KINDS", "Commits", "Fault", "Kind", "draw", "runnable", "write"]
