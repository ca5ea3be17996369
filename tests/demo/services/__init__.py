"""Small web services with one real bug each, drawn by seed and written out as git repositories.

`draw(seed)` → Sickness → `write(sickness, folder)` → Commits. The bugs are of different kinds; names, routes
and numbers differ with the seed. How each is mended and reproduced stands in `mending`.
"""

from __future__ import annotations

from tests.demo.services.drawing import KINDS, Kind, Sickness, draw, runnable
from tests.demo.services.writing import Commits, write

__all__ = ["KINDS", "Commits", "Kind", "Sickness", "draw", "runnable", "write"]
