#!/usr/bin/env python3
"""Checks what a page says against the tree: every relative link leads somewhere, every file named in
backticks as a path of this repository exists, no path of one machine, README stays short."""
import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)]*)?\)")
# `src/model/task.hpp`, `docs/decisions/`: only what is clearly meant as a path from the root.
NAMED = re.compile(r"`((?:src|docs|tests|tools|api|cmake|deploy|packages)/[\w./-]+)`")
MACHINE = re.compile(r"(?<![\w./])/(?:work|farm|root|home/\w+)/")
README_LINES_MAX = 150
CONFIG_KEY = re.compile(r'^\s*\{"([a-z_]+(?:\.[a-z_]+)?)",', re.MULTILINE)


def problems(path: str, text: str, root: pathlib.Path):
    """Yields (line, what is wrong). Text between ``` fences is looked at for machine paths alone."""
    folder = (root / path).parent
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if MACHINE.search(line):
            yield number, "a path of one machine; say it with a variable or a relative path"
        if line.lstrip().startswith("```"):
            fenced = not fenced
        if fenced:
            continue
        for target, _ in LINK.findall(line):
            if not re.match(r"[a-z]+:", target) and not (folder / target).exists():
                yield number, f"the link to {target} leads nowhere"
        for name in NAMED.findall(line):
            if "NNNN" not in name and not (root / name).exists():
                yield number, f"{name} does not exist"
    if path == "README.md" and text.count("\n") > README_LINES_MAX:
        yield 1, f"{text.count(chr(10))} lines; a README has {README_LINES_MAX} at most"


def undocumented_keys(source: str, page: str):
    """Yields what the server reads and the page has no row for, and the other way round."""
    read, told = set(CONFIG_KEY.findall(source)), set(re.findall(r"^\| `([a-z_.]+)` \|", page, re.MULTILINE))
    for key in sorted(read - told):
        yield 1, f"the key {key} has no row"
    for key in sorted(told - read):
        yield 1, f"there is no key {key}"


def main() -> int:
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "*.md"], capture_output=True, text=True, check=True
    )
    found = 0
    for path in listed.stdout.split():
        if not (root / path).is_file():
            continue
        for number, problem in problems(path, (root / path).read_text(), root):
            print(f"{path}:{number}: {problem}")
            found += 1
    source, page = root / "src/server_config.cpp", root / "docs/reference/configuration.md"
    if source.is_file():
        for number, problem in undocumented_keys(source.read_text(), page.read_text()):
            print(f"{page.relative_to(root)}:{number}: {problem}")
            found += 1
    print(f"check_docs: {found} problem(s)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
