"""Gives one command in the sandbox access to the package registries, and to nothing else of the network."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from workers.gateway.registries import Fetched, RegistryProxy
from workers.gateway.registry_settings import RegistrySettings, read_settings
from workers.gateway.registry_upstream import Upstream
from workers.sandbox.ports import Ports, open_ports
from workers.sandbox.sandbox import Sandbox

PORT = "registry"  # the name of the port under which the command reaches the proxy
CLOSE_SECONDS = 5.0  # until the proxy's thread has ended; its connections are closed by then


@dataclass(frozen=True)
class RegistryAccess:
    """A command's access to the registries, and the packages that it fetched.

    Attributes:
        ports: for `commands.run`.
        variables: for its environment.
        fetched: the files that it got; complete when the command has ended.
        refused: paths that it asked for and did not get, such as a dependency that is an address of another host.
    """

    ports: Ports
    variables: Mapping[str, str]
    fetched: Sequence[Fetched]
    refused: Sequence[str]


@contextmanager
def registry_access(sandbox: Sandbox, settings: RegistrySettings | None = None) -> Iterator[RegistryAccess]:
    """A registry proxy for one command, which ends with the block.

    Args:
        settings: the registries; None reads pip's and npm's own settings.
    """
    registries = read_settings() if settings is None else settings
    with open_ports(sandbox, serve=(PORT,)) as ports:
        proxy = RegistryProxy(registries, ports.number(PORT), Upstream(registries))
        thread = threading.Thread(
            target=proxy.serve, args=(partial(ports.accept, PORT),), name="registries", daemon=True
        )
        thread.start()
        try:
            yield RegistryAccess(ports, proxy.variables(), proxy.fetched, proxy.refused)
        finally:
            proxy.close()
            ports.close()
            thread.join(CLOSE_SECONDS)
