"""Record incidents again: `python -m tests.exam.record NAME …`. Needs root on Linux; the exam itself needs none of it.

The service runs in namespaces of its own (mounts, network, processes, host name), so that `/app`, `/etc/hosts` and the
addresses of its neighbours are real for it and change nothing on the machine. The libraries come from two folders that
are mounted to `/app/.venv` and `/app/node_modules`: EXAM_PYTHON (a virtual environment of Debian's Python with
`requirements.txt`) and EXAM_NODE (the node_modules of `package.json`). Other toolchains are those of Debian.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
ROOT = Path(__file__).parents[3]
APP = Path("/app")


def main(names: list[str]) -> int:
    """Record each named incident; the exit code is 1 if one of them could not be recorded."""
    APP.mkdir(exist_ok=True)
    try:
        return max([record(DATA / name) for name in names], default=0)
    finally:
        APP.rmdir()


def record(folder: Path) -> int:
    """Run the service of one folder and replace its logs, requests and series; 0 if that worked."""
    with tempfile.TemporaryDirectory() as work:
        app = Path(work) / "app"
        shutil.copytree(folder / "repository", app, symlinks=True)
        namespaces = ["unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--mount-proc"]
        command = [
            *namespaces,
            "/usr/bin/python3",
            "-B",
            "-m",
            "tests.exam.record.inside",
            str(folder),
            str(app),
        ]
        result = subprocess.run(command, cwd=ROOT, check=False)
    print(f"{folder.name}: {'recorded' if result.returncode == 0 else 'failed'}")
    return int(result.returncode != 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
