"""Mistakes that people make in a set-up, each with the words by which `doctor` names it and its repair.

`python -m tests.support.doctor_mistakes` prints the table; `run_all` is for benchmarks.
"""

from __future__ import annotations

import copy
import ipaddress
import json
import os
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.support.fakes.github import FakeGitHub
from tests.support.fakes.railway import FakeRailway
from tests.support.fakes.railway_types import Neighbour, World, WorldService
from tests.support.fakes.serving import free_port, serve
from tests.support.fakes.slack import HOOK, FakeSlack
from workers import doctor
from workers.doctor.railway_webhook import EVENTS
from workers.doctor.setting_checks import read_present
from workers.engine.schema import probe_key
from workers.models.check_results import CheckReport, CheckStatus
from workers.runtime.embedded import EmbeddedStore
from workers.runtime.store import client

PROJECT, ENVIRONMENT = "prj-1", "env-1"
PUBLIC_HOST = "tw.example.com"
SECRET = "webhook-secret"
PROJECT_TOKEN = "project-token"
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-5")


@dataclass
class FakeProvider:
    """A provider with Anthropic's API: the list of models, and one answer."""

    key: str = "sk-ant-1"
    status: int = 0
    """Status of every call, with `message` as the error; 0 answers properly."""
    message: str = ""
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.app = Starlette(
            routes=[
                Route("/v1/models", self._models),
                Route("/v1/messages", self._message, methods=["POST"]),
            ]
        )

    def _refusal(self, request: Request) -> Response | None:
        self.calls.append(request.url.path)
        if request.headers.get("x-api-key") != self.key:
            return _anthropic_error(401, "authentication_error", "invalid x-api-key")
        if not request.headers.get("anthropic-version"):
            return _anthropic_error(400, "invalid_request_error", "anthropic-version: header is required")
        return None

    async def _models(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        return JSONResponse({"data": [{"type": "model", "id": name} for name in MODELS], "has_more": False})

    async def _message(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        if self.status:
            return _anthropic_error(self.status, "invalid_request_error", self.message)
        body = await request.json()
        if body["model"] not in MODELS:
            return _anthropic_error(404, "not_found_error", f"model: {body['model']}")
        answer = {"type": "message", "content": [{"type": "text", "text": "OK"}], "stop_reason": "max_tokens"}
        return JSONResponse(answer | {"usage": {"input_tokens": 10, "output_tokens": 1}})


def _anthropic_error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"type": "error", "error": {"type": kind, "message": message}}, status)


@dataclass
class FakeReceiver:
    """The server at the public address: webhooks that carry the secret, and `/health`."""

    secret: str = SECRET
    status: int = 0
    """Status of every answer; 0 answers properly."""
    redis_url: str = ""
    """Where it notes the tests that arrive; "" notes them nowhere."""

    def __post_init__(self) -> None:
        paths = [
            Route("/hooks/railway/{secret:path}", self._hook, methods=["POST"]),
            Route("/health", self._health),
        ]
        self.app = Starlette(routes=paths)

    async def _hook(self, request: Request) -> Response:
        if self.status:
            return PlainTextResponse("", self.status)
        if request.path_params["secret"] != self.secret:
            return JSONResponse({}, 401)
        if self.redis_url:
            with client(self.redis_url) as connection:
                connection.set(probe_key((await request.json())["details"]["nonce"]), 1)
        return JSONResponse({"test": "received"}, 202)

    async def _health(self, _: Request) -> Response:
        return PlainTextResponse("ok\n", self.status or 200)


@dataclass
class SetUp:
    """A complete installation beside stand-ins. A mistake changes the settings or a stand-in."""

    folder: Path
    railway: FakeRailway
    github: FakeGitHub
    slack: FakeSlack
    provider: FakeProvider
    receiver: FakeReceiver
    environ: dict[str, str]
    stack: ExitStack

    @property
    def world(self) -> World:
        return self.railway.world

    def examine(self, *areas: str, is_quick: bool = False, post_test: bool = False) -> CheckReport:
        """The report of `doctor`, in this process."""
        present = read_present(self.environ, self.folder)
        return doctor.examine(present, areas=areas, is_quick=is_quick, post_test=post_test)


