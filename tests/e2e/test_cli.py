#!/usr/bin/env python3
"""The command line as people and scripts use it: exit codes, JSON shapes, one clear line for mistakes."""
import json
import os
import subprocess

from harness import KEYHERD, Agent, EndToEnd, environment_for, free_port, key_config, main, wait_until


class CommandLine(EndToEnd):
    def run_keyherd(self, *arguments, expect=0, environment=None):
        done = subprocess.run([str(KEYHERD), *arguments], capture_output=True, text=True, timeout=60, check=False,
                              cwd=self.directory, env={"PATH": os.environ["PATH"], **(environment or {})})
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done

    def test_help_and_version(self):
        text = self.run_keyherd("--help").stdout
        for command in ("init", "check", "run", "probe", "status", "rotate", "schedule", "usage", "sandbox", "healthcheck"):
            self.assertIn(command, text)
        version = json.loads(self.run_keyherd("version", "--json").stdout)
        self.assertIn("sqlite", version["libraries"])
        self.assertRegex(self.run_keyherd("version").stdout, r"^keyherd \d+\.\d+\.\d+ ")

    def test_mistakes_get_one_line_and_exit_code_2(self):
        for arguments in ([], ["nonsense"], ["status", "--no-such-option"], ["rotate"]):
            done = self.run_keyherd(*arguments, expect=2)
            self.assertEqual(len(done.stderr.strip().splitlines()), 1, done.stderr)
        error = json.loads(self.run_keyherd("rotate", "--json", expect=2).stdout)
        self.assertIn("message", error["error"])

    def test_without_a_configuration_it_says_how_to_get_one(self):
        done = self.run_keyherd("check", expect=2)
        self.assertIn("keyherd init", done.stderr)

    def test_init_writes_references_that_check_accepts(self):
        environment = {"DEEPSEEK_API_KEY": "sk-init-canary-0123456789", "OPENAI_API_KEY": "sk-init-canary-9876543210"}
        done = self.run_keyherd("init", environment=environment)
        text = (self.directory / "keyherd.toml").read_text()
        self.assertIn("env:DEEPSEEK_API_KEY", text)
        self.assertNotIn("canary", text + done.stdout)
        self.run_keyherd("check", environment=environment)
        self.assertIn("exists", self.run_keyherd("init", expect=2, environment=environment).stderr)

    def test_check_names_every_mistake_with_its_place(self):
        self.write("keyherd.toml", '[providers.p]\ntype = "depseek"\n\n[keys.k]\nprovider = "q"\nsecret = "env:X"\ncolour = 1\n')
        done = self.run_keyherd("check", expect=2)
        lines = done.stderr.strip().splitlines()
        self.assertGreaterEqual(len(lines), 3, done.stderr)
        for line in lines:
            self.assertRegex(line, r"keyherd\.toml:\d+:\d+: \S+: ")
        self.assertIn("deepseek", done.stderr)  # did you mean
        problems = json.loads(self.run_keyherd("check", "--json", expect=2).stdout)["error"]["problems"]
        self.assertEqual(problems[0]["line"], 2)

    def test_schedule_explains_an_expression_without_a_configuration(self):
        firings = json.loads(self.run_keyherd("schedule", "--cron", "30 2 * * *", "--timezone", "America/New_York",
                                              "--from", "2026-03-07T17:00:00Z", "--count", "2", "--json").stdout)
        self.assertEqual([f["at"] for f in firings], ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"])
        self.assertEqual(firings[0]["local"], "2026-03-08T03:00:00-04:00")
        self.assertIn("minute", self.run_keyherd("schedule", "--cron", "61 * * * *", expect=2).stderr)
        self.assertIn("Mars/Olympus", self.run_keyherd("schedule", "--cron", "@daily", "--timezone", "Mars/Olympus", expect=2).stderr)

    def test_usage_sums_a_file_offline(self):
        line = {"ts": "2026-11-22T10:15:30.123Z", "key": "a", "model": "m", "input_tokens": 812,
                "cached_input_tokens": 512, "output_tokens": 143, "status": 200, "cost_usd": 0.000132}
        self.append_log([line, line, {**line, "key": "b", "status": 429, "input_tokens": 0, "output_tokens": 0}])
        rows = json.loads(self.run_keyherd("usage", "--file", "usage.jsonl", "--by", "key,day", "--json").stdout)
        self.assertEqual([(r["key"], r["day"], r["requests"], r["failed_requests"], r["input_tokens"]) for r in rows],
                         [("a", "2026-11-22", 2, 0, 1624), ("b", "2026-11-22", 1, 1, 0)])
        self.assertAlmostEqual(rows[0]["cost_usd"], 0.000264)
        self.assertIn("colour", self.run_keyherd("usage", "--file", "usage.jsonl", "--by", "colour", expect=2).stderr)
        self.run_keyherd("usage", "--file", "missing.jsonl", expect=2)

    def test_without_an_agent_the_exit_code_is_3(self):
        self.write("keyherd.toml", f'[agent]\nlisten = "127.0.0.1:{free_port()}"\n\n[providers.p]\ntype = "deepseek"\n')
        for command in ("status", "healthcheck"):
            self.assertIn("keyherd run", self.run_keyherd(command, expect=3).stderr)

    def test_probe_tells_good_keys_from_bad_without_an_agent(self):
        base, control = self.sandbox({"good": {}, "bad": {}, "broke": {"balance": 0}})
        control("PUT", "keys/bad", {"state": "revoked"})
        names = ["good", "bad", "broke"]
        self.write("keyherd.toml", f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n\n' + key_config(names))
        environment = environment_for(names)
        rows = json.loads(self.run_keyherd("probe", "--json", expect=1, environment=environment).stdout)
        self.assertEqual({r["key"]: r["verdict"] for r in rows},
                         {"good": "ok", "bad": "invalid_key", "broke": "balance_exhausted"})
        self.assertEqual(set(rows[0]), {"key", "provider", "verdict", "http_status", "latency_ms", "message", "retry_at"})
        self.run_keyherd("probe", "good", environment=environment)
        self.assertIn("did you mean 'good'", self.run_keyherd("probe", "goood", expect=2, environment=environment).stderr)
        self.assertIn("invalid_key", self.run_keyherd("check", "--probe", expect=1, environment=environment).stdout)

    def test_status_rotate_and_history_on_a_running_agent(self):
        names = ["k1", "k2"]
        base, _ = self.sandbox({name: {} for name in names})
        agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\nprobe = {{ every = "2s" }}\n\n'
                      + key_config(names) + '[pools.prod]\nkeys = ["k1", "k2"]\nschedule = "0 3 * * *"\n',
                      environment_for(names)).start()
        for name in names:
            agent.wait_state(name, "healthy")
        agent.wait_committed("prod")
        status = json.loads(agent.cli("status", "--json").stdout)
        self.assertEqual(set(status["keys"][0]) & {"id", "provider", "state", "verdict", "since", "quotas"},
                         {"id", "provider", "state", "verdict", "since", "quotas"})
        self.assertEqual(set(status["pools"][0]) & {"id", "active", "generation", "available", "next_rotation_at"},
                         {"id", "active", "generation", "available", "next_rotation_at"})
        self.assertIn("healthy", agent.cli("status").stdout)
        first = status["pools"][0]
        plan = json.loads(agent.cli("rotate", "prod", "--dry-run", "--json").stdout)
        self.assertEqual((plan["state"], plan["from"]), ("planned", first["active"]))
        done = json.loads(agent.cli("rotate", "prod", "--json", "--reason", "because").stdout)
        self.assertEqual((done["state"], done["generation"]), ("committed", first["generation"] + 1))
        self.assertEqual(set(done) & {"rotation", "pool", "from", "to", "state"}, {"rotation", "pool", "from", "to", "state"})
        refused = agent.cli("rotate", "prod", "--to", "nobody", expect=1)
        self.assertIn("nobody", refused.stdout)
        self.assertIn("no pool", agent.cli("rotate", "nowhere", expect=2).stderr)
        self.assertIn("because", agent.cli("history", "prod").stdout)
        agent.cli("healthcheck")
        agent.cli("pause", "k1")
        self.assertEqual(agent.key("k1")["state"], "paused")
        agent.cli("resume", "k1")
        agent.wait_state("k1", "healthy")
        self.assertIn("healthy", agent.cli("explain", "k1").stdout)


if __name__ == "__main__":
    main()
