"""Names to which a patch's Python code must not newly refer. Longer names win over shorter ones."""

from __future__ import annotations

from workers.remediation.policy.occurrences import Level

CODE = "the patch executes text as code"
SHELL = "the patch starts a shell"
PROGRAM = "the patch starts a program"
PROCESS = "the patch ends or controls its own process"
INSPECT = "the patch inspects the running program"
RUNNER = "the patch uses a test runner in code of the service"
THREAD = "the patch starts work that outlives its call"
SENDER = "the patch opens a connection"
TLS = "the patch disables TLS certificate checks"
WEB = "the patch disables a protection of the web framework"
FILES = "the patch writes to descriptors of its process"
SILENT = "the patch suppresses logs or warnings"
LIBRARY = "the patch changes how modules are loaded"
UNPICKLE = "the patch loads data that can execute code"

R = Level.REFUSAL
D = Level.DRAFT
N = Level.NOTE

REFERENCES: dict[str, tuple[Level, str] | None] = {
    **dict.fromkeys(("builtins.eval", "builtins.exec", "builtins.compile", "builtins.__import__"), (R, CODE)),
    **dict.fromkeys(("runpy", "code", "codeop", "types.CodeType", "types.FunctionType", "marshal"), (R, CODE)),
    **dict.fromkeys(("importlib", "imp", "pkgutil", "zipimport", "site", "sys.meta_path", "sys.path_hooks",
        "sys.path"), (R, LIBRARY)),
    "importlib.metadata": None, "importlib.resources": None, "importlib.abc": None,
    "sys.path_importer_cache": (R, LIBRARY), "pkg_resources": (D, LIBRARY),
    **dict.fromkeys(("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "jsonpickle",
        "pandas.read_pickle"), (R, UNPICKLE)),
    **dict.fromkeys(("pickle.dumps", "pickle.dump", "pickle.PicklingError", "pickle.UnpicklingError"), None),
    **dict.fromkeys(("joblib.load", "torch.load", "yaml.unsafe_load", "yaml.UnsafeLoader",
                     "yaml.Loader"), (R, UNPICKLE)),
    **dict.fromkeys(("yaml.unsafe_load_all", "yaml.full_load", "yaml.FullLoader", "numpy.load"), (D, UNPICKLE)),
    **dict.fromkeys(("os.system", "os.popen", "commands", "pty", "subprocess.getoutput",
        "subprocess.getstatusoutput"), (R, SHELL)),
    **dict.fromkeys(("asyncio.create_subprocess_shell", "popen2", "sh", "pexpect", "invoke.run", "plumbum"),
        (R, SHELL)),
    **dict.fromkeys((f"os.{name}" for name in (
        "execl", "execle", "execlp", "execlpe", "execv", "execve", "execvp", "execvpe", "spawnl", "spawnle", "spawnlp",
        "spawnlpe", "spawnv", "spawnve", "spawnvp", "spawnvpe", "posix_spawn", "posix_spawnp", "fork", "forkpty",
        "startfile",
    )), (R, SHELL)),
    **dict.fromkeys(("subprocess", "asyncio.create_subprocess_exec", "multiprocessing", "os.posix_openpt"),
        (D, PROGRAM)),
    **dict.fromkeys((f"subprocess.{name}" for name in (
        "PIPE", "DEVNULL", "STDOUT", "CalledProcessError", "TimeoutExpired", "SubprocessError", "CompletedProcess",
    )), None),
    "multiprocessing.cpu_count": None, "multiprocessing.Lock": None,
    **dict.fromkeys(("os._exit", "os.abort", "os.kill", "os.killpg", "signal", "atexit",
                     "faulthandler", "resource.setrlimit"), (R, PROCESS)),
    **dict.fromkeys(("sys.exit", "builtins.exit", "builtins.quit", "sys.excepthook"), (R, PROCESS)),
    **dict.fromkeys(("sys.unraisablehook", "threading.excepthook", "sys.displayhook", "sys.breakpointhook",
        "os.nice"), (R, PROCESS)),
    **dict.fromkeys(("builtins.breakpoint", "pdb", "bdb", "trace", "cProfile", "profile", "os.register_at_fork"),
        (R, PROCESS)),
    **dict.fromkeys(("os.getuid", "os.geteuid", "os.getlogin", "os.getpid", "os.getcwd",
                     "os.path.expanduser"), (D, INSPECT)),
    **dict.fromkeys(("platform.node", "platform.uname", "getpass", "pwd", "uuid.getnode", "os.uname"), (D, INSPECT)),
    **dict.fromkeys(("pathlib.Path.home", "pathlib.Path.cwd", "socket.gethostname", "socket.getfqdn"), (D, INSPECT)),
    **dict.fromkeys(("logging.disable", "logging.raiseExceptions"), (D, SILENT)),
    **dict.fromkeys(("warnings.simplefilter", "warnings.filterwarnings"), (N, SILENT)),
    **dict.fromkeys(("flask.render_template_string", "jinja2.Template", "mako.template.Template"), (R, CODE)),
    "signal.Signals": (D, PROCESS),
    **dict.fromkeys(("sys.modules", "gc", "ctypes", "cffi", "sys._getframe", "sys._current_frames",
        "sys.settrace"), (R, INSPECT)),
    **dict.fromkeys(("sys.setprofile", "sys.monitoring", "sys.gettrace", "sys.getprofile", "threading.settrace"),
        (R, INSPECT)),
    **dict.fromkeys(("threading.setprofile", "sys.argv", "sys.orig_argv", "sys.flags", "sys._xoptions",
        "sys.audit"), (R, INSPECT)),
    **dict.fromkeys(("sys.addaudithook", "psutil", "inspect", "dis", "symtable", "tracemalloc", "sys.getrefcount"),
        (R, INSPECT)),
    **dict.fromkeys(("sys.call_tracing", "os.getppid", "os.getpgid", "os.getsid", "sys.warnoptions", "sys.argv"),
        (R, INSPECT)),
    **dict.fromkeys(("traceback.extract_stack", "traceback.walk_stack", "traceback.walk_tb",
        "traceback.format_stack"), (R, INSPECT)),
    **dict.fromkeys(("traceback.extract_tb", "traceback.StackSummary", "traceback.FrameSummary", "linecache"),
        (R, INSPECT)),
    **dict.fromkeys(("builtins.globals", "builtins.locals", "sys._MEIPASS", "sys.last_traceback"), (R, INSPECT)),
    **dict.fromkeys((f"inspect.{name}" for name in (
        "signature", "Parameter", "iscoroutinefunction", "iscoroutine", "isawaitable", "isfunction", "isclass",
        "ismethod",
        "isgenerator", "isgeneratorfunction", "isasyncgen", "isasyncgenfunction", "cleandoc", "getdoc",
        "isabstract", "unwrap",
    )), None),
    **dict.fromkeys((
        "unittest", "pytest", "_pytest", "nose", "nose2", "doctest", "coverage", "hypothesis", "mock",
        "testfixtures", "pluggy",
        "trial", "behave", "robot", "freezegun", "responses", "test", "tests", "django.test.utils",
    ), (R, RUNNER)),
    **dict.fromkeys(("threading.Thread", "threading.Timer", "_thread",
                     "concurrent.futures.ProcessPoolExecutor"), (D, THREAD)),
    **dict.fromkeys(("sched", "asyncio.ensure_future", "os.daemon", "weakref.finalize"), (D, THREAD)),
    **dict.fromkeys((
        "socket", "http.client", "smtplib", "ftplib", "telnetlib", "poplib", "imaplib", "xmlrpc", "paramiko",
        "pycurl", "dns",
        "asyncio.open_connection", "asyncio.create_connection", "websocket", "websockets", "scapy", "nntplib",
        "socketserver",
    ), (D, SENDER)),
    **dict.fromkeys((f"socket.{name}" for name in (
        "timeout", "error", "gaierror", "herror", "setdefaulttimeout", "AF_INET", "SOCK_STREAM",
    )), None),
    **dict.fromkeys(("http.client.HTTPException", "http.client.IncompleteRead",
        "http.client.RemoteDisconnected"), None),
    "smtplib.SMTPException": None,
    **dict.fromkeys(("urllib.request", "requests", "httpx", "aiohttp", "urllib3", "boto3", "httplib2"), (N, SENDER)),
    **dict.fromkeys(("ssl._create_unverified_context", "ssl._create_default_https_context", "ssl.CERT_NONE"), (R, TLS)),
    **dict.fromkeys(("urllib3.disable_warnings", "requests.packages.urllib3.disable_warnings",
        "ssl._create_stdlib_context"), (R, TLS)),
    "ssl.CERT_OPTIONAL": (D, TLS),
    **dict.fromkeys(("django.views.decorators.csrf.csrf_exempt", "rest_framework.permissions.AllowAny"), (R, WEB)),
    **dict.fromkeys(("django.utils.safestring.mark_safe", "markupsafe.Markup", "flask.Markup"), (D, WEB)),
    **dict.fromkeys(("os.write", "os.dup", "os.dup2", "os.fdopen", "os.pipe", "os.pwrite", "os.openpty",
        "os.sendfile", "fcntl"), (R, FILES)),
    **dict.fromkeys(("sys.__stdout__", "sys.__stderr__", "sys.__stdin__", "os.memfd_create", "mmap", "os.mkfifo"),
        (R, FILES)),
    **dict.fromkeys(("os.umask", "os.setuid", "os.seteuid", "os.setgid", "os.chroot", "os.mount"),
        (R, "the patch opens file permissions to all users")),
    "fcntl.flock": (D, FILES), "fcntl.LOCK_EX": None, "fcntl.LOCK_SH": None,
    "fcntl.LOCK_UN": None, "fcntl.LOCK_NB": None,
}  # fmt: skip
"""Resolved name, or the beginning of one up to a dot → level and sentence; None lifts the rule of a shorter name."""

