"""One attempt to fix an incident: the plan, the patch, and the verification of the patch by the host.

Agent and repository code run in the sandbox. The host decides from test reports, exit codes and files, never from the
agent's account.
"""
