"""Which file of the repository a path of the running service is. Pure apart from reading files of the clone."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

from workers.investigation.code.code_layout import Layout
from workers.investigation.code.tree import Tree

MAX_PATH_CHARS = 800  # longer paths name no file

# Paths of runtimes, package managers and bundlers: code that is not in the repository.
FOREIGN_PATH = re.compile(
    r"node_modules/|site-packages/|dist-packages/|^/usr/(?:local/)?lib(?:64|32|exec)?/|/lib/python\d"
    r"|/lib/ruby/|<frozen|<string>|<stdin>"
    r"|^(?:node|bun|deno|ext|native|internal|wasm|chrome-extension):|^internal/|/\.?venv/|/virtualenvs/"
    r"|^/nix/store/|/mise/installs/|/\.asdf/|/\.pyenv/|/\.rbenv/"
    r"|/usr/local/go/|/pkg/mod/|@v\d|/gems/[^/]{1,100}-\d|/bundle/ruby/|/bundler/gems/|^/usr/local/bundle/"
    r"|^/rustc/|/registry/src/|/\.cargo/|/rustlib/"
    r"|^library/(?:core|std|alloc)/|<anonymous>|<internal:|webpack/(?:bootstrap|runtime)|\.yarn/"
    r"|deno\.land|jsr\.io|/deps/[a-z_]{1,60}/lib/"
    r"|(?:^|/)vendor/|/_work/1/s/src/|^/_/src/"
)
# Folders in which builders and Dockerfiles put the repository.
DEPLOYED_UNDER = re.compile(
    r"^(?:/app|/usr/src/app|/usr/src|/src|/srv/app|/srv|/code|/workspace|/workdir|/work|/build|/opt/(?:app"
    r"|render/project/src)|/opt/code"
    r"|/go/src/app|/var/(?:www/html|www|task|app)|/home/[^/]{1,60}(?:/app)?|/root(?:/app)?|/project"
    r"|/data/app|/rails|/myapp)/"
)
# What stands before the path of a source file in JavaScript's traces.
SCHEME = re.compile(
    r"^(?:file://|webpack-internal:///|webpack://[^/]{0,100}/|turbopack:///|app:///"
    r"|rsc://[^/]{0,60}/[^/]{0,60}/|https?://[^/]{1,200}/)"
)
LAYER = re.compile(
    r"^(?:/?\((?:rsc|ssr|app-pages-browser|action-browser|middleware|instrument|api|pages-dir-node)\)/"
    r"|\[project\]/|\./)+"
)
BUILD_FOLDER = r"(?:dist|build|out|lib|target|\.next|\.output/server|\.build|\.svelte-kit|\.nuxt)"
BUILT = re.compile(rf"(?:^|/){BUILD_FOLDER}/")
CLIMBS_OUT_OF_BUILD = re.compile(rf"(?:^|/){BUILD_FOLDER}(?:/[^/.]{{1,60}}){{0,6}}/\.\./")
BUILT_JAVASCRIPT = re.compile(r"\.[cm]?js$")
SOURCE_ENDINGS = (".ts", ".tsx", ".mts", ".cts", ".jsx", ".js", ".mjs", ".vue", ".svelte")
NEXT_SERVER = re.compile(r"(?:^|/)\.next/(?:standalone/)?(?:server|dev/server)/((?:app|pages)/.{1,300})$")
TURBOPACK_CHUNK = re.compile(r"\.next/.{0,200}/([\w-]{3,200}?)_[0-9a-f]{6,20}\._?\.?js$")
NITRO = re.compile(
    r"\.output/server/(?:chunks/)?(?:_/)?(?:routes/)?((?:api|routes|middleware|plugins)/.{1,200}\.mjs)$"
)
JVM_FILE = re.compile(r"\.(?:java|kt|kts|scala|groovy|clj)$")
JVM_PACKAGE = re.compile(r"^\s*package\s+([\w.`]{1,300})", re.M)
PACKAGE_LINES = 60  # first lines of a file, in which the package stands below a license
INSTALLED = re.compile(r"^.{0,400}/(?:site|dist)-packages/(?=[\w.-]+/)")
ELIXIR_APP = re.compile(r"^\((\w{1,80})\)/(.{1,300})$")
DEPENDENCY_APPS = frozenset({"elixir", "stdlib", "kernel", "logger", "mix", "ex_unit", "iex", "eex"})
"""Applications of Elixir and Erlang themselves."""


def plain_path(path: str) -> str:
    """The path without scheme, bundler's layer, query and steps out of a folder of build output."""
    plain = LAYER.sub("", SCHEME.sub("", path.replace("\\", "/").split("?")[0]))
    plain = re.sub(r"^[A-Za-z]:/", "/", plain)
    return posixpath.normpath(plain) if CLIMBS_OUT_OF_BUILD.search(plain) else plain


