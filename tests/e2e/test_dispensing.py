#!/usr/bin/env python3
"""A key for each request: handed out by the pool's strategy, taken out at once when it is refused, and
what clients report of it counted once, beside the usage logs."""
import concurrent.futures
import json
import sqlite3

from harness import (Agent, EndToEnd, environment_for, http_request, key_config, main, secret_of, wait_until)

TOKENS = {"consume": "consumer-0123456789", "read": "reader-0123456789", "confined": "confined-0123456789"}


class Dispensing(EndToEnd):
    def start(self, strategy="round_robin", keys=("k1", "k2", "k3"), **more):
        base, self.control = self.sandbox({name: {} for name in keys})
        self.agent = Agent(
            self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
            'probe = { every = "60s", confirm_after = "1s" }\n\n'
            + key_config(keys, **more) +
            f'[pools.prod]\nkeys = {json.dumps(keys)}\nstrategy = "{strategy}"\n\n'
            f'[pools.other]\nkeys = ["{keys[0]}"]\n\n'
            '[quotas.day]\nlimit = 1000\nunit = "tokens"\nwindow = "day"\n\n'
            '[[web.tokens]]\nrole = "consume"\ntoken = "env:CONSUME"\n'
            '[[web.tokens]]\nrole = "read"\ntoken = "env:READ"\n'
            '[[web.tokens]]\nrole = "consume"\npools = ["prod"]\ntoken = "env:CONFINED"\n',
            environment_for(keys) | {name.upper(): token for name, token in TOKENS.items()}).start()
        self.base = base + "/alpha"
        for name in keys:
            self.agent.wait_state(name, "healthy")
        wait_until(lambda: self.next()[0] == 200, "a key is handed out")

    def post(self, action, body, token="consume", pool="prod"):
        return http_request("POST", self.agent.url(f"/api/v1/pools/{pool}/{action}"), body, TOKENS[token], 40)

    def next(self, body=None, **how):
        return self.post("next", body or {}, **how)

    def key(self):
        status, body = self.next()
        self.assertEqual(status, 200, body)
        return body["key"]

    def report(self, key, status, **more):
        return self.post("report", {"key": key, "status": status, **more})

    def test_keys_take_turns_and_come_with_what_a_request_needs(self):
        self.start()
        before = self.key()
        order = ["k1", "k2", "k3"]
        for _ in range(6):
            expected = order[(order.index(before) + 1) % 3]
            _, body = self.next()
            self.assertEqual(body, {"pool": "prod", "key": expected, "secret": secret_of(expected), "provider": "fake",
                                    "type": "deepseek", "base_url": self.base})
            before = expected
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            keys = list(pool.map(lambda _: self.key(), range(300)))
        self.assertEqual({name: keys.count(name) for name in order}, {name: 100 for name in order})

    def test_only_consumers_of_the_pool_get_a_secret(self):
        self.start()
        for action, body in (("next", {}), ("report", {"key": "k1", "status": 200})):
            self.assertEqual(self.post(action, body, token="read")[0], 403)
            self.assertEqual(self.post(action, body, token="confined")[0], 200)
            self.assertEqual(self.post(action, body, token="confined", pool="other")[0], 404)
            self.assertEqual(self.post(action, body, pool="nowhere")[0], 404)
        self.assertEqual(self.post("report", {"key": "k2", "status": 200}, pool="other")[0], 404)
        self.assertEqual(self.next({"include": ["k1"]})[0], 400)
        for name in ("k1", "k2", "k3"):
            self.assertNotIn(secret_of(name), self.agent.program.log())
            self.assertNotIn(secret_of(name), json.dumps(self.agent.get("/api/v1/status")))

    def test_a_refused_key_is_out_with_the_next_call_and_stays_out_once_it_is_proven(self):
        self.start()
        failed = self.key()
        self.control("PUT", f"keys/{failed}", {"state": "revoked"})
        self.assertEqual(self.report(failed, 401)[0], 200)
        self.assertNotIn(failed, [self.key() for _ in range(12)])
        self.agent.wait_state(failed, "dead")
        throttled = self.key()
        self.assertEqual(self.report(throttled, 429, retry_after=30)[0], 200)
        self.assertEqual(len({self.key() for _ in range(6)}), 1)
        status, body = self.next({"exclude": [self.key()]})
        self.assertEqual(status, 503)
        self.assertIn(f"{failed} is dead", body["error"]["message"])

    def test_reports_are_counted_once_and_survive_a_crash(self):
        self.start("quota_aware", quotas='["day"]')
        for _ in range(2):
            self.assertEqual(self.report("k1", 200, model="m", input_tokens=600, output_tokens=100, request_id="r1"),
                             (200, {"saved": True}))
        # 300 left of a thousand: the others are better.
        self.assertNotIn("k1", [self.key() for _ in range(4)])
        self.agent.program.kill()
        self.agent.program.process.wait()
        self.agent.start()
        self.assertEqual(self.report("k1", 200, model="m", input_tokens=600, output_tokens=100, request_id="r1")[0], 200)
        self.assertEqual(self.report("k1", 500, model="m", request_id="r2")[0], 200)
        rows = {row["key"]: row for row in self.agent.get("/api/v1/usage?by=key")}
        self.assertEqual((rows["k1"]["requests"], rows["k1"]["failed_requests"], rows["k1"]["input_tokens"]), (2, 1, 600))
        source = self.agent.get("/api/v1/status")["sources"][0]
        self.assertEqual((source["id"], source["records"]), ("reports", 2))
        self.agent.wait_metric('keyherd_usagelog_records_rejected_total{source="reports",reason="duplicate"} 2')

    def test_while_nothing_can_be_saved_keys_are_handed_out_and_reports_put_off(self):
        self.start()
        other = sqlite3.connect(self.directory / "keyherd.db", isolation_level=None, timeout=20)
        other.execute("BEGIN IMMEDIATE")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            late = pool.submit(self.report, "k1", 200, request_id="r1", input_tokens=5, model="m")
            wait_until(lambda: http_request("GET", self.agent.url("/-/ready"))[0] == 503, "the agent cannot save", 60)
            self.assertEqual(self.next()[0], 200)
            status, body = self.report("k1", 200, request_id="r2")
            self.assertEqual((status, body["error"]["code"]), (429, "unavailable"))
            other.execute("ROLLBACK")
            other.close()
            self.assertIn(late.result()[0], (200, 429))
        wait_until(lambda: self.report("k1", 200, request_id="r1", input_tokens=5, model="m")[0] == 200, "reports are taken", 60)
        self.assertEqual(self.agent.get("/api/v1/usage?by=key")[0]["input_tokens"], 5)


if __name__ == "__main__":
    main()
