"""The connection to the store: an address that is none is named, and its password is not."""

from __future__ import annotations

import pytest

from workers import store
from workers.errors import SettingsError
from workers.settings import read


def test_an_address_that_is_none_is_named_without_its_password() -> None:
    settings = read({"REDIS_URL": "redis://:half/password@host:6379/0"}, dotenv=None)

    with pytest.raises(SettingsError) as raised:
        store.connect(settings)

    assert "REDIS_URL" in str(raised.value)
    assert "half" not in str(raised.value)
