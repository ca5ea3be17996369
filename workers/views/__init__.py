"""Values for people and agents, made from the journals: the page, its JSON and Markdown, the MCP server and `show`.

Readers (`read`, `search`) take a JournalStore; everything behind them is pure. Every text from outside is redacted
plain text: a renderer escapes it for its own place. Every list is bounded, and a value says how much it leaves out.
"""
