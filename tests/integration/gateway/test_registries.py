"""The registry proxy over real sockets: pip and npm install packages through it, and every other request is refused."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.fakes.registries import FakeRegistry, serve_registry
from workers.gateway import registry_upstream
from workers.gateway.registries import MAX_REFUSED, RegistryProxy, describe_fetched
from workers.gateway.registry_settings import Registry, RegistrySettings
from workers.gateway.registry_upstream import Upstream

MEMBER = "Bearer member"
# One for all tests, because making one takes long. Without idle connections, as each test has a server of its own.
CLIENT = httpx.Client(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    with serve_registry() as served:
        yield served


@contextmanager
def running(settings: RegistrySettings) -> Iterator[RegistryProxy]:
    """A proxy that serves on a port of its own."""
    listener = socket.create_server(("127.0.0.1", 0))
    proxy = RegistryProxy(settings, listener.getsockname()[1], Upstream(settings))
    thread = threading.Thread(target=proxy.serve, args=(lambda: listener.accept()[0],), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.fixture
def proxy(registry: FakeRegistry) -> Iterator[RegistryProxy]:
    """A proxy for the index and the npm registry of the stand-in."""
    own = RegistrySettings(indexes=(Registry(f"{registry.url}/simple"),), npm=Registry(registry.url))
    with running(own) as proxy:
        yield proxy


def get(proxy: RegistryProxy, path: str, method: str = "GET", **options: object) -> httpx.Response:
    return CLIENT.request(method, f"{proxy.base}{path}", **options)  # type: ignore[arg-type]


def link(proxy: RegistryProxy, page: str) -> str:
    """The path, without token, of the only file on a page."""
    [address] = re.findall(r'href="[^"#]*?/pip/files([^"#]*)', get(proxy, page).text)
    return f"/pip/files{address}"


def run(command: list[str], proxy: RegistryProxy, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder)} | proxy.variables()
    return subprocess.run(
        command, env=environ, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


# -- the real installers --------------------------------------------------------------------------


@pytest.mark.skipif(importlib.util.find_spec("pip") is None, reason="pip is not installed")
def test_pip_installs_a_wheel(
    registry: FakeRegistry, proxy: RegistryProxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = registry.add_wheel("tiny", "WORD = 'found'\n")
    command = [sys.executable, "-m", "pip", "install", "--target", str(tmp_path / "out"), "tiny"]

    with caplog.at_level(logging.INFO):
        done = run(command, proxy, tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "tiny.py").read_text() == "WORD = 'found'\n"
    [fetched] = proxy.fetched
    assert (fetched.name, fetched.size) == ("tiny-1.0-py3-none-any.whl", len(content))
    assert fetched.sha256 == hashlib.sha256(content).hexdigest()
    assert describe_fetched(proxy.fetched) == "1 package fetched from 1 registry"
    assert proxy.token not in caplog.text
    assert {tuple(sorted(headers)) for _, _, headers in registry.requests} == {
        ("accept", "accept-encoding", "connection", "host", "user-agent")
    }


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_installs_from_a_description_and_from_a_lock_file_without_scripts(
    registry: FakeRegistry, proxy: RegistryProxy, tmp_path: Path
) -> None:
    script = {"postinstall": "touch ../../ran"}
    registry.add_npm("tiny", "module.exports = 'found'", scripts=script, hasInstallScript=True)
    registry.add_npm("@acme/small", "module.exports = 'scoped'")
    (tmp_path / ".npmrc").write_text("registry=http://127.0.0.1:1/\n")  # the repository's own word
    manifest = {"name": "x", "version": "1.0.0", "dependencies": {"tiny": "1.0.0", "@acme/small": "*"}}
    (tmp_path / "package.json").write_text(json.dumps(manifest))

    first = run(["npm", "install"], proxy, tmp_path)
    lock = (
        (tmp_path / "package-lock.json")
        .read_text()
        .replace(f"{proxy.base}/npm", "https://npm.example/some/path")
    )
    (tmp_path / "package-lock.json").write_text(lock)
    shutil.rmtree(tmp_path / "node_modules")
    shutil.rmtree(tmp_path / ".npm", ignore_errors=True)
    second = run(["npm", "ci"], proxy, tmp_path)

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert (tmp_path / "node_modules/tiny/index.js").read_text() == "module.exports = 'found'"
    assert (tmp_path / "node_modules/@acme/small/index.js").is_file()
    assert not (tmp_path / "ran").exists()
    assert "npm.example" in lock
    assert [item.name for item in proxy.fetched].count("tiny-1.0.0.tgz") == 2


# -- what is served -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/pip/0/simple/", "/pip/1/simple/six/", "/pip/0/simple/../../etc/", "/pip/0/simple/six/?x=data",
        "/pip/0/simple/six%3Fx=1/", "/pip/0/simple/%2e%2e/", "/pip/0/simple/.six/", f"/pip/0/simple/{'a' * 129}/",
        "/pip/files/00000000000000000000000000000000/six-1.0-py3-none-any.whl", "/pip/links/0/", "/npm/", "/npm/../x",
        "/npm/-/v1/search?text=data", "/npm/-/ping", "/npm/-/npm/v1/security/audits", "/npm/six/-/other-9.tgz",
        "/npm/six?write=true", "/npm/@acme", "/npm/six/access", "/npm/https://evil.example/x", "/npm/%00",
        "//evil.example/",
    ],
)  # fmt: skip
def test_an_address_that_names_no_package_is_refused(
    registry: FakeRegistry, proxy: RegistryProxy, path: str
) -> None:
    registry.add_npm("six", "x")

    assert get(proxy, path).status_code in (403, 404)
    assert [path for path in registry.paths if path != "/six"] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT"])
def test_nothing_is_published(registry: FakeRegistry, proxy: RegistryProxy, method: str) -> None:
    registry.add_wheel("six", "")

    assert get(proxy, "/pip/0/simple/six/", method).status_code == 405
    assert get(proxy, "/pip/0/simple/six/", method, content=b"data").status_code in (405, 413)
    assert get(proxy, "/pip/0/simple/six/", "GET", content=b"data").status_code == 413
    assert registry.requests == []


def test_without_the_token_of_the_run_nothing_is_served(registry: FakeRegistry, proxy: RegistryProxy) -> None:
    registry.add_wheel("six", "")
    root = f"http://127.0.0.1:{proxy.port}"

    answers = [
        httpx.get(f"{root}{path}").status_code for path in ("/pip/0/simple/six/", "/x/pip/0/simple/six/", "/")
    ]

    assert answers == [403, 403, 403]
    assert registry.requests == []


def test_a_file_is_served_only_after_a_page_named_it(registry: FakeRegistry, proxy: RegistryProxy) -> None:
    content = registry.add_wheel("six", "")
    path = link(proxy, "/pip/0/simple/six/")

    assert get(proxy, path).content == content
    assert get(proxy, path, "HEAD").content == b""
    assert get(proxy, path.replace("six-1.0", "six-1.1")).status_code == 404
    assert get(proxy, f"{path}.metadata").status_code == 404
    with running(proxy.settings) as later:
        assert get(later, path).status_code == 404


def test_a_file_with_a_wrong_digest_is_not_delivered_completely(
    registry: FakeRegistry, proxy: RegistryProxy
) -> None:
    registry.add_wheel("six", "")
    registry.add("/files/six-1.0-py3-none-any.whl", b"another file")
    path = link(proxy, "/pip/0/simple/six/")

    with pytest.raises(httpx.TransportError):
        get(proxy, path)

    assert proxy.fetched == []


def test_a_file_is_cut_off_at_the_bound(
    registry: FakeRegistry, proxy: RegistryProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.add_wheel("six", "")
    path = link(proxy, "/pip/0/simple/six/")
    monkeypatch.setattr("workers.gateway.registries.MAX_FILE_BYTES", 100)
    monkeypatch.setattr(registry_upstream, "MAX_PAGE_BYTES", 10)

    with pytest.raises(httpx.TransportError):
        get(proxy, path)

    assert get(proxy, "/pip/0/simple/six/").status_code == 502


def test_refusals_are_bounded(proxy: RegistryProxy) -> None:
    with httpx.Client() as client:
        statuses = [
            client.get(f"{proxy.base}/npm/-/{number}").status_code for number in range(MAX_REFUSED + 5)
        ]

    assert statuses[0] == 404
    assert statuses[-1] == 429


def test_folders_of_this_machine_are_indexes_too(tmp_path: Path, registry: FakeRegistry) -> None:
    content = registry.add_wheel("six", "")
    (tmp_path / "files").mkdir()
    (tmp_path / "simple" / "six").mkdir(parents=True)
    (tmp_path / "files" / "six-1.0-py3-none-any.whl").write_bytes(content)
    page = '<a href="../../files/six-1.0-py3-none-any.whl">x</a><a href="../../../../etc/passwd">x</a>'
    (tmp_path / "simple" / "six" / "index.html").write_text(page)
    index, links = Registry((tmp_path / "simple").as_uri()), Registry((tmp_path / "files").as_uri())

    with running(RegistrySettings(indexes=(index,), links=(links,))) as proxy:
        answers = [get(proxy, link(proxy, page)).content for page in ("/pip/0/simple/six/", "/pip/links/0/")]
        text = get(proxy, "/pip/0/simple/six/").text

    assert answers == [content, content]
    assert "passwd" not in text
    assert get_registries(proxy) == {"this machine"}


def get_registries(proxy: RegistryProxy) -> set[str]:
    return {item.registry for item in proxy.fetched}


# -- hosts and credentials ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "file:///etc", "http://10.0.0.1", "http://169.254.169.254/latest", "http://[fd00::1]", "http://metadata", "ftp://x.y",
        "http://x.internal", "http://localhost:1", "http://u:p@files.example", "data:text/html,x", "http://redis.railway.internal",
    ],
)  # fmt: skip
def test_a_page_names_no_file_of_this_machine_or_of_a_private_network(
    registry: FakeRegistry, proxy: RegistryProxy, address: str
) -> None:
    registry.add_wheel("six", "", files_url=address)
    registry.add_npm("seven", "", tarball=f"{address}/seven-1.0.0.tgz")

    assert "whl" not in get(proxy, "/pip/0/simple/six/").text
    assert get(proxy, "/npm/seven").status_code == 200
    assert get(proxy, "/npm/seven/-/seven-1.0.0.tgz").status_code == 404


def test_a_redirect_leads_only_to_hosts_that_are_configured_or_named(
    registry: FakeRegistry, proxy: RegistryProxy
) -> None:
    content = registry.add_wheel("six", "")
    registry.add("/elsewhere.whl", content)
    registry.redirect("/files/six-1.0-py3-none-any.whl", "/elsewhere.whl")
    registry.redirect("/simple/seven/", f"{registry.url.replace('127.0.0.1', 'localhost')}/simple/six/")
    registry.redirect("/simple/eight/", "file:///etc/passwd")
    registry.redirect("/simple/nine/", "/simple/nine/")

    assert get(proxy, link(proxy, "/pip/0/simple/six/")).content == content
    assert [get(proxy, f"/pip/0/simple/{name}/").status_code for name in ("seven", "eight", "nine")] == [
        502
    ] * 3


def test_a_credential_reaches_its_own_registry_only(registry: FakeRegistry) -> None:
    with serve_registry() as files, serve_registry() as scoped:
        registry.authorization = scoped.authorization = MEMBER
        content = registry.add_wheel("six", "", files_url=files.url)
        files.add("/six-1.0-py3-none-any.whl", content)
        registry.add_npm("all", "")
        scoped.add_npm("@acme/small", "")
        settings = RegistrySettings(
            indexes=(Registry(f"{registry.url}/simple", MEMBER),), npm=Registry(registry.url, MEMBER),
            scopes={"@acme": Registry(scoped.url, MEMBER)},
        )  # fmt: skip
        with running(settings) as proxy:
            reply = get(
                proxy, link(proxy, "/pip/0/simple/six/"), headers={"Authorization": "Bearer x", "X-Data": "y"}
            )
            npm = [
                get(proxy, path)
                for path in ("/npm/all", "/npm/@acme%2fsmall", "/npm/@acme/small/-/small-1.0.0.tgz")
            ]
            variables = json.dumps(proxy.variables())

    assert reply.content == content
    assert [answer.status_code for answer in npm] == [200, 200, 200]
    assert [headers.get("authorization") for _, _, headers in files.requests] == [None]
    assert scoped.paths == ["/@acme%2Fsmall", "/@acme/small/-/small-1.0.0.tgz"]
    assert "x-data" not in json.dumps(registry.requests + files.requests)
    assert MEMBER not in variables + repr(proxy)


def test_a_registry_that_does_not_answer_gives_an_error_that_names_the_cause() -> None:
    settings = RegistrySettings(indexes=(Registry("http://127.0.0.1:1/simple"),))

    with running(settings) as proxy:
        answer = get(proxy, "/pip/0/simple/six/")

    assert (answer.status_code, answer.text) == (502, "the registry does not answer (ConnectError)\n")