def locate(path: str, layout: Layout) -> str | None:
    """The file of the repository for a deployed path, by the longest common end; None for third-party code.

    For a file of build output it is the source that the file is built from, if that follows from its path.
    """
    if is_foreign(path):
        return _installed(path, layout)
    plain = plain_path(path)
    if ".." in plain.split("/") or not plain.strip("/"):
        return None
    if JVM_FILE.search(plain) and not plain.startswith("/"):
        return _by_package(plain, layout)
    inside = _inside(plain, layout)
    if inside is None:
        return None
    is_whole = inside != plain.lstrip("/")
    for candidate in _candidates(inside, path, layout):
        if file := _exact(candidate, layout.tree) or _by_end(candidate, layout.tree, is_whole=is_whole):
            return file
    return None


def _installed(path: str, layout: Layout) -> str | None:
    """The file of an own package that the build installs: by `pip install .`, or as a workspace of npm."""
    inside = INSTALLED.sub("", path)
    if inside != path and layout.is_package:
        return next((file for folder in ("", "src/") if (file := _exact(folder + inside, layout.tree))), None)
    module = path.rpartition("node_modules/")[2]
    for name, folder in layout.workspaces:
        if "node_modules/" in path and module.startswith(f"{name}/"):
            inside = f"{folder}/{module[len(name) + 1 :]}"
            files = (_exact(candidate, layout.tree) for candidate in _candidates(inside, path, layout))
            return next((file for file in files if file), None)
    return None


def locate_named(path: str, layout: Layout) -> str | None:
    """The file for a path that a logger shortened to its last folders: the only own file that ends so."""
    if is_foreign(path):
        return None
    parts = plain_path(path).lstrip("/").split("/")
    files = [
        file
        for file in layout.tree.by_name.get(parts[-1], ())
        if _common_end(parts, file.split("/")) == len(parts)
    ]
    own = [file for file in files if layout.tree.is_own(file)] or files
    return own[0] if len(own) == 1 else None


def is_foreign(path: str) -> bool:
    """True for code of a runtime, package manager or bundler, and for texts that are no path."""
    return len(path) > MAX_PATH_CHARS or FOREIGN_PATH.search(path) is not None


def inside_repository(path: str, layout: Layout) -> list[str]:
    """The paths in the repository that a deployed path may stand for, whether the files exist or not."""
    inside = _inside(plain_path(path), layout)
    if inside is None:
        return []
    return [f"{layout.tree.root}/{inside}", inside] if layout.tree.root else [inside]


def is_built(path: str, file: str) -> bool:
    """True if the path is build output of the file, so that its lines are not the file's lines."""
    return posixpath.basename(plain_path(path)) != posixpath.basename(file) or (
        BUILT.search(plain_path(path)) is not None and BUILT.search(file) is None
    )


def _inside(path: str, layout: Layout) -> str | None:
    """The path below the folder in which the repository is deployed; None if it belongs to a dependency."""
    if match := ELIXIR_APP.match(path):
        foreign = match[1] in DEPENDENCY_APPS or (layout.applications and match[1] not in layout.applications)
        return None if foreign else match[2]
    if path.endswith(".go") and path[0] not in "/.":
        return _inside_go_module(path, layout)
    for folder in layout.workdirs:
        if path.startswith(f"{folder}/"):
            return path[len(folder) + 1 :]
    return DEPLOYED_UNDER.sub("", path).lstrip("/")


