"""Runs the coding agent: its prompts, its configuration, its process, and the checks of its answers.

`prompts` writes the question and `plan` validates the answer; `run` asks it of a `coding_agent` in the sandbox, over
HTTP (`opencode_http`) or over the Agent Client Protocol (`acp_agent`); `set_aside` and `agent_home` decide what the
agent sees; `workspaces` keeps the clone of an interrupted run. The agent holds no credential: it reaches the model
gateway with a token of the run.
"""
