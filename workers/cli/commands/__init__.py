"""The commands of `trackwalker`, one module each.

A command module has `add_parser`, which declares its arguments, and `run`, which executes it and returns the exit code.
It imports nothing heavy at module level: `trackwalker --help` imports all of them, and loading the product's
libraries would take it a second. `run` imports what its command needs.
"""
