"""HTML and SVG from nested calls; all text is escaped unless it is markup already."""

import re
from html import escape

VOID = ("meta", "wbr")


class Markup(str):
    """Text that is HTML."""


def join(children):
    return Markup("".join(child if isinstance(child, Markup) else escape(printable(child)) for child in children))


def printable(text):
    return str(text).encode("utf-8", "replace").decode()


def attribute(name, value):
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(printable(value))}"'


def tag(name, /, *children, **attributes):
    """tag("p", "a < b", class_="quiet"). An attribute that is None or False is left out."""
    given = "".join(attribute(key, value) for key, value in attributes.items() if value is not None and value is not False)
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def breakable(text):
    """A name that may be broken where its words meet: message_queue, BlockingConcurrentQueue."""
    parts = re.split(r"(?<=_)|(?<=[a-z])(?=[A-Z])", text)
    return join([part for each in parts for part in (tag("wbr"), each)][1:])


def percent(share):
    return f"{share * 100:.2f}%"
