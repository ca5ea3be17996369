"""The neighbours of a recorded service: a name server, datastores that really run, and outside hosts that misbehave."""

from __future__ import annotations

import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Control = Callable[[str], None]
"""Carries out a step of the plan: `stop postgres` or `start postgres`."""
Stop = Callable[[], None]
Options = dict[str, Any]

AS_NOBODY = (
    "setpriv",
    "--reuid=nobody",
    "--regid=nogroup",
    "--clear-groups",
)  # PostgreSQL refuses to run as root
POSTGRES = "/usr/lib/postgresql/15/bin"


@contextmanager
def started(plan: dict[str, Options]) -> Iterator[Control]:
    """The neighbours of a plan, by kind; ended afterwards.

    Kinds: `postgres` (`address`, `auth`, `options` of its command line), `redis` (`address`, `password`), `silent`
    (accepts and never answers) and `web` (answers with `status`; with `tls`, under a certificate of its own).
    """
    threading.Thread(target=_answer_no_such_name, daemon=True).start()
    running = {kind: KINDS[kind](options) for kind, options in plan.items()}

    def control(step: str) -> None:
        verb, _, kind = step.partition(" ")
        if verb == "stop":
            running.pop(kind)()
        else:
            running[kind] = KINDS[kind](plan[kind])

    try:
        yield control
    finally:
        for stop in running.values():
            stop()


def _answer_no_such_name() -> None:
    """A name server to which every name is unknown (NXDOMAIN); known names stand in /etc/hosts."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        query, peer = server.recvfrom(2048)
        end = query.index(b"\0", 12) + 5
        server.sendto(query[:2] + b"\x81\x83" + query[4:6] + bytes(6) + query[12:end], peer)


def _quietly(command: Sequence[str], *, check: bool = True) -> int:
    quiet = subprocess.DEVNULL
    return subprocess.run(command, check=check, stdout=quiet, stderr=quiet).returncode


def start_postgres(options: Options) -> Stop:
    """A real PostgreSQL; ended by a fast shutdown, as Railway does it."""
    folder, method = Path(tempfile.mkdtemp(prefix="pg")), options.get("auth", "trust")
    (folder / "password").write_text("correct\n")
    for path in (folder, folder / "password"):
        shutil.chown(path, "nobody")
    trust = [f"--auth-host={method}", f"--pwfile={folder}/password"]
    _quietly([*AS_NOBODY, f"{POSTGRES}/initdb", "-D", f"{folder}/db", "-U", "postgres", *trust])
    with (folder / "db/pg_hba.conf").open("a") as file:
        file.write(f"host all all all {method}\n")
    listen = ["-D", f"{folder}/db", "-k", str(folder), "-c", f"listen_addresses={options['address']}"]
    server = subprocess.Popen(
        [*AS_NOBODY, f"{POSTGRES}/postgres", *listen, *options.get("options", ())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while _quietly(["psql", "-h", str(folder), "-U", "postgres", "-c", "select 1"], check=False):
        time.sleep(0.1)
    return partial(_end, server, signal.SIGINT, folder)


def start_redis(options: Options) -> Stop:
    """A real Redis."""
    command = ["redis-server", "--bind", options["address"], "--save", "", "--protected-mode", "no"]
    command += ["--requirepass", options["password"]] if "password" in options else []
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
    time.sleep(0.5)
    return partial(_end, server, signal.SIGTERM, None)


def _end(server: subprocess.Popen[bytes], number: signal.Signals, folder: Path | None) -> None:
    server.send_signal(number)
    server.wait(10)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def start_silent(options: Options) -> Stop:
    """A host that accepts connections and never answers."""
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.bind((options["address"], options["port"]))
    server.listen(64)
    return server.close


def start_web(options: Options) -> Stop:
    """A web server that gives every request the same answer."""
    body = options.get("body", "").encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(options.get("status", 200))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer((options["address"], options["port"]), Handler)
    if "tls" in options:
        server.socket = _own_certificate(options["tls"]).wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.shutdown


def _own_certificate(name: str) -> ssl.SSLContext:
    """A context with a certificate for a name, signed by nobody else."""
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        _quietly(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                  "-subj", f"/CN={name}", "-days", "1"])  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    return context


KINDS: dict[str, Callable[[Options], Stop]] = {
    "postgres": start_postgres,
    "redis": start_redis,
    "silent": start_silent,
    "web": start_web,
}
