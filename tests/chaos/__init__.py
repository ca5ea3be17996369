"""Complete incidents through a whole installation, while its processes are killed, stop and hang, and stand-ins fail.

- `environments`: a shop, an environment and a repository per case, behind stand-ins that fail at random.
- `installation`: `trackwalker up` with two workers, and the disruptions of its processes.
- `cases`: sends an alert per case and follows it to the verified merge.
- `count`: reports afterwards what was lost, duplicated or left over.
- `worker`: the one seam, a worker that stops itself between the check of its fence and the effect.
"""
