"""The page: what a person reads and presses in a browser, rendered by the web process."""
