#!/usr/bin/env python3
"""GET /api/v1/events on a running agent: what happens arrives at once, once and in order, also after a break and for
those who may see a part only."""
import http.client
import json

from harness import Agent, EndToEnd, environment_for, key_config, main


class Follower:
    """Reads server-sent events as they come."""

    def __init__(self, agent, token=None, last=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=20)
        headers = {"Authorization": f"Bearer {token or agent.token}", "Accept": "text/event-stream"}
        if last:
            headers["Last-Event-ID"] = last
        self.connection.request("GET", "/api/v1/events", headers=headers)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.status
        assert self.answer.headers["Content-Type"] == "text/event-stream"
        self.block()  # the opening

    def block(self):
        lines = []
        while (line := self.answer.readline()) not in (b"\n", b""):
            lines.append(line.decode().rstrip("\n"))
        return lines if lines or line else None

    def next(self):
        """(id, type, data) of the next event; None at the end."""
        while (lines := self.block()) is not None:
            fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
            if "event" in fields:
                return fields["id"], fields["event"], json.loads(fields["data"])
        return None

    def until(self, kind, condition):
        seen = []
        while True:
            event = self.next()
            assert event, seen
            seen.append(event)
            if event[1] == kind and condition(event[2]):
                return event, seen

    def close(self):
        self.connection.close()


class Events(EndToEnd):
    def setUp(self):
        super().setUp()
        names = ["k1", "k2", "k3", "k4"]
        base, self.control = self.sandbox({name: {} for name in names})
        self.write("other.token", "other-pool-token-0123456789", 0o600)
        self.append_log([])
        self.agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                                 'probe = { every = "1s", timeout = "1s", confirm_after = "1s" }\n\n'
                           + key_config(names, quotas='["daily"]') +
                           '[quotas.daily]\nlimit = 1000\nunit = "tokens"\nwindow = "day"\n\n'
                           '[pools.prod]\nkeys = ["k1", "k2"]\n\n[pools.other]\nkeys = ["k3", "k4"]\n\n'
                           '[[web.tokens]]\nrole = "read"\npools = ["other"]\ntoken = "file:other.token"\n\n'
                           '[usage_logs.clients]\npath = "usage.jsonl"\n', environment_for(names)).start()
        for name in names:
            self.agent.wait_state(name, "healthy")
        for pool in ("prod", "other"):
            self.agent.wait_committed(pool)

    def test_what_happens_arrives_in_order_and_after_a_break_goes_on(self):
        follower = Follower(self.agent)
        confined = Follower(self.agent, "other-pool-token-0123456789")
        active = self.agent.get("/api/v1/pools/prod")["active"]
        self.control("PUT", f"keys/{active}", {"state": "revoked"})
        (mark, _, data), seen = follower.until("key", lambda data: data["state"] == "dead")
        self.assertEqual((data["key"], data["from"]), (active, "healthy"))
        _, more = follower.until("rotation", lambda data: data["state"] == "committed")
        numbers = [int(event[0].partition("-")[2]) for event in seen + more]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertIn("pool", [event[1] for event in more])
        follower.close()
        # The one who may see the other pool has heard nothing of it.
        self.assertEqual(self.agent.post("/api/v1/keys/k3/pause")[0], 200)
        _, heard = confined.until("key", lambda data: data["state"] == "paused")
        self.assertEqual({event[2].get("key") or event[2].get("pool") for event in heard if event[1] != "rotation"} -
                         {"k3", "k4", "other"}, set())
        self.assertNotIn("prod", json.dumps(heard))
        # After a break: what was missed, from the mark on, and no more.
        back = Follower(self.agent, last=mark)
        _, again = back.until("rotation", lambda data: data["state"] == "committed" and data["pool"] == "prod")
        self.assertEqual(again, more)
        back.close()
        # An id of another life of the agent: what is known is old.
        lost = Follower(self.agent, last="00000000-7")
        self.assertEqual(lost.next()[1], "reset")
        lost.close()
        confined.close()

    def test_levels_incidents_and_reloads_are_events_and_a_new_rule_of_access_ends_them(self):
        follower = Follower(self.agent)
        self.append_log([{"ts": self.agent.get("/api/v1/status")["at"], "key": "k4", "model": "m", "input_tokens": 960,
                          "output_tokens": 0, "status": 200}])
        (_, _, data), _ = follower.until("quota", lambda data: data["owner"] == "k4")
        self.assertEqual(data["to"], 3)
        self.control("POST", "outage", {"face": "alpha", "mode": "503"})
        (_, _, data), _ = follower.until("provider", lambda data: not data["up"])
        self.assertTrue(data["incident"])
        text = self.agent.config_path.read_text()
        self.agent.config_path.write_text(text + "nonsense")
        self.assertEqual(self.agent.post("/-/reload")[0], 400)
        (_, _, data), _ = follower.until("agent", lambda data: not data["config_reload_ok"])
        self.assertIn("keyherd.toml", data["config_error"])
        self.agent.config_path.write_text(text)
        self.assertEqual(self.agent.post("/-/reload")[0], 200)
        while follower.next():
            pass  # and then it ends: the token may be worth nothing now
        self.assertTrue(self.agent.program.alive())


if __name__ == "__main__":
    main()
