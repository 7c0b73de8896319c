#!/usr/bin/env python3
"""Checks what Keyherd ships for Prometheus, Alertmanager and Grafana.

    check.py rules        alert and recording rules, and their tests
    check.py dashboards   the Grafana boards
    check.py deploy       prometheus.yml, alertmanager.yml, docker-compose.yml

Prints every problem and ends with 1 if there is any. Needs Debian's packages prometheus (promtool)
and prometheus-alertmanager (amtool); docker-compose is used where it is installed.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RULES = sorted((ROOT / "rules").glob("keyherd-*.yml"))
ALERTS = ROOT / "rules/keyherd-alerts.yml"
TESTS = sorted(HERE.glob("*.test.yml"))
BOARDS = sorted((ROOT / "dashboards").glob("*.json"))
RUNBOOK_URL = "https://github.com/keyherd/keyherd/blob/main/docs/runbooks/"
SEVERITIES = {"critical", "warning", "info", "none"}
# These two fire when nothing is there: they have no test of silence without series.
ABOUT_ABSENCE = {"KeyherdAbsent", "KeyherdWatchdog"}
ALWAYS_FIRES = {"KeyherdWatchdog"}
# Not the agent's: Prometheus makes them itself.
FROM_PROMETHEUS = {"up", "ALERTS"}

problems = []


def problem(text):
    problems.append(text)


def need(program, package):
    if shutil.which(program) is None:
        sys.exit(f"check.py: {program} is missing: apt-get install {package}")
    return program


def run(what, *command):
    """Runs a checker; its output is a problem if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, timeout=300)
    if done.returncode != 0:
        problem(f"{what}:\n{done.stdout}")
    return done.stdout


# ---------------------------------------------------------------------------- metrics


def emitted_metrics():
    """Names as they can stand in an expression, from the generated documentation."""
    names = set(FROM_PROMETHEUS)
    for line in (ROOT / "docs/metrics.md").read_text().splitlines():
        row = re.match(r"\| `(\w+)` \| (\w+)", line)
        if row is None:
            continue
        names.add(row[1])
        if row[2] == "histogram":
            names.remove(row[1])
            names.update(row[1] + suffix for suffix in ("_bucket", "_sum", "_count"))
    return names


def recorded_metrics():
    return set(re.findall(r"^\s*- record: (\S+)$", "\n".join(p.read_text() for p in RULES), re.M))


