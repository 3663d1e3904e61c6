"""The HTML page: one file, complete without any other."""

from pathlib import Path

from benchmark_page.charts import bar_chart, kill_chart, line_chart, matrix
from benchmark_page.markup import Markup, breakable, join, tag
from benchmark_page.quantities import comparison, quantity, share
from benchmark_page.results import Growth, Series
from benchmark_page.story import (Family, end_of, endurance_verdict, facts, headlines, ours_against, rows_in, score, score_sentence,
                                  sections, standing)

STYLE = Path(__file__).with_name("page.css")
LEAD = ("What Chorus costs, next to its rivals and to the limits of the machine, all measured in one run on one machine. "
        "The run is repeated, in minutes, by ")
QUICK = "This was a quick run with few rounds: good for a first look, not for a decision."


def item_name(item):
    return item[0].row if isinstance(item, list) else item.name


def family_series(family):
    for name, kind in family.names():
        line = family.line_of(name, kind)
        yield Series(name, kind, tuple((size, each.median) for size, each in line.items()))


def chart(item, section):
    if isinstance(item, list):
        return kill_chart(item, max(each.kills for group in section.items for each in group))
    if isinstance(item, Family):
        lines = line_chart(item.name, list(family_series(item)), "size", "bytes", item.rows[0].unit)
        return join([lines, matrix(item)])
    if isinstance(item, Growth):
        return line_chart(item.name, item.series, item.x, item.x_unit, item.unit)
    return bar_chart(item)


def block(item, section, anchor):
    wide = isinstance(item, (Family, Growth))
    return tag("article", tag("h3", item_name(item)), chart(item, section), class_="wide" if wide else None, id=anchor)


def head_of(*names):
    return tag("thead", tag("tr", *[tag("th", name, scope="col") for name in names]))


def row_lines(row):
    for contender in row.contenders():
        word = "" if contender is row.ours else comparison(contender.median, row.ours.median, row.unit)
        cells = (contender.name, contender.kind, quantity(contender.median, row.unit), share(contender.spread), row.rounds or "", word)
        yield tag("tr", tag("th", row.name, scope="row"), *[tag("td", each) for each in cells])


def growth_lines(growth):
    for series in growth.series:
        for x, y in series.points:
            cells = (series.name, series.kind, f"{quantity(x, growth.x_unit)} {'' if growth.x_unit == 'bytes' else growth.x}".strip(), quantity(y, growth.unit))
            yield tag("tr", tag("th", growth.name, scope="row"), *[tag("td", each) for each in cells])


def kill_lines(endurances):
    for each in endurances:
        cells = (each.name, quantity(each.kills, "count"), each.end)
        yield tag("tr", tag("th", each.row, scope="row"), *[tag("td", cell) for cell in cells])


def data_table(section):
    """The figures behind the charts of a section, folded away."""
    if section.subject == "endurance":
        look, head, line_maker, items = "kills", head_of("row", "contender", "kills", "end"), kill_lines, section.items
    elif section.subject == "growth":
        look, head, line_maker, items = "growth", head_of("row", "contender", "kind", "at", "figure"), growth_lines, section.items
    else:
        head = head_of("row", "contender", "kind", "median", "spread", "rounds", "next to ours")
        look, line_maker, items = "rows", row_lines, rows_in(section)
    lines = [line for item in items for line in line_maker(item)]
    table = tag("table", tag("caption", f"{section.title}: all figures"), head, tag("tbody", *lines), class_=f"data {look}")
    scroll = tag("div", table, class_="scroll", tabindex="0", role="region", aria_label=f"{section.title}: table of all figures")
    return tag("details", tag("summary", "All figures as a table"), scroll)


def section_part(section):
    blocks = [block(item, section, f"{section.anchor}-{count}") for count, item in enumerate(section.items, 1)]
    about = tag("p", section.about, class_="about") if section.about else ""
    notes = [tag("p", note, class_="note") for note in section.notes]
    return tag("section", tag("h2", section.title), about, *blocks, *notes, data_table(section), id=section.anchor)


