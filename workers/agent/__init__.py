"""Runs the coding agent: its prompts, its configuration, its server, and the checks of its answers.

`prompts` writes the question and `plan` validates the answer; `run` asks it of a `server` in the sandbox, within
`run_limits`; `workspaces` keeps the clone of an interrupted run. The agent holds no credential but the model's.
"""
