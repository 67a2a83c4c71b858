"""Foreign bytes, changed at random: nothing but a refusal in words may come of them.

`make fuzz` runs every target for a long time, `python -m fuzz TARGET --cases 1000 --seed 7` one of them. A case that
fails is written to the folder fuzz-failures, and `python -m fuzz TARGET --replay FILE` runs it again.
"""