def metrics_in(expression):
    """Every name of ours in an expression: quoted strings are no names."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    return {name for name in re.findall(r"[A-Za-z_:][\w:]*", bare)
            if "keyherd_" in name or name.startswith("process_")}


def check_closure(where, expression):
    for name in sorted(metrics_in(expression) - emitted_metrics() - recorded_metrics()):
        problem(f"{where}: {name} is neither in docs/metrics.md nor recorded by a rule")


# ---------------------------------------------------------------------------- rules


def alert_rules():
    """(name, text of the rule) of each alert; the file is written in one plain style."""
    text = ALERTS.read_text()
    for block in re.split(r"^      - alert: ", text, flags=re.M)[1:]:
        yield block.split("\n", 1)[0].strip(), block


def expression_of(block):
    found = re.search(r"^        expr: (?:\|\n((?:          .*\n)+)|(.*)\n)", block, re.M)
    return (found[1] or found[2].strip("'")) if found else ""


def field_of(block, name):
    found = re.search(rf"^\s+{name}: (.+)$", block, re.M)
    return found[1].strip("'") if found else ""


def check_alert(name, block):
    where = f"{ALERTS.name}: {name}"
    if not re.fullmatch(r"Keyherd[A-Z]\w+", name):
        problem(f"{where}: the name is to be Keyherd and CamelCase")
    if field_of(block, "severity") not in SEVERITIES:
        problem(f"{where}: no severity of {sorted(SEVERITIES)}")
    summary = field_of(block, "summary")
    if not re.fullmatch(r"[A-Z].*\.", summary) or "{{" in summary:
        problem(f"{where}: the summary is to be one fixed sentence")
    if len(field_of(block, "description")) < 30:
        problem(f"{where}: no description")
    if field_of(block, "runbook_url") != f"{RUNBOOK_URL}{name}.md":
        problem(f"{where}: runbook_url is not {RUNBOOK_URL}{name}.md")
    runbook = ROOT / f"docs/runbooks/{name}.md"
    if not runbook.exists():
        problem(f"{where}: {runbook.relative_to(ROOT)} is missing")
    elif not all(part in runbook.read_text() for part in
                 ("## What it means", "## How to see it", "## What to do")):
        problem(f"{where}: {runbook.relative_to(ROOT)} lacks a section")
    expression = expression_of(block)
    if not expression:
        problem(f"{where}: no expression was found")
    check_closure(where, expression)


def test_groups():
    """Name → text of each test group."""
    groups = {}
    for path in TESTS:
        for block in re.split(r"^  - name: ", path.read_text(), flags=re.M)[1:]:
            name, text = block.split("\n", 1)
            if name in groups:
                problem(f"{path.name}: two tests are named {name}")
            groups[name] = text
    return groups


def expects(text, alert, empty):
    cases = re.findall(r"alertname: (\w+)\n\s+exp_alerts:(.*)\n", text)
    return any(name == alert and (rest.strip() == "[]") == empty for name, rest in cases)


def check_rule_tests():
    groups = test_groups()
    names = {name for name, _ in alert_rules()}
    for name in sorted(names):
        if not expects(groups.get(f"{name} fires", ""), name, empty=False):
            problem(f"tests/rules: no test that {name} fires")
        if name not in ALWAYS_FIRES and not expects(
                groups.get(f"{name} stays quiet just below", ""), name, empty=True):
            problem(f"tests/rules: no test that {name} stays quiet just below")
        if name not in ABOUT_ABSENCE and not expects(
                groups.get("without any series", ""), name, empty=True):
            problem(f"tests/rules: no test that {name} stays quiet without series")
    for group in groups:
        if group != "without any series" and group.split(" ")[0] not in names:
            problem(f"tests/rules: {group}: there is no such alert")
    severities = {(name, field_of(block, "severity")) for name, block in alert_rules()}
    fired = set()
    for group, text in groups.items():
        for severity in re.findall(r"exp_labels: \{severity: (\w+)", text):
            fired.add((group.split(" ")[0], severity))
    for name, severity in sorted(severities - fired):
        problem(f"tests/rules: no test expects {name} with severity {severity}")


def check_rules():
    promtool = need("promtool", "prometheus")
    run("promtool check rules", promtool, "check", "rules", "--lint=all", "--lint-fatal",
        *map(str, RULES))
    run("promtool test rules", promtool, "test", "rules", *map(str, TESTS))
    rules = list(alert_rules())
    if len(rules) < 30:
        problem(f"{ALERTS.name}: only {len(rules)} alerts were found")
    for name, block in rules:
        check_alert(name, block)
    for path in RULES:
        if path != ALERTS:
            # Names of rules and groups are no expressions.
            check_closure(path.name, re.sub(r"^\s*(- record|- name|#).*$", "", path.read_text(),
                                            flags=re.M))
    runbooks = {path.stem for path in (ROOT / "docs/runbooks").glob("Keyherd*.md")}
    for name in sorted(runbooks - {name for name, _ in rules}):
        problem(f"docs/runbooks/{name}.md: there is no such alert")
    check_rule_tests()


# ---------------------------------------------------------------------------- dashboards

UNITS = {"short", "none", "s", "bytes", "percentunit", "currencyUSD", "reqps", "ops", "bool",
         "dateTimeAsIso"}
VISUALS = {"stat", "timeseries", "table", "bargauge", "state-timeline", "status-history", "heatmap",
           "text"}
VARIABLES = {"$job": ".+", "$instance": ".+", "$provider": ".+", "$key": ".+", "$pool": ".+",
             "$window": "1h", "$__rate_interval": "1m", "$__interval": "1m", "$__range": "6h"}


def panels_of(board):
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def substituted(expression):
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def check_variables(where, board):
    variables = {v["name"]: v for v in board["templating"]["list"]}
    source = variables.get("datasource", {})
    if (source.get("type"), source.get("query"), source.get("label")) != (
            "datasource", "prometheus", "Data source"):
        problem(f"{where}: no variable datasource of type datasource, labelled Data source")
    for name in ("job", "instance"):
        variable = variables.get(name, {})
        if variable.get("label") != name.capitalize() or variable.get("allValue") != ".+":
            problem(f"{where}: variable {name}: label or allValue are wrong")
    for name, variable in variables.items():
        if variable["type"] != "query":
            continue
        if variable.get("refresh") != 2:
            problem(f"{where}: variable {name} is not refreshed with the time range")
        if variable.get("datasource", {}).get("uid") != "${datasource}":
            problem(f"{where}: variable {name} does not use ${{datasource}}")
        if not re.fullmatch(r"label_values\(.+, \w+\)", variable["query"]):
            problem(f"{where}: variable {name}: {variable['query']} is no label_values()")
        check_closure(f"{where}: variable {name}", variable["query"])


def check_selectors(where, expression):
    """job and instance in every selector; counters only inside rate, irate or increase."""
    for name, selector in re.findall(r"([A-Za-z_:][\w:]*)(\{[^}]*\})?", expression):
        if "keyherd_" not in name and not name.startswith("process_"):
            continue
        for label in ("job", "instance"):
            if f'{label}=~"${label}"' not in selector:
                problem(f'{where}: {name} without {label}=~"${label}"')
        if name.endswith("_total") and not re.search(
                rf"(rate|increase)\({re.escape(name)}", expression):
            problem(f"{where}: counter {name} is not inside rate() or increase()")


def check_panel(where, panel, expressions):
    if panel["type"] == "row":
        return
    if panel["type"] not in VISUALS:
        problem(f"{where}: panel type {panel['type']} is not one of ours")
    if not panel.get("title") or len(panel.get("description", "")) < 20:
        problem(f"{where}: title or description is missing")
    if panel["type"] == "text":
        return
    if panel.get("datasource", {}).get("uid") != "${datasource}":
        problem(f"{where}: does not use ${{datasource}}")
    if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
        problem(f"{where}: no unit, or one that is not known")
    if not panel.get("targets"):
        problem(f"{where}: no query")
    for target in panel.get("targets", []):
        expression = target["expr"]
        check_closure(where, expression)
        check_selectors(where, expression)
        expressions.append((where, substituted(expression)))


def check_layout(where, board):
    taken = {}
    for panel in board["panels"]:
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            problem(f"{where}: {panel['title']} reaches beyond the board")
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if taken.setdefault((x, y), panel["title"]) != panel["title"]:
                    problem(f"{where}: {panel['title']} overlaps {taken[x, y]}")
                    return


def check_board(path, expressions):
    board = json.loads(path.read_text())
    if (board["uid"], board["schemaVersion"], board["editable"]) != (path.stem, 42, False):
        problem(f"{path.name}: uid is not the file's name, or not schema 42, or editable")
    if "keyherd" not in board["tags"]:
        problem(f"{path.name}: the tag keyherd is missing")
    ids = [panel["id"] for panel in panels_of(board)]
    if len(ids) != len(set(ids)):
        problem(f"{path.name}: two panels have one id")
    check_variables(path.name, board)
    check_layout(path.name, board)
    for panel in panels_of(board):
        check_panel(f"{path.name}: {panel.get('title')}", panel, expressions)


def check_dashboards():
    promtool = need("promtool", "prometheus")
    if not BOARDS:
        problem("dashboards/ is empty")
    expressions = []
    for path in BOARDS:
        check_board(path, expressions)
    rules = [{"record": f"panel:expression:{i}", "expr": expression, "labels": {"panel": where}}
             for i, (where, expression) in enumerate(expressions)]
    # JSON is YAML; a recording rule is the only way to have promtool read an expression.
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        json.dump({"groups": [{"name": "panels", "rules": rules}]}, file)
        file.flush()
        run("expressions of the panels", promtool, "check", "rules", file.name)


# ---------------------------------------------------------------------------- deploy


def check_routes(amtool):
    config = str(ROOT / "deploy/alertmanager/alertmanager.yml")
    for receiver, *labels in (
            ("page", "alertname=KeyherdPoolExhausted", "severity=critical"),
            ("default", "alertname=KeyherdKeyRejected", "severity=warning"),
            ("null", "alertname=KeyherdKeyFlapping", "severity=info"),
            ("watchdog", "alertname=KeyherdWatchdog", "severity=none")):
        run(f"route of {labels[0]}", amtool, "config", "routes", "test", f"--config.file={config}",
            f"--verify.receivers={receiver}", *labels)


def check_templates(amtool):
    for name in ("keyherd.title", "keyherd.text"):
        run(f"template {name}", amtool, "template", "render",
            f"--template.glob={ROOT}/deploy/alertmanager/templates/*.tmpl",
            "--template.text={{ template \"" + name + "\" . }}")


def check_compose():
    compose = ROOT / "docker-compose.yml"
    for path in re.findall(r"- (\./[^:\s]+):", compose.read_text()):
        if not path.startswith("./secrets/") and not (ROOT / path).exists():
            problem(f"{compose.name}: {path} does not exist")
    for image in re.findall(r"image: (\S+)", compose.read_text()):
        if not re.fullmatch(r"\$\{\w+:-[\w./-]+:v?\d+\.\d+\.\d+\}", image):
            problem(f"{compose.name}: image {image} is not pinned")
    if shutil.which("docker-compose") is None:
        print("docker-compose is not installed: the compose file was not parsed")
        return
    run("docker-compose config", "docker-compose", "--project-directory", str(ROOT), "-f",
        str(compose), "--profile", "monitoring", "--profile", "demo", "config", "-q")


def check_deploy():
    promtool = need("promtool", "prometheus")
    amtool = need("amtool", "prometheus-alertmanager")
    run("promtool check config", promtool, "check", "config", "--syntax-only",
        str(ROOT / "deploy/prometheus/prometheus.yml"))
    run("amtool check-config", amtool, "check-config",
        str(ROOT / "deploy/alertmanager/alertmanager.yml"))
    check_routes(amtool)
    check_templates(amtool)
    check_compose()


CHECKS = {"rules": check_rules, "dashboards": check_dashboards, "deploy": check_deploy}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(__doc__)
    CHECKS[sys.argv[1]]()
    for text in problems:
        print(text)
    if problems:
        sys.exit(f"check.py {sys.argv[1]}: {len(problems)} problems")
    print(f"check.py {sys.argv[1]}: all is well")


if __name__ == "__main__":
    main()
