"""The version, apart from the package's __init__: a release must not count as a change of every rule's code."""

VERSION = "0.1.0"
