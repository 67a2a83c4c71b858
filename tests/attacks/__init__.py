"""Hostile files and calls, each written down: what crossz makes of them is a refusal in words, or an answer that holds.

`make attack` runs all of them, `python -m attacks GROUP ...` some groups. Beside the fuzzing of `tests/fuzz`, which changes
bytes at random, each case here is one attack that somebody thought of. A case runs in a process of its own, whose
memory, time, words and calls of the system are watched.
"""
