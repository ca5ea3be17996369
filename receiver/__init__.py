"""The web process: stores alerts and answers their senders; it never analyses. `clock` is the process that pings it."""
