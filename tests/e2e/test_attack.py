#!/usr/bin/env python3
"""The agent's port under attack: floods, slow clients, malformed requests, strangers' pages, guessing. Meanwhile
scrapes are answered at once, memory stays where it is, and nothing changes."""
import json
import socket
import threading
import time
import urllib.parse

from harness import Agent, EndToEnd, environment_for, http_request, key_config, main, memory_mb, wait_until


class Attack(EndToEnd):
    def setUp(self):
        super().setUp()
        base, _ = self.sandbox({"k1": {}, "k2": {}})
        self.agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n\n'
                           + key_config(["k1", "k2"]) + '[pools.prod]\nkeys = ["k1", "k2"]\n',
                           environment_for(["k1", "k2"])).start()
        self.agent.wait_state("k1", "healthy")
        self.agent.wait_state("k2", "healthy")
        self.agent.wait_committed("prod")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.agent.port), timeout=20)

    def send(self, raw):
        """What comes back for these bytes until the server closes or is silent for a moment."""
        with self.connect() as client:
            client.settimeout(2)
            got = b""
            try:
                client.sendall(raw)
                while part := client.recv(65536):
                    got += part
                    if b"\r\n\r\n" in got and b"Content-Length: 0" not in got and got.endswith(b"\n"):
                        break
            except OSError:
                pass
            return got.decode(errors="replace")

    def status(self, raw):
        first = self.send(raw).partition("\r\n")[0].split()
        return int(first[1]) if len(first) > 1 else 0

    def request(self, method, path, *lines, body="", host=None):
        host = host if host is not None else f"Host: 127.0.0.1:{self.agent.port}"
        head = [f"{method} {path} HTTP/1.1", *([host] if host else []), "Connection: close", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(head) + "\r\n\r\n" + body).encode()

    def token(self):
        return f"Authorization: Bearer {self.agent.token}"

    def belief(self):
        status = self.agent.get("/api/v1/status")
        return [(key["id"], key["state"]) for key in status["keys"]], [pool["generation"] for pool in status["pools"]]

    def worst_scrape(self, rounds=20):
        worst = 0
        for _ in range(rounds):
            for path in ("/-/healthy", "/metrics"):
                began = time.monotonic()
                status, _ = http_request("GET", self.agent.url(path), token=self.agent.token)
                worst = max(worst, time.monotonic() - began)
                self.assertEqual(status, 200)
        return worst

    def test_five_hundred_slow_clients_delay_no_scrape(self):
        before = memory_mb(self.agent.program.process.pid)
        starts = [b"", b"GET /metrics HTTP/1.1\r\nX-Slow: ",
                  self.request("POST", "/api/v1/usage", self.token(), "Content-Length: 100000"),
                  b"GET /api/v1/status HTTP/1.1\r\nHost: "]
        slow = []
        for number in range(500):
            slow.append(self.connect())
            slow[-1].sendall(starts[number % len(starts)])
        stop = threading.Event()

        def dribble():
            while not stop.wait(0.2):
                for client in slow:
                    try:
                        client.send(b"a")
                    except OSError:
                        pass  # turned out by its deadline
        thread = threading.Thread(target=dribble)
        thread.start()
        try:
            self.assertLess(self.worst_scrape(), 1.0)
        finally:
            stop.set()
            thread.join()
            for client in slow:
                client.close()
        self.assertLess(memory_mb(self.agent.program.process.pid) - before, 16)

    def test_floods_end_in_little_memory(self):
        before = memory_mb(self.agent.program.process.pid)

        def flood(head, piece, most):
            sent = 0
            with self.connect() as client:
                try:
                    client.sendall(head)
                    while sent < most:
                        client.sendall(piece)
                        sent += len(piece)
                except OSError:
                    return  # it has heard enough
        block = b"x" * 65536
        chunk = b"10000\r\n" + block + b"\r\n"
        usage = self.request("POST", "/api/v1/usage", self.token(), "Transfer-Encoding: chunked")
        began = time.monotonic()
        flood(b"GET / HTTP/1.1\r\nX: ", block, 100 << 20)
        flood(b"GET / HTTP/1.1\r\n", b"X-Header: value\r\n" * 1000, 100 << 20)
        flood(b"GET /", block, 100 << 20)
        flood(usage, chunk, 1 << 30)
        self.assertLess(time.monotonic() - began, 20)
        self.assertLess(memory_mb(self.agent.program.process.pid) - before, 48)
        self.assertLess(self.worst_scrape(2), 1.0)

    def test_requests_that_mean_two_things_are_refused(self):
        before = self.belief()
        pause = "/api/v1/keys/k1/pause"
        smuggled = self.request("POST", pause, self.token()).decode()
        for raw in (
                self.request("POST", pause, self.token(), "Content-Length: 1000000000000000000"),
                self.request("POST", pause, self.token(), "Content-Length: -1"),
                self.request("POST", pause, self.token(), "Content-Length: 1", "Content-Length: 2"),
                self.request("POST", pause, self.token(), "Content-Length: 5", "Transfer-Encoding: chunked", body="0\r\n\r\n"),
                self.request("POST", pause, self.token(), "Transfer-Encoding: chunked, gzip"),
                self.request("POST", pause, self.token(), "Transfer-Encoding: chunked") + b"-2\r\nx\r\n",
                self.request("POST", pause, self.token(), "Transfer-Encoding: chunked") + b"FFFFFFFFFFFFFFFF\r\nx\r\n",
                self.request("GET", "/api/v1/keys/k1%0d%0aX: y", self.token()),
                self.request("GET", "/api/v1/keys?q=a%00b", self.token()),
                self.request("GET", "/" + "a" * 8193, self.token()),
                self.request("GET", f"http://127.0.0.1:{self.agent.port}/api/v1/status", self.token()),
                b"GET /\r\n", b"GET / HTTP/0.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
                self.request("TRACE", "/", self.token()), self.request("CONNECT", "/", self.token()),
                self.request("OPTIONS", pause, self.token()), self.request("PUT", pause, self.token()),
                self.request("POST", "/api/v1/status", self.token(), body=smuggled),
                self.request("GET", pause, self.token()), self.request("HEAD", pause, self.token())):
            status = self.status(raw)
            self.assertTrue(status == 0 or 400 <= status <= 505, (status, raw[:120]))
            self.assertNotEqual(status, 500, raw[:120])
        self.assertEqual(self.belief(), before)

    def test_only_the_agents_own_names_are_served(self):
        port = self.agent.port
        for host in (f"127.0.0.1:{port}", f"LOCALHOST:{port}", f"localhost.:{port}", f"[::1]:{port}"):
            self.assertEqual(self.status(self.request("GET", "/api/v1/status", self.token(), host=f"Host: {host}")), 200)
        for host in ("evil.com", f"evil.com:{port}", "127.0.0.1.evil.com", "", "127.1", "10.0.0.1", "a b"):
            self.assertIn(self.status(self.request("GET", "/api/v1/status", self.token(), host=f"Host: {host}")), (400, 421))
        self.assertEqual(self.status(self.request("GET", "/-/healthy", host="")), 400)
        self.assertEqual(self.status(self.request("GET", "/", "Host: evil.com")), 400)
        self.assertEqual(self.status(b"GET /api/v1/status HTTP/1.0\r\n\r\n"), 421)

    def test_pages_of_strangers_change_nothing(self):
        before = self.belief()
        for lines in (["Origin: null"], ["Origin: http://evil.com"], ["Sec-Fetch-Site: cross-site"],
                      ["Origin: http://evil.com", "Content-Type: text/plain"]):
            raw = self.request("POST", "/api/v1/pools/prod/rotate", self.token(), *lines, body="{}")
            self.assertEqual(self.status(raw), 403, lines)
        self.assertEqual(self.status(self.request("POST", "/api/v1/pools/prod/rotate", self.token(),
                                                  "Content-Type: text/plain", body="{}")), 415)
        preflight = self.send(self.request("OPTIONS", "/api/v1/pools/prod/rotate", "Origin: http://evil.com",
                                           "Access-Control-Request-Method: POST"))
        self.assertIn(" 405 ", preflight)
        self.assertNotIn("access-control-allow", preflight.lower())
        self.assertEqual(self.belief(), before)
        own = self.request("POST", "/api/v1/keys/k2/pause", self.token(), f"Origin: http://127.0.0.1:{self.agent.port}",
                           "Sec-Fetch-Site: same-origin")
        self.assertEqual(self.status(own), 200)

    def test_guessing_is_refused_alike_slowed_down_and_not_written_down(self):
        token = self.agent.token
        wrong = [None, "wrong-token-canary-1", token[:-1], token + "x", token.upper(), "ü", ""]
        bodies = set()
        for guess in wrong:
            lines = [f"Authorization: Bearer {guess}"] if guess is not None else []
            answer = self.send(self.request("GET", "/api/v1/status", *lines))
            self.assertIn(" 401 ", answer.partition("\r\n")[0])
            bodies.add(answer.partition("\r\n\r\n")[2])
        self.assertEqual(len(bodies), 1)
        for path in (f"/api/v1/status?token={token}", f"/api/v1/status?access_token={token}"):
            self.assertEqual(self.status(self.request("GET", path)), 401)
        # A flood over a few kept connections: no scrape notices, nothing is written.
        written = len(self.agent.program.log())
        seen = set()

        def guess_on():
            with self.connect() as client:
                raw = self.request("GET", "/api/v1/status", "Authorization: Bearer wrong-token-canary-2")
                reader = client.makefile("rb")
                for _ in range(1500):
                    client.sendall(raw.replace(b"Connection: close\r\n", b""))
                    seen.add(int(reader.readline().split()[1]))
                    length = 0
                    while (line := reader.readline()) not in (b"\r\n", b""):
                        if line.lower().startswith(b"content-length"):
                            length = int(line.split(b":")[1])
                    reader.read(length)
        threads = [threading.Thread(target=guess_on) for _ in range(4)]
        for thread in threads:
            thread.start()
        self.assertLess(self.worst_scrape(10), 1.0)
        for thread in threads:
            thread.join()
        self.assertIn(429, seen)
        self.assertLessEqual(seen, {401, 429})
        log = self.agent.program.log()
        self.assertNotIn("canary", log)
        self.assertLess(len(log) - written, 64 * 1024)
        wait_until(lambda: any(line.startswith("keyherd_http_auth_failures_total") and float(line.split()[1]) > 6000
                               for line in self.agent.metrics().splitlines()), "the failures are counted")

    def test_odd_ids_are_data_in_every_address(self):
        before = self.belief()
        routes = [("GET", "keys/{}"), ("GET", "keys/{}/explain"), ("POST", "keys/{}/probe"), ("POST", "keys/{}/pause"),
                  ("POST", "keys/{}/resume"), ("GET", "pools/{}"), ("GET", "pools/{}/active"), ("POST", "pools/{}/rotate"),
                  ("POST", "pools/{}/freeze"), ("POST", "pools/{}/unfreeze"), ("GET", "rotations?pool={}"),
                  ("GET", "usage?key={}"), ("POST", "usage?log={}")]
        for text in ("../../../etc/passwd", "..", "%", "k1/../k2", "a" * 4000, "'; DROP TABLE keys; --", "k1' OR '1'='1",
                     "<script>alert(1)</script>", "\u202ek1", "k1\t", "K1", "k1 ", "{id}", "*"):
            for method, path in routes:
                answer = self.send(self.request(method, "/api/v1/" + path.format(urllib.parse.quote(text, safe="")),
                                                self.token()))
                head, _, body = answer.partition("\r\n\r\n")
                status = int(head.split()[1])
                self.assertIn(status, (200, 400, 404, 431), (method, path, text, answer[:200]))
                self.assertIn("Content-Type: application/json", head)
                self.assertIn("X-Content-Type-Options: nosniff", head)
                self.assertIn("Content-Security-Policy: default-src 'none'", head)
                if status == 200:  # a question about what is not there
                    self.assertIn(json.loads(body), ([], {"rows": []}) if "usage" not in path else (json.loads(body),))
        self.assertEqual(self.belief(), before)


if __name__ == "__main__":
    main()
