"""Estimators of the literature: arrays in, numbers out, each with its source and its check."""
