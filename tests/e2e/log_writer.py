"""A usage log that is written and rotated, and what it adds up to."""
import json
import random
import threading
import time


class Writer(threading.Thread):
    """Appends lines, sometimes in two pieces, and rotates by renaming, as log writers do. `pause` is in seconds, after
    each 40 lines; nine rotated files are kept."""

    def __init__(self, directory, keys, seed, pause=0.002):
        super().__init__(daemon=True)
        self.directory, self.keys, self.between = directory, keys, pause
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
                self.pause.wait(self.between)
        log.close()
