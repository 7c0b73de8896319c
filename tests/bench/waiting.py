"""scripts/bench waiting: 5,000 clients that wait for another key, then 5,000 that follow events: how long until the last
of them hears of a rotation, what they cost in memory and threads, and what the next one is told."""
import contextlib
import json
import os
import resource
import selectors
import socket
import time

import harness

CLIENTS = 5_000
ROUNDS = 5


class Crowd:
    """Connections that have asked for something and wait."""

    def __init__(self, agent, path):
        self.agent = agent
        self.request = (f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {agent.token}\r\n\r\n").encode()
        self.chooser = selectors.DefaultSelector()
        self.done = []  # have heard

    def connect(self):
        one = socket.create_connection(("127.0.0.1", self.agent.port))
        one.sendall(self.request)
        return one

    def gather(self, wanted=b""):
        """All wait: each has been answered with `wanted` at most. Who is told to come again comes again."""
        missing = CLIENTS
        silent = set()
        while missing or silent:
            for _ in range(min(missing, 100)):
                one = self.connect()
                self.chooser.register(one, selectors.EVENT_READ, bytearray())
                missing -= 1
                if wanted:
                    silent.add(one)
            ready = self.chooser.select(0.5 if silent or not missing else 0.01)
            if not ready and not missing and not silent:
                break
            for key, _ in ready:
                got = key.fileobj.recv(65536)
                if got.startswith(b"HTTP/1.1 503") or not got:
                    self.chooser.unregister(key.fileobj)
                    key.fileobj.close()
                    silent.discard(key.fileobj)
                    missing += 1
                elif wanted and wanted in got:
                    silent.discard(key.fileobj)
            if not missing and not silent and not self.chooser.select(0.3):
                break

    def hear(self, word):
        """Seconds until the first and until the last has read the word."""
        began, first, heard = time.monotonic(), None, 0
        while heard < CLIENTS:
            ready = self.chooser.select(20)
            assert ready, f"{heard} of {CLIENTS} have heard"
            for key, _ in ready:
                key.data.extend(key.fileobj.recv(65536))
                if word in key.data:
                    first = first or time.monotonic() - began
                    heard += 1
                    self.chooser.unregister(key.fileobj)
                    key.data.clear()
                    self.done.append(key.fileobj)
        return first, time.monotonic() - began

    def again(self):
        for one in self.done:
            self.chooser.register(one, selectors.EVENT_READ, bytearray())
        self.done = []

    def close(self):
        for one in [key.fileobj for key in self.chooser.get_map().values()] + self.done:
            one.close()


def rotate(agent):
    body = b"{}"
    one = socket.create_connection(("127.0.0.1", agent.port))
    one.sendall(f"POST /api/v1/pools/prod/rotate HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
                f"Authorization: Bearer {agent.token}\r\n\r\n".encode() + body)
    return one


def turned_away(crowd):
    """What one more client is told."""
    with contextlib.closing(crowd.connect()) as one:
        one.settimeout(5)
        answer = one.recv(65536).decode()
    return answer.partition("\r\n")[0], "Retry-After" in answer


def measure(agent, name, path, word, wanted):
    pid = agent.program.process.pid
    before = harness.memory_mb(pid)
    took = []
    for number in range(ROUNDS):
        agent.wait_committed("prod")
        generation = agent.get("/api/v1/pools/prod")["generation"]
        if number == 0 or not wanted:
            crowd = Crowd(agent, path.format(generation))
            crowd.gather(wanted)
        else:
            crowd.again()
        if number == 0:
            memory, threads = harness.memory_mb(pid) - before, len(os.listdir(f"/proc/{pid}/task"))
            told = turned_away(crowd)
        asker = rotate(agent)
        first, last = crowd.hear(word(generation + 1))
        took.append(last - first)
        asker.close()
        if not wanted:
            crowd.close()
    crowd.close()
    print(f"{name}: {CLIENTS} clients, {threads} threads, +{memory:.1f} MB ({memory * 1024 / CLIENTS:.1f} KB each); "
          f"from the first to the last {sorted(took)[len(took) // 2] * 1000:.0f} ms "
          f"(median of {ROUNDS}, worst {max(took) * 1000:.0f}); one more: {told[0]}, Retry-After {'yes' if told[1] else 'no'}")


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3 * CLIENTS:
        print(f"needs {3 * CLIENTS} open files; {hard} are allowed")
        return 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    test = harness.EndToEnd()
    test.setUp()
    try:
        base, _ = test.sandbox({"k1": {}, "k2": {}})
        agent = harness.Agent(test, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n\n'
                              + harness.key_config(["k1", "k2"])
                              + '[pools.prod]\nkeys = ["k1", "k2"]\nstrategy = "round_robin"\npublish = [{ file = "prod.json" }]\n',
                              harness.environment_for(["k1", "k2"]))
        agent.config_path.write_text(agent.config_path.read_text().replace('"debug"', '"warning"'))
        agent.start()
        agent.wait_committed("prod")
        measure(agent, "long polls", "/api/v1/pools/prod/active?generation={}&wait=60s",
                lambda generation: json.dumps({"generation": generation}, separators=(",", ":"))[1:-1].encode(), b"")
        measure(agent, "events", "/api/v1/events",
                lambda generation: json.dumps({"generation": generation}, separators=(",", ":"))[1:-1].encode(), b": Keyherd")
        agent.program.stop()
        return 0
    finally:
        for program in test.programs:
            program.kill()
            program.process.wait()
