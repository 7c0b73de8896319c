#!/usr/bin/env python3
"""What docker-compose.yml starts, started as processes: the demo's configuration and scenario, with the very
arguments and environment of the file, and Prometheus with the shipped configuration. Only paths and ports differ."""
import json
import re
import subprocess
import urllib.parse

from harness import KEYHERD, ROOT, Program, Sink, free_port, http_request, main, wait_until
from monitoring import Monitored


class Compose(Monitored):
    def setUp(self):
        super().setUp()
        self.compose = (ROOT / "docker-compose.yml").read_text()
        self.port, self.sandbox_port = free_port(), free_port()
        for folder in ("state", "run", "log", "secrets"):
            (self.directory / folder).mkdir()
        self.token = "compose-admin-token-0123456789"
        for name in ("admin", "metrics"):
            self.write(f"secrets/keyherd_{name}_token", f"{self.token if name == 'admin' else 'compose-metrics-token-012345'}\n", 0o600)

    def here(self, text):
        for there, folder in (("/var/lib/keyherd", "state"), ("/run/keyherd", "run"), ("/var/log/llm", "log"), ("/run/secrets", "secrets")):
            text = text.replace(there, str(self.directory / folder))
        return text.replace("0.0.0.0:9925", f"127.0.0.1:{self.port}").replace(":8099", f":{self.sandbox_port}")

    def service(self, name):
        return re.search(rf"^  {name}:\n((?:    .*\n|\n)+)", self.compose, re.M)[1]

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def test_the_demo_lives(self):
        arguments = re.findall(r"^      - (--.+|sandbox)$", self.service("sandbox"), re.M)
        self.assertEqual(arguments[0], "sandbox")
        arguments = [self.here(a).replace("/etc/sandbox/", f"{ROOT}/deploy/demo/").replace("--port=8099", f"--port={self.sandbox_port}")
                     for a in arguments]
        self.programs.append(Program("sandbox", [KEYHERD, *arguments], self.directory))
        environment = dict(re.findall(r"^      (DEMO_\w+): (\S+)$", self.service("keyherd"), re.M))
        self.assertEqual(len(environment), 4)
        config = self.write("keyherd.toml", self.here((ROOT / "deploy/demo/keyherd.toml").read_text()))
        environment["KEYHERD_CONFIG"] = str(config)
        self.programs.append(Program("keyherd", [KEYHERD, "run"], self.directory, environment))
        wait_until(lambda: http_request("GET", self.url("/-/ready"))[0] == 200, "the agent is ready")
        # The image's health check, with nothing but the image's environment.
        health = subprocess.run([str(KEYHERD), "healthcheck"], capture_output=True, text=True, timeout=30, check=False, env=environment)
        self.assertEqual(health.returncode, 0, health.stdout + health.stderr)
        for pool in ("search", "batch"):
            wait_until(lambda pool=pool: (self.directory / f"run/{pool}.json").exists(), f"{pool} is published")

        def used():
            keys = http_request("GET", self.url("/api/v1/keys"), token=self.token)[1]
            return sum(key["usage"]["requests"] for key in keys) > 5
        wait_until(used, "the clients' requests are counted", 40)

        sink = Sink()
        self.sinks.append(sink)
        agent = type("Scraped", (), {"port": self.port, "token": "compose-metrics-token-012345"})
        prometheus = self.start_prometheus(agent, self.start_alertmanager(sink))
        query = f"http://127.0.0.1:{prometheus}/api/v1/query?query="
        wait_until(lambda: http_request("GET", query + "sum(keyherd_usage_requests_total)")[1]["data"]["result"], "Prometheus has scraped it")
        wait_until(lambda: [body for path, body in sink.received if path == "/watchdog"], "the watchdog is heard")
        missing = self.boards_without_data(query)
        self.assertEqual(missing, [])

    def boards_without_data(self, query):
        """Panels of the overview that show nothing on a herd that has just begun to live, of those that always should."""
        board = json.loads((ROOT / "dashboards/keyherd-overview.json").read_text())
        always = {"Pools", "Keys", "Provider endpoints", "Quotas, fullest first", "Fullest quota", "Keys that cannot serve",
                  "Pools without a spare", "Pools with no usable key", "Alerts firing"}
        missing = []
        for panel in board["panels"]:
            if panel["title"] not in always:
                continue
            always.discard(panel["title"])
            for target in panel["targets"]:
                expression = target["expr"]
                for name, value in (("$job", ".+"), ("$instance", ".+"), ("$provider", ".+"), ("$__range", "1h")):
                    expression = expression.replace(name, value)
                optional = "balance" in expression or "next_run" in expression or "increase" in expression or "decision" in expression
                status, body = http_request("POST", query.split("?", 1)[0] + "?" + urllib.parse.urlencode({"query": expression}))
                if status != 200 or (not body["data"]["result"] and not optional):
                    missing.append((panel["title"], expression, status))
        return missing + sorted(always)


if __name__ == "__main__":
    main()
