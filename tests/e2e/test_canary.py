#!/usr/bin/env python3
"""A secret in the configuration, the logs, the provider's answers and errors is in no output but the
published file and the one route that hands it out."""
import base64
import http.server
import json
import pathlib
import threading
import urllib.parse

from harness import (Agent, EndToEnd, http_request, key_config, main, utc_now, wait_until)

CANARY = "sk-CANARY-5a7b9c1d3e5f7a9b+/=%"


def forms(secret):
    """The secret as it could come back: raw, hex, percent-encoded, base64 in its three alignments."""
    raw = secret.encode()
    found = {secret, raw.hex(), urllib.parse.quote(secret, safe=""), json.dumps(secret)[1:-1]}
    for shift in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * shift + raw).decode()
            first = (shift * 8 + 5) // 6
            found.add(text[first:(shift + len(raw)) * 8 // 6])
    return found


class EchoProvider:
    """Answers every request with what it was sent, key included, in the body and in headers."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sent = self.headers.get("Authorization", "")
                body = json.dumps({"error": {"message": f"Incorrect API key provided: {sent} / {sent.encode().hex()} / "
                                             + base64.b64encode(b"x" + sent.encode()).decode(),
                                             "code": "invalid_api_key"}}).encode()
                self.send_response(401)
                self.send_header("X-Echo", sent)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            do_GET = do_POST = answer

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Canary(EndToEnd):
    def assert_clean(self, text, where):
        for form in forms(CANARY):
            self.assertNotIn(form, text, f"the canary is in {where}")

    def test_the_canary_is_in_no_output(self):
        echo = EchoProvider()
        self.sinks.append(echo)
        base, _ = self.sandbox({"good": {"secret": CANARY}})
        hook = self.write("hook.sh", "#!/bin/sh\ncat\necho leaked 1>&2\nexit 1\n", 0o755)
        config = (f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                  f'probe = {{ every = "1s", timeout = "1s" }}\n\n'
                  f'[providers.echo]\ntype = "openai_compat"\nbase_url = "http://127.0.0.1:{echo.port}"\n'
                  f'probe = {{ every = "1s", timeout = "1s", confirm_after = "1s" }}\n\n'
                  + key_config(["good"]) + key_config(["echoed"], provider="echo") +
                  f'[pools.prod]\nkeys = ["good"]\npublish = [{{ file = "out/prod.json" }}, {{ exec = ["{hook}"] }}]\n\n'
                  '[usage_logs.clients]\npath = "usage.jsonl"\n')
        (self.directory / "out").mkdir()
        self.append_log([{"ts": utc_now(), "key": CANARY, "model": CANARY, "status": 200},
                         {"ts": CANARY, "key": "good"}])
        with open(self.directory / "usage.jsonl", "a", encoding="utf-8") as log:
            log.write(f"not json {CANARY}\n")
        environment = {"SECRET_good": CANARY, "SECRET_echoed": CANARY}
        agent = Agent(self, config, environment).start()
        agent.wait_state("good", "healthy")
        agent.wait_state("echoed", "dead", 30)
        published = self.directory / "out/prod.json"
        wait_until(published.exists, "prod is published")
        self.assertEqual(json.loads(published.read_text())["secret"], CANARY)
        wait_until(lambda: sum(agent.get("/api/v1/status")["sources"][0]["rejected"].values()) >= 3,
                   "the bad lines are counted")
        pages = ["/metrics", "/", "/-/ready", "/api/v1/status", "/api/v1/keys", "/api/v1/keys/good",
                 "/api/v1/keys/echoed/explain", "/api/v1/pools", "/api/v1/rotations", "/api/v1/usage", "/api/v1/schedule"]
        for path in pages:
            status, body = http_request("GET", agent.url(path), token=agent.token)
            self.assertEqual(status, 200, path)
            self.assert_clean(body if isinstance(body, str) else json.dumps(body), path)
        status, body = http_request("GET", agent.url("/api/v1/keys/" + urllib.parse.quote(CANARY, safe="")), token=agent.token)
        self.assertEqual(status, 404)
        for arguments in (["status"], ["explain", "echoed"], ["probe"], ["check"], ["check", "--probe"],
                          ["history"], ["usage"], ["version"]):
            done = agent.cli(*arguments, expect=None)
            self.assert_clean(done.stdout + done.stderr, "keyherd " + " ".join(arguments))
        pid = agent.program.process.pid
        self.assert_clean(pathlib.Path(f"/proc/{pid}/cmdline").read_text(), "the command line")
        # The one route that hands it out, with the role for it.
        active = agent.get("/api/v1/pools/prod/active")
        self.assertEqual(active["secret"], CANARY)
        self.assertEqual(http_request("GET", agent.url("/api/v1/pools/prod/active"))[0], 401)
        self.assertEqual(agent.program.stop(), 0)
        self.assert_clean(agent.program.log(), "the log")
        self.assertIn("[redacted]", agent.program.log())
        for path in self.directory.glob("keyherd.db*"):
            self.assert_clean(path.read_bytes().decode("latin-1"), path.name)

    def test_a_literal_secret_in_the_configuration_is_refused_and_not_repeated(self):
        agent = Agent(self, f'[providers.p]\ntype = "deepseek"\n\n[keys.k]\nprovider = "p"\nsecret = "{CANARY}"\n', {})
        done = agent.cli("check", expect=2)
        self.assert_clean(done.stdout + done.stderr, "the message")
        self.assertRegex(done.stderr, r"keyherd\.toml:\d+:\d+: keys\.k\.secret: .*env:")


if __name__ == "__main__":
    main()
