"""Git over smart HTTP: the real `git http-backend`, run as a CGI program."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

Right = Literal["none", "read", "write"]


def git(folder: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """The output of a git command, run without user configuration."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "A Person", "GIT_AUTHOR_EMAIL": "person@example.com",
        "GIT_COMMITTER_NAME": "A Person", "GIT_COMMITTER_EMAIL": "person@example.com",
    }  # fmt: skip
    run = subprocess.run(
        ["git", *arguments], check=False, cwd=folder, env=environment, input=stdin, capture_output=True
    )
    if run.returncode:
        raise RuntimeError(f"git {' '.join(arguments)}: {run.stderr.decode()}")
    return run.stdout.decode().rstrip("\n")


def basic(request: Request) -> tuple[str, str] | None:
    """User and password from an Authorization header; None without one."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    user, _, password = base64.b64decode(value).decode().partition(":")
    return user, password


async def answer(request: Request, root: Path, path: str, rights: Callable[[str | None], Right]) -> Response:
    """One request of a git client. `rights` returns the access of a token, or of a request without one."""
    who = basic(request)
    if who is not None and who[0] != "x-access-token":
        return Response("Invalid username or token.", 401)
    right = rights(who[1] if who else None)
    writes = path.endswith("/git-receive-pack") or "git-receive-pack" in request.url.query
    if who is None and (writes or right == "none"):
        return Response("Authentication required.", 401, {"WWW-Authenticate": 'Basic realm="GitHub"'})
    if right == "none":
        return Response("Repository not found.", 404)
    if writes and right != "write":
        return Response("Write access to repository not granted.", 403)
    body = await request.body()
    return await run_in_threadpool(_run, request, body, root, path, who[0] if who else "")


def _run(request: Request, body: bytes, root: Path, path: str, user: str) -> Response:
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_PROJECT_ROOT": str(root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
        "REQUEST_METHOD": request.method, "QUERY_STRING": request.url.query, "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": request.headers.get("content-type", ""), "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
    } | ({"REMOTE_USER": user} if user else {})  # fmt: skip
    run = subprocess.run(
        ["git", "http-backend"], check=False, env=environment, input=body, capture_output=True
    )
    head, _, content = run.stdout.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n") if line]
    headers = {name: value for name, _, value in lines}
    status = int(headers.pop("Status", "200").split()[0]) if headers else 500
    return Response(content, status, headers)
