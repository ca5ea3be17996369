"""Insecure settings in Python code, with constants computed: `check_hostname = 0` is `False`. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from workers.remediation.policy.occurrences import Level, Occurrence
from workers.remediation.policy.python_constants import UNKNOWN
from workers.remediation.policy.python_names import Names

TLS = "the patch disables TLS certificate checks"
WEB = "the patch disables a protection of the web framework"
FALSY_SETTINGS = {
    re.compile(r"verify|verify_?ssl|ssl_?verify|check_?hostname|verify_?mode|cert_?reqs|verify_?certs?|ssl_cert_reqs|validate_?certs?"
               r"|strict_?ssl|tls_?verify|assert_hostname|verify_hostname|ssl|use_?tls|use_?ssl", re.I): TLS,
    re.compile(r"verify_(?:signature|exp|aud|iss|nbf|iat)|require_exp", re.I): "the patch accepts unsigned tokens",
    re.compile(r"\w*csrf\w*|autoescape|\w*cookie_secure|\w*cookie_httponly|secure_ssl_redirect|httponly|secure|\w*x_frame\w*"
               r"|login_required|requires?_auth\w*|authenticat\w+|permission_classes|\w*rate_?limit\w*"
               r"|\w*throttl\w+", re.I): WEB,
}  # fmt: skip
TRUTHY_SETTINGS = {
    re.compile(r"debug|\w+_debug|debug_mode|flask_debug|propagate_exceptions|use_debugger|use_reloader"
               r"|evalex", re.I): "the patch enables debug mode",
    re.compile(r"\w*csrf_exempt|skip_auth\w*|disable_auth\w*|bypass_\w+|allow_anonymous|insecure|trust_all|ignore_ssl\w*"
               r"|allow_all_origins|cors_(?:origin_)?allow_all\w*|is_admin|is_superuser|is_staff", re.I): WEB,
}  # fmt: skip
ORIGIN_SETTING = re.compile(
    r"(?:\w*origins?(?:_regex)?|access-control-allow-origin|\w*allowed_hosts|allow_hosts|\w*trusted_hosts?)",
    re.I,
)
NONE_WORDS = frozenset({"none", "cert_none", "false", "no", "off", "0", "disable", "disabled", "allow", ""})
DSN_WITHOUT_TLS = re.compile(
    r"sslmode=(?:disable|allow)|ssl_?verify=(?:false|0|none)|verify(?:_?ssl)?=(?:false|0)|tlsInsecure=true",
    re.I,
)


def find_insecure_settings(names: Names, node: ast.AST) -> Iterator[Occurrence]:
    """Keyword arguments, assignments, dictionary entries and `setattr` calls that weaken a setting."""
    for name, value_node in _settings(names, node):
        value = names.constant(value_node)
        if value is not UNKNOWN and not isinstance(value, bytes):
            yield from _judge(name, value, in_call=isinstance(node, ast.Call))
    text = names.constant(node) if isinstance(node, ast.Constant | ast.BinOp) else UNKNOWN
    if isinstance(text, str) and (match := DSN_WITHOUT_TLS.search(text)):
        yield Occurrence(Level.REFUSAL, TLS, match[0])
    if isinstance(node, FunctionDecorated):
        for decorator in node.decorator_list:
            if re.search(r"csrf_exempt|AllowAny|permit_all|no_auth|public_endpoint", ast.unparse(decorator)):
                yield Occurrence(Level.REFUSAL, WEB, ast.unparse(decorator))


FunctionDecorated = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _settings(names: Names, node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.Call):
        yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)
        if "builtins.setattr" in names.meanings(node.func) and len(node.args) == 3:
            yield str(names.constant(node.args[1])), node.args[2]
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if (name := _target_name(names, target)) is not None:
                yield name, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        if (name := _target_name(names, node.target)) is not None:
            yield name, node.value
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(name := names.constant(key), str):
                yield name, value


def _target_name(names: Names, target: ast.expr) -> str | None:
    if isinstance(target, ast.Attribute):
        return target.attr
    if isinstance(target, ast.Name):
        return target.id
    key = names.constant(target.slice) if isinstance(target, ast.Subscript) else UNKNOWN
    return key if isinstance(key, str) else None


def _judge(name: str, value: Any, *, in_call: bool) -> Iterator[Occurrence]:
    is_off = (
        value is None
        or (isinstance(value, str) and value.strip().lower() in NONE_WORDS)
        or (isinstance(value, bool | int | float) and not value)
    )
    for pattern, sentence in FALSY_SETTINGS.items():
        # A missing value is the default of many settings, and `secure = False` is a local variable anywhere else.
        if (
            is_off
            and value is not None
            and pattern.fullmatch(name)
            and (sentence == TLS or in_call or "_" in name or name.isupper())
        ):
            if isinstance(value, str) and sentence == WEB:
                continue
            yield Occurrence(Level.REFUSAL, sentence, f"{name}={value!r}")
    is_on = (
        value is True
        or (isinstance(value, int | float) and value == 1)
        or (isinstance(value, str) and value.lower() in ("true", "1", "yes", "on"))
    )
    for pattern, sentence in TRUTHY_SETTINGS.items():
        if is_on and pattern.fullmatch(name):
            yield Occurrence(Level.REFUSAL, sentence, f"{name}={value!r}")
    words = (
        [item for item in value if isinstance(item, str)]
        if isinstance(value, list)
        else [value]
        if isinstance(value, str)
        else []
    )
    if re.fullmatch(r"(?:jwt_)?algorithms?|alg", name, re.I) and any(
        word.lower() in ("none", "") for word in words
    ):
        yield Occurrence(Level.REFUSAL, "the patch accepts unsigned tokens", f"{name}={value!r}")
    if ORIGIN_SETTING.fullmatch(name) and any(
        word.strip() in ("*", ".*", "^.*$", "null", "https://*") for word in words
    ):
        yield Occurrence(Level.REFUSAL, "the patch allows requests from every origin", f"{name}={value!r}")
