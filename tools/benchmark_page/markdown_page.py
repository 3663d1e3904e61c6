"""The Markdown page: the same sections, with a table each. Of a row's rivals it has the best one and Python's; the HTML page has all."""

import re

# What stands before this line on a page is written by hand, and kept.
MARKER = "<!-- measured: make bench-page writes what follows -->"

from benchmark_page.html_page import LEAD, QUICK
from benchmark_page.markup import printable
from benchmark_page.quantities import comparison, quantity, share
from benchmark_page.story import end_of, endurance_verdict, facts, figures, headlines, ours_against, rows_in, score, score_sentence, sections


def safe(text):
    """Text that Markdown shows as it is, inside a table too."""
    text = printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|])", r"\\\1", text)
    text = re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)
    return " ".join(text.split())


def table(head, lines):
    """Cells are Markdown already."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def figure(contender, row):
    spread = f" {share(contender.spread)}" if contender.spread else ""
    return f"{quantity(contender.median, row.unit)}{spread}"


def shown(row, kind):
    found = row.of_kind(kind)
    return [each for each in found if kind == "limit" or each is found[0] or each.name.startswith("Python's")]


def others(row, kind):
    lines = []
    for each in shown(row, kind):
        word = comparison(each.median, row.ours.median, row.unit)
        lines.append(f"{safe(each.name)}: {figure(each, row)}, {word}")
    return "<br>".join(lines)


def row_line(row):
    ours = f"**{figure(row.ours, row)}**<br>{safe(row.ours.name)}"
    return [safe(row.name), ours, others(row, "rival"), others(row, "limit")]


def growth_lines(growth):
    for series in growth.series:
        points = [f"{quantity(x, growth.x_unit)}: {quantity(y, growth.unit)}" for x, y in series.points]
        yield [safe(growth.name), safe(growth.x), f"**{safe(series.name)}**" if series.kind == "ours" else safe(series.name), "<br>".join(points)]


def kill_lines(endurances):
    for each in endurances:
        name, end = safe(each.name), end_of(each)
        yield [safe(each.row), f"**{name}**" if each.kind == "ours" else name, f"**{end}**" if each.kind == "ours" else end]


def section_table(section):
    if section.subject == "endurance":
        return table(["row", "contender", "kills"], [line for item in section.items for line in kill_lines(item)])
    if section.subject == "growth":
        return table(["row", "what grows", "contender", "figures"], [line for item in section.items for line in growth_lines(item)])
    return table(["row", "Chorus", "best rival and Python, next to Chorus", "limits, next to Chorus"], [row_line(row) for row in rows_in(section)])


def section_part(section):
    return "\n\n".join(part for part in (f"## {safe(section.title)}", safe(section.about), section_table(section), *map(safe, section.notes)) if part)


def summary(results):
    lines = []
    if any(each.kind == "ours" for each in results.endurances):
        _, words, sentence = endurance_verdict(results.endurances)
        lines.append(f"- **{safe(words)}** {safe(sentence)}")
    for row, what in headlines(results):
        lines.append(f"- {safe(what)}: **{safe(ours_against(row, row.best_rival()))}** ({figures(row, row.best_rival())})")
    return "\n".join(lines)


def standing(results):
    found = score(results.rows)
    if not found.total:
        return ""
    behind = [f"- {safe(row.name)}: {safe(ours_against(row, row.best_rival()))}" for row in found.behind]
    return "\n".join([score_sentence(found), *(["\nBehind in:\n"] if behind else []), *behind])


def kept_of(old):
    """The part of a page that is written by hand; empty if it has none."""
    by_hand, marker, _ = old.partition(MARKER)
    return by_hand if marker else ""


def page(results, link, by_hand=""):
    charts = f"[The same with charts]({link.replace(' ', '%20')})" if link else ""
    known = "\n".join(f"- {name}: {safe(value)}" for name, value in facts(results.run))
    quick = f"**{QUICK}**" if results.run.get("quick") else ""
    reading = ("Figures are medians; ± is half the distance between the quartiles. Less is better, except for kills. Rivals are other libraries and "
               "Python, limits are the least that the machine allows; differences below 5 % are called the same. A row has the best rival and "
               "Python's; the page with charts has all.")
    begin = f"{by_hand}{MARKER}" if by_hand else "# Chorus benchmarks"
    parts = [begin, f"{LEAD}`make bench`.", charts, quick, known, "## In short", summary(results), standing(results), reading,
             *[section_part(section) for section in sections(results)]]
    return "\n\n".join(part for part in parts if part) + "\n"
