"""The ways out of the sandbox: HTTP servers in the worker that connect the agent with model providers, and installers
with package registries.

`http_server` reads requests strictly. `model_gateway` passes model calls on within a budget, `formats` checks requests
and reads streams of the four model APIs, and `transcript` keeps requests and answers. `registries` serves packages from
the registries of the worker's own settings.

A run uses four members of its model gateway: `serve` in a thread with the `accept` of its port, `token` for the agent's
configuration, `check` in its loop, before it looks at the agent's own errors, and `close` at the end.
"""
