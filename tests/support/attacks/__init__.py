"""Patches that try to cheat the patch policy or the verification, and good patches that must pass both.

`cases` says what a case is, `bases` holds the small repositories, `patches` prints a case as git does, and
`verifying` runs the verification. Each other module holds the cases of one kind.
"""
