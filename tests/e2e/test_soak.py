#!/usr/bin/env python3
"""The agent under everything at once, for KEYHERD_SOAK seconds (60): a written and rotated log, consumers that come and
are cut off, commands and scrapes, and faults one after the other: outages, dying and throttled keys, hooks that fail and
hang, reloads good and bad, a full disk, a clock that steps. Afterwards the totals are the log's to the token, no counter
ever fell, memory and descriptors are where they were, every thread does its work, and no sanitizer had a word to say."""
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import struct
import threading
import time

from harness import IS_ROOT, KEYHERD, SANITIZER, Agent, EndToEnd, Sink, environment_for, http_request, key_config, main, wait_until
from log_writer import Writer

SECONDS = float(os.environ.get("KEYHERD_SOAK", "60"))
SEED = int(os.environ.get("KEYHERD_SEED", "1"))
BINARY = KEYHERD.read_bytes()
SANITIZED = b"__asan_init" in BINARY or b"__tsan_init" in BINARY
FAULT = 3.0  # seconds that a fault lasts, and about as much between two
PATIENCE = 90 if SANITIZED else 30
KEYS = [f"k{i}" for i in range(12)]
PASSWORD_HASH = "$2b$10$q/wfruQMzAFNaHzL2zM/HePOWJNKvDTsL45PPQDruvEZvJq0JCL3K"  # of another password than is tried
REPORT = re.compile(SANITIZER.pattern + "|terminate called|Assertion")


class Background:
    """Things that are done over and over until the end; the first problem of each is kept."""

    def __init__(self):
        self.ending = threading.Event()
        self.problems = []
        self.threads = []

    def every(self, seconds, act):
        def run():
            while not self.ending.wait(seconds):
                try:
                    act()
                except Exception as problem:  # pylint: disable=broad-except  # told at the end, by the test
                    self.problems.append(f"{act.__name__}: {problem!r}")
                    return
        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(60)


