"""Isolates commands that the agent or a repository controls, and ends them with the worker that started them.

`builder` picks the strictest level of this machine by `trial`. `commands` runs a command by the `instructions` that
`launcher` carries out: `staging` mounts, `confinement` restricts, `supervision` watches by `usage`. `ports` connects a
command with the worker, and `orphans` kills the processes that survived their worker.
"""
