"""Manifests, own files, variables and examples of the repository complete what a log misses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.logs import write_tree
from workers.investigation.evidence.declarations import find_declarations
from workers.investigation.evidence.setting_uses import find_setting_uses
from workers.models import ModuleDeclaration, SettingUse, Sign, SignKind

PACKAGE_JSON = '{"dependencies": {"express": "4", "@acme/ui": "1"}, "devDependencies": {"vite": "5"}}'


def missing(*names: str) -> list[Sign]:
    return [Sign(kind=SignKind.MODULE_MISSING, subject=name) for name in names]


def declared(folder: Path, name: str, files: dict[str, str]) -> ModuleDeclaration:
    """Where the repository declares the module."""
    [module] = find_declarations(missing(name), write_tree(folder, files))
    return module


@pytest.mark.parametrize(
    ("name", "files", "manifest", "listed"),
    [
        ("stripe", {"requirements.txt": "flask==3.0\n", "app.py": ""}, "requirements.txt", False),
        ("yaml", {"requirements.txt": "flask==3.0\nPyYAML>=6\n", "app.py": ""}, "requirements.txt", True),
        ("psycopg2", {"pyproject.toml": 'dependencies = ["psycopg2-binary"]\n', "a.py": ""}, "pyproject.toml", True),
        ("google.cloud.storage", {"requirements/prod.txt": "flask\n", "a.py": ""}, "requirements/prod.txt", False),
        ("express", {"package.json": PACKAGE_JSON, "a.js": ""}, "package.json", True),
        ("@acme/ui/button", {"package.json": PACKAGE_JSON, "a.ts": ""}, "package.json", True),
        ("vite", {"package.json": PACKAGE_JSON, "a.js": ""}, "package.json", False),
        ("lodash/merge", {"package.json": "{ broken", "a.js": ""}, "package.json", False),
        ("github.com/lib/pq", {"go.mod": "module a/b\n\nrequire github.com/lib/pq v1\n", "a.go": ""}, "go.mod", True),
        ("github.com/acme/x/y", {"go.mod": "require (\n\tgithub.com/lib/pq v1\n)\n", "a.go": ""}, "go.mod", False),
        ("serde_json", {"Cargo.toml": '[dependencies]\nserde-json = "1"\n', "src/main.rs": ""}, "Cargo.toml", True),
        ("sidekiq/web", {"Gemfile": "gem 'rails'\n  gem \"sidekiq\"\n", "a.rb": ""}, "Gemfile", True),
        ("pg", {"Gemfile": "gem 'rails'\n", "a.rb": ""}, "Gemfile", False),
        ("com.stripe.Stripe", {"pom.xml": "<groupId>com.zaxxer</groupId>", "A.java": ""}, "pom.xml", False),
        ("Npgsql", {"Api/Api.csproj": '<PackageReference Include="Npgsql" />', "Api/A.cs": ""}, "Api/Api.csproj", True),
        ("stripe", {"app.py": ""}, "", False),
    ],
)  # fmt: skip
def test_a_module_is_looked_up_in_the_manifest_of_the_service(
    tmp_path: Path, name: str, files: dict[str, str], manifest: str, listed: bool
) -> None:
    module = declared(tmp_path, name, files)

    assert (module.manifest, module.listed, module.is_own) == (manifest, listed, False)


@pytest.mark.parametrize(
    ("name", "files", "similar"),
    [
        ("./Pricing", {"src/pricing.ts": "", "src/orders.ts": "", "package.json": "{}"}, "src/pricing.ts"),
        ("/app/src/pricng.js", {"src/pricing.js": "", "package.json": "{}"}, "src/pricing.js"),
        (
            "shop.pricng",
            {"shop/__init__.py": "", "shop/pricing.py": "", "requirements.txt": ""},
            "shop/pricing.py",
        ),
        ("shop.models", {"shop/__init__.py": "", "requirements.txt": ""}, ""),
        ("acme.io/shop/internal/x", {"go.mod": "module acme.io/shop\n", "main.go": ""}, ""),
    ],
)
def test_an_own_module_has_the_file_that_it_may_mean(
    tmp_path: Path, name: str, files: dict[str, str], similar: str
) -> None:
    assert declared(tmp_path, name, files) == ModuleDeclaration(name=name, is_own=True, similar=similar)


def test_the_package_of_a_module_may_have_another_name(tmp_path: Path) -> None:
    assert declared(tmp_path, "PIL.Image", {"requirements.txt": "", "a.py": ""}).package == "Pillow"


def test_the_manifest_below_the_root_of_the_service_counts(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path, {"web/package.json": "{}", "api/requirements.txt": "stripe\n", "api/app.py": ""}
    )
    own = type(tree)(tree.folder, tree.files, "api")

    [module] = find_declarations(missing("stripe"), own)

    assert (module.manifest, module.listed) == ("api/requirements.txt", True)


def test_variables_are_found_where_the_service_reads_them(tmp_path: Path) -> None:
    tree = write_tree(
        tmp_path,
        {
            "app.py": 'import os\nKEY = os.environ["STRIPE_KEY"]\nURL = os.getenv("API_URL")\n',
            "config.py": "class Settings(BaseSettings):\n    database_url: str\n\n\ndef other(x: str): ...\n",
            "env.ts": "const server = {\n  JWT_SECRET: z.string(),\n}\n",
            "prisma/schema.prisma": 'url = env("DIRECT_URL")\n',
            "src/main/resources/application.yml": "secret: ${OAUTH_SECRET:none}\n",
            "tests/test_app.py": 'os.environ["ONLY_IN_TESTS"]\n',
            ".env.example": "STRIPE_KEY=sk_live_1234\n# SENTRY_DSN=\n",
        },
    )

    uses = {use.name: use for use in find_setting_uses(tree, {"app.py": [2]})}

    assert uses == {
        "STRIPE_KEY": SettingUse(
            name="STRIPE_KEY", file="app.py", line=2, example=".env.example", required_since_suspect=True
        ),
        "API_URL": SettingUse(name="API_URL", file="app.py", line=3),
        "DATABASE_URL": SettingUse(name="DATABASE_URL", file="config.py", line=2),
        "JWT_SECRET": SettingUse(name="JWT_SECRET", file="env.ts", line=2),
        "DIRECT_URL": SettingUse(name="DIRECT_URL", file="prisma/schema.prisma", line=1),
        "OAUTH_SECRET": SettingUse(name="OAUTH_SECRET", file="src/main/resources/application.yml", line=1),
        "SENTRY_DSN": SettingUse(name="SENTRY_DSN", example=".env.example"),
    }


def test_a_variable_that_an_older_line_reads_is_not_new(tmp_path: Path) -> None:
    tree = write_tree(tmp_path, {"a.py": 'os.environ["KEY_A"]\n', "b.py": 'os.environ["KEY_A"]\n'})

    [use] = find_setting_uses(tree, {"a.py": [1]})

    assert not use.required_since_suspect
