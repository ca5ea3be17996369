"""What a patch may not do, each rule on real diffs; and that honest patches pass."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fakes.githttp import git
from workers.models import Category
from workers.remediation.patch_policy import MOST_FILES, MOST_LINES, PolicyResult, check_patch, matches
from workers.remediation.test_integrity import read_tests
from workers.runtime.redaction import redact

Files = dict[str, str | bytes | None]
Inspect = Callable[..., PolicyResult]

APP = "import os\n\n\ndef price(count):\n    return 10 * count\n"
MENDED = APP.replace("10 * count", "10 * (count or 0)")
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
def seen(tmp_path: Path) -> Inspect:
    """What the limits say of going from some files to others."""

    def look(
        old: Files, new: Files, *, lane: Category = Category.CODE, **more: tuple[str, ...]
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
        return check_patch(patch + "\n", before, after, lane=lane, **more)

    return look


def test_an_honest_patch_with_its_test_passes_without_a_word(seen: Inspect) -> None:
    found = seen({"app.py": APP, "tests/test_a.py": TEST}, {"app.py": MENDED, "tests/test_gift.py": TEST})

    assert found == PolicyResult(())


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
def test_protected_paths_are_not_touched(seen: Inspect, path: str) -> None:
    found = seen({"app.py": APP}, {"app.py": MENDED, path: "x\n"})

    assert any(path in why and "protected path" in why for why in found.refusals)


def test_a_protected_file_may_not_be_deleted_either(seen: Inspect) -> None:
    found = seen({"app.py": APP, ".github/x.yml": "on: push\n"}, {"app.py": MENDED, ".github/x.yml": None})

    assert found.refusals == ("it touches a protected path: .github/x.yml (CI)",)


@pytest.mark.parametrize("path", ["Dockerfile", "package-lock.json", "poetry.lock", "railway.toml"])
def test_a_failed_deployment_may_be_mended_where_it_is_built(seen: Inspect, path: str) -> None:
    assert seen({path: "a\n"}, {path: "b\n"}, lane=Category.DEPLOYMENT).refusals == ()


def test_the_repository_protects_what_it_names(seen: Inspect) -> None:
    found = seen({"db/schema/a.sql": "a\n"}, {"db/schema/a.sql": "b\n"}, protected=("db/**",))

    assert found.refusals == (
        "it touches a protected path: db/schema/a.sql (protected in .trackwalker.toml)",
    )


@pytest.mark.parametrize(
    ("path", "glob", "expected"),
    [
        ("a/b/c.py", "a/**", True), ("a/b/c.py", "a/*", False), ("a/b/c.py", "*.py", True),
        ("a/b/c.py", "**/c.py", True), ("c.py", "**/c.py", True), ("a/b/c.py", "b/c.py", False),
        ("a/b/c.py", "/a/b/", True), ("x/a/b.py", "a/b.py", False), ("a.pyc", "*.py", False), ("a+b", "a+b", True),
        ("migrations/1.sql", "migrations/", True),
    ],
)  # fmt: skip
def test_globs_mean_what_people_expect(path: str, glob: str, expected: bool) -> None:
    assert matches(path, glob) is expected


def test_a_patch_nobody_can_review_is_refused(seen: Inspect) -> None:
    many: Files = {f"m{number}.py": "x = 1\n" for number in range(MOST_FILES + 1)}
    long: Files = {"long.py": "x = 1\n" * (MOST_LINES + 1)}

    found = seen({}, {**many, **long})

    assert any("more than 12" in why for why in found.refusals)
    assert any("lines, more than 400" in why for why in found.refusals)


def test_binary_files_are_refused(seen: Inspect) -> None:
    assert seen({"app.py": APP}, {"app.py": MENDED, "x.bin": bytes(256)}).refusals == (
        "it holds a binary file: x.bin",
    )


def test_a_patch_of_tests_alone_mends_nothing(seen: Inspect) -> None:
    assert seen({"app.py": APP}, {"tests/test_x.py": TEST}).refusals == ("it changes tests only",)


WEAKENED: dict[str, tuple[str, str | None, str]] = {
    "python file deleted": ("tests/test_a.py", None, "removes the test file"),
    "python test removed": ("tests/test_a.py", TEST.partition("    def test_b")[0], "removes the test T.test_b"),
    "python test renamed away": ("tests/test_a.py", TEST.replace("test_b", "b"), "removes the test T.test_b"),
    "python assertion removed": (
        "tests/test_a.py", TEST.replace("        self.assertTrue(1)\n", ""), "takes assertions out",
    ),
    "python emptied": ("tests/test_a.py", TEST.replace("assert True", "pass"), "takes assertions out"),
    "python skipped": (
        "tests/test_a.py", TEST.replace("    def test_b", "    @unittest.skip('x')\n    def test_b"), "skips tests",
    ),
    "python marked": ("tests/test_a.py", f"import pytest\npytestmark = pytest.mark.skip\n{TEST}", "skips tests"),
    "python no longer parses": ("tests/test_a.py", "def (:\n", "removes the test"),
    "node test removed": ("test/a.test.js", NODE_TEST.partition("it('b'")[0], "removes the test b"),
    "node assertion removed": (
        "test/a.test.js", NODE_TEST.replace("  expect(2).toBe(2);\n", ""), "takes assertions out",
    ),
    "node skipped": ("test/a.test.js", NODE_TEST.replace("it('b'", "it.skip('b'"), "skips tests"),
    "node x": ("test/a.test.js", NODE_TEST.replace("it('b'", "xit('b'"), "removes the test b"),
    "node only": ("test/a.test.js", NODE_TEST.replace("it('b'", "it.only('b'"), "skips tests"),
}  # fmt: skip


@pytest.mark.parametrize("how", WEAKENED)
def test_tests_are_not_removed_skipped_or_emptied(seen: Inspect, how: str) -> None:
    path, text, says = WEAKENED[how]

    found = seen(
        {"app.py": APP, "tests/test_a.py": TEST, "test/a.test.js": NODE_TEST}, {"app.py": MENDED, path: text}
    )

    assert any(says in why for why in found.refusals), found


def test_a_test_may_move_to_another_file(seen: Inspect) -> None:
    found = seen(
        {"app.py": APP, "tests/test_a.py": TEST},
        {"app.py": MENDED, "tests/test_a.py": None, "tests/test_b.py": TEST},
    )

    assert found.refusals == ()


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
def test_how_tests_are_run_is_not_changed(seen: Inspect, path: str, old: str, new: str) -> None:
    found = seen({"app.py": APP, path: old}, {"app.py": MENDED, path: new})

    assert len(found.refusals) == 1
    assert path in found.refusals[0]


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
def test_security_is_not_weakened(seen: Inspect, line: str) -> None:
    found = seen({"app.js": "one\n"}, {"app.js": f"one\n{line}\n"})

    assert len(found.refusals) == 1, found


@pytest.mark.parametrize(
    "guard", ["@login_required", "requireAuth,", "hmac.compare_digest(a, b)", "helmet()"]
)
def test_protections_are_not_removed(seen: Inspect, guard: str) -> None:
    found = seen({"app.js": f"one\n{guard}\n"}, {"app.js": "one\n"})

    assert "removes a protection" in found.refusals[0]


def test_what_was_there_before_may_move(seen: Inspect) -> None:
    found = seen({"app.js": "eval(x)\none\n@login_required\n"}, {"app.js": "@login_required\ntwo\neval(x)\n"})

    assert found.refusals == ()


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
def test_the_trouble_is_not_swallowed(seen: Inspect, path: str, text: str) -> None:
    found = seen({path: "g()\n"}, {path: text})

    assert any("swallows every error" in why for why in found.refusals)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("app.py", "try:\n    g()\nexcept KeyError:\n    pass\n"),
        ("app.py", "try:\n    g()\nexcept Exception:\n    log.exception('no')\n    raise\n"),
        ("app.js", "try { g() } catch (e) { log(e); throw e; }\n"),
    ],
)
def test_handling_one_error_is_no_swallowing(seen: Inspect, path: str, text: str) -> None:
    assert seen({path: "g()\n"}, {path: text}).refusals == ()


def test_python_that_does_not_parse_is_refused(seen: Inspect) -> None:
    assert "app.py does not parse" in seen({"app.py": APP}, {"app.py": "def (:\n"}).refusals[0]


SECRETS = [
    f"TOKEN = '{'ghp_' + 'a1B2' * 9}'",
    f"key = '{'AKIA' + 'ABCDEFGH12345678'}'",
    "password = 'tr0ub4dor-and-3-horses'",
    "x = '" + base64.b64encode(bytes(range(7, 67))).decode() + "'",
    "-----BEGIN RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("line", SECRETS)
def test_a_patch_with_a_secret_is_refused_without_repeating_it(seen: Inspect, line: str) -> None:
    found = seen({"app.py": APP}, {"app.py": f"{MENDED}\n# {line}\n"})

    assert found.refusals == ("it holds what looks like a secret (app.py)",)


@pytest.mark.parametrize("path", ["app.py", "tests/test_x.py"])
def test_our_own_settings_never_leave_in_a_patch_plain_or_encoded(seen: Inspect, path: str) -> None:
    ours = "correct horse"
    encoded = base64.b64encode(ours.encode()).decode()

    found = seen(
        {"app.py": APP}, {"app.py": MENDED + "y = 1\n", path: f"{MENDED}# {encoded}\n"}, secrets=(ours, "")
    )

    assert "it holds the value of one of our own settings" in found.refusals


@pytest.mark.parametrize(
    "line",
    [
        "password = os.environ['DATABASE_PASSWORD']",
        "token = 'changeme-please-1'",
        "sha = '" + "ab12" * 10 + "'",
    ],
)
def test_naming_a_secret_is_not_holding_one(seen: Inspect, line: str) -> None:
    assert seen({"app.py": APP}, {"app.py": f"{MENDED}{line}\n"}).refusals == ()


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
def test_a_new_dependency_is_refused_unless_a_deployment_failed(
    seen: Inspect, tmp_path: Path, path: str, old: str, new: str
) -> None:
    found = seen({path: old}, {path: new})

    assert found.refusals == ("it adds the dependency left-pad",)


def test_a_new_dependency_of_a_failed_deployment_is_noted(seen: Inspect) -> None:
    found = seen({"requirements.txt": "a\n"}, {"requirements.txt": "a\nb\n"}, lane=Category.DEPLOYMENT)

    assert found == PolicyResult((), ("it adds the dependency b",))


def test_a_new_host_is_noted_for_the_reviewer(seen: Inspect) -> None:
    old = f"{APP}A = 'https://api.known.com/x'\n"
    new = f"{MENDED}A = 'https://api.known.com/y'\nB = 'https://evil.io/x'\nC = 'http://localhost:1'\n"

    found = seen({"app.py": old}, {"app.py": new})

    assert found == PolicyResult((), ("it names a new host, evil.io (app.py)",))


def test_hostile_text_is_read_in_no_time(seen: Inspect) -> None:
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

    found = seen({"app.js": "x\n"}, {"app.js": "\n".join("catch {/*" * 2_000 for _ in range(20))})

    assert found.refusals == ()


# ---- redaction ---------------------------------------------------------------------------------


CUT = {
    "password=hunter2 x": "password=[redacted] x",
    '{"password": "hun\\"ter2", "a": 1}': '{"password": "[redacted]", "a": 1}',
    r"{\"client_secret\":\"abc\",\"b\":2}": r"{\"client_secret\":\"[redacted]\",\"b\":2}",
    "{'token': b'abc'}": "{'token': b'[redacted]'}",
    "GET /x?access_token=abc&page=2": "GET /x?access_token=[redacted]&page=2",
    "STRIPE_API_KEY: abc123": "STRIPE_API_KEY: [redacted]",
    "--password hunter2 --port 1": "--password [redacted] --port 1",
    "postgres://u:pa/ss@db.host:5432/x": "postgres://[redacted]@db.host:5432/x",
    "https://user:p@ss@host.com/a": "https://[redacted]@host.com/a",
    "Authorization: Basic dXNlcjpwYXNz": "Authorization: [redacted]",
    "curl -H 'Bearer abc.def.123456'": "curl -H 'Bearer [redacted]'",
    "Cookie: sid=1; b=2": "Cookie: [redacted]",
    "by bob.smith+x@example.co.uk now": "by [redacted] now",
    "card 4111 1111 1111 1111 ok": "card [redacted] ok",
    "xoxb-" + "1" * 12 + "-abc": "[redacted]",
    "see hooks.slack.com/services/T00/B00/xyz": "see hooks.slack.com/services/[redacted]",
    "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.sig": "[redacted]",
    "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\nafter": "[redacted]\nafter",
    "-----BEGIN EC PRIVATE KEY-----\ncut off": "[redacted]",
    "our own: s3cr3t-value": "our own: [redacted]",
}


@pytest.mark.parametrize("text", CUT)
def test_secrets_are_cut_out_and_nothing_else(text: str) -> None:
    once = redact(text, ["s3cr3t-value", "", "abc"])

    assert once == CUT[text]
    assert redact(once) == once


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'STRIPE_SECRET_KEY'",
        "password: None",
        "max_tokens=512 tokens: 12",
        "token: expired",
        "bearer authentication failed",
        "commit da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "id 3f2504e0-4f89-11d3-9a0c-0305e82c3301 at 1732391400000",
        'File "/app/src/components/Checkout2/PaymentProviderFactory/index/stripe.py", line 12, in pay',
        "at AbstractSingletonProxyFactoryBean2HandlerResolverImpl.run",
        "npm ERR! express@4.18.2",
        "order 4111111111111112 failed",
        "secret=''",
    ],
)
def test_evidence_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_half_a_megabyte_of_anything_is_redacted_at_once() -> None:
    parts = [
        "a", 'password="', "a://", "a@", "a.", "4111 ", "-----BEGIN PRIVATE KEY-----", "eyJ", "aA1", "bearer ",
        "a.a@a.", "--a-", "authorization:", "postgres://", " ", "secret ", "sk-", "-----END", 'cookie="', '\\\\"',
        "password=\\\\\\\"", "SG.", "xox", "token",
    ]  # fmt: skip

    for part in parts:
        redact(part * (500_000 // len(part)))  # a pattern that backtracks takes minutes


@pytest.mark.parametrize(
    "text",
    [
        "PASSWORD=hunter2x",
        "PA\u017f\u017fWORD=hunter2x",
        "\u017ferver --pa\u017fsword hunter2x",
        "COO\u212aIE: hunter2x",
    ],
)
def test_letters_of_any_case_or_alphabet_hide_no_secret(text: str) -> None:
    assert "hunter2x" not in redact(text)