@contextmanager
def set_up() -> Iterator[SetUp]:
    """A set-up in which nothing is wrong, beside stand-ins on this machine."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        services = [
            WorldService("svc-shop", "shop", repo="acme/shop"),
            WorldService("svc-thumbs", "thumbs", repo="acme/thumbs"),
            WorldService("svc-db", "Postgres", image="postgres:18"),
        ]  # fmt: skip
        world = World(PROJECT, "acme", ENVIRONMENT, "production", services)
        world.neighbours = [Neighbour("prj-2", "blog", "env-2", "staging")]
        railway, slack = FakeRailway(world, project_token=PROJECT_TOKEN), FakeSlack()
        slack.scopes = frozenset({"chat:write", "channels:history", "channels:read"})
        github = FakeGitHub(folder / "github")
        for name in ("acme/shop", "acme/thumbs"):
            source = folder / "origin" / name
            source.mkdir(parents=True)
            (source / "app.py").write_text("print(1)\n")
            github.create(name, source)
        provider, receiver = FakeProvider(), FakeReceiver()
        railway.rules.hosts[PUBLIC_HOST] = stack.enter_context(serve(receiver.app)).url
        railway.rules.rows.append(rule())
        github_url = stack.enter_context(serve(github.app, github.faults)).url
        config = folder / "opencode.json"
        address = stack.enter_context(serve(provider.app)).url
        config.write_text(json.dumps({"provider": {"anthropic": {"options": {"baseURL": f"{address}/v1"}}}}))
        store = EmbeddedStore(folder / "redis")
        redis_url = store.ensure()
        stack.callback(store.stop)
        receiver.redis_url = redis_url
        environ = {
            "PATH": os.environ["PATH"], "TRACKWALKER_DATA_DIR": str(folder / "data"),
            "RAILWAY_API_TOKEN": railway.token, "TRACKWALKER_ENVIRONMENTS": f"{PROJECT}/{ENVIRONMENT}",
            "RAILWAY_API_URL": stack.enter_context(serve(railway.app, railway.faults)).url + "/graphql/v2",
            "TRACKWALKER_SECRET": SECRET, "TRACKWALKER_PUBLIC_URL": f"https://{PUBLIC_HOST}",
            "GITHUB_TOKEN": github.token, "GITHUB_API_URL": github_url, "GITHUB_SERVER_URL": github_url,
            "SLACK_BOT_TOKEN": slack.token, "SLACK_CHANNEL": f"#{slack.channel_name}",
            "SLACK_API_URL": stack.enter_context(serve(slack.app, slack.faults)).url + "/api",
            "TRACKWALKER_PAGE_PASSWORD": "correct horse battery",
            "SLACK_SIGNING_SECRET": "0123456789abcdef" * 2, "TRACKWALKER_MODEL": "anthropic/claude-sonnet-4-5",
            "ANTHROPIC_API_KEY": provider.key, "OPENCODE_CONFIG": str(config), "REDIS_URL": redis_url,
        }  # fmt: skip
        yield SetUp(folder, railway, github, slack, provider, receiver, environ, stack)


def rule(
    url: str = f"https://{PUBLIC_HOST}/hooks/railway", events: tuple[str, ...] = EVENTS
) -> dict[str, Any]:
    """A notification rule of the project, as Railway stores it."""
    at = "2026-11-01T00:00:00.000Z"
    shared = {"createdAt": at, "updatedAt": at, "workspaceId": "workspace-1"}
    channel = {"id": "channel-1", "config": {"type": "webhook", "url": url}, **shared}
    return {
        "id": "rule-1", "projectId": PROJECT, "environmentId": None, "serviceId": None, "severities": [],
        "ephemeralEnvironments": False, "eventTypes": list(events), "channels": [channel], **shared,
    }  # fmt: skip


# ---- the mistakes ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Mistake:
    """One mistake: how it is made, and which words its result must hold."""

    name: str
    area: str
    make: Callable[[SetUp], None]
    what: tuple[str, ...]
    """Words of the finding."""
    repair: tuple[str, ...]
    """Words of the repair, or of the lines to copy."""
    status: CheckStatus = CheckStatus.ERROR


def setting(**values: str) -> Callable[[SetUp], None]:
    """The mistake of other values for these variables; "" takes one away."""
    return lambda here: here.environ.update(values)


def dotenv(content: bytes) -> Callable[[SetUp], None]:
    """The mistake of such a `.env`."""
    return lambda here: _discard((here.folder / ".env").write_bytes(content))


def _discard(_: object) -> None:
    return None


def change(action: Callable[[SetUp], object]) -> Callable[[SetUp], None]:
    """The mistake that an expression makes."""
    return lambda here: _discard(action(here))


def read_only(**headers: str) -> Callable[[SetUp], None]:
    """The mistake of a token that may only read, with these headers in GitHub's answers."""

    def make(here: SetUp) -> None:
        here.github.readers.add("reader")
        here.environ["GITHUB_TOKEN"] = "reader"
        here.github.token_headers.update({name.replace("_", "-"): value for name, value in headers.items()})

    return make


