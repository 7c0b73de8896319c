#!/usr/bin/env python3
"""`keyherd call`: one request through a pool, with failover, against the sandbox and its faults."""
import json
import socket
import threading

from harness import Agent, EndToEnd, environment_for, key_config, main, secret_of, wait_until

REQUEST = json.dumps({"model": "deepseek-flash", "messages": [{"role": "user", "content": "Hello"}]})


class Silent:
    """Accepts connections and says nothing, or nothing that is HTTP."""

    def __init__(self, says=b""):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.held = []

        def serve():
            while True:
                try:
                    peer = self.socket.accept()[0]
                except OSError:
                    return
                if says:
                    peer.sendall(says)
                self.held.append(peer)
        threading.Thread(target=serve, daemon=True).start()

    def close(self):
        self.socket.close()
        for peer in self.held:
            peer.close()


class Call(EndToEnd):
    names = ("k1", "k2", "k3")

    def start(self, base=None, strategy="priority"):
        sandbox, self.control = self.sandbox({name: {} for name in self.names})
        self.agent = Agent(
            self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{sandbox}/alpha"\nprobe = {{ every = "10m", confirm_after = "1s" }}\n\n'
            + key_config(self.names) + f'[pools.prod]\nkeys = {json.dumps(self.names)}\nstrategy = "{strategy}"\n\n',
            environment_for(self.names)).start()
        for name in self.names:
            self.agent.wait_state(name, "healthy")
        self.agent.wait_committed("prod")  # its last probe has been answered, too: what changes now is found by calls
        if base:  # the agent stays with the sandbox; the keys' requests go elsewhere
            self.agent.config_path.write_text(
                self.agent.config_path.read_text().replace(f"{sandbox}/alpha", base))
            self.agent.program.kill(1)
            wait_until(lambda: self.agent.post("/api/v1/pools/prod/next")[1].get("base_url") == base, "the address is another")

    def call(self, *arguments, expect=0, data=REQUEST):
        return self.agent.cli("call", "prod", "--data", data, *arguments, expect=expect)

    def used(self):
        return {row["key"]: row for row in self.agent.get("/api/v1/usage?by=key")}

    def revoke(self, *names):
        for name in names:
            self.control("PUT", f"keys/{name}", {"state": "revoked"})

    def test_the_answer_is_on_stdout_and_the_agent_knows_of_it(self):
        self.start()
        done = self.call()
        self.assertIn("choices", json.loads(done.stdout))
        self.assertEqual(done.stderr, "")
        row = self.used()["k1"]
        self.assertEqual(row["requests"], 1)
        self.assertGreater(row["input_tokens"], 0)
        stream = self.call(data=REQUEST.replace("{", '{"stream":true,', 1))
        self.assertTrue(stream.stdout)
        request = self.write("request.json", REQUEST)
        answer = json.loads(self.call("--path", "/chat/completions", "--json", data=f"@{request}").stdout)
        self.assertEqual((answer["pool"], answer["status"], len(answer["attempts"])), ("prod", 200, 1))
        self.assertIn("choices", answer["body"])

    def test_refused_keys_are_named_with_their_reasons_and_the_next_is_used(self):
        self.start()
        self.revoke("k1")
        self.control("PUT", "keys/k2", {"state": "no_balance"})
        done = self.call()
        self.assertIn("choices", json.loads(done.stdout))
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 3, done.stderr)
        self.assertTrue(lines[0].startswith("keyherd: k1: 401 invalid_key: "), lines)
        self.assertTrue(lines[1].startswith("keyherd: k2: 402 balance_exhausted: "), lines)
        self.assertEqual(lines[2], "keyherd: answered with k3")
        for name in self.names:
            self.assertNotIn(secret_of(name), done.stdout + done.stderr)
        # It was told, so nobody is handed them again; and the agent proves it.
        again = self.call()
        self.assertEqual(again.stderr, "")
        self.agent.wait_state("k1", "dead")

    def test_when_all_keys_are_refused_it_is_bad_news(self):
        self.start()
        self.revoke(*self.names)
        done = self.call(expect=1)
        self.assertEqual(done.stdout, "")
        self.assertIn(": 401 invalid_key: ", done.stderr)
        self.assertIn("no good answer in ", done.stderr)
        for name in self.names:  # tried, or told why not: a probe may have found out first
            self.assertIn(f" {name} ", done.stderr.replace(":", " "))
        failed = json.loads(self.call("--json", expect=1).stdout)
        self.assertIn("no key of pool prod", failed["error"]["message"])

    def test_an_outage_is_waited_out(self):
        self.start()
        self.control("POST", "outage", {"face": "alpha", "mode": "503"})

        def mend():
            wait_until(lambda: sum(row["failed_requests"] for row in self.used().values()) >= 2, "it has tried twice")
            self.control("POST", "outage", {"face": "alpha", "mode": "none"})
        helper = threading.Thread(target=mend)
        helper.start()
        done = self.call()
        helper.join()
        self.assertIn("; again in 0.5s", done.stderr)
        self.assertIn("choices", json.loads(done.stdout))

    def test_a_wrong_request_is_not_tried_again(self):
        self.start()
        done = self.call("--path", "/nowhere", expect=1)
        self.assertEqual(done.stderr.count("keyherd: k"), 1)
        self.assertIn("404", done.stderr)
        self.call(data="{", expect=2)
        self.call("--path", "nowhere", expect=2)

    def test_silence_is_a_time_out_and_what_is_no_tls_is_told_from_it(self):
        silent, plain = Silent(), Silent(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.sinks += [silent, plain]
        self.start(f"http://127.0.0.1:{silent.port}")
        done = self.call("--read-timeout", "100ms", expect=3)
        self.assertEqual(done.stderr.count("network: time-out: reading from 127.0.0.1"), 5, done.stderr)
        self.assertIn("; again in 2s", done.stderr)
        self.agent.config_path.write_text(self.agent.config_path.read_text().replace(
            f"http://127.0.0.1:{silent.port}", f"https://127.0.0.1:{plain.port}"))
        self.agent.program.kill(1)
        wait_until(lambda: self.agent.post("/api/v1/pools/prod/next")[1].get("base_url", "").startswith("https"), "TLS is tried")
        done = self.call(expect=3)
        self.assertEqual(done.stderr.count("keyherd: k"), 1, done.stderr)
        self.assertIn("network: TLS with 127.0.0.1", done.stderr)

    def test_without_an_agent_it_says_so(self):
        self.start()
        self.agent.program.stop()
        done = self.call(expect=3)
        self.assertIn("no agent answers", done.stderr)
        self.assertNotIn("k1", done.stderr)


if __name__ == "__main__":
    main()
