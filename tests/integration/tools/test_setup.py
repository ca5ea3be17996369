"""`make setup`: it installs only what is missing, with the Python that is there, and explains what stops it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = ("requirements-dev.lock", "tools")
OTHER_PYTHON = shutil.which("python3", path="/usr/bin")
COMMAND = """
import setup
from console_command import write_command
write_command(setup.VENV / "bin", setup.VENV / "bin" / "python", setup.ROOT)
"""
STAMP = """
import setup
setup.write_stamp(setup.VENV, setup.venv_digest())
setup.write_stamp(setup.TOOLS, setup.tools_digest())
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in a folder with a space that looks as if set up: an environment with the command, no program."""
    root = tmp_path / "my checkout"
    root.mkdir()
    for name in FILES:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, root / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / ".venv"], check=True)
    packages = next((root / ".venv" / "lib").iterdir()) / "site-packages"
    (packages / "redis").mkdir()
    _python(root, COMMAND)
    (root / ".tools" / "bin").mkdir(parents=True)
    for name in ("opencode", "rg"):
        (root / ".tools" / "bin" / name).touch()
    _python(root, STAMP)
    (root / ".env").write_text("TRACKWALKER_SECRET=s3cret\n")
    return root


def _python(root: Path, code: str) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=root / "tools", check=True)


def set_up(root: Path, *options: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    command = [python, str(root / "tools" / "setup.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_finished_set_up_writes_nothing(checkout: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in checkout.iterdir()}

    finished = set_up(checkout)

    assert "up to date" in finished.stdout, finished.stderr
    assert not (checkout / ".tools" / "setup.lock").exists()
    assert {
        path: path.stat().st_mtime_ns for path in checkout.iterdir() if path.name != "tools"
    }.items() <= before.items()


@pytest.mark.skipif(OTHER_PYTHON is None, reason="there is no other Python in /usr/bin")
def test_another_python_keeps_the_environment(checkout: Path) -> None:
    finished = set_up(checkout, python=str(OTHER_PYTHON))

    assert "up to date" in finished.stdout, finished.stderr


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Path) -> None:
    python = checkout / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")

    assert _pending(checkout) == "install_packages"


def test_an_environment_for_another_version_of_python_is_made_anew(checkout: Path) -> None:
    folder = next((checkout / ".venv" / "lib").iterdir())
    folder.rename(folder.with_name("python3.0"))

    assert _pending(checkout) == "install_packages"


def _pending(root: Path) -> str:
    code = "import setup; print(*[job.__name__ for job in setup.pending_jobs(only_tools=False, this_python=False)])"
    command = [sys.executable, "-c", code]
    return subprocess.check_output(command, cwd=root / "tools", text=True).strip()


def test_the_command_starts_its_python_from_any_folder(checkout: Path, tmp_path: Path) -> None:
    (checkout / "workers").mkdir()
    (checkout / "workers" / "__main__.py").write_text("def main(): print('started'); return 3\n")

    finished = subprocess.run(
        [checkout / ".venv" / "bin" / "trackwalker"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (finished.stdout, finished.returncode) == ("started\n", 3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("A=1\n".encode("utf-16"), ".env is UTF-16: save it as UTF-8"),
        ("A=1\n".encode("utf-16-le"), ".env is UTF-16: save it as UTF-8"),
        (b"A=1\nB=\xe9\n", ".env line 2 is not UTF-8: save the file as UTF-8"),
    ],
)
def test_an_unreadable_env_file_is_named_and_kept(checkout: Path, content: bytes, reason: str) -> None:
    (checkout / ".env").write_bytes(content)

    finished = set_up(checkout)

    assert (finished.returncode, finished.stderr) == (1, f"setup: {reason}\n")
    assert (checkout / ".env").read_bytes() == content


def test_a_secret_is_added_and_every_other_byte_is_kept(checkout: Path) -> None:
    (checkout / ".env").write_bytes(b"\xef\xbb\xbfTRACKWALKER_SECRET=\r\n# mine\r\nA = 1\r\nB='x'")

    set_up(checkout)

    kept, secret, rest = (checkout / ".env").read_bytes().rpartition(b"\nTRACKWALKER_SECRET=")
    assert kept == b"# mine\r\nA = 1\r\nB='x'"
    assert secret and len(rest) > 40
    assert (checkout / ".env").stat().st_mode & 0o777 == 0o600
