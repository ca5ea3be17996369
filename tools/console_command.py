"""The `trackwalker` command of a checkout."""

import subprocess
from pathlib import Path

COMMAND = "trackwalker"
# A shebang line may hold no space and is cut after 127 bytes, so /bin/sh starts Python: to it, the first lines are a
# command; to Python, they are a string. pip writes its scripts in the same way.
COMMAND_TEXT = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

from workers.__main__ import main

sys.exit(main())
"""
SECONDS = 20  # in which a Python says where its packages are


def write_command(folder: Path, python: Path, root: Path) -> None:
    """Put `trackwalker` into the folder, and the checkout `root` on the path of that Python.

    With the path, the command and the processes that it starts work from any folder. An editable install would do the
    same, but needs a build backend, which would have to be downloaded.
    """
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = subprocess.check_output([python, "-I", "-c", code], text=True, timeout=SECONDS).strip()
    (Path(packages) / f"{COMMAND}.pth").write_text(f"{root}\n", encoding="utf-8")
    command = folder / COMMAND
    command.write_text(COMMAND_TEXT.format(python=python), encoding="utf-8")
    command.chmod(0o755)
