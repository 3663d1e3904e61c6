"""Numbers as people read them, and the words that compare them."""

import math

STEPS = {
    "ns": (("ns", 1), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)),
    "bytes": (("B", 1), ("KiB", 2**10), ("MiB", 2**20), ("GiB", 2**30)),
    "count": (("", 1),),
}
SMALLER_LARGER = {"ns": ("faster", "slower"), "bytes": ("less", "more")}


def three_digits(value):
    if value == 0:
        return 0
    return round(value, 2 - math.floor(math.log10(abs(value))))


def plain(value):
    """As many digits as are meant, thousands apart: 1,234 and 55.1."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def quantity(value, unit):
    """55.1 ns, 1.25 µs, 64 KiB; a count is shown to the last digit."""
    if unit == "count" or value == 0:
        return plain(value) if unit == "count" else "0"
    name, size = STEPS[unit][0]
    for larger_name, larger_size in STEPS[unit]:
        if three_digits(value / larger_size) >= 1:
            name, size = larger_name, larger_size
    return f"{plain(three_digits(value / size))} {name}"


def times(ratio):
    """How many times, for a ratio of at least 1: 3.2×, 56×, 1,200×."""
    digits = 1 if ratio < 9.95 else 0 if ratio < 99.5 else 1 - math.floor(math.log10(ratio))
    return f"{round(ratio, digits):,.{max(digits, 0)}f}×"


def comparison(theirs, ours, unit):
    """How a contender's figure compares with ours: 3.2× slower, 1.3× faster, same."""
    if theirs == ours:
        return "same"
    smaller, larger = SMALLER_LARGER[unit]
    if min(theirs, ours) == 0:
        return larger if theirs > ours else smaller
    ratio = max(theirs, ours) / min(theirs, ours)
    if ratio < 1.05:
        return "same"
    return f"{times(ratio)} {larger if theirs > ours else smaller}"


def share(spread):
    return f"±{spread * 100:.0f} %" if spread >= 0.01 or spread == 0 else "±<1 %"
