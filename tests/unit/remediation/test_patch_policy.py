"""Every rule of the patch policy on real diffs, and ordinary patches that pass."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes.githttp import git
from workers.models import Category
from workers.remediation.patch_policy import MAX_FILES, MAX_LINES, PolicyResult, check_patch
from workers.remediation.test_integrity import read_tests

Files = dict[str, str | bytes | None]
PolicyCheck = Callable[..., PolicyResult]

APP = "import os\n\n\ndef price(count):\n    return 10 * count\n"
FIXED = APP.replace("10 * count", "10 * (count or 0)")
TEST = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(1, 1)\n        self.assertTrue(1)\n\n    def test_b(self):\n        assert True\n"  # noqa: E501
NODE_TEST = (
    "test('a', () => {\n  expect(1).toBe(1);\n  expect(2).toBe(2);\n});\nit('b', () => { assert.ok(1); });\n"
)


def put(tree: Path, files: Files) -> None:
    for path, content in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            target.unlink()
        else:
            target.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.fixture
def check(tmp_path: Path) -> PolicyCheck:
    """Checks the patch that turns some files into others."""

    def check_change(
        old: Files, new: Files, *, category: Category = Category.CODE, **options: tuple[str, ...]
    ) -> PolicyResult:
        before, after = tmp_path / "before", tmp_path / "after"
        for tree in (before, after):
            tree.mkdir()
            put(tree, old)
        git(after, "init", "-q")
        git(after, "add", "-A", "-f")
        git(after, "commit", "-q", "--allow-empty", "-m", "before")
        put(after, new)
        git(after, "add", "-A", "-f")
        patch = git(after, "diff", "--cached", "--binary", "--full-index", "--no-renames")
        arguments: dict[str, Any] = {"root": "", "culprit": None, "reproduction": None, **options}
        result = check_patch(patch + "\n", before, after, category=category, **arguments)
        return PolicyResult(result.refusals, result.drafts, result.notes)

    return check_change


def test_an_ordinary_patch_with_a_test_has_no_refusals_and_no_notes(check: PolicyCheck) -> None:
    result = check({"app.py": APP, "tests/test_a.py": TEST}, {"app.py": FIXED, "tests/test_gift.py": TEST})

    assert result == PolicyResult(())


@pytest.mark.parametrize(
    "path",
    [
        ".github/workflows/ci.yml", ".GitHub/workflows/ci.yml", "sub/.gitlab-ci.yml", ".circleci/config.yml",
        "Jenkinsfile", "AGENTS.md", "services/api/CLAUDE.md", "opencode.json", "opencode.jsonc", ".opencode/agent/x.md",
        ".cursor/rules/x", ".env", "api/.env.production", "deploy/server.pem", ".npmrc", ".gitattributes",
        ".trackwalker.toml", "package-lock.json", "api/uv.lock", "Dockerfile", "api/Dockerfile.prod", "railway.json",
        "Procfile",
    ],
)  # fmt: skip
def test_a_patch_that_touches_a_protected_path_is_refused(check: PolicyCheck, path: str) -> None:
    result = check({"app.py": APP}, {"app.py": FIXED, path: "x\n"})

    assert any(path in refusal and "protected path" in refusal for refusal in result.refusals)


def test_a_patch_that_deletes_a_protected_file_is_refused(check: PolicyCheck) -> None:
    result = check({"app.py": APP, ".github/x.yml": "on: push\n"}, {"app.py": FIXED, ".github/x.yml": None})

    assert result.refusals == ("the patch touches a protected path: .github/x.yml (CI)",)


@pytest.mark.parametrize("path", ["Dockerfile", "package-lock.json", "poetry.lock", "railway.toml"])
def test_a_fix_of_a_failed_deployment_may_touch_build_files(check: PolicyCheck, path: str) -> None:
    assert check({path: "a\n"}, {path: "b\n"}, category=Category.DEPLOYMENT).refusals == ()


def test_a_path_that_the_repository_protects_is_refused(check: PolicyCheck) -> None:
    result = check({"db/schema/a.sql": "a\n"}, {"db/schema/a.sql": "b\n"}, protected=("db/**",))

    assert result.refusals == (
        "the patch touches a protected path: db/schema/a.sql (protected in .trackwalker.toml)",
    )


def test_a_patch_too_large_for_a_review_is_refused(check: PolicyCheck) -> None:
    many: Files = {f"m{number}.py": "x = 1\n" for number in range(MAX_FILES + 1)}
    long: Files = {"long.py": "x = 1\n" * (MAX_LINES + 1)}

    result = check({}, {**many, **long})

    assert any("more than 12" in refusal for refusal in result.refusals)
    assert any("lines, more than 400" in refusal for refusal in result.refusals)


def test_binary_files_are_refused(check: PolicyCheck) -> None:
    assert check({"app.py": APP}, {"app.py": FIXED, "x.bin": bytes(256)}).refusals == (
        "the patch contains a binary file: x.bin",
    )


def test_a_patch_that_changes_only_tests_is_refused(check: PolicyCheck) -> None:
    assert check({"app.py": APP}, {"tests/test_x.py": TEST}).refusals == ("the patch changes only tests",)


WEAKENED: dict[str, tuple[str, str | None, str]] = {
    "python file deleted": ("tests/test_a.py", None, "removes the test file"),
    "python test removed": ("tests/test_a.py", TEST.partition("    def test_b")[0], "removes the test T.test_b"),
    "python test renamed away": ("tests/test_a.py", TEST.replace("test_b", "b"), "removes the test T.test_b"),
    "python assertion removed": (
        "tests/test_a.py", TEST.replace("        self.assertTrue(1)\n", ""), "removes assertions",
    ),
    "python emptied": ("tests/test_a.py", TEST.replace("assert True", "pass"), "removes assertions"),
    "python skipped": (
        "tests/test_a.py", TEST.replace("    def test_b", "    @unittest.skip('x')\n    def test_b"), "skips tests",
    ),
    "python marked": ("tests/test_a.py", f"import pytest\npytestmark = pytest.mark.skip\n{TEST}", "skips tests"),
    "python no longer parses": ("tests/test_a.py", "def (:\n", "removes the test"),
    "node test removed": ("test/a.test.js", NODE_TEST.partition("it('b'")[0], "removes the test b"),
    "node assertion removed": (
        "test/a.test.js", NODE_TEST.replace("  expect(2).toBe(2);\n", ""), "removes assertions",
    ),
    "node skipped": ("test/a.test.js", NODE_TEST.replace("it('b'", "it.skip('b'"), "skips tests"),
    "node x": ("test/a.test.js", NODE_TEST.replace("it('b'", "xit('b'"), "removes the test b"),
    "node only": ("test/a.test.js", NODE_TEST.replace("it('b'", "it.only('b'"), "skips tests"),
}  # fmt: skip


@pytest.mark.parametrize("how", WEAKENED)
def test_a_patch_that_removes_skips_or_empties_tests_is_refused(check: PolicyCheck, how: str) -> None:
    path, text, expected = WEAKENED[how]

    result = check(
        {"app.py": APP, "tests/test_a.py": TEST, "test/a.test.js": NODE_TEST}, {"app.py": FIXED, path: text}
    )

    assert any(expected in refusal for refusal in result.refusals), result


def test_a_test_may_move_to_another_file(check: PolicyCheck) -> None:
    result = check(
        {"app.py": APP, "tests/test_a.py": TEST},
        {"app.py": FIXED, "tests/test_a.py": None, "tests/test_b.py": TEST},
    )

    assert result.refusals == ()


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("pytest.ini", "[pytest]\n", "[pytest]\naddopts = --deselect tests\n"),
        ("package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": "true"}}'),
        ("pyproject.toml", "[tool.pytest.ini_options]\n", "[tool.pytest.ini_options]\naddopts = '-k x'\n"),
        ("jest.config.js", "module.exports = {}\n", "module.exports = {bail: 1}\n"),
        ("tests/conftest.py", "", "collect_ignore = ['test_a.py']\n"),
    ],
)
def test_a_patch_that_changes_how_tests_run_is_refused(
    check: PolicyCheck, path: str, old: str, new: str
) -> None:
    result = check({"app.py": APP, path: old}, {"app.py": FIXED, path: new})

    assert len(result.refusals) == 1
    assert path in result.refusals[0]


@pytest.mark.parametrize(
    "line",
    [
        "requests.get(u, verify=False)", "agent = {rejectUnauthorized: false}", "ctx.check_hostname = False",
        "eval(body)", "exec(code)", "new Function(body)", "os.system(cmd)", "run(cmd, shell=True)",
        "os.chmod(p, 0o777)", "@csrf_exempt", "DEBUG = True", "pickle.loads(body)",
        "headers['Access-Control-Allow-Origin'] = '*'", "jwt.decode(t, options={'verify_signature': False})",
        "yaml.load(body)",
    ],
)  # fmt: skip
def test_a_patch_that_weakens_security_is_refused(check: PolicyCheck, line: str) -> None:
    result = check({"app.js": "one\n"}, {"app.js": f"one\n{line}\n"})

    assert len(result.refusals) == 1, result


@pytest.mark.parametrize(
    "guard", ["@login_required", "requireAuth,", "hmac.compare_digest(a, b)", "helmet()"]
)
def test_a_patch_that_removes_a_protection_is_refused(check: PolicyCheck, guard: str) -> None:
    result = check({"app.js": f"one\n{guard}\n"}, {"app.js": "one\n"})

    assert "removes a protection" in result.refusals[0]


def test_code_that_only_moves_is_accepted(check: PolicyCheck) -> None:
    result = check(
        {"app.js": "eval(x)\none\n@login_required\n"}, {"app.js": "@login_required\ntwo\neval(x)\n"}
    )

    assert result.refusals == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("app.py", "def f():\n    try:\n        g()\n    except Exception:\n        pass\n"),
        ("app.py", "def f():\n    try:\n        g()\n    except:\n        return None\n"),
        (
            "app.py",
            "def f():\n    try:\n        g()\n    except (ValueError, BaseException) as e:\n        return {}\n",
        ),
        ("app.py", "from contextlib import suppress\ndef f():\n    with suppress(Exception):\n        g()\n"),
        ("app.js", "try { g() } catch (e) {}\n"),
        ("app.js", "try { g() } catch {\n  // ignore\n}\n"),
        ("app.js", "try { g() } catch (error) { return null; }\n"),
        ("app.js", "g().catch(() => {})\n"),
    ],
)
def test_a_patch_that_ignores_every_error_is_refused(check: PolicyCheck, path: str, text: str) -> None:
    result = check({path: "g()\n"}, {path: text})

    assert any("ignores every error" in refusal for refusal in result.refusals)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("app.py", "try:\n    g()\nexcept KeyError:\n    pass\n"),
        ("app.py", "try:\n    g()\nexcept Exception:\n    log.exception('no')\n    raise\n"),
        ("app.js", "try { g() } catch (e) { log(e); throw e; }\n"),
    ],
)
def test_a_patch_that_handles_one_error_is_accepted(check: PolicyCheck, path: str, text: str) -> None:
    assert check({path: "g()\n"}, {path: text}).refusals == ()


def test_python_that_does_not_parse_is_refused(check: PolicyCheck) -> None:
    assert "app.py does not parse" in check({"app.py": APP}, {"app.py": "def (:\n"}).refusals[0]


SECRETS = [
    f"TOKEN = '{'ghp_' + 'a1B2' * 9}'",
    f"key = '{'AKIA' + 'ABCDEFGH12345678'}'",
    "password = 'tr0ub4dor-and-3-horses'",
    "x = '" + base64.b64encode(bytes(range(7, 67))).decode() + "'",
    "-----BEGIN RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("line", SECRETS)
def test_a_patch_with_a_secret_is_refused_without_repeating_it(check: PolicyCheck, line: str) -> None:
    result = check({"app.py": APP}, {"app.py": f"{FIXED}\n# {line}\n"})

    assert result.refusals == ("the patch contains text that looks like a secret (app.py)",)


@pytest.mark.parametrize("path", ["app.py", "tests/test_x.py"])
def test_a_patch_with_one_of_trackwalkers_settings_is_refused_plain_or_encoded(
    check: PolicyCheck, path: str
) -> None:
    secret = "correct horse"
    encoded = base64.b64encode(secret.encode()).decode()

    result = check(
        {"app.py": APP}, {"app.py": FIXED + "y = 1\n", path: f"{FIXED}# {encoded}\n"}, secrets=(secret, "")
    )

    assert "the patch contains the value of one of Trackwalker's settings" in result.refusals


@pytest.mark.parametrize(
    "line",
    [
        "password = os.environ['DATABASE_PASSWORD']",
        "token = 'changeme-please-1'",
        "sha = '" + "ab12" * 10 + "'",
    ],
)
def test_a_patch_that_only_names_a_secret_is_accepted(check: PolicyCheck, line: str) -> None:
    assert check({"app.py": APP}, {"app.py": f"{FIXED}{line}\n"}).refusals == ()


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("requirements.txt", "flask==3\n", "flask==3\nleft-pad\n"),
        ("package.json", '{"dependencies": {"a": "1"}}', '{"dependencies": {"a": "1", "left-pad": "1"}}'),
        (
            "pyproject.toml",
            "[project]\ndependencies = [\n'a']\n",
            "[project]\ndependencies = [\n'a',\n'left-pad>=1',\n]\n",
        ),
    ],
)
def test_a_new_dependency_is_refused_in_a_code_fix(
    check: PolicyCheck, tmp_path: Path, path: str, old: str, new: str
) -> None:
    result = check({path: old}, {path: new})

    assert result.refusals == ("the patch adds the dependency left-pad",)


def test_a_new_dependency_in_a_deployment_fix_is_noted(check: PolicyCheck) -> None:
    result = check({"requirements.txt": "a\n"}, {"requirements.txt": "a\nb\n"}, category=Category.DEPLOYMENT)

    assert result == PolicyResult((), (), ("the patch adds the dependency b",))


def test_a_new_host_is_noted_for_the_reviewer(check: PolicyCheck) -> None:
    old = f"{APP}A = 'https://api.known.com/x'\n"
    new = f"{FIXED}A = 'https://api.known.com/y'\nB = 'https://evil.io/x'\nC = 'http://localhost:1'\n"

    result = check({"app.py": old}, {"app.py": new})

    assert result == PolicyResult((), (), ("the patch names a new host, evil.io (app.py)",))


def test_hostile_text_is_checked_quickly(check: PolicyCheck) -> None:
    for text in (
        "catch (" * 20_000,
        "test('" * 20_000,
        "/*" * 40_000,
        "(" * 90_000,
        "a" * 200_000,
        ".catch(" * 20_000,
    ):
        read_tests("a.test.js", text)
        read_tests("test_a.py", text)

    result = check({"app.js": "x\n"}, {"app.js": "\n".join("catch {/*" * 2_000 for _ in range(20))})

    assert result.refusals == ()
