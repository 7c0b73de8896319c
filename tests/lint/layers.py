#!/usr/bin/env python3
"""Holds the tree to the table of docs/architecture.md: which folder may include which, where heavy
third-party headers may appear, and where clocks, sleeps, the environment and secrets may be touched."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
AGENT = ROOT / "agent"

# folder -> folders it may include (besides itself); the same table stands in docs/architecture.md.
MAY_INCLUDE = {
    "base": [],
    "cron": ["base"],
    "model": ["base"],
    "net": ["base"],
    "audit": ["base", "model"],
    "config": ["base", "cron", "model"],
    "store": ["base", "model"],
    "probe": ["base", "cron", "model", "net"],
    "health": ["base", "model"],
    "usage": ["base", "cron", "model"],
    "quota": ["base", "model", "cron"],
    "rotation": ["base", "cron", "model", "net"],
    "notify": ["base", "model", "net"],
    "metrics": ["base", "model"],
    "ui": [],
    "api": ["base", "cron", "model", "net", "metrics", "ui"],
    "sandbox": ["base", "model", "net"],
    "engine": ["base", "cron", "model", "net", "audit", "config", "store", "probe", "health", "usage",
               "quota", "rotation", "notify", "metrics", "ui", "api"],
    "cli": ["base", "cron", "model", "net", "audit", "config", "store", "probe", "health", "usage", "quota",
            "rotation", "notify", "metrics", "ui", "api", "engine", "sandbox"],
}

# third-party header (pattern) -> folders whose .cpp files (or private headers) may include it
HEAVY = {
    r"httplib\.h": ["net"],
    r"toml\+\+/.*|toml\.hpp": ["config"],
    r"simdjson\.h": ["usage"],
    r"sqlite3\.h": ["store"],
    r"prometheus/.*": ["metrics"],
    r"date/.*": ["cron", "probe"],  # probe: a provider's day ends at its own midnight
    r"CLI/.*": ["cli"],
    r"sodium.*": ["store"],
}

# text -> files that may contain it
ONLY_IN = {
    r"system_clock::now|steady_clock::now": ["base/", "net/", "engine/", "usage/watcher.cpp", "sandbox/"],
    r"\bsleep_for\b|\bsleep_until\b|\busleep\(|\bnanosleep\(": [],
    r"\bgetenv\(": ["base/environment.cpp"],
    r"\.detach\(\)": [],
    r"\.reveal\(\)": ["base/", "net/", "store/", "rotation/publishers/", "rotation/publish",
                      "api/views.cpp", "api/auth.cpp", "config/secrets.cpp"],
}


def source_files():
    return sorted(p for p in AGENT.rglob("*") if p.suffix in (".cpp", ".hpp"))


def without_comments(text):
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.S)


def include_errors(path, folder, text):
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#include\s+([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        name = match.group(2)
        where = f"{path.relative_to(ROOT)}:{number}"
        if match.group(1) == '"':
            target = name.split("/")[0]
            if target not in MAY_INCLUDE:
                yield f'{where}: include "{name}" by its path from agent/'
            elif target != folder and target not in MAY_INCLUDE[folder]:
                yield f"{where}: {folder} may not include {target}"
            if path.suffix == ".hpp" and target == folder and not (AGENT / name).exists():
                yield f'{where}: "{name}" does not exist'
        for pattern, folders in HEAVY.items():
            if re.fullmatch(pattern, name) and folder not in folders:
                yield f"{where}: <{name}> belongs to {', '.join(folders)} only"


def token_errors(path, text):
    relative = str(path.relative_to(AGENT))
    code = without_comments(text)
    for pattern, allowed in ONLY_IN.items():
        if any(relative.startswith(prefix) for prefix in allowed):
            continue
        for match in re.finditer(pattern, code):
            number = code.count("\n", 0, match.start()) + 1
            yield f"{path.relative_to(ROOT)}:{number}: '{match.group(0)}' does not belong here"


def size_errors(path, text):
    limit = 500
    lines = text.count("\n")
    if lines > limit:
        yield f"{path.relative_to(ROOT)}: {lines} lines; more than {limit} hold more than one idea"
    if path.suffix == ".hpp" and "#pragma once" not in text:
        yield f"{path.relative_to(ROOT)}: no #pragma once"


def link_errors():
    """The libraries' public links are the table's row, or fewer."""
    for folder in MAY_INCLUDE:
        lists = AGENT / folder / "CMakeLists.txt"
        if not lists.exists():
            yield f"agent/{folder}: no CMakeLists.txt"
            continue
        for target in re.findall(r"\bkh_([a-z]+)\b", lists.read_text()):
            if target in MAY_INCLUDE and target != folder and target not in MAY_INCLUDE[folder]:
                yield f"agent/{folder}/CMakeLists.txt: {folder} may not link {target}"


def table_errors():
    """docs/architecture.md shows the same table."""
    text = (ROOT / "docs/architecture.md").read_text()
    rows = dict(re.findall(r"^\| \d \| `(\w+)` \|[^|]*\| ([^|]*) \|$", text, flags=re.M))
    for folder, allowed in MAY_INCLUDE.items():
        shown = rows.get(folder)
        if shown is None:
            yield f"docs/architecture.md: no row for {folder}"
            continue
        shown = [] if shown.strip() in ("–", "-") else [name.strip() for name in shown.split(",")]
        if shown == ["all above"]:
            continue
        if sorted(shown) != sorted(allowed):
            yield f"docs/architecture.md: {folder} may include {', '.join(allowed)}, not {', '.join(shown)}"


def test_errors():
    """No test file above 800 lines, none switched off, none that sleeps."""
    for path in sorted((ROOT / "tests").rglob("*.cpp")):
        text = path.read_text()
        if text.count("\n") > 800:
            yield f"{path.relative_to(ROOT)}: more than 800 lines"
        if re.search(r"\[\.\]|\[!mayfail\]|\bSUCCEED\(\)|\bsleep_for\b|\bsleep_until\b", without_comments(text)):
            yield f"{path.relative_to(ROOT)}: a hidden, toothless or sleeping test"


def main():
    errors = []
    for path in source_files():
        folder = path.relative_to(AGENT).parts[0]
        if folder not in MAY_INCLUDE:
            errors.append(f"{path.relative_to(ROOT)}: no such folder in the table")
            continue
        text = path.read_text()
        errors += include_errors(path, folder, text)
        errors += token_errors(path, text)
        errors += size_errors(path, text)
    errors += link_errors()
    errors += table_errors()
    errors += test_errors()
    for error in errors:
        print(error)
    print(f"{len(errors)} problems in {len(source_files())} files")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
