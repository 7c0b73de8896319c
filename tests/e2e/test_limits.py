#!/usr/bin/env python3
"""The agent where the machine gives too little: no name is found, a disk is read-only, descriptors or memory run out, the
clock steps. Beliefs stay, totals are exact, and it goes on by itself."""
import contextlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

from harness import IS_ROOT, KEYHERD, Agent, EndToEnd, environment_for, http_request, key_config, main, utc_now, wait_until

NAMES = ["k1", "k2"]
# Switches the loopback of a new network on (SIOCSIFFLAGS, IFF_UP | IFF_RUNNING) and becomes the command.
LOOPBACK_ALONE = ("import fcntl, os, socket, struct, sys; "
                  "fcntl.ioctl(socket.socket(), 0x8914, struct.pack('16sh14x', b'lo', 0x41)); os.execvp(sys.argv[1], sys.argv[1:])")
BINARY = KEYHERD.read_bytes()
SANITIZED = b"__asan_init" in BINARY or b"__tsan_init" in BINARY


class Limits(EndToEnd):
    def agent(self, host="127.0.0.1", publish="out", more=""):
        base, self.control = self.sandbox({name: {} for name in NAMES})
        port = base.rpartition(":")[2]
        (self.directory / "out").mkdir(mode=0o700)
        return Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "http://{host}:{port}/alpha"\nallow_plain_http = true\n'
                           'probe = { every = "1s", timeout = "1s", confirm_after = "500ms" }\n\n' + key_config(NAMES) +
                     f'[pools.prod]\nkeys = {json.dumps(NAMES)}\npublish = [{{ file = "{publish}/prod.json" }}]\n{more}\n'
                     '[usage_logs.log]\npath = "usage.jsonl"\n', environment_for(NAMES))

    def ready(self, agent):
        for name in NAMES:
            agent.wait_state(name, "healthy")
        agent.wait_committed("prod")
        return agent.get("/api/v1/pools/prod")

    def probes(self, agent):
        return sum(float(value) for value in re.findall(r"^keyherd_probes_total\{.*\} (\S+)$", agent.metrics(), re.M))

    def wait_more_probes(self, agent):
        before = self.probes(agent)
        wait_until(lambda: self.probes(agent) > before + 2, "probes go on")

    @unittest.skipUnless(IS_ROOT, "only root may put other files in /etc's place")
    def test_names_that_are_not_found_are_an_outage_and_condemn_no_key(self):
        agent = self.agent(host="provider.test")
        hosts = self.write("hosts", "127.0.0.1 localhost provider.test\n")
        self.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")  # nobody answers there
        agent.start_with(prefix=["unshare", "--mount", "sh", "-ec", 'mount --bind "$0/hosts" /etc/hosts; '
                                 'mount --bind "$0/resolv.conf" /etc/resolv.conf; exec "$@"', str(self.directory)])
        before = self.ready(agent)
        hosts.write_text("127.0.0.1 localhost\n")
        # Connections that are kept need no name: they end.
        self.control("POST", "outage", {"face": "alpha", "mode": "drop"})
        provider = lambda: agent.get("/api/v1/status")["providers"][0]
        wait_until(lambda: not provider()["up"], "the endpoint is down")
        self.control("POST", "outage", {"face": "alpha", "mode": "none"})
        self.wait_more_probes(agent)
        self.assertFalse(provider()["up"])
        story = agent.get("/api/v1/keys/k1/explain")
        self.assertTrue(any("(DNS)" in evidence["message"] for evidence in story["evidence"]), story["evidence"])
        self.assertEqual([key["state"] for key in agent.get("/api/v1/keys")], ["healthy", "healthy"])
        self.assertEqual(agent.get("/api/v1/pools/prod")["generation"], before["generation"])
        hosts.write_text("127.0.0.1 localhost provider.test\n")
        wait_until(lambda: provider()["up"], "the endpoint is up again", 40)
        self.assertEqual(agent.get("/api/v1/pools/prod")["generation"], before["generation"])

    @unittest.skipUnless(IS_ROOT, "only root may take the network away")
    def test_a_network_without_a_route_is_an_outage_and_condemns_no_key(self):
        agent = self.agent(host="provider.test")
        hosts = self.write("hosts", "127.0.0.1 localhost provider.test\n")
        own_hosts = ["unshare", "--mount", "sh", "-ec", 'mount --bind "$0/hosts" /etc/hosts; exec "$@"', str(self.directory)]
        agent.start_with(prefix=own_hosts)
        before = self.ready(agent)
        self.assertEqual(agent.program.stop(), 0)

        # Its own loopback, and nothing else.
        hosts.write_text("127.0.0.1 localhost\n192.0.2.1 provider.test\n")
        agent.start_with(wait=False, prefix=["unshare", "--net", sys.executable, "-c", LOOPBACK_ALONE, *own_hosts])

        def inside(*arguments):
            done = subprocess.run(["nsenter", f"--target={agent.program.process.pid}", "--net", KEYHERD, *arguments, "--json",
                                   "--config", agent.config_path], capture_output=True, text=True, timeout=60, check=False,
                                  env=agent.environment)
            return json.loads(done.stdout) if done.returncode in (0, 1) and done.stdout else None
        messages = lambda: [evidence["message"] for evidence in (inside("explain", "k1") or {"evidence": []})["evidence"]]
        wait_until(lambda: any("unreachable" in message.lower() for message in messages()), "probes find no route")
        wait_until(lambda: not inside("status")["providers"][0]["up"], "the endpoint is down")
        status = inside("status")
        self.assertEqual([key["state"] for key in status["keys"]], ["healthy", "healthy"])
        self.assertEqual([(pool["active"], pool["generation"]) for pool in status["pools"]],
                         [(before["active"], before["generation"])])
        self.assertEqual(agent.program.stop(), 0)

        hosts.write_text("127.0.0.1 localhost provider.test\n")
        agent.start_with(prefix=own_hosts)
        wait_until(lambda: agent.get("/api/v1/status")["providers"][0]["up"], "the endpoint is up again", 40)
        self.assertEqual(self.ready(agent)["generation"], before["generation"])

    @unittest.skipUnless(IS_ROOT, "only root may mount")
    def test_a_disk_that_becomes_read_only_stops_what_needs_it_and_nothing_else(self):
        disk = self.small_disk("8m")
        agent = self.agent(publish="disk").start()
        before = self.ready(agent)
        other = next(name for name in NAMES if name != before["active"])
        published = (disk / "prod.json").read_text()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        status, rotation = agent.post("/api/v1/pools/prod/rotate", {"to": other})
        self.assertNotIn(rotation.get("state"), ("committed",), rotation)
        wait_until(lambda: "Read-only" in json.dumps(agent.get("/api/v1/rotations?pool=prod&limit=1")), "the journal says why")
        self.assertEqual((disk / "prod.json").read_text(), published)
        self.wait_more_probes(agent)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        wait_until(lambda: agent.post("/api/v1/pools/prod/rotate", {"to": other})[1].get("state") == "committed" or
                   json.loads((disk / "prod.json").read_text())["key"] == other, "the other key is published", 40, 1)
        # A state that cannot be written is an error from the first moment.
        self.assertEqual(agent.program.stop(), 0)
        (disk / "state").mkdir(mode=0o700)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        agent.config_path.write_text(agent.config_path.read_text().replace('"keyherd.db"', '"disk/state/keyherd.db"'))
        program = agent.start(wait=False).program
        self.assertEqual(program.wait(), 2, program.log())
        self.assertIn("disk/state/keyherd.db", program.log().splitlines()[-1])

    def test_few_descriptors_and_many_clients_leave_room_for_probes_files_and_scrapes(self):
        agent = self.agent().start_with(prefix=["prlimit", "--nofile=96:96"])
        before = self.ready(agent)
        with contextlib.ExitStack() as clients:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    clients.enter_context(socket.create_connection(("127.0.0.1", agent.port), timeout=5))
            worst = 0.0
            for _ in range(20):
                began = time.monotonic()
                self.assertEqual(http_request("GET", agent.url("/-/healthy"))[0], 200)
                worst = max(worst, time.monotonic() - began)
            self.assertLess(worst, 1.0)
            self.wait_more_probes(agent)
            self.append_log([{"ts": utc_now(), "key": "k1", "model": "m", "input_tokens": 1, "output_tokens": 1, "status": 200}])
            wait_until(lambda: agent.key("k1")["usage"]["requests"] == 1, "the log is read")
            other = next(name for name in NAMES if name != before["active"])
            self.assertEqual(agent.post("/api/v1/pools/prod/rotate", {"to": other})[0], 200)
        self.assertEqual([key["state"] for key in agent.get("/api/v1/keys")], ["healthy", "healthy"])

    @unittest.skipIf(SANITIZED, "sanitizers want terabytes of addresses")
    def test_memory_that_runs_out_ends_it_and_loses_nothing(self):
        agent = self.agent()
        agent.config_path.write_text(agent.config_path.read_text().replace('"debug"', '"info"'))
        lines, ends = 0, set()
        for megabytes in (*range(24, 200, 12), 260, 400):
            self.append_log([{"ts": utc_now(), "key": "k1", "model": f"m{i % 50}", "input_tokens": 1, "output_tokens": 1, "status": 200,
                              "request_id": f"{megabytes}-{i}"} for i in range(4_000)])
            lines += 4_000
            program = agent.start_with(wait=False,
                                       prefix=["prlimit", f"--as={megabytes << 20}", "--core=0"]).program
            # Until it has counted them, or ends for want of memory.
            wait_until(lambda: not program.alive() or http_request("GET", agent.url("/-/ready"))[0] == 200, "it is ready or over", 30)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: not program.alive() or self.requests(agent) == lines, "the log is counted", 8)
            if program.alive():
                ends.add("lives")
                program.kill(signal.SIGKILL)
            program.wait()
            ends.add(program.process.returncode)
        # In order, killed by us, ended by itself: nothing else, such as a broken heap.
        self.assertLessEqual(ends, {"lives", 1, 2, 127, -signal.SIGKILL, -signal.SIGABRT})
        self.assertIn("lives", ends)
        self.assertGreater(len(ends), 2)
        agent.start()
        wait_until(lambda: self.requests(agent) == lines, "each line is counted once")
        self.ready(agent)

    def requests(self, agent):
        status, rows = http_request("GET", agent.url("/api/v1/usage?by=key"), token=agent.token)
        return sum(row["requests"] for row in rows) if status == 200 else 0

    @unittest.skipIf(SANITIZED, "they and the preloaded clock do not get on")
    def test_a_clock_that_steps_moves_no_probe_and_fires_nothing_twice(self):
        agent = self.agent(more='schedule = "0 3 * * *"\ntimezone = "UTC"\n')
        clock = self.write("clock", "@2026-03-10 02:00:00")
        library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        agent.environment.update(LD_PRELOAD=str(library), FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1",
                                 FAKETIME_DONT_FAKE_MONOTONIC="1", FAKETIME_DONT_RESET="1")
        agent.start()
        self.ready(agent)
        scheduled = lambda: [row for row in agent.get("/api/v1/rotations?pool=prod&limit=50") if row["trigger"] == "schedule"]

        def step(moment):
            clock.write_text(f"@{moment}")
            self.wait_more_probes(agent)
        step("2026-03-10 01:00:00")
        self.assertEqual(scheduled(), [])
        step("2026-03-10 03:00:30")  # over the firing
        wait_until(lambda: len(scheduled()) == 1, "it fires once")
        agent.wait_committed("prod")
        step("2026-03-10 02:30:00")
        step("2026-03-10 03:00:30")
        self.assertEqual(len(scheduled()), 1)
        step("2026-03-12 12:00:00")  # two more were missed: at most one is made up for
        self.assertLessEqual(len(scheduled()), 2)
        step("2026-03-10 12:00:00")
        self.assertEqual([key["state"] for key in agent.get("/api/v1/keys")], ["healthy", "healthy"])
        self.assertEqual(http_request("GET", agent.url("/-/ready"))[0], 200)
        self.assertEqual(agent.program.stop(), 0)


if __name__ == "__main__":
    main()
