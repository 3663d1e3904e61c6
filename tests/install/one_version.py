#!/usr/bin/env python3
"""Wherever a version is written, it is the one of include/chorus/version.hpp: one_version.py SOURCE"""

import re
import sys
from pathlib import Path


def main():
    source = Path(sys.argv[1])
    header = (source / "include/chorus/version.hpp").read_text()
    number = re.search(r'#define CHORUS_VERSION "(.*)"', header).group(1)
    parts = ".".join(re.search(rf"#define CHORUS_VERSION_{part} (\d+)", header).group(1) for part in ("MAJOR", "MINOR", "PATCH"))
    soname = ".".join(number.split(".")[:2])
    control = (source / "debian/control").read_text()
    written = {
        "include/chorus/version.hpp, its parts": parts,
        "debian/changelog": re.match(r"chorus \(([^)]*)\)", (source / "debian/changelog").read_text()).group(1),
        "CHANGELOG.md": re.search(r"^## (\S+)", (source / "CHANGELOG.md").read_text(), re.MULTILINE).group(1).strip("[]"),
    }
    wrong = [f"{place} says {version}, include/chorus/version.hpp says {number}" for place, version in written.items() if version not in (number, "Unreleased")]
    if f"Package: libchorus{soname}\n" not in control:
        wrong.append(f"debian/control has no package libchorus{soname}, which is the name of the shared library")
    print(number, *wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
