"""One round of mending under one lease: the wall, the clone, the reproduction, the limits of a patch.

`wall` keeps agent and repository code apart from everything else; it starts them through `launcher`, which
runs as a file in a Python of its own and imports nothing of ours.
"""
