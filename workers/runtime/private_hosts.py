"""Tells hosts of this machine and of private networks from public ones. Pure: no name is looked up."""

from __future__ import annotations

import re
from ipaddress import ip_address

LOCAL_NAMES = re.compile(r"localhost|.*\.(?:localhost|local|internal)")
"""Names that no public DNS serves: RFC 6761, RFC 6762, and `.internal`, which ICANN reserved in 2024.

Railway's private network uses `<service>.railway.internal`.
"""


def is_private_host(host: str) -> bool:
    """True for an address that is not routed in the internet, for a name without a dot and for `LOCAL_NAMES`."""
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or LOCAL_NAMES.fullmatch(host.lower()) is not None
