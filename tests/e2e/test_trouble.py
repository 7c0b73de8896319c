#!/usr/bin/env python3
"""The agent's store is full, locked or damaged, its logs cannot be opened or watched: nothing is lost, readiness
says why, and it goes on by itself."""
import json
import os
import pathlib
import sqlite3
import subprocess
import time
import unittest

from harness import (IS_ROOT, KEYHERD, Agent, EndToEnd, environment_for, http_request, key_config, main, open_files, utc_now,
                     wait_until)

LONG = os.environ.get("KEYHERD_LONG") == "1"


def line(tokens, **more):
    return {"ts": utc_now(), "key": "k1", "model": "m", "input_tokens": tokens, "output_tokens": 0, "status": 200, **more}


class Trouble(EndToEnd):
    def agent(self, log='path = "usage.jsonl"', state="keyherd.db"):
        base, _ = self.sandbox({"k1": {}})
        agent = Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                            f'probe = {{ every = "60s" }}\n\n' + key_config(["k1"]) +
                            f'[usage_logs.log]\n{log}\n', environment_for(["k1"]))
        agent.config_path.write_text(agent.config_path.read_text().replace('"keyherd.db"', f'"{state}"'))
        return agent

    def tokens(self, agent):
        return sum(row["input_tokens"] for row in agent.get("/api/v1/usage?by=key"))

    def wait_tokens(self, agent, tokens, timeout=30):
        try:
            wait_until(lambda: self.tokens(agent) == tokens, "the sum is the log's", timeout)
        except AssertionError:
            self.assertEqual(self.tokens(agent), tokens)

    def metric(self, agent, name):
        for text in agent.metrics().splitlines():
            if text.startswith(name + "{") or text.startswith(name + " "):
                return float(text.rsplit(" ", 1)[1])
        raise AssertionError(f"no metric {name}")

    def wait_stalled(self, agent, why):
        answer = lambda: http_request("GET", agent.url("/-/ready"))
        wait_until(lambda: answer()[0] == 503, "it says that it is not ready")
        self.assertIn(why, answer()[1])
        wait_until(lambda: self.metric(agent, "keyherd_usagelog_stalled") == 1, "the log is said to be stalled")
        # Everything else goes on.
        self.assertEqual(http_request("GET", agent.url("/-/healthy"))[0], 200)
        self.assertEqual(agent.key("k1")["state"], "healthy")

    def wait_well(self, agent):
        wait_until(lambda: http_request("GET", agent.url("/-/ready"))[0] == 200, "it is ready again", 40)
        wait_until(lambda: self.metric(agent, "keyherd_usagelog_stalled") == 0, "the log is read again")

    @unittest.skipUnless(IS_ROOT, "only root may mount a small disk")
    def test_a_full_disk_stalls_counting_until_there_is_room(self):
        disk = self.small_disk("2m")
        agent = self.agent(state="disk/keyherd.db").start()
        agent.wait_state("k1", "healthy")
        self.append_log([line(1)])
        self.wait_tokens(agent, 1)
        filler = disk / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 1024)
            except OSError:
                pass
        # Names that need room of their own.
        self.append_log([line(10, model=f"model-{i}-" + "x" * 100) for i in range(150)])
        self.wait_stalled(agent, "space")
        self.append_log([line(1000)])
        filler.unlink()
        self.wait_well(agent)
        self.wait_tokens(agent, 1 + 1500 + 1000)
        agent.program.kill()
        agent.program.wait()
        agent.start()
        self.assertEqual(self.tokens(agent), 2501)
        self.assertEqual(agent.program.stop(), 0)

    def test_a_lock_held_by_somebody_else_stalls_counting_until_it_is_released(self):
        agent = self.agent().start()
        agent.wait_state("k1", "healthy")
        self.append_log([line(1)])
        self.wait_tokens(agent, 1)
        other = sqlite3.connect(self.directory / "keyherd.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        held_since = time.monotonic()
        self.append_log([line(10)] * 50)
        self.wait_stalled(agent, "locked")
        wait_until(lambda: time.monotonic() - held_since > (60 if LONG else 3), "the lock was held for a while", 70)
        self.append_log([line(100)])
        other.execute("ROLLBACK")
        other.close()
        self.wait_well(agent)
        self.wait_tokens(agent, 601)
        self.assertGreater(self.metric(agent, "keyherd_state_save_failures_total"), 0)

    def test_a_damaged_state_is_refused_and_moved_aside_only_when_asked(self):
        agent = self.agent().start()
        self.append_log([line(1)] * 10)
        self.wait_tokens(agent, 10)
        for damage in ("zeros", "cut", "garbage"):
            with self.subTest(damage):
                self.assertEqual(agent.program.stop(), 0)
                state = self.directory / "keyherd.db"
                content = bytearray(state.read_bytes())
                if damage == "zeros":
                    content = bytearray(b"\1" + bytes(len(content) - 1))
                elif damage == "cut":
                    del content[len(content) // 2:]
                else:
                    for page in range(1, len(content) // 4096):
                        content[page * 4096:page * 4096 + 64] = os.urandom(64)
                state.write_bytes(content)
                argv = [str(KEYHERD), "run", "--config", str(agent.config_path)]
                refused = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False, env=agent.environment)
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertIn("--replace-corrupt-state", refused.stderr)
                self.assertEqual(state.read_bytes(), bytes(content))
                before = set(self.directory.glob("keyherd.db.corrupt-*"))
                agent.start_with("--replace-corrupt-state")
                aside = [path for path in set(self.directory.glob("keyherd.db.corrupt-*")) - before
                         if not path.name.endswith(("-wal", "-shm"))]
                self.assertEqual(len(aside), 1)
                self.assertEqual(aside[0].read_bytes(), bytes(content))
                self.assertIn("all totals and beliefs begin anew", agent.program.log())
                self.wait_tokens(agent, 10)  # the log is there still

    def test_fewer_descriptors_than_files_and_all_are_read(self):
        files = 200
        for i in range(files):
            self.write(f"logs/{i}.jsonl", (json.dumps(line(1)) + "\n") * 3)
        agent = self.agent('path = "logs/*.jsonl"')
        # Some 50 are the agent's own; it may not raise the limit.
        agent.start_with(prefix=["prlimit", "--nofile=120:120"])
        most_open = 0

        def is_read(tokens):
            nonlocal most_open
            # It answers, also while it reads.
            self.assertEqual(http_request("GET", agent.url("/-/healthy"))[0], 200)
            most_open = max(most_open, sum("/logs/" in path for path in open_files(agent.program.process.pid)))
            return self.tokens(agent) == tokens

        wait_until(lambda: is_read(3 * files), "all files are read", 60)
        for i in range(files):
            self.append_log([line(10)], f"logs/{i}.jsonl")
        wait_until(lambda: is_read(13 * files), "all files are read on", 60)
        self.assertGreater(most_open, 0)
        self.assertLessEqual(most_open, 30)
        self.assertEqual(agent.key("k1")["state"], "healthy")

    @unittest.skipUnless(IS_ROOT, "only root may limit the kernel's hints")
    def test_hints_that_are_lost_or_refused_lose_no_line(self):
        for limit, value in (("max_queued_events", "16"), ("max_user_watches", "0")):
            with self.subTest(limit):
                setting = pathlib.Path("/proc/sys/fs/inotify") / limit
                before = setting.read_text()
                setting.write_text(value)
                try:
                    agent = self.agent(f'path = "{limit}.jsonl"', f"{limit}.db").start()
                    for _ in range(2_000):
                        self.append_log([line(1)], f"{limit}.jsonl")
                    self.wait_tokens(agent, 2_000)
                    self.assertEqual(agent.program.stop(), 0)
                finally:
                    setting.write_text(before)

    @unittest.skipUnless(IS_ROOT, "only root may become somebody else")
    def test_a_log_that_others_own_for_a_while_is_read_once_it_may_be(self):
        nobody = 65534
        agent = self.agent()
        self.append_log([line(1)])
        (self.directory / "usage.jsonl").chmod(0o600)
        for path in (self.directory, agent.config_path, self.directory / "admin.token"):
            os.chown(path, nobody, nobody)
        agent.start_as(nobody)
        wait_until(lambda: self.metric(agent, "keyherd_usagelog_up") == 0, "it says that it cannot read the log")
        (self.directory / "usage.jsonl").chmod(0o644)
        self.wait_tokens(agent, 1, 40)
        wait_until(lambda: self.metric(agent, "keyherd_usagelog_up") == 1, "the log is up")

    @unittest.skipUnless(IS_ROOT, "only root may mount a volume")
    def test_a_volume_that_is_mounted_anew_is_not_read_again(self):
        volume, other = self.directory / "volume", self.directory / "other"
        run = lambda *argv: subprocess.run(argv, check=True, capture_output=True)
        for mounted in (volume, other):
            mounted.mkdir()
            with open(mounted.with_suffix(".img"), "wb") as image:
                image.truncate(8 << 20)
            run("mkfs.ext4", "-q", mounted.with_suffix(".img"))
        mount = lambda mounted: run("mount", "-o", "loop", mounted.with_suffix(".img"), mounted)
        try:
            mount(other)
            mount(volume)
            agent = self.agent('path = "volume/usage.jsonl"').start()
            self.append_log([line(1)] * 10, "volume/usage.jsonl")
            self.wait_tokens(agent, 10)
            self.assertEqual(agent.program.stop(), 0)
            before = os.stat(volume / "usage.jsonl")
            run("umount", volume)
            run("umount", other)
            mount(volume)  # on the device that is free now
            after = os.stat(volume / "usage.jsonl")
            self.assertNotEqual(before.st_dev, after.st_dev)
            self.assertEqual(before.st_ino, after.st_ino)
            self.append_log([line(100)], "volume/usage.jsonl")
            agent.start()
            self.wait_tokens(agent, 110)
            self.assertEqual(agent.program.stop(), 0)
        finally:
            for program in self.programs:
                program.kill()
                program.process.wait()
            for mounted in (volume, other):
                subprocess.run(["umount", "-l", mounted], check=False, capture_output=True)

    def test_a_removed_log_is_closed_and_its_last_lines_counted(self):
        agent = self.agent().start()
        self.append_log([line(1)])
        self.wait_tokens(agent, 1)
        self.append_log([line(10)])
        log = self.directory / "usage.jsonl"
        log.unlink()
        self.wait_tokens(agent, 11)
        if not LONG:  # the grace is a minute; the unit tests hold it on a clock of their own
            return
        held = lambda: any(path.startswith(str(log)) for path in open_files(agent.program.process.pid))
        wait_until(lambda: not held(), "the file is closed", 90, 0.5)


if __name__ == "__main__":
    main()
