#!/usr/bin/env python3
"""Probing against endpoints as they are: other dialects, public lists of models, dropped connections,
balances and limits."""
from harness import Agent, EndToEnd, environment_for, key_config, main, wait_until

PROBE = 'probe = { every = "1s", timeout = "1s", confirm_after = "200ms", paid_every = "1s"%s }\n'


def provider(name, kind, url, more="", fields=""):
    return f'[providers.{name}]\ntype = "{kind}"\nbase_url = "{url}"\n{PROBE % more}{fields}\n'


class Probing(EndToEnd):
    def metric(self, agent, text):
        agent.wait_metric(text)

    def test_a_public_list_of_models_proves_no_key_and_the_next_probe_does(self):
        base, control = self.sandbox({"good": {"face": "open"}, "bad": {"face": "open"}},
                                     [{"name": "open", "open": ["models"]}])
        control("PUT", "keys/bad", {"state": "revoked"})
        config = provider("open", "openai_compat", base + "/open/v1", ', model = "gpt-4.1-nano"')
        agent = Agent(self, config + key_config(["good", "bad"], "open"),
                      environment_for(["good", "bad"])).start()
        endpoint = base.removeprefix("http://")
        self.metric(agent, f'keyherd_endpoint_authenticates{{provider="open",endpoint="{endpoint}"}} 0')
        agent.wait_state("good", "healthy")
        agent.wait_state("bad", "dead")
        self.assertIn('keyherd_probes_total{key="good",provider="open",probe="models"} 0\n', agent.metrics())
        self.assertIn("accepts any key at the probe models", agent.program.log())

    def test_a_one_shot_probe_is_not_taken_in_by_a_public_list_of_models(self):
        base, control = self.sandbox({"good": {"face": "open"}, "bad": {"face": "open"}},
                                     [{"name": "open", "open": ["models"]}])
        control("PUT", "keys/bad", {"state": "revoked"})
        agent = Agent(self, provider("open", "openai_compat", base + "/open/v1")
                      + key_config(["good", "bad"], "open"), environment_for(["good", "bad"]))
        done = agent.cli("check", "--probe", expect=1)
        self.assertRegex(done.stdout, r"bad +open +invalid_key +401")
        self.assertRegex(done.stdout, r"good +open +ok")

    def test_an_endpoint_that_takes_any_key_makes_none_healthy(self):
        base, _ = self.sandbox({"k": {"face": "any"}}, [{"name": "any", "open": ["models", "chat"]}])
        config = provider("any", "openai_compat", base + "/any/v1", ', model = "gpt-4.1-nano"')
        agent = Agent(self, config + key_config(["k"], "any"),
                      {"SECRET_k": "sk-sandbox-wrong-secret"}).start()
        wait_until(lambda: agent.key("k")["verdict"] == "bad_request", "k was probed")
        self.assertIn("accepts any key", str(agent.get("/api/v1/keys/k/explain")))
        self.assertEqual(agent.key("k")["state"], "unknown")

    def test_keys_of_anthropic_and_gemini_live_and_die(self):
        base, control = self.sandbox({"a1": {"face": "ant"}, "a2": {"face": "ant"},
                                      "g1": {"face": "gem"}, "g2": {"face": "gem"}},
                                     [{"name": "ant"}, {"name": "gem"}])
        names = ["a1", "a2", "g1", "g2"]
        config = (provider("ant", "anthropic", base + "/ant") + key_config(["a1", "a2"], "ant")
                  + provider("gem", "gemini", base + "/gem/v1beta") + key_config(["g1", "g2"], "gem"))
        agent = Agent(self, config, environment_for(names)).start()
        for name in names:
            agent.wait_state(name, "healthy")
        endpoint = base.removeprefix("http://")
        for name in ("ant", "gem"):
            self.metric(agent, f'keyherd_endpoint_authenticates{{provider="{name}",endpoint="{endpoint}"}} 1')
        self.metric(agent, 'keyherd_ratelimit_limit{key="a1",provider="ant",resource="requests"} 1000')
        control("PUT", "keys/a1", {"state": "no_balance"})
        control("PUT", "keys/g1", {"state": "no_balance"})
        agent.wait_state("a1", "exhausted")
        agent.wait_state("g1", "exhausted")
        control("PUT", "keys/a2", {"state": "throttled", "for": "2s"})
        control("PUT", "keys/g2", {"state": "throttled", "for": "2s"})
        agent.wait_state("a2", "throttled")
        agent.wait_state("g2", "throttled")
        agent.wait_state("a2", "healthy")
        agent.wait_state("g2", "healthy")
        control("PUT", "keys/a1", {"state": "revoked"})
        control("PUT", "keys/g2", {"state": "revoked"})
        agent.wait_state("g2", "dead")

    def test_dropped_connections_are_the_endpoints_failure_and_condemn_nobody(self):
        base, control = self.sandbox({"k1": {}, "k2": {}})
        config = provider("fake", "deepseek", base + "/alpha") + key_config(["k1", "k2"], "fake")
        agent = Agent(self, config, environment_for(["k1", "k2"])).start()
        for name in ("k1", "k2"):
            agent.wait_state(name, "healthy")
        endpoint = base.removeprefix("http://")
        control("POST", "outage", {"face": "alpha", "mode": "drop"})
        self.metric(agent, f'keyherd_endpoint_up{{provider="fake",endpoint="{endpoint}"}} 0')
        self.assertEqual([agent.key(name)["state"] for name in ("k1", "k2")], ["healthy", "healthy"])
        control("POST", "outage", {"face": "alpha", "mode": "none"})
        self.metric(agent, f'keyherd_endpoint_up{{provider="fake",endpoint="{endpoint}"}} 1')

    def test_balances_stand_beside_their_thresholds(self):
        base, _ = self.sandbox({"k1": {"balance": 7.5, "price_per_request": 0}})
        config = provider("fake", "deepseek", base + "/alpha", fields="balance_thresholds = "
                          "{ USD = { warning = 10, critical = 2.5 } }\n") + key_config(["k1"], "fake")
        agent = Agent(self, config, environment_for(["k1"])).start()
        labels = 'key="k1",provider="fake",currency="USD"'
        self.metric(agent, f"keyherd_balance_remaining{{{labels}}} 7.5")
        self.metric(agent, f'keyherd_balance_threshold{{{labels},level="warning"}} 10')
        self.metric(agent, f'keyherd_balance_threshold{{{labels},level="critical"}} 2.5')

    def test_a_rule_of_the_configuration_reads_an_answer_anew(self):
        base, control = self.sandbox({"k1": {}, "k2": {}})
        control("PUT", "keys/k1", {"state": "disabled"})
        rule = ('[[providers.fake.rules]]\nverdict = "permission_denied"\nstatus = ["401"]\n'
                'texts = ["has been disabled"]\n')
        config = (provider("fake", "openai_compat", base + "/alpha/v1") + rule
                  + key_config(["k1", "k2"], "fake"))
        agent = Agent(self, config, environment_for(["k1", "k2"])).start()
        agent.wait_state("k1", "degraded")
        agent.wait_state("k2", "healthy")


if __name__ == "__main__":
    main()
