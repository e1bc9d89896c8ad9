"""Says which rows were taken on a busy machine: their figures are shown, and no goal counts as met by them.

Sacker's peers do not change from one run to the next, so they are the measure of the machine: runs of one peer that are
far apart, or a median that is far from the one that was kept of an earlier run on a machine at rest.
"""

from statistics import median

SPREAD = 0.5  # of the median, between the least and the greatest run of a peer
DRIFT = 0.5  # of the kept median, by which a peer may be slower or faster

# A run that takes less than this is noise at such a scale; its ratios show it.
SHORTEST = 0.1  # seconds


def is_peer(name):
    # What begins with a digit is sacker as well, with that many entries.
    return not name.startswith("sacker") and not name[0].isdigit()


def why_busy(figures, kept=None):
    """The reasons why the figures of a row are those of a busy machine; none if they are not. `figures` and `kept` give
    the seconds of the runs of each command by its name; `kept` is of an earlier run at rest, if there was one."""
    reasons = []
    for name, runs in figures.items():
        if not is_peer(name) or not runs or median(runs) < SHORTEST:
            continue
        middle = median(runs)
        spread = (max(runs) - min(runs)) / middle
        if spread > SPREAD:
            reasons.append(f"the runs of {name} spread by {spread:.0%} of their median")
        before = (kept or {}).get(name)
        if before:
            drift = middle / median(before) - 1
            if not 1 / (1 + DRIFT) <= 1 + drift <= 1 + DRIFT:
                reasons.append(f"{name} took {middle / median(before):.1f} × what it took before")
    return reasons


def verdict(reached, most, busy):
    """What is published of a goal."""
    if busy:
        return "not judged: busy machine"
    return "met" if reached <= most else "**missed**"
