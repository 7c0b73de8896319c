#!/usr/bin/env python3
"""Keys in bulk: imported whole or not at all, exported and imported again without a difference."""
import concurrent.futures
import json
import os
import random
import subprocess
import time
import unittest

from harness import IS_ROOT, KEYHERD, Agent, EndToEnd, environment_for, http_request, key_config, main, secret_of, wait_until

PASSPHRASE = {"KEYHERD_PASSPHRASE": "correct horse battery staple"}


class Transfer(EndToEnd):
    def agent_with(self, names=("k1",), master="a" * 64, directory=None, **environment):
        base, _ = self.sandbox({f"{name}": {} for name in ("k1", "k2", "k3")})
        (self.directory / "keys.d").mkdir(exist_ok=True)
        agent = Agent(
            self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\nprobe = {{ every = "1h" }}\n\n'
            + key_config(names) + (f'[pools.prod]\nkeys = {json.dumps(names)}\n' if names else ""),
            environment_for(("k1", "k2", "k3")) | {"MASTER": master} | environment)
        agent.config_path.write_text(agent.config_path.read_text().replace(
            'log_level = "debug"', 'log_level = "info"\nkey_files = ["keys.d/*.json"]\nmaster_key = "env:MASTER"'))
        return agent.start()

    def document(self, count, **more):
        return json.dumps({"keys": [{"id": f"bulk-{i}", "provider": "fake", "secret": "env:SECRET_k2", **more}
                                    for i in range(count)]})

    def ids(self, agent):
        return {key["id"] for key in agent.get("/api/v1/keys")}

    def imported(self):
        return (self.directory / "keys.d/imported.json").read_text()

    def test_an_import_is_shown_first_done_whole_and_done_once(self):
        agent = self.agent_with()
        file = self.write("keys.json", self.document(3))
        shown = agent.cli("import", str(file), "--dry-run").stdout
        self.assertEqual(shown.splitlines(), ["+ bulk-0", "+ bulk-1", "+ bulk-2",
                                              "3 added, 0 changed, 0 as before (nothing was done: --dry-run)"])
        self.assertEqual(self.ids(agent), {"k1"})
        self.assertFalse((self.directory / "keys.d/imported.json").exists())
        agent.cli("import", str(file))
        self.assertEqual(self.ids(agent), {"k1", "bulk-0", "bulk-1", "bulk-2"})
        before = os.stat(self.directory / "keys.d/imported.json")
        self.assertEqual(before.st_mode & 0o777, 0o600)
        self.assertIn("0 added, 0 changed, 3 as before", agent.cli("import", str(file)).stdout)
        self.assertEqual(os.stat(self.directory / "keys.d/imported.json").st_mtime_ns, before.st_mtime_ns)
        self.write("keys.json", self.document(2, priority=4))
        self.assertIn("~ bulk-1: priority", agent.cli("import", str(file)).stdout)
        self.assertEqual(agent.key("bulk-1")["priority"], 4)
        self.assertEqual(agent.key("bulk-2")["priority"], 1)

    def test_a_bad_row_is_named_and_changes_nothing(self):
        agent = self.agent_with()
        agent.cli("import", str(self.write("good.json", self.document(1))))
        before = self.imported()
        for name, text, row in (
                ("unknown.csv", "id,provider,secret\na,fake,env:SECRET_k2\nb,nobody,env:SECRET_k2\n", "unknown.csv:3:"),
                ("literal.csv", "id,provider,secret\na,fake,sk-1234567890abcdefghijklmn\n", "literal.csv:2:"),
                ("twice.csv", "id,provider,secret\na,fake,env:SECRET_k2\n\na,fake,env:SECRET_k2\n", "twice.csv:4:"),
                ("cells.csv", "id,provider\na,fake,env:X\n", "row 2: has 3 cells"),
                ("relative.csv", "id,provider,secret\na,fake,file:key.txt\n", "relative.csv:2:"),
                ("deep.json", "[" * 100_000, "deep.json:1:")):
            done = agent.cli("import", str(self.write(name, text)), expect=2)
            self.assertIn(row, done.stderr, name)
            self.assertNotIn("sk-1234567890abcdefghijklmn", done.stderr)
        self.assertEqual(self.imported(), before)
        self.assertEqual(self.ids(agent), {"k1", "bulk-0"})
        # What another file configures is not an import's to change.
        theirs = json.dumps({"keys": [{"id": "k1", "provider": "fake", "secret": "env:SECRET_k2"}]})
        self.assertIn("configured in another file", agent.cli("import", str(self.write("k1.json", theirs)), expect=1).stderr)

    def test_an_export_comes_back_without_a_difference(self):
        agent = self.agent_with()
        table = "id,provider,secret,limit_group,priority,label.team,expires_at,max_age,created_at\n" \
                "a,fake,env:SECRET_k2,acct,3,search,2030-01-02T03:04:05Z,90d,2026-01-01T00:00:00Z\nb,fake,env:SECRET_k3,,,,,,\n"
        agent.cli("import", str(self.write("keys.csv", table)))
        exported = agent.cli("export").stdout
        self.assertEqual([key["id"] for key in json.loads(exported)["keys"]], ["a", "b", "k1"])
        self.assertNotIn("sk-sandbox", exported)
        self.assertIn("0 added, 0 changed, 3 as before", agent.cli("import", str(self.write("same.json", exported))).stdout)
        self.assertEqual(agent.cli("export").stdout, exported)

    def test_secrets_travel_sealed_into_another_keyring(self):
        first = self.agent_with(names=("k1", "k2", "k3"))
        refused = first.cli("export", "--with-secrets", expect=2)
        self.assertIn("passphrase", refused.stderr)
        target = self.directory / "export.json"
        first.cli("export", "--with-secrets", "--output", str(target), environment=PASSPHRASE)
        self.assertEqual(os.stat(target).st_mode & 0o777, 0o600)
        self.assertNotIn("sk-sandbox", target.read_text())
        first.cli("export", "--with-secrets", "--output", str(target), environment=PASSPHRASE, expect=2)
        first.program.stop()
        # Another installation: another master key, none of the secrets in its environment.
        (self.directory / "keyherd.db").unlink()
        for extra in self.directory.glob("keyherd.db-*"):
            extra.unlink()
        second = self.agent_with(names=(), master="b" * 64)
        self.assertEqual(self.ids(second), set())
        self.assertIn("passphrase", second.cli("import", str(target), expect=2).stderr)
        second.cli("import", str(target), environment={"KEYHERD_PASSPHRASE": "another one entirely"}, expect=2)
        self.assertEqual(self.ids(second), set())
        done = second.cli("import", str(target), environment=PASSPHRASE).stdout
        self.assertIn("3 added, 0 changed, 0 as before; 3 secrets sealed into the keyring", done)
        for name in ("k1", "k2", "k3"):
            second.wait_state(name, "healthy")
            self.assertEqual(second.key(name)["secret"], f"keyring:{name}")
        again = second.cli("import", str(target), environment=PASSPHRASE).stdout
        self.assertEqual(again.strip(), "0 added, 0 changed, 3 as before")
        second.program.kill()
        second.program.process.wait()
        second.start()
        second.wait_state("k1", "healthy")
        for name in ("k1", "k2", "k3"):
            self.assertNotIn(secret_of(name), second.program.log() + self.imported())

    @unittest.skipUnless(IS_ROOT, "only root may mount a small disk")
    def test_an_export_replaces_nothing_and_leaves_nothing_half(self):
        agent = self.agent_with()
        agent.cli("import", str(self.write("keys.json", self.document(2_000))))
        precious = self.write("precious.json", "mine")
        link = self.directory / "link.json"
        link.symlink_to(self.directory / "elsewhere.json")
        for target in (precious, link):
            self.assertIn(str(target), agent.cli("export", "--output", str(target), expect=2).stderr)
        self.assertEqual(precious.read_text(), "mine")
        self.assertFalse((self.directory / "elsewhere.json").exists())
        disk = self.small_disk("16k")
        refused = agent.cli("export", "--output", str(disk / "export.json"), expect=2).stderr
        self.assertIn("No space left", refused)
        self.assertEqual(list(disk.iterdir()), [])
        # Nor is an output that found no room a success; a reader who has seen enough is told nothing.
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([str(KEYHERD), "export", "--config", str(agent.config_path)], stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=60, check=False, env=agent.environment)
        self.assertEqual((done.returncode, done.stderr), (2, "keyherd: writing the output: it is not whole\n"))
        done = subprocess.run(["sh", "-c", '"$@" | head -n 1', "sh", str(KEYHERD), "export", "--config", str(agent.config_path)],
                              capture_output=True, text=True, timeout=60, check=False, env=agent.environment)
        self.assertEqual(done.stderr, "")

    def test_more_than_fits_is_refused_whole(self):
        agent = self.agent_with()
        before = self.ids(agent)
        refused = agent.cli("import", str(self.write("huge.json", self.document(250_000))), expect=None)
        self.assertNotEqual(refused.returncode, 0)
        self.assertRegex(refused.stderr, "large|16 MiB|at most")
        self.assertEqual(len(refused.stderr.strip().splitlines()), 1)
        self.assertEqual(self.ids(agent), before)

    def test_ten_thousand_keys_and_a_death_in_the_middle(self):
        agent = self.agent_with()
        agent.cli("import", str(self.write("few.json", self.document(10))))
        few = self.imported()
        file = self.write("many.json", self.document(10_000))
        body = file.read_text()
        for seed in range(4):
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                attempt = pool.submit(http_request, "POST", agent.url("/api/v1/import"), json.loads(body), agent.token, 60)
                began = time.monotonic()
                delay = random.Random(seed).uniform(0.02, 0.6)
                wait_until(lambda: time.monotonic() - began > delay, "a moment", 5, 0.005)
                agent.program.kill()
                agent.program.process.wait()
                attempt.result()
            keys = json.loads(self.imported())["keys"]
            self.assertIn(len(keys), (10, 10_000))
            (self.directory / "keys.d/imported.json").write_text(few)
            agent.start()
        began = time.monotonic()
        self.assertIn("9990 added, 0 changed, 10 as before", agent.cli("import", str(file)).stdout)
        print(f"10,000 keys imported in {time.monotonic() - began:.1f} s")
        # Who imports sees at once what was imported, wherever he looks; a list has 10,000 to a page.
        self.assertEqual(len(agent.get("/api/v1/status")["keys"]), 10_001)
        self.assertEqual(len(self.ids(agent)), 10_000)
        self.assertEqual(len(json.loads(agent.cli("export").stdout)["keys"]), 10_001)
        agent.cli("import", str(self.write("again.json", agent.cli("export").stdout)), "--dry-run")

    def test_imports_at_once_lose_nothing(self):
        agent = self.agent_with()

        def one(i):
            document = {"keys": [{"id": f"at-once-{i}", "provider": "fake", "secret": "env:SECRET_k2"}]}
            return http_request("POST", agent.url("/api/v1/import"), document, agent.token, 60)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for status, body in pool.map(one, range(16)):
                self.assertEqual(status, 200, body)
        self.assertEqual(self.ids(agent), {"k1"} | {f"at-once-{i}" for i in range(16)})


if __name__ == "__main__":
    main()
