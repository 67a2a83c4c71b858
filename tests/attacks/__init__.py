"""Hostile files, calls and servers, each written down: what crossz makes of them is a refusal in words, or an answer that holds.

`make attack` runs all of them, `python -m attacks GROUP ...` some groups. Beside the fuzzing of `tests/fuzz`, which changes
bytes at random, each case here is one attack that somebody thought of. A case runs in a process of its own, whose
memory, time, words and calls of the system are watched. A hostile server (`server.py`) is one more process; beside it is an
honest one, which must be used where a file has two mirrors.
"""
