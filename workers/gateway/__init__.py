"""The ways out of the sandbox: HTTP servers in the worker, between the agent and the providers, and installers and
the package registries.

`http_server` reads requests strictly; `model_gateway` passes model calls on within a budget, `formats` knows what the
four model APIs may be asked and what their streams mean, and `transcript` keeps what was asked and answered;
`registries` serves packages from the registries of the worker's own settings.

A run uses four things of its model gateway: `serve` in a thread with the `accept` of its port, `token` for the agent's
configuration, `check` in its loop, before it looks at the agent's own errors, and `close` at the end.
"""
