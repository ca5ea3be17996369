"""Which paths a patch may touch: everything that no rule allows is refused."""
# ruff: noqa: E501  # lists of paths read best in long lines

from __future__ import annotations

import pytest

from tests.support.patches import diff, edited, judge
from tests.unit.remediation.policy.trees import HOTEL, HOTEL_TEST, SHOP
from workers.models import Category
from workers.remediation.patch_policy import MAX_BYTES, MAX_FILES, MAX_LINES

B = "hotel/booking.py"
FIX = (B, "* count", "* (count or 0)")
CODE = '"""Text."""\nX = 1\n'

REFUSED_FILES = [
    ".github/workflows/ci.yml", ".GitHub/workflows/ci.yml", "hotel/.gitlab-ci.yml", ".forgejo/workflows/x.yml", ".drone.yml",
    "cloudbuild.json", "azure-pipelines.yml", ".githooks/pre-push", "lefthook.yml", ".pre-commit-config.yaml",
    "AGENTS.md", "hotel/CLAUDE.md", ".agents/x.md", ".kiro/steering/x.md", ".roo/rules.md", ".cursorrules", ".mcp.json",
    ".vscode/tasks.json", ".idea/x.xml", ".nvim.lua", ".tool-versions", ".envrc", ".env", "hotel/.env.local", "deploy.pem",
    ".ssh/config", ".kube/config", "config/secrets.yml", "prod.tfvars", ".npmrc", ".pypirc", ".gitattributes", ".gitmodules",
    ".trackwalker.toml", "Dockerfile", "Containerfile", "fly.toml", "vercel.json", "Procfile", "railway.json", "compose.yaml",
    "gunicorn.conf.py", "k8s/app.yaml", "helm/templates/x.yaml", "docker/start.sh", "deploy/run.py", "Makefile",
    "GNUmakefile", "hotel/makefile", "justfile", "Taskfile.yml", "tox.ini", ".pytest.ini", "pytest.toml", "noxfile.py",
    "conftest.py", "tests/conftest.py", "hotel/conftest.py", "sitecustomize.py", "usercustomize.py", "hotel/sitecustomize.py",
    "hotel.pth", "hotel/x.pth", "setup.py", "setup.cfg", "package.json", "Pipfile", "requirements-dev.txt", "constraints.txt",
    "requirements/base.txt", "Gemfile", "go.mod", "Cargo.toml", "environment.yml", "deno.json", "pnpm-workspace.yaml",
    "poetry.lock", "uv.lock", "package-lock.json", "json.py", "hotel/json.py", "hotel/Random.py", "requests.py",
    "hotel/requests.py", "hotel/pytest.py", "unittest/__init__.py", "hotel/unittest/case.py", "pytest/__init__.py",
    "hotel/__main__.py", "hotel/setup.py", "hotel/test_more.py", "hotel/booking/__init__.py", "hotel/Booking.py",
    "HOTEL/more.py", "other/more.py", "more.py", "scripts/more.py", "hotel/notes.txt", "hotel/data.json", "hotel/tool.sh",
    "hotel/page.ipynb", "hotel/x.exe", "hotel/config.yaml", "vendor/lib.py", "hotel/_vendor/lib.py", "hotel/dist/app.js",
    "hotel/app.min.js", "hotel/more_pb2.py", "hotel/.hidden.py", ".hidden/more.py", "tests/more.py", "tests/helpers/x.py",
    "hotel/templates/page.sh", "LICENSE", "docs/new.md", "webpack.config.js", "tsconfig.json", ".eslintrc.js",
    "hotel/more .py", "hotel/more.py ", "hotel/mo\u200bre.py", "hotel/mоre.py", "hotel/con~1.py", "hotel/a:b.py",
    "hotel/-x.py", "hotel/__pycache__/x.py", "node_modules/x/index.js", "hotel/index.js", "hotel/more.pyi.txt",
]  # fmt: skip


@pytest.mark.parametrize("path", REFUSED_FILES)
def test_a_patch_that_adds_a_file_outside_the_allowed_kinds_is_refused(path: str) -> None:
    result = judge(HOTEL, edited(HOTEL, (FIX, (path, "", CODE))), culprit=B)

    assert result.refusals


