"""How much a division of customers says about what they do afterwards."""

import numpy as np

FOLDS, TIMES = 5, 2


def r_squared(labels: np.ndarray, outcome: np.ndarray) -> float:
    """The part of the variance of ``outcome`` that means by label explain, out of fold: five folds,
    twice. Who has a label that the other folds do not know gets the mean of all. NaN where the
    outcome never varies.

    Source: Stone (1974), JRSS B 36:111. Checked in tests/stats/test_usefulness.py.
    """
    _, label = np.unique(labels, return_inverse=True)
    spread = ((outcome - outcome.mean()) ** 2).sum()
    if not spread:
        return float("nan")
    missed = 0.0
    for seed in range(TIMES):
        fold = np.random.default_rng(seed).permutation(len(label)) % FOLDS
        for number in range(FOLDS):
            known, asked = fold != number, fold == number
            sizes = np.bincount(label[known], minlength=label.max() + 1)
            sums = np.bincount(label[known], outcome[known], minlength=label.max() + 1)
            mean = np.where(sizes > 0, sums / np.maximum(sizes, 1), outcome[known].mean())
            missed += ((outcome[asked] - mean[label[asked]]) ** 2).sum()
    return float(1 - missed / (TIMES * spread))