def other_app(here: SetUp) -> None:
    """The mistake of a GitHub App whose key belongs to another app."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    here.environ |= {
        "GITHUB_TOKEN": "", "GITHUB_APP_ID": "1", "GITHUB_APP_PRIVATE_KEY": private.decode().replace("\n", "\\n"),
    }  # fmt: skip
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    here.github.app_id = "2"
    here.github.app_public_key = other.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def channel_by_id(here: SetUp) -> None:
    """The mistake that the bot is not in a channel that the setting names by its id."""
    here.slack.member = False
    here.environ["SLACK_CHANNEL"] = here.slack.channel


def attribute(stand_in: str, **values: object) -> Callable[[SetUp], None]:
    """The mistake of other attributes of a stand-in."""

    def make(here: SetUp) -> None:
        for name, value in values.items():
            setattr(getattr(here, stand_in), name, value)

    return make


def _with_password(here: SetUp, password: str) -> str:
    parts = urlsplit(here.environ["REDIS_URL"])
    return f"redis://{f':{password}@' if password else ''}{parts.hostname}:{parts.port}/0"


def _program(here: SetUp, name: str, output: str) -> str:
    path = here.folder / name
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return str(path)


def _tls_server(here: SetUp) -> int:
    """The port of a server with a certificate that it signed itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False).sign(key, hashes.SHA256())
    )  # fmt: skip
    file = here.folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    listener = here.stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    threading.Thread(target=_serve_tls, args=(listener, context), daemon=True).start()
    return int(listener.getsockname()[1])


