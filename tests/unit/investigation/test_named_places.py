# ruff: noqa: E501  # one log line per line reads best
"""A log line without a trace names a place in own code, in the form of each logger and compiler."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.logs import log_lines, write_tree
from workers.investigation.code.code_layout import layout_of
from workers.investigation.code.locations import locate_groups, locations_of
from workers.investigation.code.named_places import named_places
from workers.investigation.code.tree import Tree
from workers.investigation.logs.log_patterns import group_records
from workers.investigation.logs.log_records import build_log_records

LINES = 60  # of each file of these trees
CASES: list[tuple[str, tuple[str, ...], str, str | None]] = [
    ('zap console', ('internal/orders/service.go', 'go.mod'), '2026-11-20T11:48:02.114Z\tERROR\torders/service.go:42\tcharge declined\t{"id": 3}', 'internal/orders/service.go:42'),
    ('zap json kept', ('internal/orders/service.go',), 'charge declined caller=orders/service.go:42 id=3', 'internal/orders/service.go:42'),
    ('go log shortfile', ('internal/orders/service.go',), '2026/11/20 11:48:02 service.go:42: charge declined', 'internal/orders/service.go:42'),
    ('slog json source', ('orders.go',), 'charge declined source={"function":"main.total","file":"/app/orders.go","line":42}', 'orders.go:42'),
    ('slog text', ('orders.go',), 'time=2026 level=ERROR source=/app/orders.go:42 msg="x"', 'orders.go:42'),
    ('logrus caller', ('orders.go',), 'level=error msg=x func=main.total file="/app/orders.go:42"', 'orders.go:42'),
    ('logback', ('src/main/java/com/acme/PricingService.java',), '11:48:02.114 [main] ERROR c.a.s.PricingService (PricingService.java:42) - declined', 'src/main/java/com/acme/PricingService.java:42'),
    ('logback json', ('src/main/java/com/acme/PricingService.java',), 'declined caller_file_name=PricingService.java caller_line_number=42', 'src/main/java/com/acme/PricingService.java:42'),
    ('python fmt', ('shop/pricing.py',), '2026-11-20 ERROR [pricing.py:42] declined', 'shop/pricing.py:42'),
    ('python pathname', ('shop/pricing.py',), 'declined pathname=/app/shop/pricing.py lineno=42 name=x', 'shop/pricing.py:42'),
    ('structlog callsite', ('shop/pricing.py',), '[error    ] declined [shop.pricing] filename=pricing.py func_name=total lineno=42', 'shop/pricing.py:42'),
    ('absl/glog', ('shop/pricing.py',), 'E1120 11:48:02.114 140 pricing.py:42] declined', 'shop/pricing.py:42'),
    ('loguru', ('shop/orders.py',), '2026-11-20 11:48:02.114 | ERROR    | shop.orders:create:31 - order failed', 'shop/orders.py:31'),
    ('rust tracing', ('src/pricing.rs',), '2026-11-20T11:48:02Z ERROR shop::pricing: src/pricing.rs:42: declined', 'src/pricing.rs:42'),
    ('php warning', ('src/Pricing.php',), 'PHP Warning:  Undefined array key "price" in /app/src/Pricing.php on line 42', 'src/Pricing.php:42'),
    ('php html', ('src/Pricing.php',), 'Warning: Undefined variable $x in /var/www/html/src/Pricing.php on line 42', 'src/Pricing.php:42'),
    ('ruby warn', ('app/models/order.rb',), 'app/models/order.rb:42: warning: already initialized constant X', 'app/models/order.rb:42'),
    ('django template', ('shop/templates/o.html',), 'TemplateSyntaxError in shop/templates/o.html, line 42: Invalid block tag', 'shop/templates/o.html:42'),
    ('jinja', ('templates/o.html',), '  File "/app/templates/o.html", line 42, in template', 'templates/o.html:42'),
    ('mypy', ('app/models.py',), 'app/models.py:12: error: Incompatible types', 'app/models.py:12'),
    ('node syntax', ('src/a.js',), "/app/src/a.js:12\nconst x = ;\n          ^\n\nSyntaxError: Unexpected token ';'", 'src/a.js:12'),
    ('nginx', ('nginx.conf',), 'nginx: [emerg] unknown directive "foo" in /etc/nginx/nginx.conf:12', 'nginx.conf:12'),
    ('yaml', ('config/app.yml',), 'yaml: line 12: mapping values are not allowed', None),
    ('foreign', ('main.py', 'index.js'), '/usr/lib/python3.11/main.py:12: DeprecationWarning x\n/app/node_modules/a/index.js:3:4', None),
    ('time', ('a.py',), 'at 11:48:02 done a.py', None),
    ('url', ('index.js',), 'GET http://shop.example/index.js:12', None),
    ('ip port', ('a.go',), 'dial tcp 10.0.0.1:5432: refused', None),
    ('past', ('a.py',), 'a.py:99: x', None),
    ('sql', ('db/schema.sql',), 'psql:/app/db/schema.sql:12: ERROR:  relation exists', 'db/schema.sql:12'),
    ('caddy', ('Caddyfile',), 'Error: adapting config using caddyfile: /etc/caddy/Caddyfile:12: unrecognized directive', 'Caddyfile:12'),
    ('ts-node', ('src/x.ts',), 'src/x.ts(42,17): error TS2339: Property', 'src/x.ts:42'),
    ('ts-node2', ('src/x.ts',), 'src/x.ts:42:17 - error TS2339: Property', 'src/x.ts:42'),
    ('celery', ('shop/tasks.py',), '[2026-11-20: ERROR/ForkPoolWorker-1] Task shop.tasks.pay[1] raised', None),
    ('svelte', ('src/routes/+page.svelte',), '/app/src/routes/+page.svelte:12:5 Expected token', 'src/routes/+page.svelte:12'),
    ('group', ('src/app/(shop)/orders/[id]/page.tsx',), './src/app/(shop)/orders/[id]/page.tsx:12:5', 'src/app/(shop)/orders/[id]/page.tsx:12'),
]  # fmt: skip

JSON_LINES: list[tuple[str, tuple[str, ...], str, str]] = [
    ('zap', ('internal/orders/service.go',), '{"level":"error","ts":1763639282.1,"caller":"orders/service.go:42","msg":"charge declined","id":3}', 'internal/orders/service.go:42'),
    ('zap stack', ('internal/orders/service.go',), '{"level":"error","ts":1763639282.1,"caller":"orders/service.go:42","msg":"charge declined","stacktrace":"main.total\\n\\t/app/internal/orders/service.go:12\\nmain.main\\n\\t/app/main.go:3"}', 'internal/orders/service.go:12'),
    ('slog', ('orders.go',), '{"time":"2026-11-20T11:48:02Z","level":"ERROR","source":{"function":"main.total","file":"/app/orders.go","line":42},"msg":"declined"}', 'orders.go:42'),
    ('logrus', ('orders.go',), '{"file":"/app/orders.go:42","func":"main.total","level":"error","msg":"declined","time":"2026-11-20T11:48:02Z"}', 'orders.go:42'),
    ('zerolog', ('orders.go',), '{"level":"error","caller":"/app/orders.go:42","message":"declined"}', 'orders.go:42'),
    ('pyjson', ('shop/pricing.py',), '{"levelname":"ERROR","pathname":"/app/shop/pricing.py","lineno":42,"message":"declined"}', 'shop/pricing.py:42'),
    ('pyjson2', ('shop/pricing.py',), '{"level":"ERROR","filename":"pricing.py","lineno":42,"message":"declined","funcName":"total"}', 'shop/pricing.py:42'),
    ('structlog', ('shop/pricing.py',), '{"event":"declined","level":"error","filename":"pricing.py","func_name":"total","lineno":42}', 'shop/pricing.py:42'),
    ('structlog dict tb', ('shop/pricing.py', 'shop/orders.py'), '{"event":"declined","level":"error","exception":[{"exc_type":"KeyError","exc_value":"\'gift\'","syntax_error":null,"is_cause":false,"frames":[{"filename":"/app/shop/orders.py","lineno":31,"name":"place"},{"filename":"/app/shop/pricing.py","lineno":5,"name":"total"}]}]}', 'shop/pricing.py:5'),
    ('logback', ('src/main/java/com/acme/P.java',), '{"@timestamp":"x","level":"ERROR","message":"declined","caller_class_name":"com.acme.P","caller_method_name":"total","caller_file_name":"P.java","caller_line_number":42}', 'src/main/java/com/acme/P.java:42'),
    ('gcp', ('shop/pricing.py',), '{"severity":"ERROR","message":"declined","logging.googleapis.com/sourceLocation":{"file":"/app/shop/pricing.py","line":"42","function":"total"}}', 'shop/pricing.py:42'),
    ('loguru json', ('shop/pricing.py',), '{"text":"x","record":{"level":{"name":"ERROR","no":40},"message":"declined","file":{"name":"pricing.py","path":"/app/shop/pricing.py"},"line":42,"function":"total"}}', 'shop/pricing.py:42'),
    ('tracing', ('src/p.rs',), '{"timestamp":"x","level":"ERROR","fields":{"message":"declined"},"target":"shop","filename":"src/p.rs","line_number":42}', 'src/p.rs:42'),
    ('monolog', ('src/P.php',), '{"message":"declined","context":{"exception":{"class":"TypeError","message":"x","code":0,"file":"/app/src/P.php:42"}},"level":400,"level_name":"ERROR"}', 'src/P.php:42'),
    ('serilog', ('Shop/P.cs',), '{"@t":"x","@l":"Error","@mt":"declined","@x":"System.NullReferenceException: y\\n   at Shop.P.Total() in /src/Shop/P.cs:line 42"}', 'Shop/P.cs:42'),
    ('pino err', ('src/a.js',), '{"level":50,"time":1,"msg":"boom","err":{"type":"TypeError","message":"boom","stack":"TypeError: boom\\n    at total (/app/src/a.js:42:3)"}}', 'src/a.js:42'),
    ('winston', ('src/a.js',), '{"level":"error","message":"boom","stack":"TypeError: boom\\n    at total (/app/src/a.js:42:3)"}', 'src/a.js:42'),
    ('elixir', ('lib/shop/p.ex',), '{"message":"declined","severity":"error","metadata":{"file":"lib/shop/p.ex","line":42,"mfa":"x"}}', 'lib/shop/p.ex:42'),
    ('ecs', ('src/main/java/com/acme/P.java',), '{"log.level":"ERROR","message":"declined","log":{"origin":{"file":{"name":"P.java","line":42}}}}', 'src/main/java/com/acme/P.java:42'),
]  # fmt: skip


def tree_of(folder: Path, *files: str) -> Tree:
    return write_tree(folder, dict.fromkeys(files, "line\n" * LINES))


@pytest.mark.parametrize(("name", "files", "text", "place"), CASES, ids=[case[0] for case in CASES])
def test_the_first_own_place_of_a_line_is_found(
    tmp_path: Path, name: str, files: tuple[str, ...], text: str, place: str | None
) -> None:
    named = named_places(text, layout_of(tree_of(tmp_path, *files)))

    assert next((f"{found.file}:{found.line}" for found in named), None) == place


@pytest.mark.parametrize(("name", "files", "text", "place"), JSON_LINES, ids=[case[0] for case in JSON_LINES])
def test_the_place_in_the_fields_of_a_json_logger_is_found(
    tmp_path: Path, name: str, files: tuple[str, ...], text: str, place: str
) -> None:
    tree = tree_of(tmp_path, *files)
    groups = group_records(build_log_records(log_lines(text, level="info")))

    assert locations_of(locate_groups(groups, tree), tree)[0].position == place


def test_only_lines_about_trouble_are_locations(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, "orders.go", "stock.go")
    lines = [
        *log_lines("level=info msg=started caller=orders.go:4", level="info"),
        *log_lines("ERROR stock.go:9: charge declined", level="error"),
    ]

    locations = locations_of(locate_groups(group_records(build_log_records(lines)), tree), tree)

    assert [(location.position, location.why) for location in locations] == [("stock.go:9", "log")]


@pytest.mark.parametrize(
    "piece", ["a/", "[a]/", "x.ts(", "a.", ".ts", ": ", "- ", "./", "file: a.go ", "a:b:1"]
)
def test_hostile_texts_cost_little_time(tmp_path: Path, piece: str) -> None:
    layout = layout_of(tree_of(tmp_path, "a.py"))
    started = time.process_time()

    named_places(piece * (200_000 // len(piece)), layout)

    assert time.process_time() - started < 10  # seconds of CPU time; a pattern that backtracks takes minutes
