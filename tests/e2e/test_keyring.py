#!/usr/bin/env python3
"""Secrets that the agent keeps itself: sealed on disk, opened by the master key alone, moved to another one."""
import json
import os
import sqlite3
import subprocess

from harness import KEYHERD, Agent, EndToEnd, main, secret_of


class Keyring(EndToEnd):
    def set_up(self):
        self.base, _ = self.sandbox({"k1": {}})
        self.write("old.key", "a1" * 32 + "\n", 0o600)
        self.write("new.key", "b2" * 32 + "\n", 0o600)
        agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{self.base}/alpha"\n'
                            'probe = { every = "2s", timeout = "2s" }\n\n'
                            '[keys.k1]\nprovider = "fake"\nsecret = "keyring:k1"\n', {})
        self.use_master_key(agent, "old.key")
        return agent

    def use_master_key(self, agent, name):
        lines = [line for line in agent.config_path.read_text().splitlines() if not line.startswith("master_key")]
        at = lines.index("[agent]") + 1
        lines.insert(at, f'master_key = "file:{name}"')
        agent.config_path.write_text("\n".join(lines) + "\n")

    def keyring(self, *arguments, expect=0, given=None):
        done = subprocess.run([str(KEYHERD), "keyring", *arguments], capture_output=True, text=True, timeout=60,
                              check=False, cwd=self.directory, input=given,
                              env={"PATH": os.environ["PATH"], "IMPORTED": secret_of("k1")})
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        self.assertNotIn(secret_of("k1"), done.stdout + done.stderr)
        return done

    def test_an_imported_secret_serves_a_key_and_is_nowhere_in_the_clear(self):
        agent = self.set_up()
        self.keyring("set", "k1", given=secret_of("k1") + "\n")
        self.assertIn("yes", self.keyring("verify").stdout)
        agent.start()
        agent.wait_state("k1", "healthy")
        # While the agent runs, the file is its own; looking is allowed.
        self.assertIn("another agent", self.keyring("set", "k1", "--from", "env:IMPORTED", expect=2).stderr)
        self.keyring("verify")
        self.assertEqual(agent.program.stop(6), 0)
        for path in self.directory.glob("keyherd.db*"):
            self.assertNotIn(secret_of("k1").encode(), path.read_bytes(), path)

    def test_verify_names_what_is_missing_altered_or_moved(self):
        self.set_up()
        self.keyring("set", "other", "--from", "env:IMPORTED")
        missing = json.loads(self.keyring("verify", "--json", expect=1).stdout)
        self.assertEqual({row["id"]: row["opens"] for row in missing}, {"other": True, "k1": False})
        with sqlite3.connect(self.directory / "keyherd.db") as database:
            database.execute("UPDATE sealed SET id = 'k1'")
        moved = json.loads(self.keyring("verify", "--json", expect=1).stdout)
        self.assertIn("another id", moved[0]["problem"])

    def test_the_master_key_is_changed_in_one_step(self):
        agent = self.set_up()
        self.keyring("set", "k1", "--from", "env:IMPORTED")
        self.keyring("rekey", "--to", f"file:{self.directory}/new.key")
        self.assertIn("another master key", self.keyring("verify", expect=1).stdout)
        self.use_master_key(agent, "new.key")
        self.keyring("verify")
        agent.start()
        agent.wait_state("k1", "healthy")

    def test_a_key_whose_entry_does_not_open_stops_nobody(self):
        agent = self.set_up()
        self.keyring("set", "k1", "--from", "env:IMPORTED")
        self.use_master_key(agent, "new.key")
        agent.start()
        self.assertIn("another master key", agent.key("k1")["why"])


if __name__ == "__main__":
    main()
