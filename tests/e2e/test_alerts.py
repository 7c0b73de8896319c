#!/usr/bin/env python3
"""The whole chain with the real programs and the shipped files: sandbox and log -> agent -> Prometheus
with the shipped rules -> Alertmanager with the shipped routes -> a webhook."""
import json

from harness import Agent, Sink, environment_for, http_request, key_config, main, utc_now, wait_until
from monitoring import Monitored


class Alerts(Monitored):
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
        # The command says the same, and what a Prometheus lacks.
        there = agent.cli("rules", "--check", "--prometheus", f"http://127.0.0.1:{prometheus}")
        self.assertRegex(there.stdout, r"has (\d+) of \1 rules$")
        (self.directory / "rules/keyherd-recording.yml").unlink()
        self.assertEqual(http_request("POST", f"http://127.0.0.1:{prometheus}/-/reload")[0], 200)
        lacking = json.loads(agent.cli("rules", "--check", "--prometheus", f"http://127.0.0.1:{prometheus}", "--json", expect=1).stdout)
        self.assertIn("provider:keyherd_key_up:avg", [rule["rule"] for rule in lacking["missing"]])
        self.assertNotIn("KeyherdKeyRejected", [rule["rule"] for rule in lacking["missing"]])
        gone = agent.cli("rules", "--check", "--prometheus", "http://127.0.0.1:1", expect=3)
        self.assertIn("--prometheus URL", gone.stderr)
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
