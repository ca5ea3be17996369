"""Prints Slack messages as they are posted and edited."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.demo.story import Story
from tests.support.fakes.slack import FakeSlack


@dataclass
class SlackFollower:
    """Prints each message of a channel once, and again after each edit."""

    story: Story
    slack: FakeSlack
    skip_existing: bool = False
    """True prints only messages that appear or change later."""
    printed: dict[str, str] = field(default_factory=dict)
    """Timestamp of a message → its text when it was printed."""
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.skip_existing:
            self.printed = {message.ts: message.text for message in list(self.slack.messages)}

    def follow(self) -> bool:
        """Print what is new; True if there was anything."""
        changed = False
        for message in list(self.slack.messages):
            before = self.printed.get(message.ts)
            if before == message.text:
                continue
            changed = True
            self.printed[message.ts] = message.text
            self.texts.append(message.text)
            kind = "post" if message.rings else "thread"
            self.story.event("slack", f"[{kind if before is None else f'{kind}, edited'}]\n{message.text}")
        return changed
