"""Pixels: the images and spectra of objects, in one Arrow file a shard.

In come frames, spectra, and the plan of each shard.
Out go stamps, cutouts and spectra by objID, and the index that finds them.
"""
