#!/usr/bin/env python3
"""Usage that comes by HTTP: counted in the format of a log, beside its files, once for each request id."""
import http.client
import json
import sqlite3

from harness import Agent, EndToEnd, environment_for, http_request, key_config, main, utc_now, wait_until

TOKENS = {"consume": "consumer-0123456789", "read": "reader-0123456789", "confined": "confined-0123456789"}


class UsageByHttp(EndToEnd):
    def setUp(self):
        super().setUp()
        names = ["k1", "k2"]
        base, _ = self.sandbox({name: {} for name in names})
        self.agent = Agent(
            self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n\n' + key_config(names) +
            '[pools.prod]\nkeys = ["k1", "k2"]\npublish = [{ file = "prod.json" }]\n\n'
            '[usage_logs.file]\npath = "usage.jsonl"\n\n'
            '[usage_logs.http]\nformat = "litellm"\nkey_names = { team-a = "k2" }\n\n'
            '[[web.tokens]]\nrole = "consume"\ntoken = "env:CONSUME"\n'
            '[[web.tokens]]\nrole = "read"\ntoken = "env:READ"\n'
            '[[web.tokens]]\nrole = "consume"\npools = ["prod"]\ntoken = "env:CONFINED"\n',
            environment_for(names) | {name.upper(): token for name, token in TOKENS.items()}).start()

    def deliver(self, log, lines, token="consume"):
        """Status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.agent.port, timeout=40)
        body = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
        connection.request("POST", f"/api/v1/usage?log={log}", body, {"Authorization": "Bearer " + TOKENS[token]})
        answer = connection.getresponse()
        return answer.status, answer.headers, json.loads(answer.read())

    def used(self):
        return {row["key"]: row for row in self.agent.get("/api/v1/usage?by=key")}

    def native(self, number, key="k1"):
        return {"ts": utc_now(), "key": key, "model": "m", "input_tokens": number, "output_tokens": 1, "request_id": f"r{number}"}

    def test_lines_are_counted_in_the_format_of_their_log_and_the_others_are_told(self):
        litellm = {"id": "c1", "status": "success", "prompt_tokens": 98, "completion_tokens": 34, "startTime": 1795342534.1,
                   "endTime": 1795342534.9, "model": "gpt-4.1-mini", "metadata": {"user_api_key_alias": "team-a"}}
        status, _, body = self.deliver("http", [litellm, litellm | {"id": "c2", "cache_hit": True}, "nonsense\n",
                                                litellm | {"id": "c3", "metadata": {"user_api_key_alias": "stranger"}}])
        self.assertEqual(status, 200)
        self.assertEqual({name: body[name] for name in ("log", "lines", "counted", "skipped", "rejected")},
                         {"log": "http", "lines": 4, "counted": 1, "skipped": 1, "rejected": {"bad_json": 1, "unknown_key": 1}})
        self.assertEqual(len(body["samples"]), 2)
        self.assertNotIn("stranger", json.dumps(body))
        # What was answered is in the store, and beside what comes from files.
        self.assertEqual(self.used()["k2"]["input_tokens"], 98)
        self.append_log([self.native(5)])
        wait_until(lambda: self.used().get("k1", {}).get("input_tokens") == 5, "the file is counted")
        self.assertEqual(self.deliver("file", [self.native(7)])[2]["counted"], 1)
        self.assertEqual(self.used()["k1"]["input_tokens"], 12)

    def test_what_is_sent_again_counts_once(self):
        lines = [self.native(number) for number in range(1, 4)]
        self.assertEqual(self.deliver("file", lines)[2]["counted"], 3)
        again = self.deliver("file", lines + [self.native(4)])[2]
        self.assertEqual((again["counted"], again["rejected"]), (1, {"duplicate": 3}))
        self.append_log(lines + [self.native(5)])  # the gateway writes to the file as well
        wait_until(lambda: self.used()["k1"]["input_tokens"] == 15, "the file is counted")
        mapped = {"id": "c1", "status": "success", "prompt_tokens": 98, "completion_tokens": 34, "startTime": 1795342534.1,
                  "endTime": 1795342534.9, "model": "gpt-4.1-mini", "metadata": {"user_api_key_alias": "team-a"}}
        self.assertEqual(self.deliver("http", [mapped, mapped])[2]["rejected"], {"duplicate": 1})
        self.assertEqual(self.used()["k2"]["input_tokens"], 98)

    def test_who_may_send_and_what(self):
        self.assertEqual(self.deliver("file", [], "read")[0], 403)
        self.assertEqual(self.deliver("file", [], "confined")[0], 403)
        self.assertEqual(self.deliver("nowhere", [self.native(1)])[0], 404)
        self.assertEqual(self.deliver("file", ["x" * (9 << 20)])[0], 413)
        self.assertEqual(self.deliver("file", [])[2]["lines"], 0)

    def test_while_the_store_is_locked_lines_are_put_off_and_none_is_lost(self):
        self.assertEqual(self.deliver("file", [self.native(3)])[0], 200)
        ready = lambda: http_request("GET", self.agent.url("/-/ready"))[0] == 200
        other = sqlite3.connect(self.directory / "keyherd.db", isolation_level=None, timeout=20)
        other.execute("BEGIN IMMEDIATE")
        self.append_log([self.native(5)])
        wait_until(lambda: not ready(), "the agent cannot save")
        status, headers, _ = self.deliver("file", [self.native(7)])
        self.assertEqual(status, 429)
        self.assertGreater(int(headers["Retry-After"]), 0)
        other.execute("ROLLBACK")
        other.close()
        wait_until(ready, "the agent saves again", 60)
        self.assertEqual(self.deliver("file", [self.native(7)])[2]["counted"], 1)
        self.assertEqual(self.used()["k1"]["input_tokens"], 15)


if __name__ == "__main__":
    main()
