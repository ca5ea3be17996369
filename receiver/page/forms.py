"""Forms that a browser sends: read within bounds, and only from our own pages."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request

from receiver.page.sessions import FORM_TOKEN, Keys

MAX_FORM_BYTES = 16_384
MAX_FORM_FIELDS = 40
FORM_TYPE = "application/x-www-form-urlencoded"

Form = Mapping[str, str]


class InvalidForm(Exception):
    """A form that is not handled, with the HTTP status and the reason for people."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


async def read(request: Request) -> Form:
    """The fields of a form; of a repeated field the last value.

    Raises:
        InvalidForm: it is no form, or too large.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM_TYPE:
        raise InvalidForm(415, "This address takes forms of the page only.")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_FORM_BYTES:
                raise InvalidForm(413, "The form is too large. Shorten the reason.")
    except ClientDisconnect:
        raise InvalidForm(400, "The form did not arrive.") from None
    try:
        text = body.decode("ascii")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS))
    except ValueError:
        raise InvalidForm(400, "The form cannot be read.") from None


def check_origin(headers: Mapping[str, str], public_url: str) -> None:
    """Raises InvalidForm unless the browser says that one of our own pages sent the form."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    refused = InvalidForm(403, "This form was sent by another site, so nothing was done.")
    if site is not None and site != "same-origin":
        raise refused
    if origin is None or origin == "null":
        # A page with `Referrer-Policy: no-referrer` sends `null`; then only Sec-Fetch-Site shows that it is ours.
        if site is None:
            raise refused
        return
    host = headers.get("host", "").lower()
    # A proxy may replace Host by our own address: the public address counts, too.
    if not host or origin.lower() not in {f"http://{host}", f"https://{host}", origin_of(public_url)}:
        raise refused


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of an address, as browsers write it."""
    parts = urlsplit(url.lower())
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].removesuffix(default)}"


def form_token(keys: Keys, visitor: str, browser: str) -> str:
    """The token of all forms that this visitor sees in this browser."""
    return keys.sign(FORM_TOKEN, visitor, browser)


def check_token(keys: Keys, form: Form, visitor: str, browser: str) -> None:
    """Raises InvalidForm unless the form has this visitor's token."""
    if not browser or not keys.verify(form.get("token", ""), FORM_TOKEN, visitor, browser):
        raise InvalidForm(403, "This form is out of date. Go back, reload the page and press again.")
