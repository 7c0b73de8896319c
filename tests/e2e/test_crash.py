#!/usr/bin/env python3
"""The agent is killed at random moments while a log is written and rotated: every line counts once."""
import json
import os
import random
import threading
import time

from harness import Agent, EndToEnd, environment_for, key_config, main, wait_until

KILLS = int(os.environ.get("KEYHERD_KILLS", "20"))


class Writer(threading.Thread):
    """Appends lines, sometimes in two pieces, and rotates by renaming, as log writers do."""

    def __init__(self, directory, keys, seed):
        super().__init__(daemon=True)
        self.directory, self.keys = directory, keys
        self.random = random.Random(seed)
        self.pause = threading.Event()
        self.ending = threading.Event()
        self.expected = {key: [0, 0, 0] for key in keys}  # requests, input, output
        self.rotations = 0

    def run(self):
        path = self.directory / "usage.jsonl"
        log = open(path, "ab", buffering=0)
        written = 0
        while not self.ending.is_set():
            key = self.random.choice(self.keys)
            tokens_in, tokens_out = self.random.randrange(1, 2000), self.random.randrange(1, 500)
            line = json.dumps({"ts": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "key": key,
                               "model": "deepseek-flash", "input_tokens": tokens_in,
                               "output_tokens": tokens_out, "status": 200}).encode() + b"\n"
            cut = self.random.randrange(1, len(line)) if self.random.random() < 0.05 else len(line)
            log.write(line[:cut])
            if cut < len(line):
                self.pause.wait(0.003)
                log.write(line[cut:])
            counts = self.expected[key]
            counts[0] += 1
            counts[1] += tokens_in
            counts[2] += tokens_out
            written += 1
            if written % 2500 == 0:
                log.close()
                for n in range(8, 0, -1):
                    old = self.directory / f"usage.jsonl.{n}"
                    if old.exists():
                        old.rename(self.directory / f"usage.jsonl.{n + 1}")
                path.rename(self.directory / "usage.jsonl.1")
                log = open(path, "ab", buffering=0)
                self.rotations += 1
            if written % 40 == 0:
                self.pause.wait(0.002)
        log.close()


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