@pytest.mark.parametrize(
    "path", ["scripts/seed.py", "requirements.txt", "pyproject.toml", "migrations/0001_rooms.sql"]
)
def test_a_patch_that_changes_a_file_outside_the_allowed_kinds_is_refused(path: str) -> None:
    after = {**HOTEL, path: HOTEL[path] + "x = 1\n"}

    assert judge(HOTEL, after, culprit=B).refusals


@pytest.mark.parametrize(
    "path", ["hotel/access.py", "README.md", "hotel/queries/free.sql", "hotel/templates/invoice.html"]
)
def test_a_patch_that_deletes_a_file_is_refused(path: str) -> None:
    after = {name: text for name, text in edited(HOTEL, (FIX,)).items() if name != path}

    assert judge(HOTEL, after, culprit=B).refusals


@pytest.mark.parametrize("path", ["hotel/more.py", "hotel/sub/more.py"])
def test_a_module_in_the_culprits_package_may_be_added(path: str) -> None:
    result = judge(HOTEL, edited(HOTEL, (FIX, (path, "", CODE))), culprit=B)

    assert result.refusals == ()
    assert result.applied == (B, path)


def test_a_javascript_module_may_be_added_only_beside_the_culprit() -> None:
    beside = judge(SHOP, {**SHOP, "src/more.js": "exports.x = 1;\n"}, culprit="src/basket.js")
    below = judge(SHOP, {**SHOP, "src/sub/more.js": "exports.x = 1;\n"}, culprit="src/basket.js")
    shadow = judge(SHOP, {**SHOP, "src/basket.mjs": "export const x = 1;\n"}, culprit="src/basket.js")

    assert beside.refusals == ()
    assert below.refusals
    assert shadow.refusals


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("migrations/0002_beds.sql", "create index beds on rooms (beds);\n"),
        ("tests/data/rooms.json", "[]\n"),
        ("tests/data/new.json", "[]\n"),
        ("tests/tools.py", HOTEL["tests/tools.py"] + "\n# more\n"),
        (".env.example", "POOL_SIZE=20\nAPI_KEY=\n# comment\nURL=http://localhost:80\n"),
        ("hotel/templates/more.html", "<p></p>\n"),
        ("requirements.txt", HOTEL["requirements.txt"].replace("2.32.0", "2.32.4")),
    ],
)
def test_a_patch_to_a_file_that_people_must_judge_is_a_draft_that_names_the_file(
    path: str, text: str
) -> None:
    result = judge(HOTEL, {**edited(HOTEL, (FIX,)), path: text}, culprit=B)

    assert result.refusals == ()
    assert any(path in draft for draft in result.drafts)


def test_tests_fixtures_and_examples_are_not_applied_by_a_verification() -> None:
    after = {**edited(HOTEL, (FIX,)), "tests/data/rooms.json": "[]\n", "tests/test_rate.py": HOTEL_TEST}
    after |= {
        "requirements.txt": HOTEL["requirements.txt"].replace("2.32.0", "2.33.0"),
        ".env.example": "A=1\n",
    }

    result = judge(HOTEL, after, culprit=B, reproduction="tests/test_rate.py")

    assert set(result.applied) == {B, "tests/test_rate.py"}


def test_the_example_of_an_environment_must_not_hold_a_value() -> None:
    after = {**edited(HOTEL, (FIX,)), ".env.example": "API_KEY=s3cr3t-value-9913\n"}

    assert judge(HOTEL, after, culprit=B).refusals


def test_a_file_that_the_repository_allows_is_a_draft_and_applied() -> None:
    after = {**edited(HOTEL, (FIX,)), "hotel/rates.json": "{}\n"}

    result = judge(HOTEL, after, culprit=B, allow=("hotel/*.json",))

    assert result.refusals == ()
    assert any("hotel/rates.json" in draft for draft in result.drafts)
    assert "hotel/rates.json" in result.applied


@pytest.mark.parametrize(
    "path", [".github/workflows/x.yml", ".env", "AGENTS.md", ".trackwalker.toml", "pytest.ini"]
)
def test_the_repository_cannot_allow_what_is_never_allowed(path: str) -> None:
    after = {**edited(HOTEL, (FIX,)), path: "x\n"}

    assert judge(HOTEL, after, culprit=B, allow=("**",)).refusals


