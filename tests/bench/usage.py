"""How fast usage logs are counted, beside a scan for newlines, a plain Python loop and mtail.

All in one run, in turns, in seconds of one processor core: absolute figures depend on the machine and what else
it does, ratios hardly. Every way must come to the same sums."""
import contextlib
import json
import os
import pathlib
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

import harness

LINES = int(os.environ.get("KEYHERD_BENCH_LINES", "1200000"))
ROUNDS = int(os.environ.get("KEYHERD_BENCH_ROUNDS", "3"))
KEYS = 1000
MODELS = [f"model-{i}-2026" for i in range(12)]
HERE = pathlib.Path(__file__).resolve().parent
MTAIL = HERE / "usage.mtail"
# The slow ones read a part; their rate does not depend on the length.
PYTHON_LINES = LINES // 8
MTAIL_LINES = LINES // 40
COUNTED = "SELECT value FROM counter JOIN name ON name.id = owner WHERE name.name = 'log' AND counter.name = 'records'"

# The loop that one would write; reads the log's name and prints its sums.
PYTHON_LOOP = """
import json, sys
prices = json.loads(sys.argv[2])
sums = {}
for line in open(sys.argv[1]):
    try:
        record = json.loads(line)
    except ValueError:
        continue
    row = sums.setdefault((record["key"], record["model"], record["ts"][:13]), [0, 0, 0, 0, 0, 0])
    price = prices[record["model"]]
    row[0] += 1
    row[1] += record["status"] >= 400
    row[2] += record["input_tokens"]
    row[3] += record["cached_input_tokens"]
    row[4] += record["output_tokens"]
    row[5] += ((record["input_tokens"] - record["cached_input_tokens"]) * price[0]
               + record["cached_input_tokens"] * price[1] + record["output_tokens"] * price[2] + 500000) // 1000000
print(json.dumps([sum(column) for column in zip(*sums.values())]))
"""


def prices():
    """In nano-USD per million tokens: fresh input, cached input, output."""
    return {model: [(i + 1) * 100_000_000, (i + 1) * 10_000_000, (i + 1) * 400_000_000] for i, model in enumerate(MODELS)}


def write_log(path, lines):
    chance = random.Random(7)
    with open(path, "w", buffering=1 << 20) as log:
        for i in range(lines):
            second = i * 7200 // lines  # two hours, in order
            stamp = f"2026-05-01T{10 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{i % 1000:03}Z"
            size = chance.randrange(4000)
            log.write(f'{{"ts":"{stamp}","key":"key-{chance.randrange(KEYS):04}","provider":"fake",'
                      f'"model":"{MODELS[chance.randrange(12)]}","input_tokens":{size},"cached_input_tokens":{size // 3},'
                      f'"output_tokens":{size // 5},"status":{429 if i % 97 == 0 else 200},"latency_ms":{200 + size},"client":"svc-{i % 40:02}",'
                      f'"request_id":"req-{i:08x}-{chance.getrandbits(64):016x}"}}\n')


def head(path, lines):
    part = path.with_suffix(f".{lines}")
    with open(path) as whole, open(part, "w") as out:
        for _ in range(lines):
            out.write(whole.readline())
    return part


def config(directory, extra=""):
    names = [f"key-{i:04}" for i in range(KEYS)]
    text = ('[agent]\nstate = "bench.db"\n'
            f'listen = "127.0.0.1:{harness.free_port()}"\n'
            '[providers.fake]\ntype = "deepseek"\nbase_url = "http://127.0.0.1:9"\nprobe = { every = "24h" }\n')
    for model, (fresh, cached, output) in prices().items():
        text += (f'[providers.fake.prices."{model}"]\ninput = {fresh / 1e9}\ncached_input = {cached / 1e9}\n'
                 f'output = {output / 1e9}\n')
    path = directory / "keyherd.toml"
    path.write_text(text + harness.key_config(names) + extra)
    return path, {**os.environ, **harness.environment_for(names)}


