"""The stage `notify`: updates Slack from the journals. It waits for no other stage.

Two posts per occurrence show in the channel and cause a push notification: the acknowledgement and the outcome; a fix
that did not help and a reminder do as well. Everything else edits the first message or replies silently in its thread.
An incident group has two such posts for all of its members. An incoming webhook can only post: it supports no edits, no
threads and no search after an error.
"""

from __future__ import annotations

from datetime import datetime

from workers.clients.slack import Slack
from workers.engine.claim import Claim
from workers.engine.journal_store import JournalStore
from workers.engine.schema import DUPLICATE_CHECK_PREFIX
from workers.notifications.alerts import notify_alert
from workers.notifications.groups import notify_group
from workers.notifications.incidents import notify_incident
from workers.notifications.posts import delete_duplicates, schedule_duplicate_check
from workers.notifications.presentation import Presentation

# Delay before the next look at an up-to-date notification; any change wakes it earlier.
QUIET_SECONDS = 3600.0


def update_messages(
    claim: Claim, store: JournalStore, slack: Slack | None, look: Presentation, *, now: datetime
) -> None:
    """Post and edit what has changed, then release the notification until there is more to report.

    Args:
        look: local time, links and buttons of the messages.
        slack: None if no Slack is configured or the mode is shadow: the journal then records the texts instead.
    """
    if claim.key.startswith(DUPLICATE_CHECK_PREFIX):
        delete_duplicates(claim, store, slack)
        return
    schedule_duplicate_check(claim, store, slack)
    if ":incident:" in claim.key:
        notify_incident(claim, store, slack, look, now=now, quiet_seconds=QUIET_SECONDS)
    elif ":group:" in claim.key:
        notify_group(claim, store, slack, look, now=now, quiet_seconds=QUIET_SECONDS)
    else:
        notify_alert(claim, store, slack, look, now=now, quiet_seconds=QUIET_SECONDS)
