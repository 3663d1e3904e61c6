"""Charts: bars in HTML, which reflow with the page, and lines in SVG with their words in HTML around it."""

from benchmark_page.markup import Markup, join, percent, tag
from benchmark_page.quantities import comparison, quantity, share
from benchmark_page.scales import WIDTH_OF_ZERO, bar_scale, height_scale, kill_scale, width_scale
from benchmark_page.story import UNIT_WORDS, end_of

PLOT = 1000  # units of a plot's coordinates, both ways; the page stretches them
LINE_OF_TEXT = 0.06  # of a plot's height


def within(share_of_axis):
    """A class that keeps a mark's words inside the ends of its axis."""
    return "first" if share_of_axis < 0.03 else "last" if share_of_axis > 0.94 else None


def axis(scale, unit):
    marks = [tag("span", quantity(tick, unit), class_=within(scale.place(tick)), style=f"left:{percent(scale.place(tick))}") for tick in scale.ticks]
    return tag("div", tag("div", *marks, class_="marks"), tag("div", "log scale" if scale.log else "", class_="kind"), class_="axis", aria_hidden="true")


def grid(scale):
    lines = [tag("i", style=f"left:{percent(scale.place(tick))}") for tick in scale.ticks]
    return tag("div", *lines, class_="grid", aria_hidden="true")


def whisker(contender, scale):
    if not contender.spread or not contender.median:
        return Markup("")
    low = scale.place(contender.median * (1 - contender.spread)) if contender.spread < 1 else 0
    high = scale.place(contender.median * (1 + contender.spread))
    return tag("i", class_="whisker", style=f"left:{percent(low)};width:{percent(high - low)}")


def bar(kind, length, *more):
    return tag("div", tag("b", class_=f"bar {kind}", style=f"width:{percent(length)}"), *more, class_="track", aria_hidden="true")


def compared(contender, row):
    if contender is row.ours:
        return tag("span", class_="ratio")
    word = comparison(contender.median, row.ours.median, row.unit)
    better = contender.kind == "rival" and word.endswith(("faster", "less"))
    return tag("span", word, class_="ratio better" if better else "ratio")


def bar_line(contender, row, scale):
    name = tag("span", contender.name, tag("small", " limit") if contender.kind == "limit" else "", class_="name")
    value = tag("span", quantity(contender.median, row.unit), class_="value", title=f"{share(contender.spread)} over {row.rounds} rounds")
    track = bar(contender.kind, scale.place(contender.median), whisker(contender, scale))
    return tag("li", name, track, value, compared(contender, row), class_=contender.kind)


def bar_chart(row):
    contenders = row.contenders()
    label = f"{row.name}: {UNIT_WORDS[row.unit]}, less is better"
    if len(contenders) == 1:
        alone = tag("p", tag("span", row.ours.name, class_="name"), tag("strong", quantity(row.ours.median, row.unit)), class_="alone")
        return tag("figure", alone, aria_label=label)
    scale = bar_scale([value for each in contenders for value in (each.median, each.median * (1 + each.spread))], row.unit)
    lines = [bar_line(each, row, scale) for each in contenders]
    return tag("figure", grid(scale), tag("ul", *lines), axis(scale, row.unit), class_="bars", aria_label=label)


def kill_line(endurance, scale):
    length = scale.place(endurance.kills)
    onward = tag("i", class_="onward", style=f"left:{percent(length)}") if endurance.goes_on else ""
    track = bar(endurance.kind, length, onward)
    return tag("li", tag("span", endurance.name, class_="name"), track, tag("span", end_of(endurance), class_="ending"), class_=endurance.kind)


def kill_chart(endurances, most):
    """`most` kills were tried in any chart of the section: all have one scale."""
    scale = kill_scale(most)
    lines = [kill_line(each, scale) for each in endurances]
    return tag("figure", grid(scale), tag("ul", *lines), axis(scale, "count"), class_="bars kills", aria_label=f"{endurances[0].row}: kills, more is better")


class Line:
    """One contender's line in a plot: its points as shares of the axes, and how it is drawn."""

    def __init__(self, name, kind, points, style, last):
        self.name, self.kind, self.points, self.style = name, kind, points, style
        self.last = last  # how far it goes, in words

    @property
    def reaches_end(self):
        return self.points[-1][0] > 0.999

    def path(self):
        return "M" + "L".join(f"{x * PLOT:.1f} {(1 - y) * PLOT:.1f}" for x, y in self.points)

    def dots(self):
        return "".join(f"M{x * PLOT:.1f} {(1 - y) * PLOT:.1f}h.01" for x, y in self.points)

    def draw(self):
        return tag("g", tag("path", d=self.path(), class_="line"), tag("path", d=self.dots(), class_="dots"), class_=self.style)


