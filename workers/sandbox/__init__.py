"""Isolates commands that the agent or a repository controls, and ends them with the worker that started them.

`builder` picks the strictest isolation of this machine, `commands` runs a command in it through `launcher`, and
`orphans` kills the processes that survived their worker.
"""
