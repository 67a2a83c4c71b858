"""The networks and the references: features, training, inference, evaluation. Imports only torch, numpy, pandas, pyarrow.

In: rows of a catalog, a split, and images of the store. Out: weights with their ModelInfo, and predictions.
"""
