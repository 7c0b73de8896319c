#!/usr/bin/env python3
"""The agent as a process: restarts, reloads, signals, a second agent, a full disk's cousin."""
import json
import re
import signal
import subprocess

from harness import (KEYHERD, Agent, EndToEnd, environment_for, http_request, key_config, main, utc_now, wait_until)


class Restart(EndToEnd):
    def agent(self, names, extra="", **more):
        self.base, self.control = self.sandbox({name: {} for name in names})
        return Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{self.base}/alpha"\n'
                           f'probe = {{ every = "2s", timeout = "2s", confirm_after = "1s" }}\n\n'
                           + key_config(names, **more) + extra, environment_for(names))

    def test_beliefs_totals_and_the_published_key_survive_a_restart(self):
        names = ["k1", "k2"]
        agent = self.agent(names, '[pools.prod]\nkeys = ["k1", "k2"]\npublish = [{ file = "prod.json" }]\n\n'
                                  '[usage_logs.clients]\npath = "usage.jsonl"\n')
        self.append_log([{"ts": utc_now(), "key": "k1", "model": "m", "input_tokens": 10, "output_tokens": 5, "status": 200}] * 100)
        agent.start()
        for name in names:
            agent.wait_state(name, "healthy")
        wait_until(lambda: agent.key("k1")["usage"]["requests"] == 100, "the log is counted")
        self.control("PUT", "keys/k1", {"state": "revoked"})
        agent.wait_state("k1", "dead", 30)
        wait_until(lambda: json.loads((self.directory / "prod.json").read_text())["key"] == "k2", "k2 is published")
        # The file is there a moment before the decision is saved, and told.
        wait_until(lambda: agent.get("/api/v1/status")["pools"][0]["active"] == "k2", "the decision is saved")
        before = agent.get("/api/v1/status")
        series = lambda text: dict(re.findall(r"^(keyherd_\w+_total\{[^}]*\}) (\S+)$", text, re.M))
        metrics_before = series(agent.metrics())
        self.assertEqual(agent.program.stop(6), 0)
        agent.start()
        after = agent.get("/api/v1/status")
        state = lambda status: {key["id"]: key["state"] for key in status["keys"]}
        self.assertEqual(state(after), state(before))
        self.assertEqual(after["pools"][0]["active"], "k2")
        self.assertEqual(after["pools"][0]["generation"], before["pools"][0]["generation"])
        self.assertEqual(after["keys"][0]["usage"], before["keys"][0]["usage"])
        metrics_after = series(agent.metrics())
        fallen = {name: (value, metrics_after.get(name)) for name, value in metrics_before.items()
                  if name.startswith(("keyherd_usage", "keyherd_probe", "keyherd_rotations", "keyherd_usagelog"))
                  and float(metrics_after.get(name, -1)) < float(value)}
        self.assertEqual(fallen, {})

    def test_a_bad_reload_changes_nothing_and_says_so_and_a_good_one_is_applied(self):
        names = ["k1", "k2"]
        agent = self.agent(names).start()
        for name in names:
            agent.wait_state(name, "healthy")
        good = agent.config_path.read_text()
        agent.config_path.write_text(good + "\n[keys.k3]\nprovider = \"nowhere\"\nsecret = \"env:X\"\n")
        status, body = agent.post("/-/reload")
        self.assertEqual(status, 400)
        self.assertIn("nowhere", body["error"]["message"])
        agent.wait_metric("keyherd_config_last_reload_successful 0")
        self.assertEqual(len(agent.get("/api/v1/keys")), 2)
        agent.config_path.write_text(good.replace("[keys.k2]", "[keys.renamed]"))
        agent.program.kill(signal.SIGHUP)
        wait_until(lambda: [key["id"] for key in agent.get("/api/v1/keys")] == ["k1", "renamed"], "the reload is applied")
        agent.wait_metric("keyherd_config_last_reload_successful 1")
        self.assertFalse('key="k2"' in agent.metrics())
        self.assertIn("keys.k2: removed", agent.program.log())

    def test_a_second_agent_on_the_same_state_is_refused(self):
        agent = self.agent(["k1"]).start()
        text = agent.config_path.read_text().replace(f":{agent.port}", ":0")
        second = self.write("second.toml", text)
        done = subprocess.run([str(KEYHERD), "run", "--config", str(second)], capture_output=True, text=True,
                              timeout=20, check=False, env=agent.environment)
        self.assertEqual(done.returncode, 2)
        self.assertIn("keyherd.db", done.stderr)
        agent.program.kill()
        agent.program.wait()
        agent.start()

    def test_an_agent_that_stood_still_is_not_replaced_and_goes_on_alone(self):
        agent = self.agent(["k1", "k2"], '[pools.prod]\nkeys = ["k1", "k2"]\npublish = [{ file = "prod.json" }]\n').start()
        agent.wait_state("k2", "healthy")
        agent.wait_committed("prod")
        published = (self.directory / "prod.json").read_bytes()
        agent.program.kill(signal.SIGSTOP)
        second = self.write("second.toml", agent.config_path.read_text().replace(f":{agent.port}", ":0"))
        try:
            for _ in range(3):
                done = subprocess.run([str(KEYHERD), "run", "--config", str(second)], capture_output=True, text=True,
                                      timeout=20, check=False, env=agent.environment)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(f"another agent (process {agent.program.process.pid})", done.stderr)
            self.assertEqual((self.directory / "prod.json").read_bytes(), published)
        finally:
            agent.program.kill(signal.SIGCONT)
        self.assertEqual(agent.post("/api/v1/pools/prod/rotate")[0], 200)
        self.assertEqual(2, agent.get("/api/v1/pools/prod")["generation"])

    def test_it_stops_within_five_seconds_while_a_provider_and_a_hook_hang(self):
        hook = self.write("hang.sh", "#!/bin/sh\nexec sleep 60\n", 0o755)
        agent = self.agent(["k1"], f'[pools.prod]\nkeys = ["k1"]\npublish = [{{ exec = ["{hook}"] }}]\n').start()
        agent.wait_state("k1", "healthy")
        self.control("POST", "outage", {"face": "alpha", "mode": "hang"})
        agent.wait_metric("keyherd_probes_in_flight 1")
        self.assertEqual(agent.program.stop(5.5), 0)

    def test_a_key_without_its_secret_stops_nobody_else(self):
        agent = self.agent(["k1", "k2"])
        del agent.environment["SECRET_k2"]
        agent.start()
        agent.wait_state("k1", "healthy")
        view = agent.key("k2")
        self.assertEqual(view["state"], "unknown")
        self.assertIn("SECRET_k2", view["why"])
        self.assertFalse(view["secret_loaded"])

    def test_roles_pools_and_hosts_are_held_apart(self):
        self.write("consume.token", "consume-token-0123456789", 0o600)
        agent = self.agent(["k1", "k2"], '[pools.a]\nkeys = ["k1"]\n\n[pools.b]\nkeys = ["k2"]\n\n'
                           '[[web.tokens]]\nrole = "consume"\npools = ["a"]\ntoken = "file:consume.token"\n').start()
        token = "consume-token-0123456789"
        wait_until(lambda: http_request("GET", agent.url("/api/v1/pools/a/active"), token=token)[0] == 200, "a is published")
        self.assertEqual(http_request("GET", agent.url("/api/v1/pools/b/active"), token=token)[0], 404)
        self.assertEqual(http_request("POST", agent.url("/api/v1/pools/a/rotate"), {}, token)[0], 403)
        self.assertEqual([key["id"] for key in http_request("GET", agent.url("/api/v1/keys"), token=token)[1]], ["k1"])
        self.assertEqual(http_request("GET", agent.url("/api/v1/status"))[0], 401)
        self.assertEqual(http_request("GET", agent.url("/api/v1/status"), token="wrong-token-0123456789")[0], 401)
        self.assertEqual(http_request("GET", agent.url("/-/healthy"))[0], 200)

    def test_a_long_poll_answers_when_the_generation_changes(self):
        import threading
        agent = self.agent(["k1", "k2"], '[pools.prod]\nkeys = ["k1", "k2"]\nstrategy = "round_robin"\n').start()
        for name in ("k1", "k2"):
            agent.wait_state(name, "healthy")

        def published():
            status, body = http_request("GET", agent.url("/api/v1/pools/prod/active"), token=agent.token)
            return body if status == 200 else None
        active = wait_until(published, "prod is published")
        agent.wait_committed("prod")
        answer = []
        waiting = threading.Thread(target=lambda: answer.append(http_request(
            "GET", agent.url(f"/api/v1/pools/prod/active?generation={active['generation']}&wait=20s"), token=agent.token, timeout=30)))
        waiting.start()
        status, rotation = agent.post("/api/v1/pools/prod/rotate", {"reason": "test"})
        self.assertEqual((status, rotation["state"]), (200, "committed"))
        waiting.join(10)
        self.assertEqual(answer[0][0], 200)
        self.assertEqual(answer[0][1]["generation"], active["generation"] + 1)


if __name__ == "__main__":
    main()
