#!/usr/bin/env python3
"""Every alert that the sandbox can provoke is provoked: it arrives once, at the receiver of its severity, and it
resolves when its cause is gone. And the agent's own notifier, without a Prometheus."""
import datetime
import json

from harness import (Agent, Sink, environment_for, free_port, http_request, key_config, main, utc_now, wait_until)
from monitoring import Monitored

KEYS = {  # key: (provider, face)
    "a1": ("alpha", "alpha"), "a2": ("alpha", "alpha"), "a3": ("alpha", "alpha"), "b1": ("beta", "beta"), "c1": ("gamma", "gamma"),
    "c2": ("gamma", "gamma"), "d1": ("delta", "delta"), "d2": ("delta", "delta"), "d3": ("delta", "delta")}
RECEIVER = {"critical": "/page", "warning": "/default"}
# (alert, severity, a label of it) that the mischief of the test makes. The second list ends with its cause, the third
# by the passing of its window.
EXPECTED = [
    ("KeyherdKeyRejected", "warning", ("key", "a1")), ("KeyherdPoolBelowMinimum", "warning", ("pool", "main")),
    ("KeyherdPoolExhausted", "critical", ("pool", "single")), ("KeyherdEndpointDown", "critical", ("provider", "gamma")),
    ("KeyherdKeyDown", "warning", ("key", "d1")), ("KeyherdUsageLogUnreadable", "warning", ("source", "broken")),
    ("KeyherdUsageLogSilent", "warning", ("source", "silent")), ("KeyherdConfigReloadFailed", "warning", ("job", "keyherd"))]
EXPECTED_FOR_A_WHILE = [
    ("KeyherdRotationFailing", "warning", ("pool", "main")), ("KeyherdNotificationsFailing", "warning", ("target", "webhook")),
    ("KeyherdUsageLogRejectingRecords", "warning", ("source", "clients")), ("KeyherdAdminAuthFailures", "warning", ("job", "keyherd")),
    ("KeyherdPausedKeyInUse", "critical", ("key", "d3")), ("KeyherdPoolErrorBudgetBurn", "critical", ("pool", "single"))]
EXPECTED_FOR_EVER = [
    ("KeyherdKeyExpiring", "warning", ("key", "a2")), ("KeyherdKeyExpiring", "critical", ("key", "a3")),
    ("KeyherdPoolNoRedundancy", "warning", ("pool", "single2")), ("KeyherdProbeSlow", "warning", ("provider", "alpha"))]


