"""The usual grid of recency and frequency: what its cells are called."""

# By the score of recency and of frequency, five being best.
NAMES = {
    "champions": ((5,), (4, 5)),
    "loyal customers": ((3, 4), (4, 5)),
    "potential loyalists": ((4, 5), (2, 3)),
    "new customers": ((5,), (1,)),
    "promising": ((4,), (1,)),
    "need attention": ((3,), (3,)),
    "about to sleep": ((3,), (1, 2)),
    "at risk": ((1, 2), (3, 4)),
    "cannot lose them": ((1, 2), (5,)),
    "hibernating": ((1, 2), (1, 2)),
}
NAMES_OF = {
    (recency, often): name
    for name, (recencies, frequencies) in NAMES.items()
    for recency in recencies
    for often in frequencies
}
