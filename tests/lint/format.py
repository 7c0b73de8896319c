#!/usr/bin/env python3
"""Every C++ file is as clang-format 14 would write it."""
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    tool = shutil.which("clang-format-14")
    if tool is None:
        sys.exit("clang-format-14 is missing: apt-get install clang-format-14")
    files = sorted(str(p) for folder in ("agent", "tests") for p in (ROOT / folder).rglob("*")
                   if p.suffix in (".cpp", ".hpp"))
    return subprocess.run([tool, "--dry-run", "--Werror", *files], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
