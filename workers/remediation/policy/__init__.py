"""Rules about what a patch may touch and contain: paths, characters, code, tests, manifests and secrets.

`workers.remediation.patch_policy` combines these rules.
"""
