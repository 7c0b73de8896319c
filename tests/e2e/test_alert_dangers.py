#!/usr/bin/env python3
"""The slower dangers, provoked: money that goes, budgets and limits that fill, keys that flap, a state that cannot be
saved, an agent that restarts. What is of severity info is looked for in Prometheus: the shipped routes tell nobody."""
import json
import sqlite3
import time

from harness import Agent, Sink, environment_for, free_port, http_request, key_config, main, secret_of, utc_now, wait_until
from monitoring import Monitored

STORM = [f"s{i}" for i in range(13)]
KEYS = {"rich": "wallet", "leaky": "wallet2", "flappy": "calm", "busy": "calm", "dear": "calm", "any": "open", "spent": "budget",
        "open1": "compat", "slow": "calm", "lost": "calm",
        **{key: f"of-{key}" for key in STORM}}
# Panels of what does not happen here, and why.
STAYS_EMPTY = {"keyherd-providers: Clock skew A": "the sandbox's answers bear no date",
               "keyherd-agent: Audit log C": "the audit log can be written here", "keyherd-agent: Audit log D": "and so nothing is dropped",
               "keyherd-agent: Not read yet B": "needs a log that was compressed or deleted while no agent ran"}
RECEIVER = {"critical": "/page", "warning": "/default", "info": None}