def _inside_go_module(path: str, layout: Layout) -> str | None:
    """A build with `-trimpath` prints module paths: `github.com/acme/shop/orders.go`, and `net/http/server.go`."""
    for module, folder in layout.go_modules:
        if path.startswith(f"{module}/"):
            return posixpath.join(folder, path[len(module) + 1 :])
    return None if layout.go_modules and _exact(path, layout.tree) is None else path


def _candidates(inside: str, path: str, layout: Layout) -> Iterator[str]:
    """The path itself, and the sources that it may be built from; the sources first where both may exist."""
    sources = list(_sources(inside)) if BUILT_JAVASCRIPT.search(inside) else []
    existing = [source for source in sources if _exact(source, layout.tree)]
    yield from existing
    yield inside
    yield from sources
    if match := TURBOPACK_CHUNK.search(path):
        yield from _by_chunk_name(match[1], layout.tree)


def _sources(inside: str) -> Iterator[str]:
    if match := NEXT_SERVER.search(inside) or NITRO.search(inside):
        stem = BUILT_JAVASCRIPT.sub("", match[1])
        for folder in ("src/", "", "server/"):
            yield from (f"{folder}{stem}{ending}" for ending in SOURCE_ENDINGS)
    for built in BUILT.finditer(inside):
        before, after = inside[: built.start()].lstrip("/"), BUILT_JAVASCRIPT.sub("", inside[built.end() :])
        parent = f"{before}/" if before else ""
        for folder in ("src/", "", "server/"):
            yield from (f"{parent}{folder}{after}{ending}" for ending in SOURCE_ENDINGS)
    stem = BUILT_JAVASCRIPT.sub("", inside)
    yield from (stem + ending for ending in (".ts", ".tsx", ".mts", ".cts"))


def _by_chunk_name(chunk: str, tree: Tree) -> list[str]:
    """Turbopack names a chunk after its file, with underscores for everything else."""
    return [file for file in tree.files if re.sub(r"\W", "_", file).lower() == chunk.lower()][:1]


def _exact(candidate: str, tree: Tree) -> str | None:
    paths = (f"{tree.root}/{candidate}", candidate) if tree.root else (candidate,)
    return next((path for path in paths if path in tree.present), None)


def _by_end(path: str, tree: Tree, *, is_whole: bool) -> str | None:
    """The file that shares the most folders at the end of its path.

    One of the paths must match completely, otherwise two files merely share their name.

    Args:
        is_whole: the deployed path is complete, because it is below a folder in which repositories are deployed.
    """
    parts = path.split("/")
    best: tuple[int, bool, int] = (0, False, 0)
    chosen = None
    for file in tree.by_name.get(parts[-1], ()):
        own = tree.is_own(file)
        other = (file.removeprefix(f"{tree.root}/") if own and tree.root else file).split("/")
        common = _common_end(parts, other)
        complete = common == len(other) or (is_whole and common == len(parts))
        rank = (common, own, -len(other))
        if complete and (chosen is None or rank > best):
            best, chosen = rank, file
    return chosen


def _by_package(path: str, layout: Layout) -> str | None:
    """The file of a frame of the JVM, which prints the package and the file name: `com/acme/shop/Pricing.java`.

    The package stands in the file. Kotlin leaves out its first folders, and Logback may shorten them to letters.
    """
    package, _, name = path.rpartition("/")
    files = sorted(layout.tree.by_name.get(name, ()), key=lambda file: (not layout.tree.is_own(file), file))
    for file in files:
        declared = JVM_PACKAGE.search("\n".join(layout.lines(file)[:PACKAGE_LINES]))
        folders = declared[1].replace("`", "").split(".") if declared else file.split("/")[:-1]
        given = package.split("/") if package else []
        if _is_package(given, folders, whole=declared is not None):
            return file
    return None


def _is_package(given: Sequence[str], folders: Sequence[str], *, whole: bool) -> bool:
    if whole and len(given) != len(folders):
        return False
    pairs = list(zip(given[::-1], folders[::-1], strict=False))
    return len(pairs) == len(given) and all(a in (b, b[:1]) for a, b in pairs)


def _common_end(first: Sequence[str], second: Sequence[str]) -> int:
    count = 0
    for a, b in zip(reversed(first), reversed(second), strict=False):
        if a != b:
            break
        count += 1
    return count