FRAME_ATTRIBUTES = frozenset({
    "tb_frame", "tb_next", "tb_lineno", "f_back", "f_locals", "f_globals", "f_code", "f_builtins", "f_lineno",
    "gi_frame",
    "gi_code", "cr_frame", "cr_code", "ag_frame", "__globals__", "__code__", "__closure__", "__subclasses__",
    "__builtins__",
    "__mro__", "__bases__", "__base__", "__loader__", "__spec__", "__reduce__", "__reduce_ex__", "__getattribute__",
    "__traceback__", "__defaults__", "__kwdefaults__", "co_filename", "co_name", "co_code", "co_consts",
    "__init_subclass__",
    "__self__", "__func__", "__wrapped__", "__debug__",
})  # fmt: skip
"""Attributes through which code reaches frames, other functions and the interpreter."""
STAR_MODULES = frozenset(
    {
        "os",
        "subprocess",
        "builtins",
        "sys",
        "ctypes",
        "importlib",
        "shutil",
        "posix",
        "pty",
        "unittest",
        "socket",
    }
)
SHELL_PROGRAMS = frozenset({
    "sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "csh", "tcsh", "cmd", "cmd.exe", "powershell", "pwsh",
    "powershell.exe",
    "env", "busybox", "python", "python3", "perl", "ruby", "node", "php", "lua", "eval", "nc", "ncat", "netcat",
    "socat", "curl",
    "wget", "ssh", "scp", "nohup", "xargs", "sudo", "su", "docker", "awk", "find",
})  # fmt: skip
"""Programs that run what their arguments say, or send it away."""
PROGRAM_STARTERS = frozenset({
    "subprocess.run", "subprocess.Popen", "subprocess.call", "subprocess.check_call", "subprocess.check_output",
    "asyncio.create_subprocess_exec",
})  # fmt: skip
MAX_WORD = 60  # characters of a text that names a test runner instead of describing one
TEST_VARIABLE = (
    r"(?:PYTEST|TOX|NOX|COVERAGE|COV_|JEST|VITEST|MOCHA|NODE_TEST|NODE_V8|TRACKWALKER|GITHUB_|GITLAB_|CIRCLE|BUILDKITE|TRAVIS"
    r"|JENKINS|TEAMCITY|PYTHON(?!IOENCODING|UNBUFFERED)|NODE_OPTIONS|LD_|npm_)\w*|CI|\w*_CI|CI_\w*|\w*TEST(?:ING|S|_\w+)?|NODE_ENV|HOME|USER|LOGNAME|TMPDIR|SHELL|PWD|OLDPWD|HOSTNAME|_"
)
"""Environment variables that tell a test run from an ordinary one."""
