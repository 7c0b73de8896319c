#!/usr/bin/env python3
"""Holds the Grafana boards to the rules of Grafana's dashboard-linter and to the catalogue of metrics: boards show
only what the agent emits, and all that it emits is shown somewhere or listed here with a reason.

    check_boards.py            the boards themselves (seconds)
    check_boards.py queries    every query, on a Prometheus that holds a simulated week (a minute)

Prints every problem and ends with 1 if there is any. Needs Debian's package prometheus."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path[:0] = [str(ROOT / "tests/rules"), str(ROOT / "tests/dashboards")]
import check as rules  # noqa: E402

BOARDS = sorted((ROOT / "dashboards").glob("*.json"))
UNITS = {"short", "none", "s", "bytes", "percentunit", "currencyUSD", "reqps", "ops", "bool", "dateTimeAsIso"}
VISUALS = {"stat", "timeseries", "table", "bargauge", "state-timeline", "status-history", "heatmap", "text"}
VALUES = {"$job": ".+", "$instance": ".+", "$provider": ".+", "$key": ".+", "$pool": ".+", "$window": "1h",
          "$__rate_interval": "16m", "$__interval": "15m", "$__range": "1d"}
# dashboard-linter wants $__rate_interval everywhere; but probes, costs and rotations are slower than any scrape, so
# their windows are what a person chose, or fixed.
RATE_WINDOWS = {"$__rate_interval"}
INCREASE_WINDOWS = {"$window", "$__interval", "$__range", "24h", "7d"}
# On no board: for rules or for joins in queries of your own.
NOT_CHARTED = {
    "keyherd_key_labels": "the users' own labels, for joins: docs/observability.md",
    "keyherd_key_expiry_threshold_seconds": "only a rule compares with it; the board's colours are the defaults",
    "keyherd_ratelimit_reset_timestamp_seconds": "seconds away; a line of it says nothing",
    "keyherd_spend_anomaly_floor_per_hour": "only a rule compares with it; beside small spends it would flatten them",
    "keyherd_usagelog_stalled": "failed commits and the lag, which are charted, come with it",
    "process_virtual_memory_bytes": "address space, which says nothing of the memory in use",
    "keyherd_ratelimit_observed_timestamp_seconds": "how old the limits are, for queries of your own",
}


def panels_of(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries_of(board):
    """(where, expression, target) of every panel and annotation."""
    for panel in panels_of(board):
        for target in panel.get("targets", []):
            yield f"{board['uid']}: {panel['title']} {target['refId']}", target["expr"], target
    for annotation in board["annotations"]["list"]:
        yield f"{board['uid']}: annotation {annotation['name']}", annotation["expr"], annotation


def substituted(expression):
    for name, value in VALUES.items():
        expression = expression.replace(name, value)
    return expression


def check_variables(where, board):
    variables = {v["name"]: v for v in board["templating"]["list"]}
    source = variables.get("datasource", {})
    if (source.get("type"), source.get("query"), source.get("label")) != ("datasource", "prometheus", "Data source"):
        rules.problem(f"{where}: no variable datasource of type datasource, labelled Data source")
    for name in ("job", "instance"):
        variable = variables.get(name, {})
        if variable.get("label") != name.capitalize() or not variable.get("multi") or not variable.get("includeAll"):
            rules.problem(f"{where}: variable {name}: label, multi or includeAll are wrong")
    for name, variable in variables.items():
        if variable["type"] != "query":
            continue
        if variable.get("refresh") != 2:
            rules.problem(f"{where}: variable {name} is not refreshed with the time range")
        if variable.get("datasource", {}).get("uid") != "${datasource}" or variable.get("allValue") != ".+":
            rules.problem(f"{where}: variable {name} does not use ${{datasource}}, or its allValue is not .+")
        if not re.fullmatch(r"label_values\(.+, \w+\)", variable["query"]):
            rules.problem(f"{where}: variable {name}: {variable['query']} is no label_values()")
        rules.check_closure(f"{where}: variable {name}", variable["query"])
    written = json.dumps(board["panels"]) + json.dumps(board["annotations"])
    for name in variables:
        if name != "datasource" and f"${name}" not in written:
            rules.problem(f"{where}: variable {name} is used by no panel")


def check_expression(where, expression, target):
    rules.check_closure(where, expression)
    for name, selector in re.findall(r"([A-Za-z_:][\w:]*)(\{[^}]*\})?", expression):
        if "keyherd_" not in name and not name.startswith("process_"):
            continue
        for label in ("job", "instance"):
            if f'{label}=~"${label}"' not in selector:
                rules.problem(f'{where}: {name} without {label}=~"${label}"')
        if name.endswith(("_total", "_bucket")) and not re.search(rf"(rate|increase)\({re.escape(name)}", expression):
            rules.problem(f"{where}: counter {name} is not inside rate() or increase()")
    # A bar holds what happened in it only if it is as wide as its window.
    if "[$__interval]" in expression and "interval" not in target:
        rules.problem(f"{where}: [$__interval] without an interval of at least minutes")
    for function, window in re.findall(r"\b(rate|increase)\([^\[\]()]+\[([^\]]+)\]", expression):
        if window not in (RATE_WINDOWS if function == "rate" else INCREASE_WINDOWS):
            rules.problem(f"{where}: {function}() over {window}")


def check_panel(where, panel):
    if panel["type"] == "row":
        return
    if panel["type"] not in VISUALS:
        rules.problem(f"{where}: panel type {panel['type']} is not one of ours")
    if not panel.get("title") or len(panel.get("description", "")) < 20:
        rules.problem(f"{where}: title or description is missing")
    if panel.get("datasource", {}).get("uid") != "${datasource}":
        rules.problem(f"{where}: does not use ${{datasource}}")
    if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
        rules.problem(f"{where}: no unit, or one that is not known")
    if not panel.get("targets"):
        rules.problem(f"{where}: no query")
    for target in panel.get("targets", []):
        if target["datasource"]["uid"] != "${datasource}":
            rules.problem(f"{where}: a query does not use ${{datasource}}")


def check_layout(where, board):
    taken = {}
    for panel in board["panels"]:
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            rules.problem(f"{where}: {panel['title']} reaches beyond the board")
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if taken.setdefault((x, y), panel["title"]) != panel["title"]:
                    rules.problem(f"{where}: {panel['title']} overlaps {taken[x, y]}")
                    return


def check_links(where, board, uids):
    for uid in re.findall(r'"/d/([\w-]+)\?', json.dumps(board)):
        if uid not in uids:
            rules.problem(f"{where}: a link leads to {uid}, which is no board")


def check_board(path, uids):
    board = json.loads(path.read_text())
    if (board["uid"], board["schemaVersion"], board["editable"]) != (path.stem, 42, False):
        rules.problem(f"{path.name}: uid is not the file's name, or not schema 42, or editable")
    if "keyherd" not in board["tags"]:
        rules.problem(f"{path.name}: the tag keyherd is missing")
    ids = [panel["id"] for panel in panels_of(board)]
    if len(ids) != len(set(ids)):
        rules.problem(f"{path.name}: two panels have one id")
    check_variables(path.name, board)
    check_layout(path.name, board)
    check_links(path.name, board, uids)
    for panel in panels_of(board):
        check_panel(f"{path.name}: {panel.get('title')}", panel)
    for where, expression, target in queries_of(board):
        check_expression(where, expression, target)


def family_of(name):
    return re.sub(r"_(bucket|sum|count)$", "", name)


def check_closure(boards):
    """What is emitted is charted, by itself or through a recording rule; what the rules compare with is used."""
    recorded = dict(re.findall(r"- record: (\S+)\n\s+expr: ((?:\|\n(?:          .*\n)+)|.*\n)",
                               (ROOT / "rules/keyherd-recording.yml").read_text()))
    shown = set()
    for board in boards:
        for _, expression, _ in queries_of(board):
            for name in rules.metrics_in(expression):
                shown.add(family_of(name))
                shown.update(family_of(n) for n in rules.metrics_in(recorded.get(name, "")))
    emitted = {family_of(name) for name in rules.emitted_metrics()} - rules.FROM_PROMETHEUS
    for name in sorted(emitted - shown - NOT_CHARTED.keys()):
        rules.problem(f"{name} is on no board, and NOT_CHARTED gives no reason")
    for name in sorted(NOT_CHARTED.keys() & shown | NOT_CHARTED.keys() - emitted):
        rules.problem(f"NOT_CHARTED: {name} is charted after all, or is no metric")
    in_rules = set().union(*(rules.metrics_in(path.read_text()) for path in rules.RULES))
    for name in sorted(emitted):
        if re.search(r"threshold|objective|max_age|min_available", name) and name not in in_rules:
            rules.problem(f"{name} is a threshold that no rule compares with")


def check_syntax(boards):
    """A recording rule is the only way to have promtool read an expression; JSON is YAML."""
    made = [{"record": f"panel:expression:{i}", "expr": substituted(expression), "labels": {"panel": where}}
            for i, (where, expression, _) in enumerate(q for board in boards for q in queries_of(board))]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "panels", "rules": made}]}, file)
        file.flush()
        rules.run("expressions of the panels", rules.need("promtool", "prometheus"), "check", "rules", file.name)


def check_boards():
    done = subprocess.run([sys.executable, ROOT / "scripts/make-dashboards", "--check"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        rules.problem(done.stdout + done.stderr)
    uids = {path.stem for path in BOARDS}
    if len(BOARDS) < 6:
        rules.problem(f"only {len(BOARDS)} boards in dashboards/")
    for path in BOARDS:
        check_board(path, uids)
    boards = [json.loads(path.read_text()) for path in BOARDS]
    check_closure(boards)
    check_syntax(boards)


def check_queries():
    rules.need("promtool", "prometheus")
    from week import WeekPrometheus
    import simulated_week
    with tempfile.TemporaryDirectory(prefix="keyherd-week-") as directory, WeekPrometheus(directory) as prometheus:
        missing = simulated_week.documented_families(ROOT) - prometheus.week.families()
        if missing:
            rules.problem(f"tests/dashboards/simulated_week.py lacks {sorted(missing)}")
        for path in BOARDS:
            for where, expression, _ in queries_of(json.loads(path.read_text())):
                # Now, at every hour of the last day, and on every day of the week: some things happen seldom.
                hours = [*range(25), *range(48, 168, 24)]
                expression = substituted(expression.replace("[$__interval]", "[1d]"))
                if not any(prometheus.query(expression, prometheus.end - hour * 3600) for hour in hours):
                    rules.problem(f"{where}: no data: {expression}")


def main():
    what = sys.argv[1:]
    if what not in ([], ["queries"]):
        sys.exit(__doc__)
    check_queries() if what else check_boards()
    for text in rules.problems:
        print(text)
    if rules.problems:
        sys.exit(f"{len(rules.problems)} problems")
    print("all is well")


if __name__ == "__main__":
    main()
