"""The places in the repository that traces, log lines and requests name. Pure."""
