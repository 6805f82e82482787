"""Results of papers and of other software, computed anew in the environment at hand and compared.

What is expected, and whose result it is, stands in published.csv, one number a row, by data and
name; a function for each data set computes its numbers by the same names.
"""
