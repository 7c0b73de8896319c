#!/usr/bin/env python3
"""The agent is killed at random moments while a log is written and rotated: every line counts once."""
import os
import random
import threading

from harness import Agent, EndToEnd, environment_for, key_config, main, wait_until
from log_writer import Writer

KILLS = int(os.environ.get("KEYHERD_KILLS", "20"))


class Crash(EndToEnd):
    def test_kill_9_under_a_writing_and_rotating_log_loses_and_doubles_nothing(self):
        keys = ["k1", "k2", "k3"]
        base, _ = self.sandbox({name: {} for name in keys})
        config = (f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                  f'probe = {{ every = "60s" }}\n\n' + key_config(keys, quotas='["daily"]') +
                  '[quotas.daily]\nlimit = 1000000000\nunit = "tokens"\nwindow = "day"\n\n'
                  '[usage_logs.clients]\npath = "usage.jsonl*"\n')
        agent = Agent(self, config, environment_for(keys))
        writer = Writer(self.directory, keys, seed=7)
        writer.start()
        chance = random.Random(11)
        moment = threading.Event()
        for _ in range(KILLS):
            agent.start(wait=False)
            moment.wait(chance.uniform(0.02, 0.6))
            agent.program.kill()
            agent.program.wait()
        agent.start()
        writer.ending.set()
        writer.join()

        def totals():
            rows = agent.get("/api/v1/usage?by=key")
            return {row["key"]: [row["requests"], row["input_tokens"], row["output_tokens"]] for row in rows}
        try:
            wait_until(lambda: totals() == writer.expected, "the totals are the log's", 30)
        except AssertionError:
            self.assertEqual(totals(), writer.expected)
        # What is shown follows the store within a moment, and is the same to the token.
        for key, want in writer.expected.items():
            seen = lambda key=key: (lambda view: [view["usage"]["requests"], view["quotas"][0]["used"]])(agent.key(key))
            wait_until(lambda: seen() == [want[0], want[1] + want[2]],  # pylint: disable=cell-var-from-loop
                       f"{key} shows {want}, not {seen()}", 5)
        lines = sum(counts[0] for counts in writer.expected.values())
        print(f"\n{KILLS} kills, {writer.rotations} rotations, {lines} lines: totals exact")
        self.assertGreater(writer.rotations, 0)
        # A restart in good order changes nothing.
        self.assertEqual(agent.program.stop(), 0)
        agent.start()
        self.assertEqual(totals(), writer.expected)


if __name__ == "__main__":
    main()
