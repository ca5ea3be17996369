"""Protects the memory and environment of a process that holds credentials."""

from __future__ import annotations

import ctypes

PR_SET_DUMPABLE = 4  # option of prctl(2), from <linux/prctl.h>


def protect_process() -> None:
    """Make this process undumpable: a process with the same uid cannot read its memory or environment.

    Forked children inherit it, a new program does not: each process that holds credentials calls this first.

    Raises:
        OSError: the kernel refuses.
    """
    prctl = getattr(ctypes.CDLL(None, use_errno=True), "prctl", None)  # None on macOS
    if prctl is not None and prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl PR_SET_DUMPABLE")
