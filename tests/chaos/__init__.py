"""Real kills: full lines through the whole installation while everything dies, stops, hangs and answers wrongly.

`town` is the world: a shop, an environment and a repository per line, behind stand-ins that fail by chance. `fleet` is
the installation, `python -m workers up` with two workers, and what is done to it. `lines` sends each alert and follows
it to the watched merge; `count` says afterwards what was lost, doubled or left. `worker` is the one seam: a worker that
stops itself between check and send.
"""
