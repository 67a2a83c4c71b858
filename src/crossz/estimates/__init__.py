"""What a model says of objects: point estimates, PDFs or class probabilities, and the tables that hold them.

In: arrays of n objects. Out: estimates that can be averaged, scored and recalibrated, and Parquet files of predictions.
"""
