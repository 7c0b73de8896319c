#!/usr/bin/env python3
"""Checks what Keyherd ships for Prometheus and Alertmanager; tests/dashboards has the boards.

    check.py rules        alert and recording rules, and their tests
    check.py deploy       prometheus.yml, alertmanager.yml, docker-compose.yml

Prints every problem and ends with 1 if there is any. Needs Debian's packages prometheus (promtool),
prometheus-alertmanager (amtool) and docker-compose.
"""

import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RULES = sorted((ROOT / "rules").glob("keyherd-*.yml"))
ALERTS = ROOT / "rules/keyherd-alerts.yml"
TESTS = sorted(HERE.glob("*.test.yml"))
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


# ---------------------------------------------------------------------------- deploy


ALERTMANAGER = ROOT / "deploy/alertmanager"
RECEIVER = {"critical": "page", "warning": "default", "info": "null", "none": "watchdog"}
# With tests/rules/template-data.json: a quota that is critical for one key, and over for another.
TEMPLATES = {
    "keyherd.title": "[FIRING 1] KeyherdQuotaUsageHigh quota daily at deepseek",
    "keyherd.text": "CRITICAL: 97.5% of quota daily of deepseek-1 is used.\n"
                    "Runbook: https://example.com/KeyherdQuotaUsageHigh.md\n"
                    "OVER: 96% of quota daily of deepseek-2 is used.\n",
    "keyherd.link": "https://example.com/KeyherdQuotaUsageHigh.md",
    "keyherd.color": "danger",
    "keyherd.pagerduty.severity": "critical",
}


def check_routes(amtool):
    """Every alert goes to the receiver of its severity."""
    for name, block in alert_rules():
        severity = field_of(block, "severity")
        run(f"route of {name} ({severity})", amtool, "config", "routes", "test",
            f"--config.file={ALERTMANAGER}/alertmanager.yml", f"--verify.receivers={RECEIVER[severity]}",
            f"alertname={name}", f"severity={severity}")


def check_templates(amtool):
    text = (ALERTMANAGER / "templates/keyherd.tmpl").read_text()
    for name in sorted(set(re.findall(r'define "([\w.]+)"', text)) ^ set(TEMPLATES)):
        problem(f"template {name} is not rendered here, or is not there")
    for name in re.findall(r'template "([\w.]+)"', (ALERTMANAGER / "receivers.example.yml").read_text()):
        if name not in TEMPLATES:
            problem(f"receivers.example.yml: there is no template {name}")
    for name, expected in TEMPLATES.items():
        said = run(f"template {name}", amtool, "template", "render", f"--template.glob={ALERTMANAGER}/templates/*.tmpl",
                   f"--template.data={HERE}/template-data.json", "--template.text={{ template \"" + name + "\" . }}")
        if said.strip() != expected.strip():
            problem(f"template {name}: {said!r} is not {expected!r}")


def check_receivers():
    """Secrets come from files wherever Alertmanager 0.25 lets them."""
    text = (ALERTMANAGER / "receivers.example.yml").read_text()
    for name in ("webhook", "slack", "pagerduty", "e-mail", "wecom", "dingtalk", "feishu"):
        if f"  - name: {name}\n" not in text:
            problem(f"receivers.example.yml: no receiver {name}")
    for field in re.findall(r"^\s*(?:- )?(api_url|routing_key|service_key|smtp_auth_password|credentials|password):", text, re.M):
        problem(f"receivers.example.yml: {field} is not read from a file")


def services_of(compose):
    """Name → text of each service of the compose file, which is written in one plain style."""
    text = compose.split("\nservices:\n", 1)[1].split("\nnetworks:\n", 1)[0]
    parts = re.split(r"^  (\w+):\n", text, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2]))