class AlertChain(Monitored):
    def config(self, base, hole):
        soon = lambda days: (datetime.datetime.utcnow() + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        text = ""
        for provider in ("alpha", "beta", "gamma", "delta"):
            limit = ', latency_limit = "1ms"' if provider == "alpha" else ""
            text += (f'[providers.{provider}]\ntype = "deepseek"\nbase_url = "{base}/{provider}"\n'
                     f'probe = {{ every = "2s", timeout = "2s", confirm_after = "1s"{limit} }}\n\n')
        for key, (provider, _) in KEYS.items():
            expiry = {"a2": soon(10), "a3": soon(1)}.get(key)
            text += key_config([key], provider, **({"expires_at": expiry} if expiry else {}))
        publish = f'publish = [{{ file = "main.json" }}, {{ webhook = "http://127.0.0.1:{hole}/" }}]\n'
        return text + (
            f'[pools.main]\nkeys = ["a1", "a2"]\nmin_available = 2\n{publish}\n'
            '[pools.single]\nkeys = ["b1"]\npublish = [{ file = "single.json" }]\n\n'
            '[pools.single2]\nkeys = ["d2"]\npublish = [{ file = "single2.json" }]\n\n'
            '[usage_logs.clients]\npath = "usage.jsonl"\n\n[usage_logs.silent]\npath = "silent.jsonl"\nidle_after = "3s"\n\n'
            '[usage_logs.broken]\npath = "broken.jsonl"\n')

    def arrivals(self, sink, alert, status):
        name, severity, (label, value) = alert
        return [path for path, level, seen, labels in self.alerts(sink, name)
                if (level, seen, labels.get(label)) == (severity, status, value)]

    def wait_all(self, sink, alerts, status, timeout):
        missing = lambda: [alert for alert in alerts if not self.arrivals(sink, alert, status)]
        try:
            wait_until(lambda: not missing(), "", timeout, 0.2)
        except AssertionError:
            self.fail(f"not {status} within {timeout} s: {missing()}")

    def line(self, key, **more):
        return {"ts": utc_now(), "key": key, "model": "m", "input_tokens": 5, "output_tokens": 1, "status": 200, **more}

    def make_trouble(self, agent, control):
        control("PUT", "keys/a1", {"state": "revoked"})
        control("PUT", "keys/b1", {"state": "revoked"})
        # For longer than the test: between two waits a key is healthy until it is probed, which a scrape may see.
        control("PUT", "keys/d1", {"state": "throttled", "for": "10m"})
        control("POST", "outage", {"face": "gamma", "mode": "503"})
        self.good_config = agent.config_path.read_text()
        agent.config_path.write_text(self.good_config + "\n[pools.broken]\nkeys = 7\n")
        agent.post("/-/reload")
        for _ in range(30):
            http_request("GET", agent.url("/api/v1/status"), token="not-a-token-of-this-agent")

    def keep_trouble(self, agent):
        """What has to go on while Prometheus looks."""
        self.append_log([self.line("d3"), self.line("nobody"), self.line("a2")])
        agent.post("/api/v1/pools/main/rotate", {"to": "a1"})

    def mend(self, agent, control):
        for key in ("a1", "b1", "d1"):
            control("PUT", f"keys/{key}", {"state": "ok"})
        control("POST", "outage", {"face": "gamma", "mode": "none"})
        (self.directory / "broken.jsonl").rmdir()
        (self.directory / "broken.jsonl").write_text("")
        agent.config_path.write_text(self.good_config.replace('idle_after = "3s"', 'idle_after = "1h"'))
        self.assertEqual(agent.post("/-/reload")[0], 200)
        self.append_log([self.line("a2")], "silent.jsonl")
        for act in ("pause", "resume"):  # a person who knows that d1 need not wait any longer
            self.assertEqual(agent.post(f"/api/v1/keys/d1/{act}")[0], 200)
        for key in ("a1", "b1", "d1"):
            agent.post(f"/api/v1/keys/{key}/probe")
            agent.post(f"/api/v1/keys/{key}/probe")
            agent.wait_state(key, "healthy", 60)

    def test_each_alert_arrives_once_where_it_belongs_and_resolves(self):
        base, control = self.sandbox({name: {"face": face} for name, (_, face) in KEYS.items()},
                                     [{"name": face, "latency": "20ms"} for face in ("alpha", "beta", "gamma", "delta")])
        (self.directory / "broken.jsonl").mkdir()
        self.append_log([])
        self.append_log([self.line("a2")], "silent.jsonl")
        agent = Agent(self, self.config(base, free_port()), environment_for(list(KEYS))).start()
        for key in KEYS:
            agent.wait_state(key, "healthy")
        agent.post("/api/v1/keys/d3/pause")
        agent.wait_state("d3", "paused")
        sink = Sink()
        self.sinks.append(sink)
        prometheus = self.start_prometheus(agent, self.start_alertmanager(sink))
        # The counters are seen at rest before they move.
        wait_until(lambda: http_request("GET", f"http://127.0.0.1:{prometheus}/api/v1/query?query=keyherd_build_info")[1]["data"]["result"],
                   "the first scrape")
        self.make_trouble(agent, control)
        expected = EXPECTED + EXPECTED_FOR_A_WHILE + EXPECTED_FOR_EVER

        def all_there():
            self.keep_trouble(agent)
            return all(self.arrivals(sink, alert, "firing") for alert in expected)
        try:
            wait_until(all_there, "", 90, 0.5)
        except AssertionError:
            self.fail(f"did not arrive: {[alert for alert in expected if not self.arrivals(sink, alert, 'firing')]}")
        for alert in expected:
            self.assertEqual(set(self.arrivals(sink, alert, "firing")), {RECEIVER[alert[1]]}, alert)
        # Once: what stays as it is is not told again.
        for alert in EXPECTED:
            self.assertEqual(len(self.arrivals(sink, alert, "firing")), 1, alert)
        self.assertIn("/watchdog", [path for path, _ in sink.received])
        groups = http_request("GET", f"http://127.0.0.1:{prometheus}/api/v1/rules")[1]["data"]["groups"]
        self.assertEqual([(rule["name"], rule.get("lastError")) for group in groups for rule in group["rules"]
                          if rule["health"] != "ok"], [])

        self.mend(agent, control)
        self.wait_all(sink, EXPECTED + EXPECTED_FOR_A_WHILE, "resolved", 120)

        # An agent that is gone is one page, and what it said before is silent.
        agent.program.stop()
        gone = [("KeyherdTargetDown", "critical", ("job", "keyherd"))]
        self.wait_all(sink, gone, "firing", 40)
        self.assertEqual(set(self.arrivals(sink, gone[0], "firing")), {"/page"})
        agent.start()
        self.wait_all(sink, gone, "resolved", 40)

    def test_without_prometheus_the_agent_tells_by_itself(self):
        sink = Sink()
        self.sinks.append(sink)
        alertmanager = self.start_alertmanager(sink)
        own = Sink()
        self.sinks.append(own)
        base, control = self.sandbox({"a1": {}, "a2": {}})
        self.append_log([])
        self.write("hook.token", "hook-token-0123456789", 0o600)
        agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\nprobe = {{ every = "2s", timeout = "2s" }}\n\n'
                            + key_config(["a1", "a2"], quotas='["daily"]') +
                            '[quotas.daily]\nlimit = 1000\nunit = "tokens"\nwindow = "day"\n\n[usage_logs.clients]\npath = "usage.jsonl"\n\n'
                            f'[[notify]]\nalertmanager = "http://127.0.0.1:{alertmanager}"\n\n'
                            f'[[notify]]\nwebhook = "http://127.0.0.1:{own.port}/own"\ntoken = "file:hook.token"\n',
                      environment_for(["a1", "a2"])).start()
        agent.wait_state("a1", "healthy")
        self.append_log([{**self.line("a1"), "input_tokens": 960, "output_tokens": 0}])
        alert = ("KeyherdQuotaUsageHigh", "critical", ("key", "a1"))
        for receiver, path in ((sink, "/page"), (own, "/own")):
            self.wait_all(receiver, [alert], "firing", 30)
            self.assertEqual(self.arrivals(receiver, alert, "firing"), [path])
            # Only the gravest level is told.
            self.assertEqual(len(self.alerts(receiver, alert[0])), 1)
        agent.wait_metric('keyherd_notifications_total{target="alert_webhook"} 1')
        # A larger quota: it is over.
        text = agent.config_path.read_text()
        agent.config_path.write_text(text.replace("limit = 1000\n", "limit = 100000\n"))
        self.assertEqual(agent.post("/-/reload")[0], 200)
        for receiver in (sink, own):
            self.wait_all(receiver, [alert], "resolved", 30)


if __name__ == "__main__":
    main()
