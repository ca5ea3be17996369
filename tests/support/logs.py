"""Log lines and source files for tests of the evidence."""

from __future__ import annotations

import textwrap
from datetime import timedelta
from pathlib import Path

from tests.support.builders import ONSET
from workers.investigation.code.tree import Tree, list_tree
from workers.models import LogLine

PYTHON_TRACEBACK = """\
Traceback (most recent call last):
  File "/usr/local/lib/python3.11/site-packages/starlette/routing.py", line 73, in app
    response = await f(request)
  File "/app/shop/orders.py", line 12, in place
    return total(items)
  File "/app/shop/pricing.py", line 5, in total
    return sum(PRICES[item] for item in items)
KeyError: 'gift'
"""
NODE_STACK = """\
TypeError: Cannot read properties of undefined (reading 'price')
    at total (/app/src/pricing.js:10:21)
    at async /app/src/orders.js:31:5
    at Layer.handle (/app/node_modules/express/lib/router/layer.js:95:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
"""


def log_lines(*messages: str, level: str = "error", gap: float = 0.0, instance: str = "i1") -> list[LogLine]:
    """Lines of one replica since the onset, `gap` seconds apart."""
    return [
        LogLine(
            timestamp=ONSET + timedelta(seconds=gap * number),
            message=message,
            level=level,
            instance_id=instance,
        )
        for number, message in enumerate(messages)
    ]


def write_tree(folder: Path, files: dict[str, str]) -> Tree:
    """The folder with these files, dedented, as a tree."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(textwrap.dedent(text))
    return list_tree(folder)
