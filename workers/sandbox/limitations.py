"""Limitations of a sandbox, in sentences for the log, `doctor`, the page and the verification."""

from __future__ import annotations

from collections.abc import Sequence

from workers.sandbox.sandbox import Sandbox


def limitations(sandbox: Sandbox, failures: Sequence[str]) -> tuple[str, ...]:
    """The limitations of the sandbox.

    Args:
        sandbox: the level.
        failures: what a trial command could do although it should not, from `builder`.
    """
    if sandbox.kind == "none":
        return ("Commands can read, write and reach everything that the worker can.",)
    on_host = sandbox.kind != "bubblewrap"
    conditions = {
        "Commands have the worker's own uid, because the worker is not root.": not sandbox.own_uid,
        "There is no filter of system calls, so commands reach more of the kernel.": not sandbox.seccomp,
        "The kernel has no Landlock, so nothing inside bubblewrap limits signals and files a second time.": not on_host
        and not sandbox.landlock,
        "Commands have no user namespace of their own.": not on_host
        and "--unshare-user" not in sandbox.namespaces,
        "Commands can read every file that everybody may read.": sandbox.kind == "uid" and not sandbox.stages,
        "Files that a command writes to the host's /tmp or /dev/shm count against no bound until it ends.": on_host
        and not sandbox.stages
        and not sandbox.landlock,
        "Commands see names and sizes of files, though not contents.": sandbox.kind == "landlock"
        and not sandbox.stages,
        "Commands see the command lines of other processes.": "see a process" in failures,
        "A command that may reach the worker reaches every host at the same TCP port number.": sandbox.kind
        == "landlock"
        and not sandbox.private_network
        and sandbox.landlock >= 4,
        "A command that may reach the worker reaches every host over TCP.": on_host
        and not sandbox.private_network
        and sandbox.landlock < 4,
        "Tests that open sockets fail, because commands have no network namespace.": not sandbox.private_network,
        "Commands can change permissions and times of the worker's files, and limits of its processes.": on_host
        and not sandbox.own_uid,
        "Commands can signal abstract sockets and processes of their own uid.": on_host
        and not sandbox.own_uid
        and sandbox.landlock < 6,
    }
    return tuple(sentence for sentence, is_present in conditions.items() if is_present)
