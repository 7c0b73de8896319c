#!/usr/bin/env python3
"""Whoever is told of a decision: files in their shapes, the recipes of examples/publishers, the consumers of
examples/consumers, and a thousand that wait for the API's answer."""
import grp
import json
import os
import resource
import selectors
import shutil
import socket
import stat
import subprocess
import time
import unittest

from harness import ROOT, Agent, EndToEnd, Program, environment_for, key_config, main, secret_of, wait_until

WAITING = int(os.environ.get("KEYHERD_WAITING", "1000"))
# What is promised of the slowest answer after the first, in seconds, of a machine that is free for it: so of the best
# of a few switches.
LIMIT = 0.05
SWITCHES = 5


class Publish(EndToEnd):
    def agent(self, publish, path=None, publishes=True):
        base, _ = self.sandbox({"k1": {}, "k2": {}})
        environment = environment_for(["k1", "k2"])
        agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                            'probe = { every = "60s", timeout = "2s" }\n\n' + key_config(["k1", "k2"]) +
                            f'[pools.prod]\nkeys = ["k1", "k2"]\nstrategy = "round_robin"\npublish = [{publish}]\n',
                      environment)
        if path:
            agent.environment["PATH"] = path
        agent.start()
        for key in ("k1", "k2"):
            agent.wait_state(key, "healthy")
        if publishes:
            agent.wait_committed("prod")
        return agent

    def rotate(self, agent):
        status, rotation = agent.post("/api/v1/pools/prod/rotate", {"reason": "test"})
        self.assertEqual((status, rotation["state"]), (200, "committed"), rotation)
        return rotation

    def test_files_have_the_shape_the_mode_and_the_group_that_are_asked_for(self):
        group = grp.getgrgid(os.getgid()).gr_name
        agent = self.agent('{ file = "prod.json" }, { file = "prod.env", template = "env", variable = "API_KEY", '
                           f'mode = "0640", owner = ":{group}" }}, {{ file = "prod.key", template = "raw" }}')
        self.rotate(agent)
        published = json.loads((self.directory / "prod.json").read_text())
        self.assertEqual(published["secret"], secret_of(published["key"]))
        env = self.directory / "prod.env"
        self.assertEqual(stat.S_IMODE(env.stat().st_mode), 0o640)
        self.assertEqual(env.stat().st_gid, os.getgid())
        shown = subprocess.run(["sh", "-c", '. "$0"; printf "%s|%s|%s" "$API_KEY" "$KEYHERD_KEY" "$KEYHERD_GENERATION"',
                                str(env)], capture_output=True, text=True, check=True).stdout
        self.assertEqual(shown, f"{published['secret']}|{published['key']}|{published['generation']}")
        self.assertEqual((self.directory / "prod.key").read_text(), published["secret"])
        self.assertEqual(stat.S_IMODE((self.directory / "prod.key").stat().st_mode), 0o600)

    def test_an_owner_that_does_not_exist_leaves_the_pool_where_it_was(self):
        agent = self.agent('{ file = "prod.json", owner = "nobody-of-that-name" }', publishes=False)
        wait_until(lambda: "there is no user 'nobody-of-that-name'" in agent.program.log(), "the reason is said")
        self.assertEqual(agent.get("/api/v1/status")["pools"][0]["generation"], 0)
        self.assertFalse((self.directory / "prod.json").exists())

    def stub(self, name, body):
        """A program of that name before all others in the hook's PATH."""
        self.write(f"bin/{name}", "#!/bin/sh\n" + body, 0o755)
        return f"{self.directory}/bin:{os.environ['PATH']}"

    @unittest.skipUnless(shutil.which("jq"), "jq is not installed")
    def test_the_recipe_for_kubernetes_applies_the_document_and_shows_it_to_nobody(self):
        # In place of a cluster: `create --dry-run` and `annotate --local` make the object, `apply` keeps it.
        path = self.stub("kubectl", f'echo "$@" >> {self.directory}/arguments\n'
                         'case "$1" in\n'
                         'create) jq -Rs --arg name "$4" \'{kind:"Secret",metadata:{name:$name},'
                         'data:{"keyherd.json":(.|@base64)}}\' ;;\n'
                         'annotate) jq --arg rotation "$5" --arg generation "$6" '
                         '\'.metadata.annotations=[$rotation,$generation]\' ;;\n'
                         f'apply) cat > {self.directory}/applied.json ;;\n'
                         'esac\n')
        agent = self.agent(f'{{ exec = ["{ROOT}/examples/publishers/kubernetes.sh", "web", "llm-key"] }}', path)
        rotation = self.rotate(agent)
        applied = json.loads((self.directory / "applied.json").read_text())
        document = json.loads(subprocess.run(["base64", "-d"], input=applied["data"]["keyherd.json"].encode(),
                                             capture_output=True, check=True).stdout)
        self.assertEqual(document["secret"], secret_of(rotation["to"]))
        self.assertEqual(applied["metadata"]["annotations"],
                         [f"keyherd.io/rotation={rotation['rotation']}", f"keyherd.io/generation={rotation['generation']}"])
        arguments = (self.directory / "arguments").read_text()
        self.assertIn("--server-side", arguments)
        self.assertNotIn("sk-sandbox", arguments)

    @unittest.skipUnless(shutil.which("jq"), "jq is not installed")
    def test_the_recipe_for_vault_writes_one_version_a_generation(self):
        path = self.stub("vault", f'test "$VAULT_ADDR" = https://vault.example || exit 9\n'
                         f'echo "$@" >> {self.directory}/arguments\n'
                         'case "$2" in\n'
                         f'get) jq -r .generation {self.directory}/stored.json ;;\n'
                         f'put) cat > {self.directory}/stored.json; echo >> {self.directory}/versions ;;\n'
                         'esac\n')
        self.write("vault.env", "VAULT_ADDR=https://vault.example\n", 0o600)
        recipe = [str(ROOT / "examples/publishers/vault.sh"), "secret", "llm/prod", f"{self.directory}/vault.env"]
        agent = self.agent(f'{{ exec = {json.dumps(recipe)} }}', path)
        rotation = self.rotate(agent)
        stored = json.loads((self.directory / "stored.json").read_text())
        self.assertEqual((stored["key"], stored["generation"]), (rotation["to"], rotation["generation"]))
        versions = (self.directory / "versions").read_text()
        again = subprocess.run(recipe, input="never read", text=True, check=False,
                               env={"PATH": path, "KEYHERD_GENERATION": str(rotation["generation"])})
        self.assertEqual(again.returncode, 0)
        self.assertEqual((self.directory / "versions").read_text(), versions)
        self.assertNotIn("sk-sandbox", (self.directory / "arguments").read_text())

    def follow(self, argv):
        """A consumer example sees the present generation and then the next one."""
        agent = self.agent('{ file = "prod.json" }')
        first = json.loads((self.directory / "prod.json").read_text())
        consumer = Program("consumer", argv + [self.directory / "prod.json"], self.directory, dict(os.environ))
        self.programs.append(consumer)
        wait_until(lambda: f"generation {first['generation']}: {first['key']}" in consumer.log(), "it has the first key")
        second = self.rotate(agent)
        wait_until(lambda: f"generation {second['generation']}: {second['to']}" in consumer.log(), "it has the next key")
        (self.directory / "prod.json").rename(self.directory / "away.json")
        wait_until(lambda: len(consumer.log().splitlines()) > 2, "it keeps the last key and says so")
        self.assertTrue(consumer.alive())
        self.assertNotIn("sk-sandbox", consumer.log())

    def test_the_consumer_in_python_follows(self):
        self.follow(["python3", ROOT / "examples/consumers/consumer.py"])

    @unittest.skipUnless(shutil.which("node"), "Node is not installed")
    def test_the_consumer_in_node_follows(self):
        self.follow(["node", ROOT / "examples/consumers/consumer.mjs"])

    @unittest.skipUnless(shutil.which("jq"), "jq is not installed")
    def test_the_consumer_in_shell_follows(self):
        self.follow(["sh", ROOT / "examples/consumers/consumer.sh"])

    def test_a_thousand_that_wait_are_answered_at_the_switch(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < WAITING + 200:
            self.skipTest(f"{hard} open files are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, WAITING + 200), hard))
        agent = self.agent('{ file = "prod.json" }')
        took = []
        while len(took) < SWITCHES and min(took, default=1) > LIMIT:
            took.append(self.time_a_switch(agent))
            agent.wait_committed("prod")
        self.assertLessEqual(min(took), LIMIT, took)

    def time_a_switch(self, agent):
        """How long after the first of those that wait the last one has its answer."""
        before = json.loads((self.directory / "prod.json").read_text())
        request = (f"GET /api/v1/pools/prod/active?generation={before['generation']}&wait=60s HTTP/1.1\r\n"
                   f"Host: 127.0.0.1\r\nAuthorization: Bearer {agent.token}\r\n\r\n").encode()
        chooser = selectors.DefaultSelector()
        waiting = set()

        def ask():
            one = socket.create_connection(("127.0.0.1", agent.port))
            one.sendall(request)
            waiting.add(one)
            chooser.register(one, selectors.EVENT_READ)
        for _ in range(WAITING):
            ask()
        threads = len(os.listdir(f"/proc/{agent.program.process.pid}/task"))
        self.assertLess(threads, 64)
        # On a busy machine a thousand at once may be more than wait for a worker: whoever is told so asks again.
        while early := chooser.select(0.3):
            for key, _ in early:
                answer = key.fileobj.recv(4096)
                self.assertTrue(answer.startswith(b"HTTP/1.1 503") and b"Retry-After" in answer, answer)
                chooser.unregister(key.fileobj)
                key.fileobj.close()
                waiting.remove(key.fileobj)
                ask()
        rotate = socket.create_connection(("127.0.0.1", agent.port))
        body = b'{"reason":"test"}'
        rotate.sendall(f"POST /api/v1/pools/prod/rotate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
                       f"Authorization: Bearer {agent.token}\r\n\r\n".encode() + body)
        answers, first, last = [], None, None
        while len(answers) < WAITING:
            ready = chooser.select(10)
            self.assertTrue(ready, f"{len(answers)} of {WAITING} are answered")
            last = time.monotonic()
            first = first or last
            for key, _ in ready:
                answers.append(key.fileobj.recv(4096))
                chooser.unregister(key.fileobj)
        for one in [*waiting, rotate]:
            one.close()
        self.assertTrue(all(b'"generation":%d' % (before["generation"] + 1) in answer for answer in answers))
        print(f"\n{WAITING} long polls with {threads} threads: all answered {1000 * (last - first):.0f} ms after the first")
        return last - first


if __name__ == "__main__":
    main()
