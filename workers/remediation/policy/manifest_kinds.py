"""Tells manifests of packages by their names. Pure."""

from __future__ import annotations

import posixpath
import re

REQUIREMENTS = re.compile(r"[\w.-]*(?:requirements|constraints)[\w.-]*\.(?:txt|in|lst|pip)", re.I)
REQUIREMENTS_FOLDER = re.compile(r"(?:.*/)?requirements/[\w.-]+\.(?:txt|in)", re.I)
MANIFEST_NAMES = frozenset({
    "package.json", "pyproject.toml", "pipfile", "setup.cfg", "setup.py", "go.mod", "go.work", "cargo.toml", "gemfile",
    "gems.rb", "composer.json", "environment.yml", "environment.yaml", "conda.yml", "conda.yaml", "meta.yaml",
    "deno.json",
    "deno.jsonc", "import_map.json", "bunfig.toml", "bower.json", "lerna.json", "nx.json", "rush.json", "pom.xml",
    "build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts", "gradle.properties", "build.sbt",
    "mix.exs",
    "rebar.config", "pubspec.yaml", "podfile", "package.swift", "project.clj", "deps.edn", "shard.yml", "dub.json",
    "manifest.in", "poetry.toml", "uv.toml", "pdm.toml", "hatch.toml", "pixi.toml", "nuget.config", "packages.config",
    "directory.build.props", "global.json", "cpanfile", "stack.yaml", "pnpm-workspace.yaml", "libs.versions.toml",
})  # fmt: skip


def manifest_kind(path: str) -> str:
    """The lower-case name of a manifest, `requirements` for pip's lists; empty for any other file."""
    name = posixpath.basename(path)
    if REQUIREMENTS.fullmatch(name) or REQUIREMENTS_FOLDER.fullmatch(path):
        return "requirements"
    if name.lower() in MANIFEST_NAMES:
        return name.lower()
    return (
        "project file"
        if re.fullmatch(r".+\.(?:csproj|fsproj|vbproj|gemspec|podspec|cabal|nimble)", name, re.I)
        else ""
    )
