"""The secrets that a request offers: in a header, in the path, or as `Authorization`.

Alertmanager and Grafana can send `Authorization`, Railway a header of its own, and Slack's and Sentry's senders only
know an address.
"""

from __future__ import annotations

import base64
import binascii

from starlette.datastructures import Headers

MAX_AUTHORIZATION_CHARACTERS = 4096  # a longer header holds no secret of ours


def offered_secrets(headers: Headers, path_secret: str) -> list[bytes]:
    """Every value of the request that may be the secret, in no order.

    Args:
        path_secret: the last part of the path, "" if there is none.
    """
    offered = [
        headers.get("x-trackwalker-secret", "").encode("latin-1", "replace"),
        path_secret.encode("utf-8", "replace"),
    ]
    scheme, _, value = headers.get("authorization", "")[:MAX_AUTHORIZATION_CHARACTERS].partition(" ")
    if scheme.lower() == "bearer":
        offered.append(value.strip().encode("latin-1", "replace"))
    elif scheme.lower() == "basic":
        offered += _basic_secrets(value.strip())
    return offered


def _basic_secrets(value: str) -> list[bytes]:
    """The password, and the user where there is no password: any user will do."""
    try:
        user, _, password = base64.b64decode(value, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return []
    return [password or user]
