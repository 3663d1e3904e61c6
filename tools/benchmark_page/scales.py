"""Where a value lies on an axis, and where the axis is marked."""

import math
from dataclasses import dataclass

LOG_FROM_DECADES = 1.5  # an axis that spans more is logarithmic
WIDTH_OF_ZERO = 0.14  # of a logarithmic axis that also has to show 0


@dataclass(frozen=True)
class Scale:
    low: float
    high: float
    log: bool
    zero: bool = False  # 0 has a place of its own at the left of a logarithmic axis
    ticks: tuple[float, ...] = ()

    def place(self, value):
        """0 at the beginning of the axis, 1 at its end."""
        if not self.log:
            return value / self.high if self.high else 0
        if value <= 0:
            return 0
        share = math.log(value / self.low) / math.log(self.high / self.low) if self.high > self.low else 1
        share = min(max(share, 0), 1)
        return WIDTH_OF_ZERO + share * (1 - WIDTH_OF_ZERO) if self.zero else share


def spans_decades(values):
    return min(values) > 0 and math.log10(max(values) / min(values)) > LOG_FROM_DECADES


def nice_below(value):
    """The largest of 1, 2, 5 times a power of ten that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return max(step * power for step in (0.5, 1, 2, 5) if step * power <= value * (1 + 1e-9))


def linear_ticks(high, unit):
    if not high:
        return (0,)
    base = 1024 ** int(math.log(high, 1024)) if unit == "bytes" else 1
    step = nice_below(high / base / 2) * base
    return tuple(step * i for i in range(int(high / step + 1e-9) + 1))


def log_ticks(low, high, unit, most=6):
    base = 16 if unit == "bytes" else 10
    first, last = math.ceil(math.log(low, base) - 1e-9), math.floor(math.log(high, base) + 1e-9)
    stride = max(1, math.ceil((last - first + 1) / most))
    return tuple(float(base) ** power for power in range(first, last + 1, stride))


def with_steps(low, high):
    """1, 2 and 5 times the powers of ten, for an axis that has few of those."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return tuple(tick for power in powers for tick in (10.0**power, 2 * 10.0**power, 5 * 10.0**power) if low <= tick <= high)


def bar_scale(values, unit):
    """For bars: they begin at 0, or, on a logarithmic axis, below the smallest, so that each has a length."""
    if not spans_decades(values):
        return Scale(0, max(values), False, ticks=linear_ticks(max(values), unit))
    low = nice_below(min(values) / 1.5)
    return Scale(low, max(values), True, ticks=log_ticks(low, max(values), unit))


def kill_scale(most):
    """For kills: one kill has a length, and beyond the most that were tried there is room to go on."""
    low, high = 0.5, max(most, 1) * 2
    return Scale(low, high, True, ticks=log_ticks(low, max(most, 1), "count"))


def height_scale(values, unit):
    """For lines: a little room above the highest."""
    if not spans_decades(values):
        high = max(values) * 1.1
        return Scale(0, high, False, ticks=linear_ticks(high, unit))
    low, high = nice_below(min(values) / 1.2), max(values) * 1.5
    ticks = log_ticks(low, high, unit)
    return Scale(low, high, True, ticks=ticks if len(ticks) > 3 or unit == "bytes" else with_steps(low, high))


def width_scale(values, least_apart=0.13):
    """For what grows from left to right: marked where there are points, as far as the marks have room."""
    values = sorted(set(values))
    positive = [value for value in values if value > 0]
    if not positive or not spans_decades(positive):
        scale = Scale(0, values[-1], False)
    else:
        scale = Scale(positive[0], positive[-1], True, zero=values[0] == 0)
    ticks = values[:1]
    for value in values[1:]:
        apart = WIDTH_OF_ZERO if ticks[-1] == 0 else least_apart
        if scale.place(value) - scale.place(ticks[-1]) >= apart - 1e-9:
            ticks.append(value)
    return Scale(scale.low, scale.high, scale.log, scale.zero, tuple(ticks))
