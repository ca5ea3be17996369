"""Follows a story from outside: what stands in Slack, as it comes and as it is edited."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.demo.story import Story
from tests.support.fakes.slack import FakeSlack


@dataclass
class Follower:
    """Says each Slack message when it appears and when it changes; with `quiet` not those that stand there already."""

    story: Story
    slack: FakeSlack
    quiet: bool = False
    seen: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    ended: bool = False
    """An outcome was posted: what rings and says neither that we are looking nor that we wait."""

    def __post_init__(self) -> None:
        if self.quiet:
            self.seen = {one.ts: one.text for one in list(self.slack.messages)}

    def follow(self) -> None:
        """Look once."""
        for message in list(self.slack.messages):
            before = self.seen.get(message.ts)
            if before == message.text:
                continue
            self.seen[message.ts] = message.text
            self.texts.append(message.text)
            working = "Looking into it" in message.text or "Waiting:" in message.text
            self.ended = self.ended or (before is None and message.rings and not working)
            kind = "post" if message.rings else "thread"
            self.story.say("slack", f"[{kind if before is None else f'{kind}, edited'}]\n{message.text}")
