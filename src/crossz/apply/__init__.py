"""Trained networks on new objects: bundles, predictions, the HTML page, and the command `crossz`.

In: a table of targets, their images if there are any, and a bundle. Out: a row of redshifts for each target.
"""
