"""The variables of the environment and of `.env`, before anything interprets them.

Separate from `settings`, because the process that only supervises others must not pay for a validation library.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from workers.errors import SettingsError

DATA_DIR = "TRACKWALKER_DATA_DIR"  # the setting that names the folder of the embedded store, clones and runs
DEFAULT_DATA_DIR = ".trackwalker"  # below the project folder
HOME = "TRACKWALKER_HOME"  # names the project folder; a variable of the environment, as it decides which .env is read
DOTENV = ".env"


def project_folder() -> Path:
    """The folder of `.env` and, by default, of the data: TRACKWALKER_HOME, else the current folder."""
    return Path(os.environ.get(HOME) or ".")


def use_installation_folder() -> None:
    """Let this process and its children use the installation's `.env` if the current folder has none.

    For the `trackwalker` command, which works from any folder.
    """
    if os.environ.get(HOME) or Path(DOTENV).is_file() or Path(DEFAULT_DATA_DIR).is_dir():
        return
    if (installation_folder() / DOTENV).is_file():
        os.environ[HOME] = str(installation_folder())


def installation_folder() -> Path:
    """The folder that Trackwalker runs from: the checkout, or the image's folder."""
    return Path(__file__).resolve().parents[2]


def variables(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> dict[str, str]:
    """Every variable that is set and not empty. A variable of the environment wins over the same one in `.env`.

    Space around a value is dropped: it comes from copying, and no header can carry a token with a line break.

    Args:
        environ: the environment; None takes that of the process, and the `.env` of the project folder.
        dotenv: the file that is read besides; a path where no file is is no error.

    Raises:
        SettingsError: the file, or a line of it, cannot be read.
    """
    path = project_folder() / DOTENV if environ is None and dotenv is None else dotenv
    values: dict[str, str] = {}
    if path and path.is_file():
        # Imported late: most containers have no .env file.
        from workers.runtime.dotenv_file import read_dotenv

        file = read_dotenv(path)
        if file.problems:
            raise SettingsError(*file.problems)
        values = file.values
    return merged(values, os.environ if environ is None else environ)


def merged(values: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """The values of a file and of the environment, which wins; without those that are empty."""
    # A variable that is set to nothing takes the value of the file away.
    both = {name: value.strip() for name, value in {**values, **environ}.items()}
    return {name: value for name, value in both.items() if value}


def data_dir() -> Path:
    """The folder in which this installation keeps its data: TRACKWALKER_DATA_DIR, by default `.trackwalker`.

    A relative path lies below the project folder.
    """
    return (project_folder() / (variables().get(DATA_DIR) or DEFAULT_DATA_DIR)).absolute()
