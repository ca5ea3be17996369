"""A git server with one repository, over a real socket, and the work tree from which people push to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.fakes.githttp import Right, answer, git
from tests.support.fakes.serving import Faults, serve
from workers.clients.git import Repositories

REPOSITORY = "acme/shop"
TOKEN = "ghp_0123456789abcdefghij"  # may read and write
READER_TOKEN = "ghp_reader"  # may read only


@dataclass
class GitServer:
    """The running server."""

    bare: Path
    work: Path
    url: str
    faults: Faults
    folder: Path

    def commit(self, files: dict[str, str | None], subject: str = "change", branch: str = "main") -> str:
        """Commit the files (None deletes one) and push them; returns the commit's hash."""
        for path, text in files.items():
            target = self.work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink() if text is None else target.write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", subject)
        git(self.work, "push", "-q", "-f", str(self.bare), f"HEAD:refs/heads/{branch}")
        return git(self.work, "rev-parse", "HEAD")

    def repositories(self, token: str | None = TOKEN, folder: str = "ours") -> Repositories:
        """A client of the server with a folder of its own."""
        return Repositories(self.folder / folder, self.url, lambda _name: SecretStr(token) if token else None)


@contextmanager
def serving_git(folder: Path) -> Iterator[GitServer]:
    """A git server for the block, with all its files in the folder."""
    bare, work, faults = folder / "root" / f"{REPOSITORY}.git", folder / "work", Faults()
    bare.mkdir(parents=True)
    work.mkdir()
    git(bare, "init", "-q", "--bare", "-b", "main")
    git(work, "init", "-q", "-b", "main")

    async def backend(request: Request) -> Response:
        def rights(token: str | None) -> Right:
            return {TOKEN: "write", READER_TOKEN: "read"}.get(token or "", "none")  # type: ignore[return-value]

        return await answer(request, folder / "root", request.url.path, rights)

    app = Starlette(routes=[Route("/{path:path}", backend, methods=["GET", "POST"])])
    with serve(app, faults) as running:
        yield GitServer(bare, work, running.url, faults, folder)
