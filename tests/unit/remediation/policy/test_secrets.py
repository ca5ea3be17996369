"""Secrets in a patch are found in any form; names and placeholders are no secrets."""
# ruff: noqa: E501  # one form per line reads best

from __future__ import annotations

import base64
import codecs

import pytest

from tests.support.patches import edited, judge
from tests.unit.remediation.policy.trees import HOTEL

B = "hotel/booking.py"
TOP = 'CURRENCY = "EUR"\n'
OWN = "kj-7Hq2-own-value-93"
HEX = OWN.encode().hex()
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def encoded(prefix: bytes) -> str:
    return base64.b64encode(prefix + OWN.encode() + b"tail").decode()


OWN_FORMS = {
    "plain": f'X = "{OWN}"',
    "in a comment": f"# {OWN}",
    "in upper case": f'X = "{OWN.upper()}"',
    "reversed": f'X = "{OWN[::-1]}"',
    "hex": f'X = "{HEX}"',
    "upper hex": f'X = "{HEX.upper()}"',
    "hex with gaps": 'X = "' + ":".join(HEX[index : index + 2] for index in range(0, len(HEX), 2)) + '"',
    "escapes": 'X = "' + "".join(f"\\x{ord(character):02x}" for character in OWN) + '"',
    "base64": f'X = "{encoded(b"")}"',
    "base64 shifted by one": f'X = "{encoded(b"a")}"',
    "base64 shifted by two": f'X = "{encoded(b"ab")}"',
    "base64 for addresses": f'X = "{base64.urlsafe_b64encode(b"?" + OWN.encode()).decode()}"',
    "base64 reversed": f'X = "{encoded(b"")[::-1]}"',
    "base32": f'X = "{base64.b32encode(OWN.encode()).decode()}"',
    "rot13": f'X = "{codecs.encode(OWN, "rot13")}"',
    "added": f'X = "{OWN[:7]}" + "{OWN[7:]}"',
    "side by side": f'X = "{OWN[:7]}" "{OWN[7:]}"',
    "on two lines": f'X = "{OWN[:7]}"\nY = "{OWN[7:]}"',
    "joined": f'X = "".join(["{OWN[:5]}", "{OWN[5:11]}", "{OWN[11:]}"])',
    "a list of letters": f"X = {list(OWN)!r}",
    "a list of numbers": f"X = bytes({list(OWN.encode())!r})",
    "numbers on lines": "X = [\n" + "".join(f"    {ord(character)},\n" for character in OWN) + "]",
    "a format": f'X = "%s%s" % ("{OWN[:7]}", "{OWN[7:]}")',
    "an f-string": f'A = "{OWN[:7]}"\nX = f"{{A}}{OWN[7:]}"',
    "a slice": f'X = "{OWN[::-1]}"[::-1]',
    "a replacement": f'X = "{OWN[:7]}@@{OWN[7:]}".replace("@@", "")',
}
GENERAL = [
    f'X = "{GITHUB}"', f'X = "{GITHUB[:4]}" + "{GITHUB[4:]}"', f'X = "{GITHUB[:10]}"\\\n    "{GITHUB[10:]}"',
    'password = "tr0ub4dor-and-3-horses"', 'DB_PASSWORD = "correct-horse-battery-staple"', 'API_KEY = "9f8e7d6c5b4a39281706"',
    'CONFIG = {"secret_key": "9Jk2-lm3N-pq4R"}', 'X = "AKIA" + "ABCDEFGH12345678"', "# -----BEGIN RSA PRIVATE KEY-----",
    'connect(password="Winter2026!x")',
]  # fmt: skip
HARMLESS = [
    'TOKEN_HEADER = "X-Hotel-Session-V2"', 'PASSWORD_FIELD = "new_password_2"', 'BODY = {"password": "new_password_2"}',
    'password = os.environ["DB_PASSWORD"]', 'token = "changeme-please-1"', f'SHA = "{"ab12" * 10}"', 'SECRET_NAME = "hotel/db-2"',
    'TOKEN_URL = "https://login.example.com/oauth2/token"', 'API_KEY_HELP = "set the key in step 2"', 'token_type = "bearer-2"',
    'KEY = f"token:{CURRENCY}"', 'ERRORS = {"password": "must have 8 letters"}', 'X = "3fa85f64-5717-4562-b3fc-2c963f66afa6"',
    'password = "example-password-1"', 'secret = get_secret("db/main-2")',
]  # fmt: skip


@pytest.mark.parametrize("name", OWN_FORMS)
@pytest.mark.parametrize("path", [B, "tests/tools.py"])
def test_a_value_of_our_settings_is_refused_in_any_form(name: str, path: str) -> None:
    line = f"{OWN_FORMS[name]}\n"
    after = edited(HOTEL, ((B, TOP, TOP + line),)) if path == B else {**HOTEL, path: HOTEL[path] + line}

    result = judge(HOTEL, after, culprit=B, secrets=(OWN, "short"))

    assert "the patch contains the value of one of Trackwalker's settings" in result.refusals
    assert OWN not in " ".join((*result.refusals, *result.drafts))


# Words are an ordinary password of a test.
PLACES = [(B, line) for line in GENERAL] + [
    ("tests/tools.py", line) for line in GENERAL if "staple" not in line
]


@pytest.mark.parametrize(("path", "line"), PLACES)
def test_text_that_looks_like_a_secret_is_refused_without_repeating_it(path: str, line: str) -> None:
    after = (
        edited(HOTEL, ((B, TOP, f"{TOP}{line}\n"),))
        if path == B
        else {**HOTEL, path: f"{HOTEL[path]}{line}\n"}
    )

    assert (
        f"the patch contains text that looks like a secret ({path})"
        in judge(HOTEL, after, culprit=B).refusals
    )


@pytest.mark.parametrize("line", HARMLESS)
def test_names_and_placeholders_are_no_secrets(line: str) -> None:
    after = edited(HOTEL, ((B, TOP, f"{TOP}{line}\n"), (B, "import os\n", "import os\n")))

    assert judge(HOTEL, after, culprit=B).refusals == ()


def test_a_secret_that_is_there_already_may_move() -> None:
    line = f'X = "{GITHUB}"\n'
    before = {**HOTEL, B: HOTEL[B].replace(TOP, TOP + line)}
    after = {**HOTEL, B: HOTEL[B].replace(TOP, line + TOP)}

    assert judge(before, after, culprit=B).refusals == ()
