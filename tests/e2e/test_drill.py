#!/usr/bin/env python3
"""`keyherd drill`: a key is treated as revoked, consumers follow, all is measured, graded and put back."""
import json
import subprocess
import threading

from harness import KEYHERD, Agent, EndToEnd, environment_for, key_config, main, utc_now, wait_until


class Drill(EndToEnd):
    names = ("k1", "k2", "k3")

    def setUp(self):
        super().setUp()
        self.done, self.consumer = threading.Event(), None

    def tearDown(self):
        self.done.set()
        if self.consumer:
            self.consumer.join()
        super().tearDown()

    def start(self, more="", probe='every = "60s", confirm_after = "1s"'):
        base, self.control = self.sandbox({name: {} for name in self.names})
        self.agent = Agent(
            self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\nprobe = {{ {probe} }}\n\n'
            + key_config(self.names) + f'[pools.prod]\nkeys = {json.dumps(self.names)}\n{more}'
            'publish = [{ file = "prod.json" }]\n\n[usage_logs.log]\npath = "usage.jsonl"\n',
            environment_for(self.names)).start()
        for name in self.names:
            self.agent.wait_state(name, "healthy")
        self.agent.wait_committed("prod")
        self.active = self.agent.get("/api/v1/pools/prod")["active"]

    def consume(self):
        """A consumer that uses what is published until the test ends."""
        def run():
            while not self.done.wait(0.05):
                key = json.loads((self.directory / "prod.json").read_text())["key"]
                self.append_log([{"ts": utc_now(), "key": key, "model": "m", "input_tokens": 1, "output_tokens": 1, "status": 200}])
        self.consumer = threading.Thread(target=run, daemon=True)
        self.consumer.start()
        wait_until(lambda: self.agent.key(self.active)["usage"]["requests"] > 3, "the key is used")

    def test_a_drill_measures_grades_and_restores(self):
        self.start()
        self.consume()
        done = self.agent.cli("drill", "prod", "--key", self.active)
        self.assertIn(f"Drill of {self.active} in pool prod: grade A", done.stdout)
        for word in ("detected", "switched", "published", "adopted"):
            self.assertIn(f"keyherd: {word} after ", done.stderr)
        wait_until(lambda: self.agent.get("/api/v1/pools/prod")["active"] == self.active, "the key is active again")
        drill = self.agent.get("/api/v1/pools/prod/drill")
        seconds = drill["seconds"]
        self.assertLessEqual(seconds["detection"], seconds["switch"])
        self.assertLessEqual(seconds["switch"], seconds["publication"])
        self.assertLessEqual(seconds["publication"], seconds["adoption"])
        self.assertLess(seconds["adoption"], 15)
        # The key was never anything but healthy, and the journal says what it was.
        story = self.agent.get(f"/api/v1/keys/{self.active}/explain")
        self.assertEqual({change["to"] for change in story["changes"]}, {"healthy"})
        self.assertNotIn(f'keyherd_key_state{{key="{self.active}",provider="fake",state="dead"}} 1', self.agent.metrics())
        rows = self.agent.get("/api/v1/rotations?pool=prod")
        self.assertEqual([row["trigger"] for row in rows[:2]], ["drill", "drill"])
        self.assertEqual(rows[0]["actor"], "api:admin")

    def test_during_a_drill_everything_says_that_it_is_one(self):
        self.start(probe='every = "10m"')
        status, _ = self.agent.post("/api/v1/pools/prod/drill", {"key": self.active, "for": "60s"})
        self.assertEqual(status, 202)
        self.assertIn("healthy (drill)", self.agent.cli("status").stdout)
        self.assertIn("is treated as revoked", self.agent.cli("status").stdout)
        self.assertIn("a drill is under way", self.agent.cli("explain", self.active).stdout)
        again = self.agent.cli("drill", "prod", "--key", self.active, expect=1)
        self.assertIn("is under way until", again.stderr)

    def test_an_agent_that_dies_in_a_drill_ends_it(self):
        self.start(probe='every = "10m"')
        command = subprocess.Popen(
            [str(KEYHERD), "drill", "prod", "--key", self.active, "--for", "10s", "--json", "--config",
             str(self.agent.config_path)], stdout=subprocess.PIPE, text=True, env=self.agent.environment)
        wait_until(lambda: self.agent.key(self.active)["in_drill"], "the drill is on")
        wait_until(lambda: "drill" in self.agent.program.log(), "it is logged")
        self.agent.get(f"/api/v1/keys/{self.active}/explain")  # what is known is in the store
        self.agent.program.kill()
        self.agent.program.process.wait()
        self.agent.start()
        drill = json.loads(command.communicate(timeout=60)[0])
        self.assertIsNotNone(drill["ended_at"])
        self.assertFalse(self.agent.key(self.active)["in_drill"])
        wait_until(lambda: self.agent.get("/api/v1/pools/prod")["active"] == self.active, "the key is active again")

    def test_a_drill_that_would_hurt_is_refused(self):
        self.start()
        spare = next(name for name in self.names if name != self.active)
        self.assertIn("is not the active one", self.agent.cli("drill", "prod", "--key", spare, expect=1).stderr)
        for name in self.names:
            if name != self.active:
                self.agent.post(f"/api/v1/keys/{name}/pause")
        refused = self.agent.cli("drill", "prod", "--key", self.active, expect=1).stderr
        self.assertIn("it would hurt", refused)
        self.assertFalse(self.agent.key(self.active)["in_drill"])
        self.agent.cli("drill", "prod", "--key", "nobody", expect=2)
        self.agent.cli("drill", "prod", "--key", self.active, "--for", "1s", expect=2)


if __name__ == "__main__":
    main()