def places(found):
    """Where each row's chart is: row name and subject → anchor."""
    return {(row.subject, row.name): f"{section.anchor}-{count}" for section in found if section.subject not in ("endurance", "growth")
            for count, item in enumerate(section.items, 1) for row in getattr(item, "rows", (item,))}


def crash_card(endurances):
    if not any(each.kind == "ours" for each in endurances):
        return ""
    stands, words, sentence = endurance_verdict(endurances)
    others = [tag("li", tag("span", f"{each.name} ({each.row})"), tag("strong", end_of(each))) for each in endurances if each.kind != "ours"]
    said = tag("div", tag("p", words, class_=f"big {stands}"), tag("p", sentence))
    return tag("a", said, tag("ul", *others) if others else "", class_="card crash", href="#endurance")


def headline_card(row, what, anchors):
    rival = row.best_rival()
    word, _, rest = ours_against(row, rival).partition(" than ")
    big, than = (word, f"than {rest}") if rest else ("The same", f"as {rival.name}")
    figures = tag("p", tag("span", quantity(row.ours.median, row.unit)), " against ", tag("span", quantity(rival.median, row.unit)), class_="quiet")
    said = [tag("p", what, class_="what"), tag("p", big, class_=f"big {standing(row)}"), tag("p", breakable(than)), figures]
    return tag("a", *said, class_="card", href=f"#{anchors[row.subject, row.name]}")


def score_part(results, anchors):
    found = score(results.rows)
    if not found.total:
        return ""
    parts = [tag("i", class_=f"share {name}", style=f"flex-grow:{len(rows)}") for name, rows in vars(found).items() if rows]
    links = []
    for row in found.behind:
        links.append(tag("li", tag("a", row.name, href=f"#{anchors[row.subject, row.name]}"), f": {ours_against(row, row.best_rival())}"))
    losses = tag("div", tag("p", "Behind in:"), tag("ul", *links), class_="losses") if links else ""
    return tag("div", tag("div", *parts, class_="score", aria_hidden="true"), tag("p", score_sentence(found)), losses, class_="standing")


def summary(results, found):
    anchors = places(found)
    cards = [crash_card(results.endurances), *[headline_card(row, what, anchors) for row, what in headlines(results)]]
    return tag("section", tag("h2", "In short"), tag("div", *cards, class_="cards"), score_part(results, anchors), id="summary")


def key():
    """How the charts are read."""
    samples = (("ours", "Chorus"), ("rival", "a rival: another library, or Python"), ("limit", "a limit: what the machine itself gives"))
    signs = [tag("li", tag("b", class_=f"bar {kind}"), words) for kind, words in samples]
    signs.append(tag("li", tag("span", tag("i", class_="whisker"), class_="sign"), "the middle half of the rounds"))
    said = ("Figures are medians. Less is better, except for kills. Ratios say how each does next to Chorus; differences below 5 % are called the same. "
            "A scale is logarithmic where a chart spans more than a decade and a half, and says so.")
    return tag("div", tag("ul", *signs, aria_label="Signs in the charts"), tag("p", said), class_="key")


def masthead(results):
    lead = tag("p", LEAD, tag("code", "make bench"), ".", class_="lead")
    quick = tag("p", QUICK, class_="notice") if results.run.get("quick") else ""
    known = [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts(results.run)]
    return tag("header", tag("h1", "Chorus benchmarks"), lead, quick, tag("dl", *known) if known else "")


def contents(found):
    links = [tag("li", tag("a", section.title, href=f"#{section.anchor}")) for section in found]
    return tag("nav", tag("ul", *links), aria_label="Sections")


def page(results):
    found = list(sections(results))
    head = tag("head", tag("meta", charset="utf-8"), tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
               tag("meta", name="color-scheme", content="light dark"), tag("title", "Chorus benchmarks"),
               tag("style", Markup(STYLE.read_text(encoding="utf-8"))))
    main = tag("main", summary(results, found), key(), *[section_part(section) for section in found])
    return "<!DOCTYPE html>\n" + tag("html", head, tag("body", masthead(results), contents(found), main), lang="en") + "\n"