def check_service(name, text):
    where = f"docker-compose.yml: {name}"
    for part, why in (("<<: *hardening", "the hardening"), ("mem_limit:", "a limit of memory"), ("healthcheck:", "a health check")):
        if part not in text:
            problem(f"{where}: {why} is missing")
    if (name == "keyherd") == ("profiles:" in text):
        problem(f"{where}: the agent alone is without a profile")
    if re.search(r"privileged|cap_add|docker\.sock|user: *[\"']?root", text):
        problem(f"{where}: has more rights than it needs")
    for port in re.findall(r'ports: \["([^"]+)"', text):
        if not port.startswith("${PUBLISH_ADDRESS:-127.0.0.1}:"):
            problem(f"{where}: port {port} is not on loopback by default")
    for line in re.findall(r"^      ([A-Z_]+): (?!/run/secrets/)(.+)$", text, re.M):
        if re.search(r"PASSWORD|TOKEN|SECRET|KEY", line[0]):
            problem(f"{where}: {line[0]} holds a secret that belongs into a file")
    for image in re.findall(r"image: (\S+)", text):
        if not re.fullmatch(r"\$\{\w+:-[\w./-]+:v?\d+\.\d+\.\d+\}", image):
            problem(f"{where}: image {image} is not pinned")
    for path in re.findall(r"- (\./[^:\s]+):", text):
        if not path.startswith("./secrets/") and not (ROOT / path).exists():
            problem(f"{where}: {path} does not exist")


def check_mounts(services):
    """What Prometheus, Alertmanager and Grafana are told to read is what is mounted there."""
    for service, target, named_in, text in (
            ("prometheus", "/etc/prometheus/rules", "deploy/prometheus/prometheus.yml", "rules/keyherd-*.yml"),
            ("prometheus", "/etc/prometheus/secrets/metrics.token", "deploy/prometheus/prometheus.yml", "secrets/metrics.token"),
            ("alertmanager", "/etc/alertmanager", "deploy/alertmanager/alertmanager.yml", "templates/*.tmpl"),
            ("grafana", "/etc/keyherd/dashboards", "deploy/grafana/provisioning/dashboards/keyherd.yml", "path: /etc/keyherd/dashboards")):
        if f":{target}:ro" not in services[service]:
            problem(f"docker-compose.yml: {service} has nothing at {target}")
        if text not in (ROOT / named_in).read_text():
            problem(f"{named_in}: does not read {text}")
    sources = (ROOT / "deploy/grafana/provisioning/datasources/keyherd.yml").read_text()
    scrape = re.search(r"scrape_interval: (\w+)", (ROOT / "deploy/prometheus/prometheus.yml").read_text())[1]
    if f"timeInterval: {scrape}\n" not in sources:
        problem("the data source's timeInterval is not the scrape interval: $__rate_interval would be wrong")


def check_dockerfile():
    text = (ROOT / "deploy/docker/Dockerfile").read_text()
    final = text.rsplit("\nFROM ", 1)[1]
    if not final.startswith("debian:bookworm-slim\n") or "\nUSER keyherd\n" not in final or "\nHEALTHCHECK " not in final:
        problem("Dockerfile: the last stage is to be Debian slim, with a user of its own and a health check")
    if re.search(r"apt-get install(?!.*--no-install-recommends)", final):
        problem("Dockerfile: apt-get install without --no-install-recommends")


def check_compose():
    compose = ROOT / "docker-compose.yml"
    services = services_of(compose.read_text())
    if set(services) != {"keyherd", "sandbox", "prometheus", "alertmanager", "grafana"}:
        problem(f"{compose.name}: services {sorted(services)}")
        return
    for name, text in services.items():
        check_service(name, text)
    check_mounts(services)
    check_dockerfile()
    for profiles in ([], ["--profile", "monitoring", "--profile", "demo"]):
        run("docker-compose config", need("docker-compose", "docker-compose"), "--project-directory", str(ROOT), "-f",
            str(compose), *profiles, "config", "-q")


def check_deploy():
    promtool = need("promtool", "prometheus")
    amtool = need("amtool", "prometheus-alertmanager")
    run("promtool check config", promtool, "check", "config", "--syntax-only",
        str(ROOT / "deploy/prometheus/prometheus.yml"))
    for name in ("alertmanager.yml", "receivers.example.yml"):
        run(f"amtool check-config {name}", amtool, "check-config", str(ALERTMANAGER / name))
    check_routes(amtool)
    check_templates(amtool)
    check_receivers()
    check_compose()


CHECKS = {"rules": check_rules, "deploy": check_deploy}


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
