"""The doors out of the sandbox: HTTP servers in the worker that stand between the agent and the providers.

`http_server` reads requests strictly, `model_gateway` passes model calls on within a budget, `formats` knows what the
four model APIs may be asked and what their streams mean, and `transcript` keeps what was asked and answered.
"""
