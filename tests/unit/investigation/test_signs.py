"""Signs are read from the text of log records, for every language."""

from __future__ import annotations

import pytest

from workers.investigation.signs import read_signs
from workers.models import SignKind


@pytest.mark.parametrize(
    ("text", "kind", "subject"),
    [
        (
            "ImproperlyConfigured: Set the SECRET_KEY environment variable",
            SignKind.SETTING_MISSING,
            "SECRET_KEY",
        ),
        ("Error: getaddrinfo ENOTFOUND api.payments.io", SignKind.UNKNOWN_HOST, "api.payments.io"),
        ("dial tcp 10.0.0.4:5432: connect: connection refused", SignKind.CONNECTION_REFUSED, "10.0.0.4:5432"),
        ("ModuleNotFoundError: No module named 'stripe'", SignKind.MODULE_MISSING, "stripe"),
    ],
)
def test_a_wording_of_a_library_is_a_sign(text: str, kind: SignKind, subject: str) -> None:
    signs = read_signs(text)

    assert (signs[0].kind, signs[0].subject) == (kind, subject)
