"""Every check beside that of the settings, in the order in which the report shows them."""

from __future__ import annotations

from workers.doctor.runner import Check

CHECKS: tuple[Check, ...] = ()
