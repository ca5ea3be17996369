"""Names to which a patch's JavaScript code must not newly refer. Longer names win over shorter ones."""

from __future__ import annotations

from workers.remediation.policy import python_tables as tables
from workers.remediation.policy.occurrences import Level

R = Level.REFUSAL
D = Level.DRAFT
N = Level.NOTE
PATCHING = "the patch changes another module at run time"

REFERENCES: dict[str, tuple[Level, str] | None] = {
    **dict.fromkeys(("eval", "Function", "vm", "WebAssembly", "importScripts", "AsyncFunction"), (R, tables.CODE)),
    **dict.fromkeys(("setTimeout.constructor", "vm2", "isolated-vm", "node-serialize", "serialize-javascript"),
        (R, tables.CODE)),
    **dict.fromkeys(("child_process", "execa", "shelljs", "cross-spawn", "zx", "node-pty", "Deno", "Bun"),
        (R, tables.SHELL)),
    **dict.fromkeys(("worker_threads", "cluster"), (D, tables.PROGRAM)),
    **dict.fromkeys((f"process.{name}" for name in (
        "exit", "reallyExit", "abort", "kill", "on", "once", "addListener", "prependListener", "emit", "exitCode",
        "binding", "dlopen",
        "_linkedBinding", "setUncaughtExceptionCaptureCallback", "removeAllListeners", "removeListener", "off",
        "chdir", "setuid",
        "disconnect", "send", "domain", "umask", "_events", "_tickCallback", "stdout", "stderr", "*",
        "allowedNodeEnvironmentFlags",
    )), (R, tables.PROCESS)),
    **dict.fromkeys(("process.argv", "process.execArgv", "process.execPath", "process.argv0", "process.title",
        "process.ppid"), (R, tables.INSPECT)),
    **dict.fromkeys(("process.mainModule", "process.report", "process.features", "process.config",
        "process.moduleLoadList"), (R, tables.INSPECT)),
    **dict.fromkeys(("require.cache", "require.main", "require.extensions", "require.*", "module.*",
        "module.children"), (R, tables.LIBRARY)),
    **dict.fromkeys(("module.parent", "module.constructor", "module._load", "module.Module", "module.register",
                     "module._resolveFilename"), (R, tables.LIBRARY)),
    **dict.fromkeys(("module.createRequire", "module._cache", "module._extensions", "module.prototype",
        "module.syncBuiltinESMExports"), (R, tables.LIBRARY)),
    **dict.fromkeys(("inspector", "v8", "trace_events", "diagnostics_channel", "repl", "wasi", "arguments.callee"),
        (R, tables.INSPECT)),
    **dict.fromkeys(("Error.prepareStackTrace", "Error.captureStackTrace", "Error.stackTraceLimit",
        "FinalizationRegistry"), (R, tables.INSPECT)),
    **dict.fromkeys(("import.meta.vitest", "import.meta.jest", "import.meta.main"), (R, tables.INSPECT)),
    **dict.fromkeys(("os.hostname", "os.userInfo", "os.homedir", "process.pid", "process.cwd", "process.getuid",
                     "process.uptime"), (D, tables.INSPECT)),
    "async_hooks": (D, tables.INSPECT), "async_hooks.AsyncLocalStorage": None, "Proxy": (D, PATCHING),
    **dict.fromkeys((
        "node:test", "jest", "vi", "vitest", "describe", "expect", "mocha", "jasmine", "beforeEach", "afterEach",
        "beforeAll", "afterAll",
        "@jest/globals", "chai", "sinon", "ava", "tap", "nock", "proxyquire", "rewire", "testdouble", "supertest",
        "mock-require", "test",
    ), (R, tables.RUNNER)),
    **dict.fromkeys(("net", "dgram", "tls", "http2", "dns", "WebSocket", "ws", "socket.io-client",
                     "nodemailer", "ssh2"), (D, tables.SENDER)),
    **dict.fromkeys(("XMLHttpRequest", "navigator.sendBeacon", "EventSource", "Image"), (D, tables.SENDER)),
    **dict.fromkeys(("fetch", "http.request", "http.get", "https.request", "https.get", "axios", "got",
        "node-fetch", "undici", "superagent"), (N, tables.SENDER)),
    "document.write": (R, tables.WEB), "document.cookie": (D, tables.WEB),
    **dict.fromkeys(("Object.setPrototypeOf", "Reflect.setPrototypeOf", "Object.prototype", "Function.prototype"),
        (D, PATCHING)),
}  # fmt: skip
CALLED_PROTOTYPES = frozenset({"Object.prototype.hasOwnProperty", "Object.prototype.toString"})
"""Methods that ordinary code borrows with `.call`."""
RUNNER_WORDS = r"\b(?:jest|vitest|mocha|node:test|jasmine|__coverage__|ava)\b"
FALSY_SETTINGS = (
    r"rejectUnauthorized|strictSSL|verify(?:SSL|Ssl|_ssl|Certs?)?|checkServerIdentity|secure|httpOnly"
    r"|contextIsolation|webSecurity|sandbox|escape|autoescape|csrf|csrfProtection|useCsrf"
    r"|contentSecurityPolicy|frameguard|hsts|requireAuth|authRequired|validateCertificate"
)
TRUTHY_SETTINGS = (
    r"insecure|allowInsecure\w*|ignoreExpiration|nodeIntegration|debug|skipAuth\w*|bypass\w*"
    r"|allowUnauthorized|tlsInsecure|tlsAllowInvalid\w+|ignoreHTTPSErrors|ignoreCertificate\w*"
    r"|allowAll\w*|isAdmin"
)
