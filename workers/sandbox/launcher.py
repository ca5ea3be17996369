"""Starts one command between the worker and the sandbox; a Python of its own runs this file as a script.

The launcher ties the command's life to the worker's. For git it replaces itself with the command. For a sandboxed
command it prepares mounts, changes the uid, supervises the command within its bounds, and leaves nothing behind when
the command or the worker ends. `preexec_fn` cannot do this: the worker has threads, and Python code between fork and
exec may deadlock on a lock that another thread held (documented for `subprocess.Popen`).

Only the standard library and its like in this package may be imported here: the file runs with `python -I -S`.
"""

from __future__ import annotations

import json
import marshal
import os
import signal
import sys

sys.path[:0] = [os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))]  # noqa: PTH100, PTH120

from workers.sandbox.confinement import PR_SET_PDEATHSIG, confine_and_exec, prctl  # noqa: E402

TYPE_CHECKING = False  # importing typing would cost each command milliseconds
if TYPE_CHECKING:
    from typing import NotRequired, TypedDict

    from workers.sandbox.confinement import Confinement
    from workers.sandbox.supervision import Watch

    Bind = tuple[str, str, bool]
    """Source, path inside, and whether it is writable."""

    class Bubblewrap(TypedDict):
        """How bubblewrap is started around a command."""

        program: str
        arguments: list[str]
        binds: list[Bind]
        files: dict[str, str]
        """Path inside → contents."""
        folders: list[str]
        """Folders above the paths inside, which everybody may pass through."""
        tmp_bytes: int
        shm_bytes: int
        last: list[str]
        """Arguments after all mounts."""
        script: str
        """Path inside of `confinement.py`."""

    class Separation(TypedDict):
        """Private mounts and namespaces without bubblewrap."""

        visible: list[str]
        keep: list[str]
        files: dict[str, str]
        tmp_bytes: int

    class Spec(TypedDict):
        """The command to start, as JSON in the launcher's only argument."""

        parent: int
        """Process id of the worker."""
        argv: NotRequired[list[str]]
        """A command of ours, which replaces the launcher. The other fields belong to a sandboxed command."""
        cwd: NotRequired[str]
        confinement: NotRequired[Confinement]
        bubblewrap: NotRequired[Bubblewrap | None]
        separation: NotRequired[Separation | None]
        stages: NotRequired[bool]
        """Whether the sources of bubblewrap's mounts are staged."""
        uid: NotRequired[int | None]
        watch: NotRequired[Watch]


def main(spec: Spec) -> int:
    """Start the command. The result is its exit code, 128 + n after signal n, 127 if it could not be started."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL if "argv" in spec else signal.SIGTERM)
    # A worker that ended before the line above sends no signal any more.
    if os.getppid() != spec["parent"]:
        return 1
    if "argv" in spec:
        return _exec(spec["argv"], spec["cwd"])
    from workers.sandbox.supervision import supervise

    return supervise(lambda: _become_command(spec), spec["watch"])


def _exec(argv: list[str], cwd: str) -> int:
    try:
        os.chdir(cwd)
        os.execvp(argv[0], argv)  # noqa: S606 (a list of arguments, never a shell)
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr, flush=True)
    return 127


def _become_command(spec: Spec) -> int:
    os.setsid()
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        if wrapper := spec["bubblewrap"]:
            return _become_bubblewrap(spec, wrapper)
        if separation := spec["separation"]:
            from workers.sandbox.staging import separate

            separate(separation["visible"], separation["keep"], separation["tmp_bytes"], separation["files"])
    except OSError as error:
        print(f"sandbox: {error}", file=sys.stderr, flush=True)
        return 126
    return confine_and_exec(spec["confinement"])


def _become_bubblewrap(spec: Spec, wrapper: Bubblewrap) -> int:
    program, sources, tmp = wrapper["program"], [source for source, _, _ in wrapper["binds"]], ""
    # The real file, because the name in a virtual environment does not exist inside. It is resolved before the stage
    # covers /tmp, where the virtual environment may lie.
    python = os.path.realpath(sys.executable)
    if spec["stages"]:
        from workers.sandbox.staging import stage

        # The package's bubblewrap loads a library that lies beside its folder.
        folder = os.path.dirname(os.path.dirname(os.path.dirname(program)))  # noqa: PTH120
        places, tmp = stage([*sources, folder], wrapper["tmp_bytes"])
        program = places[-1] + program.removeprefix(folder)
        sources = places[:-1]
    arguments = [program, *wrapper["arguments"], *_tmp(wrapper, tmp)]
    for path in wrapper["folders"]:
        arguments += ["--perms", "0755", "--dir", path]
    for source, (_, path, writable) in zip(sources, wrapper["binds"], strict=False):
        arguments += ["--bind" if writable else "--ro-bind", source, path]
    for path, text in wrapper["files"].items():
        arguments += ["--perms", "0444", "--file", str(_pipe(text.encode())), path]
    specification = _pipe(marshal.dumps(dict(spec["confinement"])))
    arguments += [*wrapper["last"], "--", python, "-I", "-S", wrapper["script"], str(specification)]
    uid = spec["uid"]
    if uid is not None and spec["confinement"]["uid"] is None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        # A change of credentials clears this signal (prctl(2)).
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execv(program, arguments)  # noqa: S606


def _tmp(wrapper: Bubblewrap, tmp: str) -> list[str]:
    private = (
        ["--bind", tmp, "/tmp"]  # noqa: S108
        if tmp
        else ["--perms", "1777", "--size", str(wrapper["tmp_bytes"]), "--tmpfs", "/tmp"]  # noqa: S108
    )
    return ["--perms", "1777", "--size", str(wrapper["shm_bytes"]), "--tmpfs", "/dev/shm", *private]  # noqa: S108


def _pipe(content: bytes) -> int:
    """A descriptor from which a child reads the content, which must fit into the buffer of a pipe (64 KiB)."""
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    with os.fdopen(writer, "wb") as file:
        file.write(content)
    return reader


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