def styles(kinds):
    """How each of several contenders is drawn: rival, rival-0."""
    counts = {"ours": 0, "rival": 0, "limit": 0}
    for kind in kinds:
        yield f"{kind} {kind}-{counts[kind] % 6}"
        counts[kind] += 1


def lines_of(series, scale_x, scale_y, x_unit):
    for each, style in zip(series, styles(each.kind for each in series)):
        places = [(scale_x.place(x), scale_y.place(y)) for x, y in each.points]
        yield Line(each.name, each.kind, places, style, quantity(each.points[-1][0], x_unit))


def spread_out(heights):
    """Places from the top for words that want to be at these heights, a line of text apart, inside the plot."""
    places = []
    for height in heights:
        places.append(max(height, places[-1] + LINE_OF_TEXT) if places else height)
    limit = 1.0
    for index in range(len(places) - 1, -1, -1):
        places[index] = limit = min(places[index], limit)
        limit -= LINE_OF_TEXT
    return places


def end_labels(lines):
    """The names of the lines that go to the right edge, beside their ends."""
    ending = sorted((line for line in lines if line.reaches_end), key=lambda line: -line.points[-1][1])
    places = spread_out([1 - line.points[-1][1] for line in ending])
    return [tag("span", line.name, class_=f"end {line.style}", style=f"top:{percent(place)}") for line, place in zip(ending, places)]


def legend(lines):
    sample = tag("svg", tag("path", d="M1 6h26", class_="line"), tag("path", d="M14 6h.01", class_="dots"), viewBox="0 0 28 12", aria_hidden="true")
    entries = []
    for line in lines:
        part = "" if line.reaches_end else f", {'only' if len(line.points) == 1 else 'up to'} {line.last}"
        entries.append(tag("li", sample, line.name + part, class_=f"{line.style} named" if line.reaches_end else line.style))
    return tag("ul", *entries, class_="legend")


def grid_paths(scale_x, scale_y):
    across = "".join(f"M0 {(1 - scale_y.place(tick)) * PLOT:.1f}h{PLOT}" for tick in scale_y.ticks)
    up = "".join(f"M{scale_x.place(tick) * PLOT:.1f} 0v{PLOT}" for tick in scale_x.ticks)
    return tag("path", d=across + up, class_="rules")


def plot_words(scale_x, scale_y, x_unit, unit):
    """The marks of both axes."""
    up = [tag("span", quantity(tick, unit), class_="y", style=f"top:{percent(1 - scale_y.place(tick))}") for tick in scale_y.ticks]
    across = [tag("span", quantity(tick, x_unit), class_="x", style=f"left:{percent(scale_x.place(tick))}") for tick in scale_x.ticks]
    broken = [tag("span", "//", class_="x break", style=f"left:{percent(WIDTH_OF_ZERO / 2)}")] if scale_x.zero else []
    return tag("div", *up, *across, *broken, aria_hidden="true")


def axis_name(word, scale):
    return f"{word} (log scale)" if scale.log else word


def line_chart(title, series, x_word, x_unit, unit):
    scale_x = width_scale([x for each in series for x, _ in each.points])
    scale_y = height_scale([y for each in series for _, y in each.points], unit)
    lines = list(lines_of(series, scale_x, scale_y, x_unit))
    drawn = [line.draw() for line in sorted(lines, key=lambda line: line.kind == "ours")]
    said = f"{title}: {UNIT_WORDS[unit]} over {x_word}"
    picture = tag("svg", tag("title", said), grid_paths(scale_x, scale_y), *drawn, role="img", viewBox=f"0 0 {PLOT} {PLOT}", preserveAspectRatio="none",
                  aria_label=f"{said}; the figures are in the table")
    plot = tag("div", picture, plot_words(scale_x, scale_y, x_unit, unit), tag("div", *end_labels(lines), aria_hidden="true"), class_="plot")
    up = tag("p", axis_name(UNIT_WORDS[unit], scale_y), class_="axis-name up")
    across = tag("p", axis_name(x_word, scale_x), class_="axis-name across")
    return tag("figure", legend(lines), up, plot, across, class_="lines")


def cell(contender, row):
    if contender is None:
        return tag("td", "–", class_="none")
    return tag("td", quantity(contender.median, row.unit), compared(contender, row))


def matrix(family):
    """All figures of a family: a line a contender, a column a size."""
    head = tag("tr", tag("td"), *[tag("th", quantity(size, "bytes"), scope="col") for size in family.sizes])
    body = []
    names = family.names()
    for (name, kind), style in zip(names, styles(kind for _, kind in names)):
        line = family.line_of(name, kind)
        cells = [cell(line.get(size), row) for size, row in zip(family.sizes, family.rows)]
        limit = tag("small", " limit") if kind == "limit" else ""
        body.append(tag("tr", tag("th", tag("i", class_="dot"), name, limit, scope="row"), *cells, class_=style))
    table = tag("table", tag("thead", head), tag("tbody", *body), class_="matrix")
    return tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=f"{family.name}: all figures")
