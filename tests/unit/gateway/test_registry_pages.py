"""The proxy passes on the files that a registry's page names, and nothing else of the page."""

from __future__ import annotations

import json

import pytest

from workers.gateway.registry_pages import JSON_PAGE, PackageFile, read_npm_package, read_page, render_page

URL = "https://index.example/simple/six/"
DIGEST = "a" * 64


def test_html_and_json_name_the_same_files() -> None:
    html = (
        f'<!DOCTYPE html><body><a href="../../files/six-1.0.tar.gz#sha256={DIGEST}">six</a>'
        '<a href="https://files.example/six-1.0-py3-none-any.whl" data-requires-python="&gt;=3.8" '
        f'data-core-metadata="sha256={DIGEST}" data-yanked="broken">x</a><a href="javascript:1">x</a></body>'
    )
    items = [
        {"filename": "six-1.0.tar.gz", "url": "../../files/six-1.0.tar.gz", "hashes": {"sha256": DIGEST}},
        {
            "filename": "six-1.0-py3-none-any.whl", "url": "https://files.example/six-1.0-py3-none-any.whl",
            "hashes": {}, "requires-python": ">=3.8", "core-metadata": {"sha256": DIGEST}, "yanked": "broken",
        },
    ]  # fmt: skip

    files = read_page(html, "text/html", URL)

    assert files == read_page(json.dumps({"files": items}), JSON_PAGE, URL)
    assert files == [
        PackageFile("six-1.0.tar.gz", "https://index.example/files/six-1.0.tar.gz", DIGEST),
        PackageFile(
            "six-1.0-py3-none-any.whl", "https://files.example/six-1.0-py3-none-any.whl", "", ">=3.8", DIGEST, "broken"
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "six.exe",
        "six-1.0.whl\n",
        "../six-1.0.whl",
        ".six.whl",
        "six 1.whl",
        "six<1>.whl",
        "s" * 300 + ".whl",
        "",
    ],
)
def test_a_file_without_a_plain_name_is_left_out(name: str) -> None:
    assert read_page(json.dumps({"files": [{"filename": name, "url": "x"}]}), JSON_PAGE, URL) == []


def test_a_hostile_page_is_rendered_without_its_addresses_and_markup() -> None:
    hostile = PackageFile("six-1.0.tar.gz", "https://evil.example/x", DIGEST, '"><script>', None, "<b>&")

    text = render_page([hostile], lambda file: f"/proxy/{file.name}").decode()

    assert "evil.example" not in text
    assert "<script>" not in text
    assert [file.url for file in read_page(text, "text/html", "http://h/")] == [
        "http://h/proxy/six-1.0.tar.gz"
    ]
    assert read_page(text, "text/html", "http://h/")[0].requires_python == '"><script>'


def test_an_npm_package_names_only_addresses_of_the_proxy() -> None:
    versions = {
        "1.0.0": {
            "name": "@a/b",
            "dist": {"tarball": "https://npm.example/@a/b/-/b-1.0.0.tgz", "integrity": "sha512-x"},
        },
        "1.1.0": {"dist": {"tarball": "https://npm.example/download/@a/b/1.1.0/0f0f"}},
        "2.0.0": {"dist": {"tarball": "https://npm.example/%2e%2e"}},
        "3.0.0": {"dist": None},
        "4.0.0": "no object",
    }

    body, files = read_npm_package(
        json.dumps({"versions": versions}), "@a/b", "http://p/t/npm", "https://npm.example/"
    )

    package = json.loads(body)
    assert {version: item["dist"]["tarball"] for version, item in package["versions"].items()} == {
        "1.0.0": "http://p/t/npm/@a/b/-/b-1.0.0.tgz",
        "1.1.0": "http://p/t/npm/@a/b/-/0f0f",
    }
    assert package["versions"]["1.0.0"]["dist"]["integrity"] == "sha512-x"
    assert files["b-1.0.0.tgz"] == "https://npm.example/@a/b/-/b-1.0.0.tgz"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"versions": []}', "<html>"])
def test_text_that_does_not_describe_a_package_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|not the description"):
        read_npm_package(text, "b", "http://p", "https://npm.example/")
