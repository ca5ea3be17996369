"""Sessions of browsers: signed cookies, their server-side half in Redis, and the tokens of forms.

The signing key is derived from the password and TRACKWALKER_SECRET: another password ends all sessions. A session is
also a key in Redis, so a copied cookie is worthless after a logout.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass

from workers.engine.journal_store import JournalStore
from workers.engine.schema import PAGE_SESSION_PREFIX
from workers.models import digest
from workers.runtime.settings import Settings

SESSION_SECONDS = 7 * 86_400  # a week on call needs one login
FLASH_SECONDS = 60  # the answer to a form is shown on the next page, or never
KDF_ROUNDS = 200_000  # of PBKDF2: a captured cookie does not make guesses at the password cheap
MAX_FLASH_LENGTH = 1500  # characters; browsers drop cookies over 4 KiB
FORM_TOKEN = "form"  # noqa: S105 (a purpose, no secret)


@dataclass(frozen=True)
class Keys:
    """The signing key of cookies and forms.

    Args:
        key: 32 bytes.
    """

    key: bytes

    def sign(self, purpose: str, *parts: str) -> str:
        """A signature over the parts that no other purpose accepts."""
        text = "\0".join((purpose, *parts)).encode()
        return urlsafe_b64encode(hmac.digest(self.key, text, "sha256")).decode().rstrip("=")

    def verify(self, signature: str, purpose: str, *parts: str) -> bool:
        """True if `sign` made the signature for the same purpose and parts."""
        return hmac.compare_digest(signature.encode(), self.sign(purpose, *parts).encode())


def derive_keys(settings: Settings) -> Keys:
    """The keys of these settings; takes about a tenth of a second. Without a password and a secret they are random."""
    password = settings.page_password.get_secret_value() if settings.page_password else ""
    secret = settings.secret.get_secret_value() if settings.secret else ""
    if not (password or secret):
        return Keys(secrets.token_bytes(32))
    salt = hashlib.sha256(b"trackwalker page\0" + secret.encode()).digest()
    return Keys(hashlib.pbkdf2_hmac("sha256", password.encode(), salt, KDF_ROUNDS))


# ---- sessions ----


def start(store: JournalStore, keys: Keys, now: Callable[[], float] = time.time) -> str:
    """Begin a session and return the value of its cookie."""
    session = secrets.token_urlsafe(32)
    expires = str(int(now()) + SESSION_SECONDS)
    store.command("set", _session_key(session), "1", SESSION_SECONDS)
    return f"{session}.{expires}.{keys.sign('session', session, expires)}"


def find(store: JournalStore, keys: Keys, cookie: str, now: Callable[[], float] = time.time) -> str:
    """The id of the session that a cookie proves; "" if it is forged, expired or ended.

    Raises:
        NotAvailable: Redis does not answer.
    """
    session, _, rest = cookie.partition(".")
    expires, _, signature = rest.partition(".")
    if not keys.verify(signature, "session", session, expires) or int(expires) <= now():
        return ""
    return session if store.command("exists", _session_key(session)) else ""


def end(store: JournalStore, session: str) -> None:
    """End a session, on every machine that has its cookie."""
    store.command("delete", _session_key(session))


def _session_key(session: str) -> str:
    # Redis holds only a digest: a copy of the store logs nobody in.
    return PAGE_SESSION_PREFIX + digest(session)


# ---- browsers without a session ----


def new_browser(keys: Keys) -> str:
    """The value of a cookie that binds forms to a browser where no login does."""
    browser = secrets.token_urlsafe(16)
    return f"{browser}.{keys.sign('browser', browser)}"


def find_browser(keys: Keys, cookie: str) -> str:
    """The id in a browser's cookie; "" if it is forged."""
    browser, _, signature = cookie.partition(".")
    return browser if keys.verify(signature, "browser", browser) else ""


# ---- the answer to a form, shown once on the next page ----


def pack_flash(keys: Keys, text: str, done: bool) -> str:
    """The value of the cookie that carries an answer over the redirect."""
    packed = urlsafe_b64encode(f"{int(done)}{text[:MAX_FLASH_LENGTH]}".encode()[:2500]).decode()
    return f"{packed}.{keys.sign('flash', packed)}"


def unpack_flash(keys: Keys, cookie: str) -> tuple[str, bool] | None:
    """The text and whether anything was done; None unless `pack_flash` made the cookie."""
    packed, _, signature = cookie.partition(".")
    if not keys.verify(signature, "flash", packed):
        return None
    try:
        text = urlsafe_b64decode(packed).decode(errors="ignore")
    except Base64Error:
        return None
    return text[1:], text.startswith("1")
