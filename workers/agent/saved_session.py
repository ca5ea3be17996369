"""Saves opencode's session and the prompts sent in it, so that another process can resume an interrupted run."""

from __future__ import annotations

import secrets
import string
import time
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

SESSION_FILE = "session.json"
"""File in the run's folder that holds the saved session."""

ID_ALPHABET = string.digits + string.ascii_letters
"""Characters of the random part of opencode's ids."""


class Prompt(BaseModel):
    """A prompt with the ids under which it is sent.

    opencode answers a repeated message id from its database, and resumes an interrupted one if the part id is the
    same too, so a prompt can be sent again without a second run.
    """

    message_id: str
    part_id: str
    text: str


class SavedSession(BaseModel):
    """The content of SESSION_FILE."""

    id: str
    prompts: list[Prompt] = []


def can_resume(run_folder: Path) -> bool:
    """True if the folder holds a run that was interrupted."""
    return (run_folder / SESSION_FILE).is_file()


def load_session(run_folder: Path, prompt: str) -> SavedSession | None:
    """The interrupted session that began with this prompt, None if there is none."""
    with suppress(OSError, ValidationError):
        session = SavedSession.model_validate_json((run_folder / SESSION_FILE).read_bytes())
        return session if session.prompts and session.prompts[0].text == prompt else None
    return None


def save_session(run_folder: Path, session: SavedSession) -> None:
    """Write the session to the run's folder."""
    (run_folder / SESSION_FILE).write_text(session.model_dump_json())


def new_prompt(text: str) -> Prompt:
    """A prompt with new ids."""
    return Prompt(message_id=_new_id("msg"), part_id=_new_id("prt"), text=text)


def _new_id(kind: str) -> str:
    """An id in opencode's format: 48 bits of milliseconds * 4096, then 14 random characters."""
    # opencode sorts messages by their ids, so an id must not be smaller than those before it.
    moment = (int(time.time() * 1000) * 4096) & (2**48 - 1)
    return f"{kind}_{moment:012x}" + "".join(secrets.choice(ID_ALPHABET) for _ in range(14))
