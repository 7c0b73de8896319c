#!/usr/bin/env python3
"""The audit log of a running agent: who did what, whole through kill -9 and a full disk, and what is done to it
afterwards is found. The timeline of an incident."""
import contextlib
import hashlib
import json
import os
import subprocess
import unittest

from harness import IS_ROOT, Agent, EndToEnd, environment_for, http_request, key_config, main, utc_now, wait_until

ALICE = "operate-token-of-alice-0123456789"


class Audit(EndToEnd):
    def set_up(self, more_agent="", keys=("k1", "k2")):
        self.base, self.control = self.sandbox({name: {} for name in keys})
        self.write("alice.token", ALICE, 0o600)
        agent = Agent(self, f'[[web.tokens]]\nrole = "operate"\nname = "alice"\ntoken = "file:alice.token"\n\n'
                            f'[providers.fake]\ntype = "deepseek"\nbase_url = "{self.base}/alpha"\n'
                            'probe = { every = "2s", timeout = "2s" }\n\n' + key_config(keys) +
                      f'[pools.prod]\nkeys = {json.dumps(list(keys))}\npublish = [{{ file = "prod.json" }}]\n\n'
                      '[usage_logs.clients]\npath = "usage.jsonl"\n', environment_for(keys))
        if more_agent:
            text = agent.config_path.read_text()
            agent.config_path.write_text(text.replace("[agent]\n", "[agent]\n" + more_agent, 1))
        return agent

    def started(self, agent):
        agent.start()
        for key in ("k1", "k2"):
            agent.wait_state(key, "healthy")
        agent.wait_committed("prod")
        return agent

    def entries(self, agent, *arguments):
        return json.loads(agent.cli("audit", "--json", *arguments).stdout)

    def wait_told(self, agent, act, text=""):
        def told():
            return [e for e in self.entries(agent) if e["act"] == act and text in e["text"]]
        return wait_until(told, f"the audit log tells of {act} {text}")

    def lines(self, name="keyherd.audit.jsonl"):
        return (self.directory / name).read_text().splitlines()

    def test_who_did_what_is_told_and_the_chain_can_be_checked_by_hand(self):
        agent = self.started(self.set_up())
        as_alice = {"KEYHERD_TOKEN": ALICE}
        agent.cli("rotate", "prod", "--to", "k2", "--reason", "a leak", environment=as_alice)
        agent.cli("pause", "k1", environment=as_alice)
        agent.cli("resume", "k1")
        agent.cli("rotate", "prod", "--to", "k2", expect=1, environment=as_alice)
        agent.cli("freeze", "prod", "--for", "1h", "--reason", "migration", environment=as_alice)
        status, _ = agent.post("/-/reload")
        self.assertEqual(status, 200)
        self.wait_told(agent, "reloaded")
        told = [(e["act"], e["actor"], e.get("pool", ""), e.get("key", "")) for e in self.entries(agent)]
        for entry in [("started", "agent", "", ""), ("decided", "api:operate:alice", "prod", "k2"),
                      ("paused", "api:operate:alice", "", "k1"), ("resumed", "api:admin", "", "k1"),
                      ("refused", "api:operate:alice", "prod", "k2"),
                      ("frozen", "api:operate:alice", "prod", ""), ("reloaded", "api:admin", "", "")]:
            self.assertIn(entry, told)
        self.assertIn("a leak", self.wait_told(agent, "decided", "k2")[-1]["text"])
        # Of the pool, of the key, of a time.
        self.assertTrue(all(e.get("pool") == "prod" for e in self.entries(agent, "--pool", "prod")))
        self.assertEqual(["paused", "resumed"], [e["act"] for e in self.entries(agent, "--key", "k1")
                                                 if e["act"] in ("paused", "resumed")])
        self.assertEqual([], self.entries(agent, "--to", "1h"))
        # The same over HTTP; a reader may not.
        self.assertEqual(self.entries(agent), agent.get("/api/v1/audit"))
        self.assertIn("refused", agent.cli("audit").stdout)
        # A shell and sha256sum are enough to check it.
        prev = "0" * 64
        for line in self.lines():
            text, _, rest = line.partition(',"hash":"')
            self.assertEqual(rest, hashlib.sha256(text.encode()).hexdigest() + '"}')
            self.assertEqual(json.loads(line)["prev"], prev)
            prev = rest[:64]
        self.assertEqual(0o600, os.stat(self.directory / "keyherd.audit.jsonl").st_mode & 0o777)
        self.assertIn("whole", agent.cli("audit", "verify").stdout)
        self.assertNotIn("sk-sandbox", (self.directory / "keyherd.audit.jsonl").read_text())

    def test_what_is_done_to_the_log_is_found_and_named(self):
        agent = self.started(self.set_up())
        agent.cli("rotate", "prod")
        self.wait_told(agent, "step", "committed")
        self.assertEqual(agent.program.stop(6), 0)
        agent.start()
        self.assertEqual(agent.program.stop(6), 0)
        path = self.directory / "keyherd.audit.jsonl"
        whole = path.read_text()
        agent.cli("audit", "verify")
        lines = whole.splitlines(keepends=True)

        def flaws(text):
            path.write_text(text)
            verdict = json.loads(agent.cli("audit", "verify", "--json", expect=1).stdout)
            self.assertFalse(verdict["whole"])
            return [(f["flaw"], f["seq"]) for f in verdict["findings"]]
        self.assertEqual([("changed", 3)], flaws("".join(lines[:2]) + lines[2].replace("agent", "nobody") +
                                                 "".join(lines[3:])))
        self.assertEqual([("missing", 4)], flaws("".join(lines[:3] + lines[4:])))
        self.assertEqual([("moved", 5)], flaws("".join(lines[:3] + [lines[4], lines[3]] + lines[5:])))
        self.assertEqual([("added", 2)], flaws("".join(lines[:4] + [lines[1]] + lines[4:])))
        # From the end: the state remembers.
        self.assertEqual([("missing", len(lines) - 1)], flaws("".join(lines[:-2])))
        said = agent.cli("audit", "verify", expect=1).stdout
        self.assertIn("keyherd.audit.jsonl:", said)
        self.assertIn("the agent's state knows of them", said)
        # And it is not forgotten when the agent goes on.
        agent.start()
        self.wait_told(agent, "mended", "are missing")
        agent.cli("audit", "verify", expect=1)

    def test_kill_9_leaves_a_whole_log_that_has_every_step(self):
        agent = self.set_up("audit_max_bytes = 6000\n")
        for n in range(12):
            agent.start()
            agent.wait_state("k1", "healthy")
            agent.wait_state("k2", "healthy")
            agent.post("/api/v1/pools/prod/rotate", {"reason": f"round {n}"})
            agent.program.kill()
            agent.program.wait()
        agent.start()
        agent.wait_committed("prod")
        rows = agent.get("/api/v1/rotations")
        steps = sum(len(row["steps"]) for row in rows)

        def all_told():
            found = [e for e in self.entries(agent) if e["act"] in ("decided", "step")]
            return len(found) == steps
        wait_until(all_told, f"{steps} steps are told")
        verdict = json.loads(agent.cli("audit", "verify", "--json").stdout)
        self.assertTrue(verdict["whole"])
        self.assertGreater(len(verdict["files"]), 1)
        self.assertEqual(13, len([e for e in self.entries(agent) if e["act"] == "started"]))

    @unittest.skipUnless(IS_ROOT, "mounting needs root")
    def test_a_full_disk_stops_the_log_and_nothing_else(self):
        place = self.small_disk("64k")
        agent = self.started(self.set_up(f'audit = "{place}/audit.jsonl"\n'))
        ballast = place / "ballast"
        with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 1024)
        before = len(self.entries(agent))
        # What fits into the file's last page is still written; then nothing is.
        for n in range(12):
            self.assertEqual(agent.post("/api/v1/pools/prod/rotate", {"reason": f"number {n}"})[0], 200)
        self.assertEqual(http_request("GET", agent.url("/-/ready"))[0], 200)
        wait_until(lambda: "keyherd_audit_entries_waiting 0" not in agent.metrics(), "entries wait")
        self.assertIn("its entries wait in the state", agent.program.log())
        agent.program.kill()
        agent.program.wait()
        agent.start()
        ballast.unlink()
        agent.wait_metric("keyherd_audit_entries_waiting 0")
        self.assertEqual(12, len([e for e in self.entries(agent)[before:] if "number " in e["text"] and e["act"] == "decided"]))
        self.assertTrue(json.loads(agent.cli("audit", "verify", "--json").stdout)["whole"])

    def test_a_keyring_that_is_changed_while_no_agent_runs_is_told_at_the_next_start(self):
        self.write("master.key", "a1" * 32 + "\n", 0o600)
        agent = self.set_up('master_key = "file:master.key"\n')
        done = subprocess.run(
            [agent_binary(), "keyring", "set", "spare", "--config", str(agent.config_path)],
            input="sk-some-other-secret-value\n", capture_output=True, text=True, timeout=60, check=False,
            env=agent.environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.started(agent)
        told = self.wait_told(agent, "keyring", "spare is sealed")
        self.assertTrue(told[0]["actor"].startswith("cli:"))
        agent.cli("audit", "verify")

    def test_a_timeline_tells_an_incident_as_it_went(self):
        agent = self.started(self.set_up())
        agent.cli("rotate", "prod", "--to", "k1", expect=None)
        wait_until(lambda: agent.get("/api/v1/pools/prod")["active"] == "k1", "k1 is active")
        self.append_log([{"ts": utc_now(), "key": "k1", "model": "m", "input_tokens": 5, "output_tokens": 5,
                          "status": 200} for _ in range(7)])
        self.control("PUT", "keys/k1", {"state": "revoked"})
        self.append_log([{"ts": utc_now(), "key": "k1", "model": "m", "input_tokens": 0, "output_tokens": 0,
                          "status": 401} for _ in range(3)])
        wait_until(lambda: agent.get("/api/v1/pools/prod")["active"] == "k2", "k2 is active")
        agent.wait_committed("prod")
        wait_until(lambda: any(e["what"] == "usage" for e in agent.get("/api/v1/timeline?pool=prod")), "usage is told")
        events = json.loads(agent.cli("timeline", "prod", "--from", "10m", "--json").stdout)
        self.assertEqual(events, sorted(events, key=lambda e: e["at"]))
        told = [(e["what"], e.get("key", ""), e["text"]) for e in events]
        for what, key, text in [("state", "k1", "→ dead"), ("usage", "k1", "10 requests, 3 failed"),
                                ("rotation", "k2", "from k1 to k2: planned: k1 is dead"),
                                ("rotation", "k2", "committed"), ("probe", "k2", "ok")]:
            self.assertTrue(any(w == what and k == key and text in t for w, k, t in told), (what, key, text, told))
        of_key = json.loads(agent.cli("timeline", "k1", "--json").stdout)
        self.assertFalse(any(e.get("key") == "k2" and e["what"] == "probe" for e in of_key))
        self.assertIn("WHAT", agent.cli("timeline", "prod").stdout)
        self.assertIn("no pool and no key", agent.cli("timeline", "nobody", expect=2).stderr)

    def test_two_agents_on_one_log_do_not_mix_their_lines(self):
        agent = self.started(self.set_up(f'audit = "{self.directory}/shared.jsonl"\n'))
        other = self.write("other.toml", agent.config_path.read_text()
                           .replace(f":{agent.port}", ":0").replace('"keyherd.db"', '"other.db"'))
        second = Agent.__new__(Agent)
        second.__dict__.update(agent.__dict__, config_path=other, name="second", program=None)
        second.start(wait=False)
        wait_until(lambda: "another process writes" in second.program.log(), "the second agent says so")
        wait_until(lambda: "listening on" in second.program.log(), "it runs all the same")
        agent.cli("rotate", "prod")
        self.wait_told(agent, "step", "committed")
        agent.cli("audit", "verify")


def agent_binary():
    from harness import KEYHERD
    return str(KEYHERD)


if __name__ == "__main__":
    main()
