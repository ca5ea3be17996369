"""The variables of the environment and of `.env`, before anything interprets them.

Separate from `settings`, because the process that only supervises others must not pay for a validation library.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from workers.errors import SettingsError

DATA_DIR = "TRACKWALKER_DATA_DIR"  # the setting that names the folder of the embedded store, clones and runs
DEFAULT_DATA_DIR = ".trackwalker"  # below the current folder


def variables(environ: Mapping[str, str] | None = None, dotenv: Path | None = Path(".env")) -> dict[str, str]:
    """Every variable that is set and not empty. A variable of the environment wins over the same one in `.env`.

    Args:
        environ: the environment; None takes that of the process.
        dotenv: the file that is read besides; None reads no file, and neither does a path where no file is.

    Raises:
        SettingsError: the file cannot be read.
    """
    values = _read_dotenv(dotenv) if dotenv and dotenv.is_file() else {}
    values |= os.environ if environ is None else environ
    return {name: value for name, value in values.items() if value}


def _read_dotenv(path: Path) -> dict[str, str]:
    # Imported late: most containers have no .env file, and the parser costs a supervisor memory.
    from dotenv import dotenv_values

    try:
        return {name: value for name, value in dotenv_values(path).items() if value}
    except OSError as error:
        raise SettingsError((str(path), f"cannot be read: {error.strerror}")) from None
    except UnicodeDecodeError:
        raise SettingsError((str(path), "cannot be read: the file is not UTF-8")) from None


def data_dir() -> Path:
    """The folder in which this installation keeps its data: TRACKWALKER_DATA_DIR, by default `.trackwalker` here."""
    return Path(variables().get(DATA_DIR) or DEFAULT_DATA_DIR).absolute()