def test_a_path_that_the_repository_protects_is_refused() -> None:
    result = judge(HOTEL, edited(HOTEL, (FIX,)), culprit=B, protected=("hotel/**",))

    assert any("protected in .trackwalker.toml" in refusal for refusal in result.refusals)


def test_a_file_that_a_check_runs_is_refused() -> None:
    before = {**HOTEL, ".trackwalker.toml": 'check = [["python3", "hotel/pages.py"]]\n'}

    result = judge(before, edited(before, (("hotel/pages.py", "200", "201"),)), culprit=B)

    assert any("a check of the repository runs it" in refusal for refusal in result.refusals)


def test_another_service_of_the_repository_is_refused() -> None:
    before = {**{f"api/{path}": text for path, text in HOTEL.items()}, "billing/charge.py": "LIMIT = 5\n"}
    own = edited(before, ((f"api/{B}", "* count", "* (count or 0)"),))

    assert judge(before, own, root="api", culprit=f"api/{B}").refusals == ()
    assert judge(before, {**own, "billing/charge.py": "LIMIT = 6\n"}, root="api", culprit=f"api/{B}").refusals


@pytest.mark.parametrize(
    ("path", "accepted"),
    [
        ("tests/test_rate.py", True), ("tests/unit/test_rate.py", True), ("repro.py", True), ("tests/rate.py", True),
        ("test_rate.py", False), ("hotel/test_rate.py", False), ("other/test_rate.py", False), ("hotel/sub/repro.py", False),
        ("json.py", False), ("tests/conftest.py", False), ("tests/unittest.py", False), ("scripts/repro.py", False),
    ],
)  # fmt: skip
def test_a_reproduction_lies_beside_the_tests_or_is_a_script_at_the_root(path: str, accepted: bool) -> None:
    after = {**edited(HOTEL, (FIX,)), path: HOTEL_TEST}

    assert (judge(HOTEL, after, culprit=B, reproduction=path).refusals == ()) is accepted


def test_a_patch_too_large_for_a_review_is_refused() -> None:
    files = {f"hotel/m{number}.py": "x = 1\n" for number in range(MAX_FILES + 1)}
    lines = {"hotel/long.py": "x = 1\n" * (MAX_LINES + 1)}
    wide = {"hotel/wide.py": f"# {'x' * 400}\n" * (MAX_BYTES // 400 + 1)}

    result = judge(HOTEL, {**HOTEL, **files, **lines, **wide}, culprit=B)

    assert any("more than 12" in refusal for refusal in result.refusals)
    assert any("lines, more than 400" in refusal for refusal in result.refusals)
    assert any(f"bytes, more than {MAX_BYTES}" in refusal for refusal in result.refusals)


def test_a_patch_that_changes_only_tests_is_refused() -> None:
    after = {**HOTEL, "tests/test_rate.py": HOTEL_TEST}

    assert (
        "the patch changes only tests"
        in judge(HOTEL, after, culprit=B, reproduction="tests/test_rate.py").refusals
    )


@pytest.mark.parametrize(
    "path", ["Dockerfile", "railway.toml", "package-lock.json", "Procfile", "vite.config.ts"]
)
def test_a_fix_of_a_failed_deployment_may_touch_build_files_in_a_draft(path: str) -> None:
    before, after = {**HOTEL, path: "a\n"}, {**HOTEL, path: "a\nb\n"}

    result = judge(before, after, category=Category.DEPLOYMENT)

    assert result.refusals == ()
    assert result.drafts
    assert result.applied == (path,)


def test_the_helper_makes_patches_as_git_does() -> None:
    patch = diff({"a": "1\n"}, {"a": "2\n", "b": "x"})

    assert patch.startswith("diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-1\n+2\n")
    assert patch.endswith("--- /dev/null\n+++ b/b\n@@ -0,0 +1 @@\n+x\n\\ No newline at end of file\n")


def test_a_reproduction_in_a_new_folder_may_bring_an_empty_package_file() -> None:
    after = {**edited(HOTEL, (FIX,)), "tests/unit/__init__.py": "", "tests/unit/test_rate.py": HOTEL_TEST}

    result = judge(HOTEL, after, culprit=B, reproduction="tests/unit/test_rate.py")

    assert result.refusals == ()
    assert "tests/unit/__init__.py" in result.applied
