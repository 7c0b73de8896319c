#!/usr/bin/env python3
"""Rotations by secrets that are made for them, with the real binary: killed at system calls of its own, while
a consumer calls without a pause."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

from harness import KEYHERD, Agent, EndToEnd, Program, http_request, main, utc_now, wait_until

KILLS = int(os.environ.get("KEYHERD_PROVISION_KILLS", "8"))
ADMIN = "sk-sandbox-admin-secret"


class Consumer(threading.Thread):
    """Reads the published file for each call, as the recipe says, and logs what it used."""

    def __init__(self, directory, base):
        super().__init__(daemon=True)
        self.directory, self.base = directory, base
        self.ending = threading.Event()
        self.calls, self.failed = 0, []

    def run(self):
        while not self.ending.wait(0.01):
            try:
                published = json.loads((self.directory / "prod.json").read_text())
            except FileNotFoundError:
                continue
            status, answer = http_request("POST", self.base + "/alpha/chat/completions", {
                "model": "deepseek-flash", "messages": [{"role": "user", "content": "x"}]}, published["secret"])
            self.calls += 1
            if status != 200:
                self.failed.append((published["key"], published["generation"], status, answer))
            with open(self.directory / "usage.jsonl", "a", encoding="utf-8") as log:
                log.write(json.dumps({"ts": utc_now(), "key": published["key"], "model": "deepseek-flash",
                                      "input_tokens": 8, "output_tokens": 1, "status": status}) + "\n")


class Provision(EndToEnd):
    def set_up(self, extra=""):
        self.base, self.control = self.sandbox({}, [{"name": "alpha", "admin_secret": ADMIN}])
        self.write("master.key", "a1" * 32, 0o600)
        self.write("usage.jsonl", "")
        agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{self.base}/alpha"\n'
                            'probe = { every = "2s", timeout = "2s" }\n\n'
                            '[keys.a]\nprovider = "fake"\nsecret = "keyring:a"\n\n'
                            '[keys.b]\nprovider = "fake"\nsecret = "keyring:b"\n\n'
                            f'[issuers.office]\ntype = "openrouter"\nbase_url = "{self.base}/alpha"\n'
                            'admin_secret = "env:ADMIN"\ntimeout = "2s"\n\n'
                            '[usage_logs.clients]\npath = "usage.jsonl"\n\n'
                            '[pools.prod]\nkeys = ["a", "b"]\nmode = "provision"\nissuer = "office"\n'
                            'overlap = "1s"\nquiet_for = "1s"\nsettle_within = "5s"\nadopt_within = "20s"\n'
                            'publish = [{ file = "prod.json" }]\n' + extra, {"ADMIN": ADMIN})
        text = agent.config_path.read_text().replace("[agent]\n", '[agent]\nmaster_key = "file:master.key"\n', 1)
        agent.config_path.write_text(text)
        return agent

    def admin(self):
        return http_request("GET", self.base + "/sandbox/state")[1]["admin"]["alpha"]

    def rotations(self, agent):
        return agent.get("/api/v1/rotations?pool=prod")

    def settled(self, agent):
        """Every rotation has ended, and one secret lives."""
        rows = self.rotations(agent)
        final = ("committed", "retired", "rolled_back", "refused")
        return rows and all(row["state"] in final for row in rows) and len(self.admin()["live"]) == 1

    def end(self, traced):
        """The agent first: without its tracer it would run on."""
        pid = traced.process.pid
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it may have ended
            for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
        traced.wait()

    def check_one_lives(self, agent):
        wait_until(lambda: self.settled(agent), "everything has ended", 60)
        admin = self.admin()
        self.assertEqual(admin["ended"], admin["made"] - 1, admin)
        published = json.loads((self.directory / "prod.json").read_text())
        status, _ = http_request("POST", self.base + "/alpha/chat/completions", {
            "model": "deepseek-flash", "messages": [{"role": "user", "content": "x"}]}, published["secret"])
        self.assertEqual(status, 200)

    def test_a_rotation_makes_seals_publishes_and_ends(self):
        agent = self.set_up().start()
        consumer = Consumer(self.directory, self.base)
        consumer.start()
        wait_until(lambda: (self.directory / "prod.json").exists(), "a first secret is published")
        self.check_one_lives(agent)
        first = json.loads((self.directory / "prod.json").read_text())
        status, rotation = agent.post("/api/v1/pools/prod/rotate", {"reason": "test"})
        self.assertEqual(status, 200, rotation)
        self.assertIn(rotation["state"], ("verified", "committed", "retiring", "retired"))
        wait_until(lambda: self.rotations(agent)[0]["state"] == "retired", "the last one is retired", 60)
        self.check_one_lives(agent)
        consumer.ending.set()
        consumer.join()
        self.assertEqual(consumer.failed, [])
        self.assertGreater(consumer.calls, 20)
        second = json.loads((self.directory / "prod.json").read_text())
        self.assertNotEqual(second["secret"], first["secret"])
        for secret in (first["secret"], second["secret"], ADMIN):
            for path in [*self.directory.glob("keyherd.db*"), agent.program.log_path]:
                self.assertNotIn(secret.encode(), path.read_bytes(), path)
            self.assertNotIn(secret, json.dumps(self.rotations(agent)))

    def test_killed_at_any_system_call_it_leaves_one_key_and_nobody_without(self):
        if subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], check=False).returncode != 0:
            self.skipTest("processes may not be traced here")
        agent = self.set_up()
        environment = agent.environment
        consumer = Consumer(self.directory, self.base)
        consumer.start()
        killed = 0
        for call in ("fdatasync", "fsync", "sendto", "rename", "pwrite64"):
            for nth in range(1, KILLS + 1):
                when = nth if call in ("rename", "fsync") else 3 * nth
                traced = Program("agent", ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                                           f"inject={call}:signal=SIGKILL:when={when}", KEYHERD, "run", "--config",
                                           agent.config_path], self.directory, environment)
                self.programs.append(traced)
                # Asked for in each life: what is under way is taken up, not begun twice.
                deadline = time.monotonic() + 4
                while traced.alive() and time.monotonic() < deadline:
                    agent.post("/api/v1/pools/prod/rotate", {"reason": "again"})
                    threading.Event().wait(0.2)
                killed += 0 if traced.alive() else 1
                self.end(traced)
        agent.start()
        self.check_one_lives(agent)
        consumer.ending.set()
        consumer.join()
        self.assertEqual(consumer.failed, [])
        self.assertGreater(killed, KILLS)
        admin = self.admin()
        print(f"\n{killed} kills by system call, {admin['made']} secrets made, {admin['ended']} ended, "
              f"{consumer.calls} calls, none failed")


if __name__ == "__main__":
    main()