def _serve_tls(listener: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with suppress(OSError), context.wrap_socket(connection, server_side=True) as encrypted:
                encrypted.recv(100)


def _plain_server(here: SetUp, answer: bytes) -> int:
    """The port of a server that sends this answer to everybody."""
    listener = here.stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def serve_plain() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(answer)

    threading.Thread(target=serve_plain, daemon=True).start()
    return int(listener.getsockname()[1])


def _redis(make_url: Callable[[SetUp], str]) -> Callable[[SetUp], None]:
    return lambda here: here.environ.update(REDIS_URL=make_url(here))


def _redis_setting(name: str, value: str) -> Callable[[SetUp], None]:
    def make(here: SetUp) -> None:
        with client(here.environ["REDIS_URL"]) as connection:
            connection.config_set(name, value)

    return make


WARNING = CheckStatus.WARNING
NO_REDIS = b"HTTP/1.1 400 Bad Request\r\n\r\n"
SETTINGS, RAILWAY, GITHUB, SLACK = "settings", "railway", "github", "slack"
MODEL, REDIS, WEBHOOK, ADDRESS, PROGRAMS = "model", "redis", "webhook", "public address", "programs"

MISTAKES: tuple[Mistake, ...] = (
    # ---- settings ----
    Mistake("a misspelt setting", SETTINGS, setting(TRACKWALKER_MODES="report"),
            ("TRACKWALKER_MODES is not a setting",), ("TRACKWALKER_MODE",)),
    Mistake("a setting in lower case", SETTINGS, setting(trackwalker_mode="report"),
            ("trackwalker_mode is not a setting",), ("TRACKWALKER_MODE",)),
    Mistake("an unknown mode", SETTINGS, setting(TRACKWALKER_MODE="dry-run"),
            ("TRACKWALKER_MODE must be", "shadow", "report", "draft", "full"), ("TRACKWALKER_MODE",)),
    Mistake("a port that is no number", SETTINGS, setting(PORT="http"), ("PORT must be",), ("PORT",)),
    Mistake("environments without a slash", SETTINGS, setting(TRACKWALKER_ENVIRONMENTS="production"),
            ("TRACKWALKER_ENVIRONMENTS must be project-id/environment-id",), ("TRACKWALKER_ENVIRONMENTS",)),
    Mistake("a model without its provider", SETTINGS, setting(TRACKWALKER_MODEL="claude-sonnet-4-5"),
            ("TRACKWALKER_MODEL must be provider/model",), ("TRACKWALKER_MODEL",)),
    Mistake("an unknown time zone", SETTINGS, setting(TRACKWALKER_TIMEZONE="CET+1h"),
            ("TRACKWALKER_TIMEZONE must be", "Europe/Berlin"), ("TRACKWALKER_TIMEZONE",)),
    Mistake("quotes around a token", SETTINGS, setting(SLACK_BOT_TOKEN='"xoxb-stand-in"'),
            ("SLACK_BOT_TOKEN has quotes",), ("remove",)),
    Mistake("a placeholder for a token", SETTINGS, setting(GITHUB_TOKEN="<your token>"),
            ("GITHUB_TOKEN still holds a placeholder",), ("set your own value",)),
    Mistake("a similar name without our prefix", SETTINGS, setting(SLACK_BOT_TOKEN="", SLACK_TOKEN="xoxb-1"),
            ("SLACK_TOKEN is not a setting",), ("SLACK_BOT_TOKEN",), WARNING),
    Mistake("no Railway token", SETTINGS, setting(RAILWAY_API_TOKEN=""),
            ("RAILWAY_API_TOKEN or RAILWAY_TOKEN", "not set"), ("https://railway.com/account/tokens",)),
    Mistake("no webhook secret", SETTINGS, setting(TRACKWALKER_SECRET=""), ("TRACKWALKER_SECRET", "not set"),
            ("make setup",)),
    Mistake("a token without its channel", SETTINGS, setting(SLACK_CHANNEL=""),
            ("SLACK_CHANNEL is not",), ("#on-call",), WARNING),
    Mistake("a .env in UTF-16", SETTINGS, dotenv("TRACKWALKER_MODE=report\n".encode("utf-16")),
            (".env is UTF-16",), ("save it as UTF-8",)),
    Mistake("a .env line without =", SETTINGS, dotenv(b"A=1\nTRACKWALKER_MODE report\n"),
            (".env line 2 has no `=`",), ("write NAME=value",)),
    Mistake("a .env line with an open quote", SETTINGS, dotenv(b'A=1\nB=2\nTRACKWALKER_MODE="report\n'),
            (".env line 3 has a quote that is not closed",), ("close the quote",)),
    Mistake("a GitHub App without its key", SETTINGS, setting(GITHUB_APP_ID="1"),
            ("GITHUB_APP_ID is set and GITHUB_APP_PRIVATE_KEY is not",), ("set GITHUB_APP_PRIVATE_KEY",), WARNING),
    Mistake("a proxy's header without the proxy", SETTINGS, setting(TRACKWALKER_TRUSTED_USER_HEADER="X-User"),
            ("TRACKWALKER_TRUSTED_PROXIES is not",), ("addresses of the proxy",), WARNING),
    Mistake("a page that nobody can open", SETTINGS, setting(TRACKWALKER_PAGE_PASSWORD=""),
            ("the incident page opens on this machine only",), ("TRACKWALKER_PAGE_PASSWORD",), WARNING),
    Mistake("a short page password", SETTINGS, setting(TRACKWALKER_PAGE_PASSWORD="night"),
            ("fewer than 12 characters",), ("longer",), WARNING),
    Mistake("a Slack name in place of an id", SETTINGS, setting(TRACKWALKER_SLACK_USERS="ana=@ana"),
            ("TRACKWALKER_SLACK_USERS: the value for ana is no id",), ("Copy member ID",), WARNING),
    Mistake("no time to drain on Railway", SETTINGS, setting(RAILWAY_SERVICE_ID="svc-1"),
            ("RAILWAY_DEPLOYMENT_DRAINING_SECONDS is not set",), ("RAILWAY_DEPLOYMENT_DRAINING_SECONDS=20",), WARNING),
    # ---- Railway ----
    Mistake("a wrong Railway token", RAILWAY, setting(RAILWAY_API_TOKEN="wrong"),
            ("RAILWAY_API_TOKEN is wrong or was revoked",), ("https://railway.com/account/tokens",)),
    Mistake("a wrong project token", RAILWAY, setting(RAILWAY_API_TOKEN="", RAILWAY_TOKEN="wrong"),
            ("RAILWAY_TOKEN is wrong",), ("Settings → Tokens",)),
    Mistake("a project token in RAILWAY_API_TOKEN", RAILWAY, setting(RAILWAY_API_TOKEN=PROJECT_TOKEN),
            ("RAILWAY_API_TOKEN holds a project token",), ("RAILWAY_TOKEN",)),
    Mistake("an account token in RAILWAY_TOKEN", RAILWAY,
            setting(RAILWAY_API_TOKEN="", RAILWAY_TOKEN="railway-token", TRACKWALKER_ENVIRONMENTS=""),
            ("RAILWAY_TOKEN holds an account or workspace token",), ("RAILWAY_API_TOKEN",)),
    Mistake("names in place of ids", RAILWAY, setting(TRACKWALKER_ENVIRONMENTS="acme/production"),
            ("TRACKWALKER_ENVIRONMENTS=acme/production holds names",),
            ("TRACKWALKER_ENVIRONMENTS=prj-1/env-1   # acme/production",)),
    Mistake("the environment before the project", RAILWAY, setting(TRACKWALKER_ENVIRONMENTS="env-1/prj-1"),
            ("holds the environment first",), ("TRACKWALKER_ENVIRONMENTS=prj-1/env-1",)),
    Mistake("an environment of another project", RAILWAY, setting(TRACKWALKER_ENVIRONMENTS="prj-2/env-1"),
            ("belongs to another project",), ("TRACKWALKER_ENVIRONMENTS=prj-1/env-1",)),
    Mistake("an environment that does not exist", RAILWAY, setting(TRACKWALKER_ENVIRONMENTS="prj-1/env-9"),
            ("does not see prj-1/env-9", "acme (production)", "blog (staging)"),
            ("TRACKWALKER_ENVIRONMENTS=prj-1/env-1   # acme/production",)),
    Mistake("no environment", RAILWAY, setting(TRACKWALKER_ENVIRONMENTS=""),
            ("TRACKWALKER_ENVIRONMENTS is not set", "acme (production)"), ("TRACKWALKER_ENVIRONMENTS=prj-1/env-1",)),
    Mistake("too few requests an hour", RAILWAY, change(lambda here: setattr(here.railway.budget, "limit", 20)),
            ("of 20 requests left",), ("TRACKWALKER_PING_MINUTES=",), WARNING),
    Mistake("a wrong address of Railway's API", RAILWAY, setting(RAILWAY_API_URL="http://127.0.0.1:1/graphql"),
            ("Railway cannot be reached", "refused"),
            ("check RAILWAY_API_URL", "https://backboard.railway.com/graphql/v2"), WARNING),
    Mistake("alerts mapped to a service that does not exist", RAILWAY,
            setting(TRACKWALKER_SERVICE_MAP="frontend=shoop"),
            ("TRACKWALKER_SERVICE_MAP names shoop", "did you mean shop?"), ("watched services",), WARNING),
    # ---- GitHub ----
    Mistake("a wrong GitHub token", GITHUB, setting(GITHUB_TOKEN="wrong"),
            ("GITHUB_TOKEN is wrong, expired or revoked (401 Bad credentials)",),
            ("https://github.com/settings/personal-access-tokens",)),
    Mistake("a repository that the token does not see", GITHUB,
            change(lambda here: here.github.repositories.pop("acme/thumbs")),
            ("acme/thumbs: GITHUB_TOKEN does not see it", "1 of 2 repositories fine"), ("Repository access",)),
    Mistake("contents cannot be written", GITHUB,
            change(lambda here: here.github.denied.update({"acme/thumbs": {"contents"}})),
            ("acme/thumbs: GITHUB_TOKEN cannot push branches", "1 of 2 repositories fine"),
            ('"Contents: read and write"',)),
    Mistake("pull requests cannot be opened", GITHUB,
            change(lambda here: here.github.denied.update({"acme/shop": {"pull_requests"}})),
            ("acme/shop: GITHUB_TOKEN cannot open pull requests",), ('"Pull requests: read and write"',)),
    Mistake("a token that may only read", GITHUB, read_only(),
            ("cannot push branches and open pull requests", "0 of 2 repositories fine"),
            ('"Contents: read and write" and "Pull requests: read and write"',)),
    Mistake("a classic token without the scope repo", GITHUB, read_only(X_OAuth_Scopes="public_repo, gist"),
            ("lacks the scope `repo`", "public_repo"), ("https://github.com/settings/tokens",)),
    Mistake("single sign-on", GITHUB, attribute("github", sso_organization="acme"),
            ("requires single sign-on",), ("Configure SSO",)),
    Mistake("a token that expires soon", GITHUB,
            change(lambda here: here.github.token_headers.update({
                "GitHub-Authentication-Token-Expiration":
                    (datetime.now(UTC) + timedelta(days=3, hours=1)).strftime("%Y-%m-%d %H:%M:%S UTC"),
            })),
            ("GITHUB_TOKEN expires in 3 days",), ("renew it",), WARNING),
    Mistake("GitHub's rate limit is used up", GITHUB,
            change(lambda here: here.github.limits.append("primary")),
            ("rate limit of GITHUB_TOKEN is used up",), ("use a token that nothing else uses",), WARNING),
    Mistake("no GitHub token", GITHUB, setting(GITHUB_TOKEN=""), ("not set", "no code is read"),
            ("set GITHUB_TOKEN",), WARNING),
    Mistake("a GitHub App with a broken key", GITHUB,
            setting(GITHUB_TOKEN="", GITHUB_APP_ID="1", GITHUB_APP_PRIVATE_KEY="no key"),
            ("GITHUB_APP_PRIVATE_KEY is no private key in PEM format",), ("download a new one",)),
    Mistake("a GitHub App with the key of another", GITHUB, other_app,
            ("GITHUB_APP_ID with GITHUB_APP_PRIVATE_KEY",), ("copy the App ID",)),
    Mistake("a wrong address of GitHub's API", GITHUB,
            change(lambda here: here.environ.update(GITHUB_API_URL=here.environ["SLACK_API_URL"])),
            ("is not GitHub's API",), ("GITHUB_API_URL", "/api/v3")),
    # ---- Slack ----
    Mistake("a wrong Slack token", SLACK, setting(SLACK_BOT_TOKEN="xoxb-wrong"),
            ("SLACK_BOT_TOKEN is wrong (invalid_auth)",), ("Bot User OAuth Token",)),
    Mistake("an app-level token", SLACK, setting(SLACK_BOT_TOKEN="xapp-level-token"),
            ("SLACK_BOT_TOKEN holds an app-level token",), ("xoxb-",)),
    Mistake("a channel that does not exist", SLACK, setting(SLACK_CHANNEL="#alerts"),
            ("does not see a channel #alerts",), ("/invite @trackwalker",)),
    Mistake("the bot is not in the channel", SLACK, attribute("slack", member=False),
            ("#on-call: the bot is not in it",), ("/invite @trackwalker in #on-call",)),
    Mistake("the bot is not in the channel, given by id", SLACK, channel_by_id,
            ("the bot is not in it",), ("/invite @trackwalker",)),
    Mistake("an archived channel", SLACK, attribute("slack", is_archived=True),
            ("#on-call is archived",), ("unarchive",)),
    Mistake("Slack without the scope to post", SLACK,
            attribute("slack", scopes=frozenset({"channels:history", "channels:read"})),
            ("lacks the scope chat:write",), ("OAuth & Permissions",)),
    Mistake("Slack without the scope to read", SLACK,
            attribute("slack", scopes=frozenset({"chat:write", "channels:read"})),
            ("lacks the scope channels:history",), ("reinstall the app",), WARNING),
    Mistake("no signing secret", SLACK, setting(SLACK_SIGNING_SECRET=""),
            ("SLACK_SIGNING_SECRET is not set",), ("Basic Information",), WARNING),
    Mistake("a wrong incoming webhook", SLACK,
            change(lambda here: here.environ.update(
                SLACK_BOT_TOKEN="",
                SLACK_WEBHOOK_URL=here.environ["SLACK_API_URL"].removesuffix("/api") + HOOK + "x")),
            ("SLACK_WEBHOOK_URL is not accepted",), ("Incoming Webhooks",)),
    Mistake("no Slack", SLACK, setting(SLACK_BOT_TOKEN="", SLACK_CHANNEL=""), ("not set", "only logged"),
            ("https://api.slack.com/apps",), WARNING),
    # ---- the model ----
    Mistake("a wrong model key", MODEL, setting(ANTHROPIC_API_KEY="wrong"),
            ("refuses the key (401", "invalid x-api-key"), ("create a key",)),
    Mistake("no model key", MODEL,
            change(lambda here: here.environ.update(ANTHROPIC_API_KEY="", OPENCODE_CONFIG="")),
            ("ANTHROPIC_API_KEY: the key", "is missing"), ("Set it",)),
    Mistake("a model that does not exist", MODEL, setting(TRACKWALKER_MODEL="anthropic/claude-sonnet-45"),
            ("anthropic has no model claude-sonnet-45", "anthropic/claude-sonnet-4-5"),
            ("TRACKWALKER_MODEL=anthropic/claude-sonnet-4-5",)),
    Mistake("no credit at the provider", MODEL,
            attribute("provider", status=400, message="Your credit balance is too low"),
            ("has no credit", "credit balance is too low"), ("add credit",)),
    Mistake("a model whose price is not known", MODEL, change(lambda here: here.environ.update(
                TRACKWALKER_MODEL="mine/claude-sonnet-4-5",
                OPENCODE_CONFIG=_own_provider(here))),
            ("price of mine/claude-sonnet-4-5 is not known",), ("TRACKWALKER_MODEL_PRICE",), WARNING),
    Mistake("no model", MODEL, setting(TRACKWALKER_MODEL=""), ("not set", "no fix is written"),
            ("TRACKWALKER_MODEL=provider/model",), WARNING),
    # ---- Redis ----
    Mistake("Redis is not there", REDIS, _redis(lambda here: f"redis://127.0.0.1:{free_port()}/0"),
            ("Redis at 127.0.0.1:", "connection refused"), ("REDIS_URL",)),
    Mistake("an unknown host of Redis", REDIS, _redis(lambda here: "redis://redis.nowhere.invalid:6379/0"),
            ("Redis at redis.nowhere.invalid:6379", "unknown host"), ("REDIS_URL",)),
    Mistake("a wrong Redis password", REDIS, _redis(lambda here: _with_password(here, "wrong")),
            ("Redis at 127.0.0.1:", "wrong password"), ("REDIS_URL",)),
    Mistake("no Redis password", REDIS, _redis(lambda here: _with_password(here, "")),
            ("requires a password",), ("redis://:<password>@host:port/0",)),
    Mistake("TLS to a plain Redis", REDIS,
            _redis(lambda here: here.environ["REDIS_URL"].replace("redis://", "rediss://")),
            ("it speaks no TLS",), ("redis://",)),
    Mistake("no TLS to a Redis with TLS", REDIS, _redis(lambda here: f"redis://127.0.0.1:{_tls_server(here)}/0"),
            ("it requires TLS",), ("rediss://",)),
    Mistake("a self-signed certificate", REDIS, _redis(lambda here: f"rediss://127.0.0.1:{_tls_server(here)}/0"),
            ("certificate is not trusted",), ("ssl_ca_certs",)),
    Mistake("a database that does not exist", REDIS,
            _redis(lambda here: here.environ["REDIS_URL"].removesuffix("/0") + "/99"),
            ("no database of this number",), ("/0",)),
    Mistake("an address that is none", SETTINGS, setting(REDIS_URL="127.0.0.1:6379"),
            ("REDIS_URL must be redis://:<password>@host:port/0",), ("correct REDIS_URL",)),
    Mistake("a web server in place of Redis", REDIS,
            _redis(lambda here: f"redis://127.0.0.1:{_plain_server(here, NO_REDIS)}"),
            ("no Redis",), ("check host and port",)),
    Mistake("a Redis that evicts", REDIS, _redis_setting("maxmemory-policy", "allkeys-lru"),
            ("evicts keys", "allkeys-lru"), ("noeviction",), WARNING),
    Mistake("a Redis that forgets", REDIS, _redis_setting("appendonly", "no"),
            ("no append-only file",), ("appendonly yes",), WARNING),
    # ---- the webhook and the address ----
    Mistake("no webhook", WEBHOOK, change(lambda here: here.railway.rules.rows.clear()),
            ("acme: no webhook sends here", "polling"), ("trackwalker install",), WARNING),
    Mistake("a webhook to an old address", WEBHOOK,
            change(lambda here: here.railway.rules.rows.__setitem__(0, rule("https://old.example.com/hooks/railway"))),
            ("no webhook sends here", "old.example.com"), ("trackwalker install",), WARNING),
    Mistake("a webhook with misspelt events", WEBHOOK,
            change(lambda here: here.railway.rules.rows.__setitem__(
                0, rule(events=("Deployment.crash", *EVENTS[2:])))),
            ("leaves out Deployment.failed, Deployment.crashed",), ("trackwalker install",), WARNING),
    Mistake("the secret in the webhook's address", WEBHOOK,
            change(lambda here: here.railway.rules.rows.__setitem__(
                0, rule(f"https://{PUBLIC_HOST}/hooks/railway/{SECRET}"))),
            ("secret stands in the webhook's address",), ("trackwalker install",), WARNING),
    Mistake("no public address", ADDRESS, setting(TRACKWALKER_PUBLIC_URL=""),
            ("not set",), ("TRACKWALKER_PUBLIC_URL",), WARNING),
    Mistake("a public address without TLS", ADDRESS, setting(TRACKWALKER_PUBLIC_URL="http://tw.example.com"),
            ("is not https",), ("TRACKWALKER_PUBLIC_URL",), WARNING),
    Mistake("another secret at the public address", ADDRESS, attribute("receiver", secret="other"),
            ("has another TRACKWALKER_SECRET",), ("set the same one",)),
    Mistake("another server at the public address", ADDRESS, attribute("receiver", status=404),
            ("another server answers at tw.example.com (404)",), ("TRACKWALKER_PUBLIC_URL",)),
    Mistake("no receiver behind the proxy", ADDRESS, attribute("receiver", status=502),
            ("reaches no receiver (502)",), ("trackwalker up",)),
    Mistake("another installation at the public address", ADDRESS, attribute("receiver", redis_url=""),
            ("another installation answers",), ("TRACKWALKER_PUBLIC_URL",)),
    Mistake("a public address that does not exist", ADDRESS,
            setting(TRACKWALKER_PUBLIC_URL="https://nowhere.invalid"),
            ("cannot be reached at nowhere.invalid", "unknown host"), ("TRACKWALKER_PUBLIC_URL",)),
    # ---- this machine ----
    Mistake("no git", PROGRAMS, setting(PATH="/nonexistent"), ("git is not in PATH",), ("install git",)),
    Mistake("no opencode", PROGRAMS, setting(OPENCODE_BIN="/nonexistent/opencode"),
            ("no program opencode at /nonexistent/opencode",), ("make setup",)),
    Mistake("another version of opencode", PROGRAMS,
            change(lambda here: here.environ.update(OPENCODE_BIN=_program(here, "opencode", "0.9.1"))),
            ("opencode is 0.9.1",), ("make setup",), WARNING),
    Mistake("a data folder that cannot be written", "data folder", setting(TRACKWALKER_DATA_DIR="/proc/trackwalker"),
            ("cannot be written",), ("TRACKWALKER_DATA_DIR",)),
    Mistake("a wrong heartbeat address", "heartbeat",
            change(lambda here: here.environ.update(
                TRACKWALKER_HEARTBEAT_URL=here.environ["SLACK_API_URL"].removesuffix("/api") + "/gone")),
            ("TRACKWALKER_HEARTBEAT_URL answers 404",), ("copy the address",)),
)  # fmt: skip


def _own_provider(here: SetUp) -> str:
    config = json.loads(Path(here.environ["OPENCODE_CONFIG"]).read_text())
    options = config["provider"]["anthropic"]["options"] | {"apiKey": here.provider.key}
    path = here.folder / "own.json"
    path.write_text(json.dumps({"provider": {"mine": {"npm": "@ai-sdk/anthropic", "options": options}}}))
    return str(path)


# ---- running them ----------------------------------------------------------------------------


def is_named(mistake: Mistake, report: CheckReport) -> bool:
    """True if one result names the mistake, with its repair, as severe as it is."""
    for result in report.results:
        repair = "\n".join((result.repair, *result.lines))
        if (
            result.area.lower() == mistake.area
            and result.status is mistake.status
            and all(words in result.what for words in mistake.what)
            and all(words in repair for words in mistake.repair)
        ):
            return True
    return False


@contextmanager
def made(mistake: Mistake, here: SetUp) -> Iterator[None]:
    """The mistake in a set-up that is as before after the block."""
    parts = (
        here, here.slack, here.github, here.provider, here.receiver, here.railway, here.railway.rules,
        here.railway.budget,
    )  # fmt: skip
    saved = [{name: _copied(value) for name, value in vars(part).items()} for part in parts]
    mistake.make(here)
    try:
        yield
    finally:
        for part, values in zip(parts, saved, strict=True):
            vars(part).update(values)
        (here.folder / ".env").unlink(missing_ok=True)
        for name, value in (("maxmemory-policy", "noeviction"), ("appendonly", "yes")):
            _redis_setting(name, value)(here)


def _copied(value: object) -> object:
    return copy.copy(value) if isinstance(value, dict | list | set) else value


def judged() -> Iterator[tuple[Mistake, CheckReport]]:
    """Each mistake, and the report about a set-up with this mistake alone."""
    with set_up() as here:
        for mistake in MISTAKES:
            with made(mistake, here):
                report = here.examine(mistake.area)
            yield mistake, report


def run_all() -> list[tuple[str, bool]]:
    """Each mistake, and whether `doctor` names it with its repair."""
    return [(mistake.name, is_named(mistake, report)) for mistake, report in judged()]


def main() -> int:
    began = before = time.monotonic()
    named = 0
    for mistake, report in judged():
        is_good = is_named(mistake, report)
        named += is_good
        now = time.monotonic()
        print(f"{'named' if is_good else 'MISSED':7} {mistake.area:15} {now - before:4.1f} s  {mistake.name}")
        before = now
        if not is_good:
            for result in report.results:
                print(f"        {result.status}: {result.what} → {result.repair} {result.lines}")
    print(f"{named} of {len(MISTAKES)} mistakes named with their repair, in {time.monotonic() - began:.0f} s")
    return 0 if named == len(MISTAKES) else 1


if __name__ == "__main__":
    sys.exit(main())
