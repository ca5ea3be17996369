"""A message as Slack shows it: a headline, lines, buttons and a footer. Every text in it is escaped already. Pure.

`block_kit` makes Slack's blocks of it. The plain text of the message is the headline and the lines: a lock screen shows
the headline, and screen readers read the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from workers.models import digest


@dataclass(frozen=True)
class Button:
    """A button below the message: a link if `url` is set, otherwise an action that Slack sends to us."""

    label: str
    action_id: str
    """The value of an ActionKind; of a link, any name that is unique in the message."""
    value: str = ""
    """Id of the journal that the action is about."""
    url: str = ""
    style: Literal["", "primary", "danger"] = ""


@dataclass(frozen=True)
class MenuItem:
    """An entry of the overflow menu: a link if `url` is set."""

    label: str
    value: str = ""
    url: str = ""


@dataclass(frozen=True)
class SlackPost:
    """The content of one message."""

    headline: str
    """Service, trouble with a number, and since when: the only line that a lock screen shows."""
    lines: tuple[str, ...] = ()
    """The work so far with its link, then the cause and the remedies."""
    buttons: tuple[Button, ...] = ()
    menu: tuple[MenuItem, ...] = ()
    footer: tuple[str, ...] = ()
    """Small print: times, cost, links to Railway."""
    has_header: bool = True
    """False shows the headline as text: a reply in a thread needs no title."""

    @property
    def text(self) -> str:
        """The message without blocks."""
        return "\n".join((self.headline, *self.lines))

    @property
    def digest(self) -> str:
        """Changes whenever anything of the message changes."""
        return digest(repr(self))
