"""The failure that every part of the set-up reports."""


class SetupError(Exception):
    """A failure in one sentence; the log has the details."""