class Soak(EndToEnd):
    def setUp(self):
        super().setUp()
        self.chance = random.Random(SEED)
        if IS_ROOT:
            self.disk = self.small_disk("24m")
        else:
            self.disk = self.directory / "disk"
            self.disk.mkdir(mode=0o700)
        self.background = Background()

    def tearDown(self):
        self.background.end()
        super().tearDown()

    def start(self):
        faces = [{"name": name, "latency": "5ms"} for name in ("alpha", "beta", "gamma")]
        base, self.control = self.sandbox({key: {"face": faces[i % 3]["name"]} for i, key in enumerate(KEYS)}, faces)
        self.sink = Sink()
        self.sinks.append(self.sink)
        # A hook that does what it is told: to succeed, to fail, to hang.
        self.hook = self.write("hook.sh", '#!/bin/sh\ncat >/dev/null\ncase $(cat "$(dirname "$0")/mood") in\n'
                                          'bad) exit 1 ;; hang) exec sleep 60 ;; esac\n', 0o755)
        self.write("mood", "good")
        probe = 'probe = { every = "2s", timeout = "2s", confirm_after = "500ms" }\n'
        providers = "".join(f'[providers.{face["name"]}]\ntype = "deepseek"\nbase_url = "{base}/{face["name"]}"\n{probe}\n' for face in faces)
        keys = "".join(key_config([key], faces[i % 3]["name"], quotas='["daily"]') for i, key in enumerate(KEYS))
        hook = f'{{ exec = ["{self.hook}"], timeout = "3s" }}'
        self.agent = Agent(
            self, providers + keys + '[quotas.daily]\nlimit = 1000000000\nunit = "tokens"\nwindow = "day"\n\n'
            f'[pools.one]\nkeys = {json.dumps(KEYS[:6])}\nstrategy = "quota_aware"\nschedule = "* * * * *"\n'
            f'publish = [{{ file = "one.json" }}, {hook}]\n\n'
            f'[pools.two]\nkeys = {json.dumps(KEYS[6:])}\nstrategy = "round_robin"\n'
            f'publish = [{{ file = "two.json" }}, {{ webhook = "http://127.0.0.1:{self.sink.port}/two" }}]\n\n'
            f'[usage_logs.clients]\npath = "usage.jsonl*"\n\n[[notify]]\nwebhook = "http://127.0.0.1:{self.sink.port}/alerts"\n'
            f'severity = "info"\n\n[web.basic_auth_users.guest]\nrole = "read"\npassword_hash = "{PASSWORD_HASH}"\n',
            environment_for(KEYS))
        # What was received while the clock was behind would be due to go when it is 400 days ahead.
        self.agent.config_path.write_text(self.agent.config_path.read_text().replace('"keyherd.db"', '"disk/keyherd.db"')
                                          .replace('"debug"', '"info"\nkeep_usage = "3660d"'))
        self.agent.environment.update(
            ASAN_OPTIONS=f"exitcode=66:quarantine_size_mb=8:detect_leaks={int(IS_ROOT)}",
            UBSAN_OPTIONS="print_stacktrace=1", TSAN_OPTIONS="exitcode=66:history_size=4")
        self.clock = None
        if not SANITIZED:  # they and the preloaded clock do not get on
            self.clock = self.write("clock", "+0")
            library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
            self.agent.environment.update(LD_PRELOAD=str(library), FAKETIME_TIMESTAMP_FILE=str(self.clock),
                                          FAKETIME_CACHE_DURATION="1", FAKETIME_DONT_FAKE_MONOTONIC="1")
        self.agent.start()
        for key in KEYS:
            self.agent.wait_state(key, "healthy", PATIENCE)

    # What goes on all the time.

    def scrape(self):
        """No counter ever falls, and an answer always comes."""
        status, text = http_request("GET", self.agent.url("/metrics"), token=self.agent.token, timeout=PATIENCE)
        assert status == 200, status
        for name, value in re.findall(r"^(keyherd_\w+_total(?:\{.*\})?) (\S+)$", text, re.M):
            if 'key="extra' in name:  # a key that comes back after a reload took it out begins anew
                continue
            before = self.counters.get(name, 0.0)
            assert float(value) >= before, (name, before, value)
            self.counters[name] = float(value)
        memory = re.search(r"^process_resident_memory_bytes (\S+)$", text, re.M)
        descriptors = re.search(r"^process_open_fds (\S+)$", text, re.M)
        self.samples.append((time.monotonic(), float(memory[1]) / 2**20, int(float(descriptors[1]))))

    def wait_and_be_killed(self):
        """Consumers: some wait for a key, some follow events, and some end without a word, as a killed process does."""
        pool = self.chance.choice(["one", "two"])
        path = self.chance.choice([f"/api/v1/pools/{pool}/active?generation=1000000&wait=20s", "/api/v1/events", "/api/v1/status"])
        with socket.create_connection(("127.0.0.1", self.agent.port), timeout=20) as client:
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.agent.token}\r\n\r\n".encode())
            client.settimeout(self.chance.uniform(0.01, 1))
            with contextlib.suppress(OSError):
                client.recv(200)
            if self.chance.random() < 0.7:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def command(self):
        key = self.chance.choice(KEYS)
        pool = "one" if key in KEYS[:6] else "two"
        path, body = self.chance.choice([
            (f"keys/{key}/probe", {}), (f"keys/{key}/pause", {}), (f"keys/{key}/resume", {}), (f"keys/{key}/resume", {}),
            (f"pools/{pool}/rotate", {"reason": "soak"}), (f"pools/{pool}/rotate", {"dry_run": True}),
            (f"pools/{pool}/drill", {"key": key, "for": "10s"}), (f"pools/{pool}/next", {})])
        status, answer = http_request("POST", self.agent.url(f"/api/v1/{path}"), body, self.agent.token, PATIENCE)
        assert status in (200, 202, 409, 503), (path, status, answer)

    def ask(self):
        path = self.chance.choice(["status", "usage?by=key,model,day", "rotations?limit=20", "schedule?count=20", "export",
                                   f"keys/{self.chance.choice(KEYS)}/explain"])
        status, answer = http_request("GET", self.agent.url(f"/api/v1/{path}"), token=self.agent.token, timeout=PATIENCE)
        assert status in (200, 503), (path, status, answer)

    def guess(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.agent.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", "/api/v1/status", headers={"Authorization": "Basic Z3Vlc3Q6d3Jvbmc="})
            assert connection.getresponse().status in (401, 429, 503)

    # Faults: each is there for a while, and taken back.

    @contextlib.contextmanager
    def outage(self):
        face = self.chance.choice(["alpha", "beta", "gamma"])
        self.control("POST", "outage", {"face": face, "mode": self.chance.choice(["500", "503", "401", "hang", "drop"])})
        yield
        self.control("POST", "outage", {"face": face, "mode": "none"})

    @contextlib.contextmanager
    def dying_keys(self):
        for key in (victims := self.chance.sample(KEYS, 4)):
            self.control("PUT", f"keys/{key}", {"state": self.chance.choice(["revoked", "disabled", "no_balance", "throttled"])})
        yield
        for key in victims:
            self.control("PUT", f"keys/{key}", {"state": "ok"})

    @contextlib.contextmanager
    def moody_hook(self):
        self.write("mood", self.chance.choice(["bad", "hang"]))
        yield
        self.write("mood", "good")

    @contextlib.contextmanager
    def reloads(self):
        good = self.agent.config_path.read_text()
        for n in range(10):
            self.agent.config_path.write_text(self.chance.choice([
                good + f"\n[keys.extra{n}]\nprovider = \"alpha\"\nsecret = \"env:SECRET_k0\"\n", good + "\n[nonsense",
                good.replace('"round_robin"', '"priority"'), good.replace("1000000000", "2000000000"),
                good.replace("k1", "nobody", 1)]))
            self.agent.program.kill(signal.SIGHUP)
            self.background.ending.wait(FAULT / 10)
        yield
        self.agent.config_path.write_text(good)
        status, answer = self.agent.post("/-/reload")
        assert status in (200, 503), answer

    @contextlib.contextmanager
    def full_disk(self):
        filler = self.disk / "filler"
        with open(filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        yield
        filler.unlink()

    @contextlib.contextmanager
    def stepped_clock(self):
        self.clock.write_text(self.chance.choice(["+2h", "-2h", "+400d", "-1d"]))
        yield
        self.clock.write_text("+0")

    def faults(self):
        return [self.outage, self.dying_keys, self.moody_hook, self.reloads, *([self.full_disk] if IS_ROOT else []),
                *([self.stepped_clock] if self.clock else [])]

    def threads(self):
        names = []
        for task in pathlib.Path(f"/proc/{self.agent.program.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                names.append((task / "comm").read_text().strip())
        return sorted(names)

    def totals(self):
        return {row["key"]: [row["requests"], row["input_tokens"], row["output_tokens"]]
                for row in self.agent.get("/api/v1/usage?by=key")}

    def every_thread_works(self):
        """Each is asked for what only it does."""
        agent = self.agent
        wait_until(lambda: agent.post("/-/reload")[0] == 200, "the reloader reloads", PATIENCE)
        for key in KEYS:
            agent.post(f"/api/v1/keys/{key}/resume")
        for key in KEYS:
            agent.wait_state(key, "healthy", PATIENCE)  # the probe workers
        for pool in ("one", "two"):
            wait_until(lambda pool=pool: not agent.get(f"/api/v1/pools/{pool}")["drill"], "drills are over", PATIENCE)
            posted = len(self.sink.received)
            before = agent.get(f"/api/v1/pools/{pool}")["generation"]
            wait_until(lambda pool=pool: agent.post(f"/api/v1/pools/{pool}/rotate")[0] == 200, f"{pool} rotates", PATIENCE, 1)
            assert agent.get(f"/api/v1/pools/{pool}")["generation"] > before
            if pool == "two":  # the step runners
                wait_until(lambda: len(self.sink.received) > posted, "the webhook is called", PATIENCE)
            file = json.loads((self.directory / f"{pool}.json").read_text())
            self.assertEqual(file["generation"], agent.get(f"/api/v1/pools/{pool}")["generation"])
        self.guess()  # the guard
        # The alerting: what it says of a quota that is used up all at once.
        agent.config_path.write_text(agent.config_path.read_text().replace("1000000000", "1"))
        wait_until(lambda: agent.post("/-/reload")[0] == 200, "the quota is a small one", PATIENCE)
        wait_until(lambda: any(path == "/alerts" and "KeyherdQuotaUsageHigh" in json.dumps(body) for path, body in self.sink.received),
                   "an alert is sent", PATIENCE)
        wait_until(lambda: http_request("GET", agent.url("/-/ready"))[0] == 200, "it is ready", PATIENCE)  # the store

    def test_everything_at_once(self):
        print(f"KEYHERD_SEED={SEED}", flush=True)
        self.start()
        self.counters, self.samples = {}, []
        # Nine rotated files must outlast the longest fault, in which nothing is read.
        writer = Writer(self.directory, KEYS, SEED, pause=0.2 if SANITIZED else 0.05)
        writer.start()
        threads = set(self.threads())
        for seconds, act in ((1, self.scrape), (0.05, self.wait_and_be_killed), (0.05, self.wait_and_be_killed), (0.3, self.command),
                             (0.5, self.ask), (0.7, self.guess)):
            self.background.every(seconds, act)
        began, done = time.monotonic(), []
        order = []
        while time.monotonic() - began < SECONDS and not self.background.problems and self.agent.program.alive():
            order = order or self.chance.sample(self.faults(), len(self.faults()))
            fault = order.pop()
            with fault():
                done.append(fault.__name__)
                self.background.ending.wait(FAULT)
            self.background.ending.wait(FAULT * self.chance.random())
        self.background.end()
        writer.ending.set()
        writer.join()
        self.assertEqual(self.background.problems, [])
        self.assertTrue(self.agent.program.alive(), self.agent.program.log()[-4000:])
        try:
            wait_until(lambda: self.totals() == writer.expected, "the totals are the log's", PATIENCE)
        except AssertionError:
            self.assertEqual(self.totals(), writer.expected)
        self.every_thread_works()
        self.assertEqual(threads - set(self.threads()), set())
        # Flat: what the second half needed, the first half did, within a tenth and what a busy moment takes.
        half = self.samples[0][0] + (self.samples[-1][0] - self.samples[0][0]) / 2
        most = lambda of, field: max(sample[field] for sample in self.samples if (sample[0] < half) == of)
        print(f"\n{len(done)} faults ({', '.join(sorted(set(done)))}), {sum(c[0] for c in writer.expected.values())} lines, "
              f"{writer.rotations} rotations of the log; RSS {most(True, 1):.0f} then {most(False, 1):.0f} MB, "
              f"descriptors {most(True, 2)} then {most(False, 2)}, {len(self.samples)} scrapes")
        self.assertLess(most(False, 1), most(True, 1) * 1.1 + (64 if SANITIZED else 8))
        self.assertLess(most(False, 2), most(True, 2) + 64)
        self.assertEqual(self.agent.program.stop(PATIENCE), 0, self.agent.program.log()[-4000:])
        self.assertEqual([line for line in self.agent.program.log().splitlines() if REPORT.search(line)], [])
        self.assertGreater(writer.rotations, 0)
        self.assertEqual(set(done), {fault.__name__ for fault in self.faults()})


if __name__ == "__main__":
    main()
