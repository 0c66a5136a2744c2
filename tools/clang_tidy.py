#!/usr/bin/env python3
"""Runs clang-tidy on what changed since it was last clean, several files at a time.

    tools/clang_tidy.py build/release [--limit-s 1500] [--jobs 2] [--all]

A file counts as clean while it, every header of ours that it reaches, .clang-tidy, its compile
command and the version of clang-tidy are what they were; that is kept in ~/.cache/reeve/clang-tidy.
Files changed latest come first. What the time limit leaves over is counted in a note, and is done by
the next run: the pass then is a pass of what was checked, and says so.

Files in tools/clang_tidy_backlog.txt have never been clean: their findings are printed and do not
fail the run. The list only gets shorter: a file that is clean has to leave it.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

TIDY = "clang-tidy-19"
# What only GCC knows; clang would call each an unknown warning.
EXTRA = [
    "--quiet",
    "--extra-arg=-Wno-unknown-warning-option",
    # clang 19 parses the body of a template in RapidJSON 1.1 that GCC leaves alone until it is used.
    "--extra-arg=-fdelayed-template-parsing",
    "--extra-arg=-Wno-delayed-template-parsing-in-cxx20",
]
INCLUDE = re.compile(r'^\s*#\s*include "([^"]+)"', re.MULTILINE)


def reached(file: pathlib.Path, root: pathlib.Path, seen: dict) -> None:
    """Puts the text of `file`, and of every header of ours that it includes, into `seen`."""
    if file in seen or not file.is_file():
        return
    seen[file] = file.read_bytes()
    for name in INCLUDE.findall(seen[file].decode(errors="replace")):
        for base in (root / "src", root, file.parent):
            if (base / name).is_file():
                reached((base / name).resolve(), root, seen)
                break


def key_of(entry: dict, root: pathlib.Path, common: bytes) -> str:
    """The name under which a clean run of `entry` is remembered. No path of this clone is in it."""
    seen: dict = {}
    reached(pathlib.Path(entry["file"]).resolve(), root, seen)
    hashed = hashlib.sha256(common)
    hashed.update(entry["command"].replace(str(root), "").encode())
    for file in sorted(seen):
        hashed.update(str(file.relative_to(root)).encode() + b"\0" + seen[file] + b"\0")
    return hashed.hexdigest()


def check(entry: dict, build: str) -> tuple[int, str]:
    done = subprocess.run(
        [TIDY, *EXTRA, "-p", build, entry["file"]], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return 0, ""
    # The notes beside a finding (a line for each branch of a function) bury the findings.
    said = [line for line in done.stdout.splitlines() if re.search(r": (error|warning): ", line)]
    return done.returncode, "\n".join(said) or done.stdout + done.stderr


def main() -> int:
    parser = argparse.ArgumentParser(description="clang-tidy on what changed")
    parser.add_argument("build")
    parser.add_argument("--limit-s", type=float, default=1500)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--all", action="store_true", help="forget what was clean before")
    options = parser.parse_args()

    root = pathlib.Path(__file__).resolve().parent.parent
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    cache = cache / "reeve" / "clang-tidy"
    cache.mkdir(parents=True, exist_ok=True)
    version = subprocess.run([TIDY, "--version"], capture_output=True, check=True).stdout
    common = version + (root / ".clang-tidy").read_bytes()

    entries = {}
    for entry in json.loads(pathlib.Path(options.build, "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        if file.is_relative_to(root) and not file.is_relative_to(root / "build"):
            entries[entry["file"]] = entry  # One compile of each file is enough.
    waiting = []
    for entry in sorted(entries.values(), key=lambda e: -os.stat(e["file"]).st_mtime):
        key = key_of(entry, root, common)
        if options.all or not (cache / key).exists():
            waiting.append((entry, key))

    listed = (root / "tools" / "clang_tidy_backlog.txt").read_text().splitlines()
    backlog = {line for line in listed if line and not line.startswith("#")}
    deadline = time.monotonic() + options.limit_s
    failed = left = owed = 0

    def work(item):
        entry, key = item
        if time.monotonic() > deadline:
            return entry, None, ""
        code, output = check(entry, options.build)
        if code == 0:
            (cache / key).touch()
        return entry, code, output

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for entry, code, output in pool.map(work, waiting):
            name = os.path.relpath(entry["file"], root)
            if code is None:
                left += 1
            elif code != 0 and name in backlog:
                owed += 1
                print(f"{name} (backlog):\n{output}", flush=True)
            elif code != 0:
                failed += 1
                print(f"{name}:\n{output}", flush=True)
            elif name in backlog:
                print(f"note: {name} is clean: take it out of tools/clang_tidy_backlog.txt")
    checked = len(waiting) - left
    print(f"note: {len(entries)} files: {len(entries) - len(waiting)} clean since before, "
          f"{checked} checked, {failed} with findings, {owed} of the backlog")
    if left:
        print(f"note: {left} files NOT checked: the limit of {options.limit_s:.0f} s ran out")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
