#!/usr/bin/env python3
"""The command line as people and scripts use it: exit codes, JSON shapes, one clear line for mistakes."""
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import urllib.request

from harness import (KEYHERD, Agent, EndToEnd, environment_for, free_port, http_request, key_config, main, utc_now,
                     wait_until)


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

    def test_json_mode_puts_one_object_on_stdout_whatever_is_wrong(self):
        self.write("bad.toml", "[keys.k]\n")
        for arguments in (["statsu"], ["check"], ["check", "--config", "bad.toml"], ["status", "--config", "bad.toml"],
                          ["usage", "--by", "colour"], ["usage", "--file", "gone"], ["schedule", "--cron", "nonsense"],
                          ["man", "nonsense"], ["sandbox", "--scenario", "gone"], ["status", "--every", "soon"]):
            done = self.run_keyherd(*arguments, "--json", expect=2)
            error = json.loads(done.stdout)["error"]
            self.assertTrue(error["code"] and error["message"], done.stdout)
            # Warnings of a configuration are for people, also here.
            self.assertTrue(all(told.startswith("warning: ") for told in done.stderr.splitlines()), done.stderr)

    def test_a_bash_shell_completes_commands_options_keys_and_files(self):
        self.write("keyherd.toml", '[providers.p]\ntype = "deepseek"\n\n' + key_config(["alpha-1", "alpha-2", "beta"], "p")
                   + '[pools.prod]\nkeys = ["beta"]\n')
        self.write("usage.jsonl", "")
        script = self.run_keyherd("completion", "bash").stdout

        def complete(*words):
            # What readline does: the words, the place of the cursor, then the function.
            probe = (script + "\nCOMP_WORDS=(" + " ".join(f"'{w}'" for w in (str(KEYHERD), *words)) + ")\n"
                     f"COMP_CWORD={len(words)}\n_keyherd\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n")
            done = subprocess.run(["bash", "--norc", "-c", probe], capture_output=True, text=True, timeout=30, check=True, cwd=self.directory)
            self.assertEqual(done.stderr, "")
            return done.stdout.split()
        self.assertEqual(complete("sta"), ["status"])
        self.assertIn("usage", complete(""))
        self.assertEqual(complete("usage", "--fol"), ["--follow"])
        self.assertEqual(complete("pause", "al"), ["alpha-1", "alpha-2"])
        self.assertEqual(complete("rotate", "pr"), ["prod"])
        self.assertEqual(complete("rotate", "prod", "--to", "b"), ["beta"])
        self.assertEqual(complete("--config", "keyherd.toml", "pause", "b"), ["beta"])
        self.assertEqual(complete("usage", "--file", "us"), ["usage.jsonl"])
        self.assertEqual(complete("check", "--config", "key"), ["keyherd.toml"])
        self.assertEqual(complete("completion", "f"), ["fish"])

    def on_terminal(self, *arguments, until, environment=None, rows=24, columns=80):
        """What the command shows on a terminal of its own, up to the first time that `until` stands in it."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.directory)
            os.execve(str(KEYHERD), [str(KEYHERD), *arguments], {"PATH": os.environ["PATH"], "TERM": "xterm", **(environment or {})})
        try:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            shown = b""
            while until.encode() not in shown:
                try:
                    more = os.read(terminal, 65536)
                except OSError:  # the other end is closed
                    more = b""
                if not more:
                    self.fail(f"it ended without {until!r}: {shown!r}")
                shown += more
            return shown.decode()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(terminal)

    def test_colour_is_for_terminals_that_want_it(self):
        self.append_log([self.USED, {**self.USED, "key": "b"}])
        usage = ("usage", "--file", "usage.jsonl", "--by", "key")
        self.assertIn("\033[1mtotal", self.on_terminal(*usage, until="total"))
        for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertNotIn("\033", self.on_terminal(*usage, until="total", environment=environment))

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
        self.assertIn("no file *.gone", self.run_keyherd("usage", "--file", "*.gone", expect=2).stderr)

    USED = {"ts": "2026-11-22T17:15:00Z", "key": "a", "model": "m", "input_tokens": 10, "output_tokens": 1,
            "cost_usd": "0.000000001"}

    def test_usage_by_what_the_configuration_says_of_keys(self):
        self.write("keyherd.toml", '[agent]\ntimezone = "Asia/Singapore"\n\n[providers.p]\ntype = "deepseek"\n\n'
                   + key_config(["a", "b"], "p", labels='{ team = "search" }', limit_group='"acct"')
                   + '[pools.prod]\nkeys = ["a", "b"]\n\n[pools.batch]\nkeys = ["b"]\n')
        self.append_log([self.USED, {**self.USED, "key": "b"}, {**self.USED, "key": "stranger"}], "one.jsonl")
        self.append_log([{**self.USED, "ts": "2026-11-22T10:00:00Z", "cost_usd": "9007199.254740992"}], "two.jsonl")

        def usage(*arguments):
            done = self.run_keyherd("usage", "--file", "*.jsonl", "--json", *arguments)
            return json.loads(done.stdout, parse_float=str)  # every digit counts
        self.assertEqual([(r["provider"], r["group"], r["label.team"], r["requests"])
                          for r in usage("--by", "provider,group,label.team")], [("", "", "", 1), ("p", "acct", "search", 3)])
        self.assertEqual([(r["pool"], r["requests"]) for r in usage("--by", "pool")], [("", 1), ("batch+prod", 1), ("prod", 2)])
        self.assertEqual([(r["day"], r["cost_usd"]) for r in usage("--by", "day", "--where", "key=a")],
                         [("2026-11-22", "9007199.254740992"), ("2026-11-23", "0.000000001")])
        self.assertEqual([r["day"] for r in usage("--by", "day", "--timezone", "UTC")], ["2026-11-22"])
        self.assertEqual([r["hour"] for r in usage("--by", "hour", "--from", "2026-11-23")], ["2026-11-23T01:00:00+08:00"])
        self.assertEqual(usage("--by", "month", "--to", "2026-11"), [])
        table = self.run_keyherd("usage", "--file", "*.jsonl", "--by", "key").stdout.splitlines()
        self.assertRegex(table[-1], r"^total +4 +0 +40 +0 +4 +9007199\.254740995$")
        self.assertNotIn("\033", "".join(table))
        csv = self.run_keyherd("usage", "--file", "one.jsonl", "--by", "key", "--csv").stdout.splitlines()
        self.assertEqual(csv[0], "key,requests,failed_requests,input_tokens,cached_input_tokens,cache_write_tokens,"
                         "output_tokens,reasoning_tokens,unpriced_requests,cost_usd,table_cost_usd")
        self.assertEqual(csv[1], "a,1,0,10,0,0,1,0,0,0.000000001,0")
        for wrong in (["--where", "pool"], ["--where", "day=2026-11-22"], ["--from", "soon"], ["--timezone", "Mars"],
                      ["--csv", "--json"], ["--csv", "--follow"], ["--format", "nonsense"]):
            done = self.run_keyherd("usage", "--file", "one.jsonl", *wrong, expect=2)
            self.assertEqual(len((done.stderr + done.stdout).strip().splitlines()), 1, done.stderr)

    def test_usage_reads_a_pipe_and_several_files(self):
        lines = [self.USED] * 3
        self.append_log(lines, "a.log")
        self.append_log(lines, "b.log")
        done = subprocess.run([str(KEYHERD), "usage", "--file", "-", "a.log", "--file", "b.log", "b.log", "--by", "key", "--json"],
                              input=json.dumps(self.USED), capture_output=True, text=True, timeout=60, check=True, cwd=self.directory)
        self.assertEqual(json.loads(done.stdout)[0]["requests"], 7)
        self.write("bad.log", "nonsense\n" + json.dumps(self.USED) + "\n")
        done = self.run_keyherd("usage", "--file", "bad.log", "--json")
        self.assertIn("1 line not counted: bad_json", done.stderr)
        self.assertEqual(len(json.loads(done.stdout)), 1)

    def test_usage_follows_a_file_through_its_rotation(self):
        self.append_log([self.USED])
        with subprocess.Popen([str(KEYHERD), "usage", "--file", "usage.jsonl", "--by", "key", "--json", "--follow", "--every", "100ms"],
                              stdout=subprocess.PIPE, text=True, cwd=self.directory) as follower:
            try:
                def until(requests):
                    for text in follower.stdout:
                        if json.loads(text)[0]["requests"] == requests:
                            return
                    self.fail(f"it ended before {requests} requests")
                until(1)
                self.append_log([self.USED, self.USED])
                until(3)
                (self.directory / "usage.jsonl").rename(self.directory / "usage.jsonl.1")
                self.append_log([self.USED])
                until(4)
            finally:
                follower.kill()

    def test_simulate_compares_strategies_and_replays_a_log(self):
        rows = json.loads(self.run_keyherd("simulate", "--json").stdout)
        self.assertGreaterEqual({row["strategy"] for row in rows}, {"round_robin", "priority", "quota_aware"})
        for row in rows:
            self.assertEqual(row["requests"], 1000)
            self.assertGreater(row["success_ratio"], 0.97)
            self.assertGreater(row["quota_utilisation"], 0.75)
            self.assertGreater(row["latency_ms_p95"], row["latency_ms_avg"])
            self.assertGreater(row["cost_usd"], 0)
        self.assertEqual(json.loads(self.run_keyherd("simulate", "--json").stdout), rows)
        table = self.run_keyherd("simulate", "--strategy", "priority", "--keys", "3", "--requests", "50").stdout
        self.assertEqual(len(table.splitlines()), 2)
        self.append_log([{"ts": f"2026-05-01T10:00:{i:02}Z", "key": f"k{i % 2}", "model": "m", "input_tokens": 10,
                          "output_tokens": 1, "status": 401 if i % 2 else 200, "latency_ms": 200} for i in range(20)])
        replayed = json.loads(self.run_keyherd("simulate", "--log", str(self.directory / "usage.jsonl"), "--strategy",
                                           "round_robin", "--json").stdout)[0]
        self.assertEqual(replayed["requests"], 20)
        self.assertGreaterEqual(replayed["success_ratio"], 0.9)  # the log has a half: its clients kept using a bad key
        self.assertIsNone(replayed["quota_utilisation"])
        self.assertEqual(self.run_keyherd("simulate", "--log", "nowhere.jsonl", expect=2).stdout, "")

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
        self.assertIn("committed", agent.cli("history", "--steps").stdout)
        self.assertEqual(agent.cli("history", "nowhere").stdout, "No rotations.\n")
        seen = self.on_terminal("status", "--watch", "--every", "100ms", "--config", str(agent.config_path),
                                until="prod", environment=agent.environment)
        self.assertIn("\033[2J", seen)
        self.assertIn("healthy", seen)
        agent.cli("healthcheck")
        agent.cli("pause", "k1")
        self.assertEqual(agent.key("k1")["state"], "paused")
        agent.cli("resume", "k1")
        agent.wait_state("k1", "healthy")
        self.assertIn("healthy", agent.cli("explain", "k1").stdout)

    def test_usage_of_a_running_agent(self):
        names = ["k1", "k2"]
        base, _ = self.sandbox({name: {} for name in names})
        agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n\n'
                      + key_config(names, labels='{ team = "search" }')
                      + '[pools.prod]\nkeys = ["k1"]\n\n[usage_logs.log]\npath = "usage.jsonl"\n',
                      environment_for(names)).start()
        now = utc_now()
        used = {**self.USED, "ts": now, "cost_usd": "0.000000001"}
        self.append_log([{**used, "key": "k1", "model": f"m{i}"} for i in range(5)] + [{**used, "key": "k2"}] * 2)
        wait_until(lambda: sum(r["requests"] for r in agent.get("/api/v1/usage?by=key")) == 7, "all lines are counted")

        def usage(*arguments):
            return json.loads(agent.cli("usage", "--json", *arguments).stdout, parse_float=str)
        self.assertEqual([(r["pool"], r["label.team"], r["requests"]) for r in usage("--by", "pool,label.team")],
                         [("", "search", 2), ("prod", "search", 5)])
        self.assertEqual([(r["key"], r["day"]) for r in usage("--by", "key,day", "--where", "pool=prod")], [("k1", now[:10])])
        self.assertIn(usage("--by", "provider")[0]["cost_usd"], ("0.000000007", "7e-09"))
        self.assertEqual(usage("--from", "2020-01-01", "--to", "2020-02"), [])
        self.assertRegex(agent.cli("usage", "--by", "model").stdout, r"total +7 .* 0\.000000007\n$")
        self.assertIn("m4,1,0,10", agent.cli("usage", "--by", "model", "--csv").stdout)
        self.assertIn("Mars", agent.cli("usage", "--timezone", "Mars", expect=2).stderr)
        self.assertEqual(usage("--unaccounted", "--from", "2020-01-01", "--to", "2020-02"), [])
        self.assertIn("No balance", agent.cli("usage", "--unaccounted", "--from", "2020-01-01", "--to", "2020-02").stdout)
        self.assertIn("--file", agent.cli("usage", "--unaccounted", "--file", "usage.jsonl", expect=2).stderr)
        # A page at a time: all lines, none twice.
        path, models = "/api/v1/usage?by=model&limit=2", []
        while path:
            request = urllib.request.Request(agent.url(path), headers={"Authorization": "Bearer " + agent.token})
            with urllib.request.urlopen(request, timeout=10) as response:
                models += [line["model"] for line in json.load(response)]
                link = response.headers.get("Link", "")
            path = link[1:link.index(">")] if link else ""
        self.assertEqual(models, ["m", "m0", "m1", "m2", "m3", "m4"])
        status, body = http_request("GET", agent.url("/api/v1/usage?pol=prod"), token=agent.token)
        self.assertEqual((status, body["error"]["code"]), (400, "invalid"))


if __name__ == "__main__":
    main()
