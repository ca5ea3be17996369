"""The files of `deploy/`, the Dockerfile and compose.yaml fit each other, the settings and the paths of the product."""

from __future__ import annotations

import json
import re
from configparser import ConfigParser
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from workers.runtime.misspelt_settings import setting_names

ROOT = Path(__file__).parents[2]
DATA = "/app/.trackwalker"
UNITS = ("trackwalker.service", "trackwalker@.service")
OF_RAILWAY = {"RAILWAY_DEPLOYMENT_DRAINING_SECONDS"}
PROVIDER_KEYS = {"ANTHROPIC_API_KEY"}
SANDBOX_BREAKERS = (
    "RestrictNamespaces",
    "SystemCallFilter",
    "ProtectProc",
    "ProcSubset",
    "ProtectKernelTunables",
)


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, with continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines]


def template() -> dict[str, Any]:
    (service,) = json.loads((ROOT / "deploy" / "railway-template.json").read_text())["services"].values()
    return dict(service)


def unit(name: str) -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys keep their capitals
    parser.read_string((ROOT / "deploy" / "systemd" / name).read_text())
    return parser


def test_the_image_copies_only_files_that_exist_and_reach_the_builder() -> None:
    ignore = (ROOT / ".dockerignore").read_text().split()
    allowed = [line[1:] for line in ignore if line.startswith("!")]
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and "--from" not in rest]

    sources = [source for group in copied for source in group]

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [
        source for source in sources if not any(fnmatch(source.split("/")[0], name) for name in allowed)
    ] == []


def test_the_image_starts_the_command_and_leaves_the_volume_to_the_host() -> None:
    names = [name for name, _ in instructions()]

    assert ("CMD", '["trackwalker", "up"]') in instructions()
    assert "VOLUME" not in names  # Railway refuses such an image
    assert set(names) <= {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "EXPOSE", "ENTRYPOINT", "CMD"}


def test_the_template_asks_for_settings_that_exist() -> None:
    names = set(template()["variables"])

    assert names - setting_names() - OF_RAILWAY - PROVIDER_KEYS == set()
    assert all(variable["description"] for variable in template()["variables"].values())


def test_the_template_makes_at_most_five_variables_necessary() -> None:
    asked = [
        name
        for name, variable in template()["variables"].items()
        if not variable["isOptional"] and "defaultValue" not in variable
    ]

    assert len(asked) <= 5


def test_template_and_compose_file_keep_the_data_and_drain() -> None:
    service, compose = template(), (ROOT / "compose.yaml").read_text()

    assert [mount["mountPath"] for mount in service["volumeMounts"].values()] == [DATA]
    assert service["deploy"]["healthcheckPath"] == "/ready"
    assert service["deploy"]["drainingSeconds"] == 20
    assert f"- state:{DATA}" in compose
    assert "/ready" in compose
    assert "stop_grace_period: 30s" in compose


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_leaves_the_sandbox_what_it_needs(name: str) -> None:
    service = unit(name)["Service"]

    assert [key for key in SANDBOX_BREAKERS if key in service] == []
    assert service["ProtectSystem"] == "strict"
    assert "AF_NETLINK" in service["RestrictAddressFamilies"]
    assert int(service["TimeoutStopSec"]) > 20


def test_the_guide_to_railway_names_only_settings_that_exist() -> None:
    text = (ROOT / "deploy" / "railway.md").read_text()

    names = set(re.findall(r"^\s*([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))

    assert names and names - setting_names() - OF_RAILWAY - PROVIDER_KEYS == set()


def test_every_setting_of_the_example_file_and_of_the_docs_exists() -> None:
    named = set(re.findall(r"^#([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    unknown = {name for name in named if not name.endswith("_API_KEY")} - setting_names()

    assert named and unknown == set()


def test_the_docs_describe_every_setting() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()

    assert {name for name in setting_names() if f"`{name}`" not in text} == {
        "PORT", "RAILWAY_PROJECT_ID", "RAILWAY_ENVIRONMENT_ID", "RAILWAY_PUBLIC_DOMAIN"
    } - set(re.findall(r"`(\w+)`", text))  # fmt: skip