def run(argv, environment=None):
    """(seconds of a processor, output)"""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(part) for part in argv], capture_output=True, text=True, env=environment, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]} failed:\n{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


class Bench:
    def __init__(self, directory):
        self.directory = directory
        self.log = directory / "usage.jsonl"
        write_log(self.log, LINES)
        self.config, self.environment = config(directory)
        self.python_log = head(self.log, PYTHON_LINES)
        self.mtail_log = head(self.log, MTAIL_LINES)
        self.rates = {}
        self.sums = {}

    def note(self, what, lines, seconds):
        self.rates.setdefault(what, []).append(lines / seconds)

    def rate(self, what):
        return statistics.median(self.rates[what])

    def newline_scan(self):
        seconds, out = run(["wc", "-l", self.log])
        assert int(out.split()[0]) == LINES
        self.note("newline scan (wc -l)", LINES, seconds)

    def offline(self, log=None, lines=LINES):
        # Sums by key, model and quarter of an hour as always; like the loop, it prints what they add up to.
        seconds, out = run([harness.KEYHERD, "usage", "--config", self.config, "--file", log or self.log, "--by",
                            "model", "--json"], self.environment)
        rows = json.loads(out)
        names = ["requests", "failed_requests", "input_tokens", "cached_input_tokens", "output_tokens"]
        sums = [sum(row[name] for row in rows) for name in names]
        sums.append(round(sum(row["cost_usd"] for row in rows) * 1e9))
        if log is None:
            assert sums[0] == LINES, sums
            self.note("keyherd: parse, price, window, sum", lines, seconds)
        return sums

    def python(self):
        seconds, out = run([sys.executable, "-c", PYTHON_LOOP, self.python_log, json.dumps(prices())])
        self.sums["python"] = json.loads(out)
        self.note("Python loop", PYTHON_LINES, seconds)

    def mtail(self):
        seconds, out = run(["mtail", "--one_shot", "--one_shot_format", "json", "--progs", MTAIL, "--logs",
                            self.mtail_log, "--log_dir", self.directory])
        metrics = json.loads(out)
        self.sums["mtail"] = [sum(row["Value"]["Value"] for row in metrics[name][0]["LabelValues"] or [])
                              for name in ("requests", "failed", "input_tokens", "cached_input_tokens", "output_tokens")]
        self.note("mtail", MTAIL_LINES, seconds)

    def agent(self):
        """A whole agent with quotas, commits and everything: from the log's appearance until its state file holds
        the last line. Watched through that file: a scrape would cost the agent time that is not the log's."""
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        log = directory / "usage.jsonl"
        path, environment = config(directory, f'[usage_logs.log]\npath = "{log}"\n')
        port = path.read_text().split("listen = \"127.0.0.1:")[1].split('"')[0]
        address = f"http://127.0.0.1:{port}"
        program = subprocess.Popen([harness.KEYHERD, "run", "--config", path], env=environment, cwd=directory,
                                   stdout=subprocess.DEVNULL, stderr=open(directory / "log", "w"))

        def alive(seen):
            assert program.poll() is None, (directory / "log").read_text()[-2000:]
            return seen
        try:
            harness.wait_until(lambda: alive(harness.http_request("GET", f"{address}/-/ready")[0] == 200), "ready", 60)
            before = harness.process_seconds(program.pid)
            started = time.monotonic()
            os.link(self.log, log)
            with contextlib.closing(sqlite3.connect(f"file:{directory}/bench.db?mode=ro", uri=True)) as state:
                harness.wait_until(lambda: alive(state.execute(COUNTED).fetchone() == (LINES,)),
                                   "the agent counts the log", 300, 0.05)
            wall = time.monotonic() - started
            seconds = harness.process_seconds(program.pid) - before
            total = f'keyherd_usagelog_records_total{{source="log"}} {LINES}\n'
            harness.wait_until(lambda: total in str(harness.http_request("GET", f"{address}/metrics")[1]), "published")
        finally:
            program.terminate()
            program.wait()
        self.note("keyherd: whole agent with commits", LINES, seconds)
        self.rates.setdefault("wall", []).append(LINES / wall)
        shutil.rmtree(directory)

    def check_sums(self):
        ours = self.offline(self.python_log, PYTHON_LINES)
        if ours != self.sums["python"]:
            raise SystemExit(f"the sums differ: keyherd {ours}, Python {self.sums['python']}")
        ours = self.offline(self.mtail_log, MTAIL_LINES)[:5]
        if "mtail" in self.sums and ours != self.sums["mtail"]:
            raise SystemExit(f"the sums differ: keyherd {ours}, mtail {self.sums['mtail']}")


def table(bench, with_mtail):
    scan = bench.rate("newline scan (wc -l)")
    print(f"{LINES:,} lines, {bench.log.stat().st_size / 1e6:.0f} MB, {KEYS:,} keys, {len(MODELS)} models; "
          f"medians of {ROUNDS} rounds, per second of one core")
    for what in bench.rates:
        if what != "wall":
            print(f"  {what:38} {bench.rate(what) / 1e6:8.3f} M lines/s   {scan / bench.rate(what):7.1f} x the scan's time")
    print(f"  the whole agent, by the clock          {bench.rate('wall') / 1e6:8.3f} M lines/s")
    counted, whole = bench.rate("keyherd: parse, price, window, sum"), bench.rate("keyherd: whole agent with commits")
    goals = [("parse, price, window, sum", counted / 1e6, 2.0, "M lines/s"),
             ("whole agent with commits", whole / 1e6, 1.0, "M lines/s"),
             ("against Python", counted / bench.rate("Python loop"), 15, "x")]
    if with_mtail:
        goals.append(("against mtail", counted / bench.rate("mtail"), 60, "x"))
    reached = True
    for what, value, goal, unit in goals:
        reached = reached and value >= goal
        print(f"  {'reached' if value >= goal else 'MISSED '} {what}: {value:.2f} {unit} (goal {goal})")
    return 0 if reached else 1


def main():
    with_mtail = shutil.which("mtail") is not None
    if not with_mtail:
        print("mtail is left out: it is not installed (apt-get install mtail)")
    with tempfile.TemporaryDirectory(prefix="keyherd-bench-") as directory:
        bench = Bench(pathlib.Path(directory))
        for _ in range(ROUNDS):
            bench.newline_scan()
            bench.offline()
            bench.python()
            if with_mtail:
                bench.mtail()
            bench.agent()
        bench.check_sums()
        return table(bench, with_mtail)
