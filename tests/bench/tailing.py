"""Measures how the whole agent follows usage logs: memory over a large backlog, lag under a steady load."""
import bisect
import pathlib
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import harness  # noqa: E402  pylint: disable=wrong-import-position

KEYS = 1000
MODELS = [f"model-{i}" for i in range(12)]
CHUNK_LINES = 10_000
MAX_GROWTH_MB = 32
MAX_LAG = 1.0


def records(agent):
    found = re.search(r"^keyherd_usagelog_records_total\{[^}]*\} (\S+)$", agent.metrics(), re.M)
    return int(float(found.group(1))) if found else 0


def log_line(key, model, request_id, at):
    return (f'{{"ts":"{at}","key":"key-{key}","model":"{model}","input_tokens":{100 + key},'
            f'"cached_input_tokens":64,"output_tokens":{20 + key % 50},"status":200,"latency_ms":{300 + key},'
            f'"request_id":"{request_id}","path":"/v1/chat/completions","user":"team-{key % 40}"}}\n')


def write_backlog(path, size):
    """Lines of about 240 bytes with ids of their own, over a day; returns how many."""
    template = "".join(log_line(i * 7919 % KEYS, MODELS[i % 12], f"CHUNKCHUNK-{i:06x}", "DAYDAYDAYDTHH:MM:30.123Z")
                       for i in range(CHUNK_LINES)).encode()
    chunks = max(1, int(size) // len(template))
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400)).encode()
    with open(path, "wb", buffering=0) as log:
        for i in range(chunks):
            minute = i * 1440 // chunks
            log.write(template.replace(b"CHUNKCHUNK", b"%010x" % i)
                      .replace(b"DAYDAYDAYDTHH:MM", day + b"T%02d:%02d" % divmod(minute, 60)))
    return chunks * CHUNK_LINES


class Bench:
    def __init__(self, log, keys):
        self.test = harness.EndToEnd()
        self.test.setUp()
        names = [f"key-{i}" for i in range(keys)]
        base, _ = self.test.sandbox({name: {} for name in names})
        prices = "".join(f'[providers.fake.prices."{model}"]\ninput = 1.0\noutput = 2.0\n\n' for model in MODELS)
        self.agent = harness.Agent(self.test, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                                              'probe = { every = "1h" }\n\n' + prices + harness.key_config(names) +
                                              f'[usage_logs.log]\npath = "{log}"\n', harness.environment_for(names))
        config = self.agent.config_path
        config.write_text(config.read_text().replace('"debug"', '"info"'))
        self.directory = self.test.directory

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for program in self.test.programs:
            program.kill()
            program.process.wait()
        for path in self.directory.glob("**/*.jsonl*"):
            path.unlink()


def backlog(gigabytes=1.0):
    """RSS growth while a backlog is read."""
    with Bench("*.jsonl", KEYS) as bench:
        agent = bench.agent
        lines = write_backlog(bench.directory / "backlog.part", gigabytes * 1e9)
        size = (bench.directory / "backlog.part").stat().st_size
        agent.start()
        pid = agent.program.process.pid
        harness.wait_until(lambda: all(key["state"] == "healthy" for key in agent.get("/api/v1/keys")),
                           "every key is probed once", 240, 1)
        before, cpu, started = harness.memory_mb(pid), harness.process_seconds(pid), time.monotonic()
        pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from here
        (bench.directory / "backlog.part").rename(bench.directory / "backlog.jsonl")
        harness.wait_until(lambda: records(agent) == lines, f"{lines} lines are counted", 3600, 0.5)
        took, used = time.monotonic() - started, harness.process_seconds(pid) - cpu
        growth = harness.memory_mb(pid, "VmHWM") - before
        state = (bench.directory / "keyherd.db").stat().st_size
        print(f"backlog of {size / 1e9:.1f} GB, {lines} lines with ids of {KEYS} keys and {len(MODELS)} models: "
              f"RSS {before:.1f} MB, peak +{growth:.1f} MB (limit {MAX_GROWTH_MB}); {took:.0f} s, {used:.0f} s of CPU, "
              f"{lines / took / 1e6:.2f} M lines/s ({lines / used / 1e6:.2f} per CPU second); state file {state / 1e6:.0f} MB")
        agent.program.stop()
        return 0 if growth <= MAX_GROWTH_MB else 1


class Load(threading.Thread):
    """One line to each of the files, a hundred times a second."""

    def __init__(self, directory, files, seconds):
        super().__init__(daemon=True)
        self.logs = [open(directory / f"{i}.jsonl", "ab", buffering=0) for i in range(files)]
        self.ticks = seconds * 100
        self.totals, self.times = [0], [time.monotonic()]  # so many lines were written by then

    def run(self):
        pause = threading.Event()
        start, total = time.monotonic(), 0
        for tick in range(self.ticks):
            pause.wait(max(0.0, start + tick * 0.01 - time.monotonic()))
            at = harness.utc_now()
            for i, log in enumerate(self.logs):
                log.write(log_line(i, MODELS[tick % 12], f"{tick}-{i}", at).encode())
            total += len(self.logs)
            self.totals.append(total)
            self.times.append(time.monotonic())
        for log in self.logs:
            log.close()

    def written_by(self, lines):
        """When the line after these was written, or nothing if it was not yet."""
        at = bisect.bisect_right(self.totals, lines)
        return self.times[at] if at < len(self.times) else None


def lag(seconds=30, files=200):
    """How old the oldest line is that /metrics does not show yet."""
    with Bench("logs/*.jsonl", files) as bench:
        (bench.directory / "logs").mkdir()
        agent = bench.agent.start()
        pid = agent.program.process.pid
        harness.wait_until(lambda: all(key["state"] == "healthy" for key in agent.get("/api/v1/keys")),
                           "every key is probed once", 240, 1)
        load = Load(bench.directory / "logs", files, int(seconds))
        before, cpu, started = harness.memory_mb(pid), harness.process_seconds(pid), time.monotonic()
        lags, pause = [], threading.Event()
        load.start()
        while load.is_alive():
            counted = records(agent)
            now, oldest = time.monotonic(), load.written_by(counted)
            lags.append(now - oldest if oldest else 0.0)
            pause.wait(0.1)
        took = time.monotonic() - started
        share = (harness.process_seconds(pid) - cpu) / took
        total = load.totals[-1]
        harness.wait_until(lambda: records(agent) == total, "all lines are counted", 30)
        lags.sort()
        print(f"lag at {total / took:.0f} lines/s over {files} files for {took:.0f} s: median {lags[len(lags) // 2]:.2f} s, "
              f"p99 {lags[int(len(lags) * 0.99)]:.2f} s, worst {lags[-1]:.2f} s (limit {MAX_LAG}); "
              f"RSS {before:.1f} MB +{harness.memory_mb(pid, 'VmHWM') - before:.1f} MB, CPU {share * 100:.0f} % of a core")
        agent.program.stop()
        return 0 if lags[-1] < MAX_LAG else 1
