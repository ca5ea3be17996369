"""`.trackwalker.toml`: sections, and error messages that name the key."""

from __future__ import annotations

import pytest

from workers.errors import Refused
from workers.remediation.repository_settings import read_repository_settings


def test_a_services_section_overrides_the_general_settings() -> None:
    text = """
        check = [["make", "test"]]
        protected = ["db/**"]
        allow = ["data/*.json"]
        [services.api]
        check = [["make", "api"]]
        test = ["make", "one", "FILE={path}"]
        protected = ["api/keys/**"]
    """

    api, other = read_repository_settings(text, "API"), read_repository_settings(text, "web")

    assert api == {
        "check": (("make", "api"),), "test": ("make", "one", "FILE={path}"), "protected": ("db/**", "api/keys/**"),
        "allow": ("data/*.json",),
    }  # fmt: skip
    assert other == {"check": (("make", "test"),), "protected": ("db/**",), "allow": ("data/*.json",)}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("check = [", "not valid TOML"),
        ('check = "make test"', "check must be a list of commands"),
        ("check = [[]]", "check must be a list of commands"),
        ('check = ["make", "test"]', "check must be a list of commands"),
        ('test = ["pytest"]', "test must contain"),
        ("protected = [1]", "protected must be a list of words"),
        ('chek = [["make"]]', "chek is not a known key"),
        ("services = 3", "services must be tables"),
        ('[services.api]\ninstall = [["a", ""]]', "services.api.install must be"),
    ],
)
def test_a_malformed_setting_is_refused_with_its_name(text: str, key: str) -> None:
    with pytest.raises(Refused, match=key.replace(".", r"\.")):
        read_repository_settings(text, "web")