class AlertDangers(Monitored):
    def config(self, base, days_ago):
        text = ""
        for face in sorted(set(KEYS.values())):
            probe = 'every = "1s", timeout = "1s", confirm_after = "1s", jitter = 0.0'
            probe += {"budget": ', method = "chat"', "open": ', method = "models", control_every = "1s"'}.get(
                face, ', method = "balance", control_every = "0s"')
            kind, path = ("openai_compat", f"{face}/v1") if face == "compat" else ("deepseek", face)
            if face == "compat":
                probe = 'every = "1s", timeout = "1s", method = "chat", model = "gpt-4.1-nano", control_every = "0s", latency_limit = "1s"'
            text += f'[providers.{face}]\ntype = "{kind}"\nbase_url = "{base}/{path}"\nprobe = {{ {probe} }}\n'
            if face == "wallet":
                text += "balance_thresholds = { USD = { warning = 8, critical = 4 } }\n"
            text += f"[providers.{face}.prices.m]\ninput = 100\noutput = 100\n\n"
        for key, face in KEYS.items():
            more = {"busy": {"quotas": '["daily"]'}, "dear": {"created_at": days_ago, "max_age": '"2d"'},
                    "slow": {"expires_at": "2099-01-01T00:00:00Z"}}.get(key, {})
            text += key_config([key], face, **more)
        return text + ('[quotas.daily]\nlimit = 100000\nunit = "tokens"\nwindow = "month"\n\n'
                       f'[pools.storm]\nkeys = {json.dumps(STORM)}\nschedule = "@daily"\npublish = [{{ file = "storm.json" }}]\n\n'
                       '[pools.well]\nkeys = ["slow", "busy"]\nschedule = "*/2 * * * * *"\npublish = [{ file = "well.json" }]\n\n'
                       f'[pools.deaf]\nkeys = ["slow", "busy"]\npublish = [{{ webhook = "http://127.0.0.1:{free_port()}/" }}]\n\n'
                       '[usage_logs.clients]\npath = "usage.jsonl"\nlag_threshold_bytes = 1000\nidle_after = "1h"\n'
                       '[usage_logs.packed]\npath = "packed.jsonl*"\nread_gz = true\n')

    def spend(self, base, key, chats):
        """A client that logs nothing."""
        for _ in range(chats):
            status, _ = http_request("POST", f"{base}/{KEYS[key]}/chat/completions",
                                     {"model": "deepseek-flash", "messages": [{"role": "user", "content": "hello"}]},
                                     token=secret_of(key))
            self.assertEqual(status, 200)

    def line(self, key, tokens):
        return {"ts": utc_now(), "key": key, "model": "m", "input_tokens": tokens, "output_tokens": 0, "status": 200}

    def make_trouble(self, agent, control):
        """Of all that has no alert here: what the boards show of logs, requests, keys and pools."""
        control("PUT", "keys/slow", {"state": "throttled", "for": "5s"})
        odd = self.line("busy", 1)
        self.append_log([
            {**odd, "model": "of-no-price"}, {**odd, "key": "nobody"}, {**odd, "ts": "2020-01-01T00:00:00Z"},
            {**odd, "ts": "2090-01-01T00:00:00Z"}, {**odd, "cached_input_tokens": 1, "output_tokens": 9, "reasoning_tokens": 5},
            {**odd, "request_id": "twice"}, {**odd, "request_id": "twice", "input_tokens": 2}, {**odd, "input_tokens": None},
            *({**odd, "model": f"m{i}"} for i in range(40))])
        (self.directory / "packed.jsonl.1.gz").write_bytes(b"\x1f\x8b and then no gzip")
        agent.post("/api/v1/keys/open1/probe")  # by hand it is sent, whatever the budget says
        http_request("GET", agent.url("/api/v1/status"), token="not-a-token-of-this-agent")
        agent.post("/-/reload")  # and the secret of `lost` is still not there
        agent.post("/api/v1/pools/deaf/rotate", {})

    def replace_log(self):
        """By rename, and by truncation."""
        (self.directory / "usage.jsonl").rename(self.directory / "old.jsonl")
        self.append_log([self.line("busy", 1)])

    def firing(self, alert):
        name, severity, (label, value) = alert
        alerts = http_request("GET", f"http://127.0.0.1:{self.prometheus}/api/v1/alerts")[1]["data"]["alerts"]
        return any(a["state"] == "firing" and a["labels"]["alertname"] == name and a["labels"]["severity"] == severity
                   and a["labels"].get(label) == value for a in alerts)

    def expect(self, *alert, timeout=40, meanwhile=lambda: None):
        name, severity, (label, value) = alert

        def told():
            meanwhile()
            if RECEIVER[severity] is None:
                return self.firing(alert)
            return {path for path, level, status, labels in self.alerts(self.sink, name)
                    if (level, status, labels.get(label)) == (severity, "firing", value)} == {RECEIVER[severity]}
        wait_until(told, f"{name} of severity {severity} for {value}", timeout, 0.3)

    def seen(self, expression):
        found = http_request("GET", f"http://127.0.0.1:{self.prometheus}/api/v1/query?query={expression}")[1]["data"]["result"]
        return found[0]["value"][1] if found else None

    def test_the_slower_dangers_reach_who_should_know(self):
        prices = {"price_per_request": 0.5}
        base, control = self.sandbox({key: {"face": face, **(prices if "wallet" in face else {})} for key, face in KEYS.items()},
                               [{"name": face, **({"open": ["models"]} if face == "open" else {})} for face in sorted(set(KEYS.values()))])
        self.append_log([self.line("dear", 1), self.line("busy", 25_000)])
        environment = environment_for([key for key in KEYS if key != "lost"])
        agent = Agent(self, self.config(base, "2026-01-01T00:00:00Z"), environment)
        agent.config_path.write_text(agent.config_path.read_text().replace(
            "[agent]\n", "[agent]\nunaccounted_spend = 0.4\nspend_anomaly_floor = 0.5\nprobe_budget_tokens = 30\n", 1))
        agent.start()
        agent.wait_state("rich", "healthy")
        self.sink = Sink()
        self.sinks.append(self.sink)
        self.prometheus = self.start_prometheus(agent, self.start_alertmanager(self.sink))
        began = time.time()
        wait_until(lambda: self.seen("keyherd_build_info"), "the first scrape")

        self.make_trouble(agent, control)

        # What stands from the start.
        self.expect("KeyherdKeyTooOld", "warning", ("key", "dear"))
        self.expect("KeyherdEndpointAcceptsAnyKey", "info", ("provider", "open"))
        self.expect("KeyherdProbeBudgetSpent", "warning", ("job", "keyherd"))
        # Its probes all cost money, and there is none left for today.
        self.expect("KeyherdProbeStale", "warning", ("key", "spent"))

        # Money: a balance that falls to one level and the next, and spending that no log has.
        self.spend(base, "rich", 5)
        self.expect("KeyherdBalanceLow", "warning", ("key", "rich"))
        self.expect("KeyherdBalanceRunsOutSoon", "warning", ("key", "rich"))
        self.spend(base, "leaky", 2)
        self.expect("KeyherdUnaccountedSpend", "critical", ("key", "leaky"))
        self.spend(base, "rich", 8)
        self.expect("KeyherdBalanceLow", "critical", ("key", "rich"))

        # A quota that will not last, and a key that costs many times what it did.
        self.expect("KeyherdQuotaWillExhaust", "warning", ("key", "busy"), meanwhile=lambda: self.append_log([self.line("busy", 10)]))
        wait_until(lambda: self.seen("key:keyherd_usage_cost:rate1h%7Bkey=%22dear%22%7D%20offset%2020s"), "some history", 40, 0.5)
        self.expect("KeyherdSpendAnomaly", "warning", ("key", "dear"), meanwhile=lambda: self.append_log([self.line("dear", 2_000)]))

        # Unrest.
        self.replace_log()
        def flap():
            agent.post("/api/v1/keys/flappy/pause")
            wait_until(lambda: self.seen("keyherd_key_up%7Bkey=%22flappy%22%7D") == "0", "seen paused", 10, 0.1)
            agent.post("/api/v1/keys/flappy/resume")
            agent.post("/api/v1/keys/flappy/probe")
            wait_until(lambda: self.seen("keyherd_key_up%7Bkey=%22flappy%22%7D") == "1", "seen healthy", 10, 0.1)
        self.expect("KeyherdKeyFlapping", "info", ("key", "flappy"), meanwhile=flap)
        active = lambda: agent.get("/api/v1/pools/storm")["active"]

        def moved(was):
            # Again and again: a probe that succeeds in between speaks for the key.
            self.append_log([{**self.line(was, 0), "status": 401}] * 3)
            return active() != was
        for _ in STORM[1:]:
            was = active()
            wait_until(lambda was=was: moved(was), "the pool moves", every=0.1)
        self.expect("KeyherdFailoverStorm", "warning", ("pool", "storm"))

        # The disk: nothing is saved, so nothing is taken from the log, and both are told.
        other = sqlite3.connect(self.directory / "keyherd.db", isolation_level=None, timeout=20)
        other.execute("BEGIN IMMEDIATE")
        self.expect("KeyherdStateNotSaved", "warning", ("job", "keyherd"), timeout=90)
        self.expect("KeyherdUsageLogLagging", "warning", ("source", "clients"), meanwhile=lambda: self.append_log([self.line("busy", 1)] * 20))
        other.execute("ROLLBACK")
        other.close()
        resolved = lambda name: any(status == "resolved" for _, _, status, _ in self.alerts(self.sink, name))
        for name in ("KeyherdStateNotSaved", "KeyherdUsageLogLagging"):
            wait_until(lambda name=name: resolved(name), f"{name} resolves", 60, 0.3)

        # An agent that dies again and again.
        def restart():
            started = self.seen("process_start_time_seconds%7Bjob=%22keyherd%22%7D")
            agent.program.kill()
            agent.program.wait()
            agent.start()
            wait_until(lambda: self.seen("process_start_time_seconds%7Bjob=%22keyherd%22%7D") not in (None, started), "seen again", 20, 0.1)
        self.expect("KeyherdRestarting", "warning", ("job", "keyherd"), timeout=60, meanwhile=restart)
        groups = http_request("GET", f"http://127.0.0.1:{self.prometheus}/api/v1/rules")[1]["data"]["groups"]
        self.assertEqual([(rule["name"], rule.get("lastError")) for group in groups for rule in group["rules"]
                          if rule["health"] != "ok"], [])
        # All of it is on the boards.
        self.assertEqual([where for where in self.panels_without_data(self.prometheus, time.time() - began) if where not in STAYS_EMPTY], [])


if __name__ == "__main__":
    main()
