"""Rows: which objects there are, in which groups, shards and splits.

In come finished queries and tables of targets.
Out go tables by objID: catalogs, plans of shards, splits, targets with their objects.
"""
