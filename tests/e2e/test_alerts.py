#!/usr/bin/env python3
"""The whole chain with the real programs and the shipped files: sandbox and log -> agent -> Prometheus
with the shipped rules -> Alertmanager with the shipped routes -> a webhook."""
import json
import re
import shutil

from harness import (ROOT, Agent, EndToEnd, Program, Sink, environment_for, free_port, http_request,
                     key_config, main, utc_now, wait_until)


class Alerts(EndToEnd):
    def start_alertmanager(self, sink):
        text = (ROOT / "deploy/alertmanager/alertmanager.yml").read_text()
        text = re.sub(r"url: *'?\"?http[^'\"\s,}]+/?([a-z-]*)'?\"?",
                      lambda m: f"url: 'http://127.0.0.1:{sink.port}/{m.group(1)}'", text)
        text = re.sub(r"group_wait: *\d+s", "group_wait: 0s", text)
        text = re.sub(r"group_interval: *\w+", "group_interval: 1s", text)
        shutil.copytree(ROOT / "deploy/alertmanager/templates", self.directory / "templates")
        port = free_port()
        config = self.write("alertmanager.yml", text)
        self.programs.append(Program("alertmanager", [
            "prometheus-alertmanager", f"--config.file={config}", f"--storage.path={self.directory}/am",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], self.directory))
        wait_until(lambda: http_request("GET", f"http://127.0.0.1:{port}/-/ready")[0] == 200, "Alertmanager is ready")
        return port

    def start_prometheus(self, agent, alertmanager_port):
        rules = self.directory / "rules"
        rules.mkdir()
        for path in (ROOT / "rules").glob("*.yml"):
            # Only the waiting times differ from what is shipped.
            text = re.sub(r"\b(for|keep_firing_for): *\w+", r"\1: 0s", path.read_text())
            text = text.replace("keep_firing_for: 0s", "keep_firing_for: 1s")
            (rules / path.name).write_text(text)
        port = free_port()
        text = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
        text = re.sub(r"scrape_interval: *\w+", "scrape_interval: 1s", text)
        text = re.sub(r"scrape_timeout: *\w+", "scrape_timeout: 1s", text)
        text = re.sub(r"evaluation_interval: *\w+", "evaluation_interval: 1s", text)
        text = text.replace("keyherd:9925", f"127.0.0.1:{agent.port}")
        text = text.replace("alertmanager:9093", f"127.0.0.1:{alertmanager_port}")
        text = text.replace("prometheus:9090", f"127.0.0.1:{port}")
        self.write("secrets/metrics.token", agent.token, 0o600)
        config = self.write("prometheus.yml", text)
        self.programs.append(Program("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.directory}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=2s"], self.directory))
        wait_until(lambda: http_request("GET", f"http://127.0.0.1:{port}/-/ready")[0] == 200, "Prometheus is ready")
        return port

    @staticmethod
    def alerts(sink, name):
        """(path, severity, status, labels) of each arrival of an alert."""
        found = []
        for path, body in list(sink.received):
            for alert in body.get("alerts", []):
                if alert["labels"]["alertname"] == name:
                    found.append((path, alert["labels"]["severity"], alert["status"], alert["labels"]))
        return found

    def test_a_revoked_key_and_a_filling_quota_reach_a_person(self):
        names = ["k1", "k2", "k3"]
        base, control = self.sandbox({name: {} for name in names})
        sink = Sink()
        self.sinks.append(sink)
        self.append_log([])
        agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                            f'probe = {{ every = "2s", timeout = "2s", confirm_after = "1s" }}\n\n'
                            + key_config(names, quotas='["daily"]') +
                            '[quotas.daily]\nlimit = 1000\nunit = "tokens"\nwindow = "day"\n\n'
                            f'[pools.prod]\nkeys = {json.dumps(names)}\nstrategy = "round_robin"\n'
                            'publish = [{ file = "prod.json" }]\n\n[usage_logs.clients]\npath = "usage.jsonl"\n',
                      environment_for(names)).start()
        for name in names:
            agent.wait_state(name, "healthy")
        alertmanager = self.start_alertmanager(sink)
        prometheus = self.start_prometheus(agent, alertmanager)
        published = lambda: json.loads((self.directory / "prod.json").read_text())
        first = wait_until(lambda: (self.directory / "prod.json").exists() and published(), "prod is published")

        # The provider revokes the key in use: another is published, and somebody is told.
        control("PUT", f"keys/{first['key']}", {"state": "revoked"})
        wait_until(lambda: published()["generation"] > first["generation"], "another key is published", 30)
        wait_until(lambda: [a for a in self.alerts(sink, "KeyherdKeyRejected")
                            if a[2] == "firing" and a[3]["key"] == first["key"]], "KeyherdKeyRejected arrives", 30)

        # A quota fills: the alert of each level arrives as it is crossed.
        spare = next(name for name in names if name not in (first["key"], published()["key"]))
        used = 0
        for tokens, level in ((710, "info"), (860, "warning"), (960, "critical")):
            self.append_log([{"ts": utc_now(), "key": spare, "model": "m", "input_tokens": tokens - used,
                              "output_tokens": 0, "status": 200}])
            used = tokens
            query = f"http://127.0.0.1:{prometheus}/api/v1/alerts"

            def firing(level=level):
                alerts = http_request("GET", query)[1]["data"]["alerts"]
                return [a for a in alerts if a["labels"]["alertname"] == "KeyherdQuotaUsageHigh"
                        and a["labels"]["severity"] == level and a["labels"]["key"] == spare and a["state"] == "firing"]
            wait_until(firing, f"the {level} alert of the quota fires", 30)
            if level != "info":  # info goes to nobody: that is the shipped route
                wait_until(lambda level=level: [a for a in self.alerts(sink, "KeyherdQuotaUsageHigh")
                                                if a[1] == level and a[2] == "firing"], f"{level} arrives", 30)
        # Every rule can be evaluated on live data.
        groups = http_request("GET", f"http://127.0.0.1:{prometheus}/api/v1/rules")[1]["data"]["groups"]
        bad = [(rule["name"], rule.get("lastError")) for group in groups for rule in group["rules"]
               if rule["health"] not in ("ok", "unknown")]
        self.assertEqual(bad, [])
        up = http_request("GET", f"http://127.0.0.1:{prometheus}/api/v1/query?query=up%7Bjob%3D%22keyherd%22%7D")[1]
        self.assertEqual(up["data"]["result"][0]["value"][1], "1")

        # The key is good again: the alert resolves.
        control("PUT", f"keys/{first['key']}", {"state": "ok"})
        agent.post(f"/api/v1/keys/{first['key']}/probe")
        agent.post(f"/api/v1/keys/{first['key']}/probe")
        agent.wait_state(first["key"], "healthy", 30)
        wait_until(lambda: [a for a in self.alerts(sink, "KeyherdKeyRejected") if a[2] == "resolved"],
                   "KeyherdKeyRejected resolves", 40)


if __name__ == "__main__":
    main()
