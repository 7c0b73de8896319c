#!/usr/bin/env python3
"""What the agent's process shows and gives away: nothing to other users, to hooks, to core files, to the disk beyond
its own places; and what it survives: reloads by the thousand, a stderr that is full."""
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

from harness import KEYHERD, ROOT, Agent, EndToEnd, environment_for, key_config, main, secret_of, wait_until

NOBODY, STRANGER = 65534, 65533


class Process(EndToEnd):
    def agent_of(self, publish="", more=""):
        base, _ = self.sandbox({"k1": {}, "k2": {}})
        self.sandbox_port = int(base.rpartition(":")[2])
        return Agent(self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                           'probe = { every = "2s", timeout = "2s" }\n\n' + key_config(["k1", "k2"]) +
                     f'[pools.prod]\nkeys = ["k1", "k2"]\npublish = [{{ file = "out/prod.json" }}{publish}]\n{more}\n'
                     '[usage_logs.clients]\npath = "usage.jsonl"\n', environment_for(["k1", "k2"]))

    def give_to(self, user):
        (self.directory / "out").mkdir(exist_ok=True)
        for path in (self.directory, *self.directory.iterdir()):
            os.chown(path, user, user)

    def as_user(self, user, *argv):
        return subprocess.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv],
                              capture_output=True, text=True, timeout=30, check=False)

    def published(self):
        path = self.directory / "out/prod.json"
        wait_until(path.exists, "prod is published")
        return json.loads(path.read_text())

    def proc(self):
        return pathlib.Path(f"/proc/{self.agent.program.process.pid}")

    def test_every_file_is_for_its_owner_alone_whatever_the_umask(self):
        self.agent = self.agent_of()
        (self.directory / "out").mkdir()
        before = set(self.directory.rglob("*"))
        self.agent.start_with(prefix=["sh", "-c", 'umask 0; exec "$@"', "sh"])
        self.published()
        made = [path for path in self.directory.rglob("*") if path not in before and path.name != "agent.log"]
        self.assertGreaterEqual(len(made), 2)
        for path in made:
            self.assertEqual(stat.S_IMODE(path.stat().st_mode) & 0o077, 0, path)

    def test_another_user_reads_nothing(self):
        self.agent = self.agent_of()
        self.give_to(NOBODY)
        self.agent.start_as(NOBODY)
        self.published()
        proc = self.proc()
        for path in (self.directory / "out/prod.json", self.directory / "keyherd.db", self.directory / "admin.token",
                     proc / "environ", proc / "mem", proc / "fd", proc / "maps"):
            done = self.as_user(STRANGER, "sh", "-c", 'ls "$1" >/dev/null && head -c 1 "$1"', "sh", str(path))
            self.assertNotEqual(done.returncode, 0, path)
        done = self.as_user(STRANGER, str(KEYHERD), "status", "--config", str(self.agent.config_path))
        self.assertEqual(done.returncode, 2)
        # Nor does the same user by way of the process: it is not dumpable.
        for name in ("environ", "mem", "fd/0"):
            done = self.as_user(NOBODY, "head", "-c", "1", str(proc / name))
            self.assertNotEqual(done.returncode, 0, name)

    def test_no_core_file_is_written(self):
        self.agent = self.agent_of()
        self.agent.start_with(prefix=["sh", "-c", 'cd "$0" && ulimit -c unlimited && exec "$@"', str(self.directory)])
        limits = (self.proc() / "limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")
        before = set(self.directory.rglob("*"))
        self.agent.program.kill(signal.SIGSEGV)
        self.assertEqual(self.agent.program.wait(), -signal.SIGSEGV)
        self.assertEqual({p.name for p in self.directory.rglob("*") if p not in before} - {"keyherd.db-wal"}, set())

    def test_a_hook_sees_an_empty_house(self):
        hook = self.write("hook.sh", '#!/bin/sh\ncat >/dev/null\ncd "$(dirname "$0")/out"\nenv > env\n'
                                     'ls -l /proc/$$/fd > fds\ncat /proc/$PPID/environ > environ 2> environ.err\n'
                                     'head -c 1 /proc/$PPID/mem > mem 2> mem.err\ntouch done\n', 0o755)
        self.agent = self.agent_of(publish=f', {{ exec = ["{hook}"] }}')
        self.give_to(NOBODY)
        self.agent.start_as(NOBODY)
        out = self.directory / "out"
        wait_until((out / "done").exists, "the hook has run")
        names = {line.partition("=")[0] for line in (out / "env").read_text().splitlines()}
        allowed = re.compile(r"KEYHERD_\w+|PATH|HOME|LANG|LC_\w+|TZ|PWD|OLDPWD|SHLVL|_")
        self.assertEqual([name for name in names if not allowed.fullmatch(name)], [])
        self.assertNotIn("secret", (out / "env").read_text().lower().replace(secret_of("k1"), "secret"))
        # Pipes of the agent's, and what the shell opened itself.
        for target in re.findall(r" \d+ -> (.*)", (out / "fds").read_text()):
            self.assertRegex(target, rf"\A(pipe:|/dev/null|{hook}|{out})")
        for name in ("environ", "mem"):
            self.assertEqual((out / name).read_bytes(), b"")
            self.assertIn("denied", (out / f"{name}.err").read_text())

    def test_what_must_not_be_open_is_refused_with_exit_code_2(self):
        self.agent = self.agent_of()
        (self.directory / "out").mkdir()

        def refused(expected):
            program = self.agent.start(wait=False).program
            self.assertEqual(program.wait(), 2, program.log())
            self.assertIn(expected, program.log())
            self.agent.program = None
        token = self.directory / "admin.token"
        token.chmod(0o644)
        refused("chmod 600")
        token.chmod(0o600)
        os.chown(token, NOBODY, NOBODY)
        refused("another user")
        os.chown(token, 0, 0)
        self.directory.chmod(0o777)
        refused("chmod o-w")
        self.directory.chmod(0o700)
        config = self.agent.config_path.read_text()
        self.agent.config_path.write_text(re.sub(r"\[\[web.tokens\]\]\n.*\n.*\n", "", config).replace("127.0.0.1", "0.0.0.0", 1))
        refused("without a token")

    def test_reloads_by_the_thousand_and_broken_ones_change_nothing(self):
        self.agent = self.agent_of()
        (self.directory / "out").mkdir()
        agent = self.agent.start()
        generation = self.published()["generation"]
        config = agent.config_path
        good = config.read_text()
        lines = good.splitlines()
        broken = ([("\n".join(lines[:n]) + "\n[" if n % 2 else good.replace("k1", "k\x01", n)) for n in range(1, 26)] +
                  [good + text for text in ("x", "[agent]\n", "[web]\ntokens = 5\n", "[keys.k1]\n", '[pools.p]\nkeys = ["none"]\n',
                                            "\x00", "\ufeff[", '[keys.z]\nprovider = "fake"\nsecret = "sk-CANARY-literal-0001"\n')] +
                  ["[" * 10_000, "a = " + "[" * 5_000, '"' * 1_001, "a.b.c = 1\na = 2\n", "listen = 1\n", "[agent]\nlisten = 1\n",
                   '[agent]\nlisten = "1.2.3.4:99999"\n', "\r" * 100, "é" * 1_000, "[agent]\nstate = 'postgresql://x'\n",
                   good.replace("deepseek", "nonsense"), good.replace('"2s"', '"-1s"'), good.replace("prod", "", 1),
                   good.replace("file:admin.token", "file:none.token"), good.replace("[[web", "[web"), "= = =", "\\", "'''"])
        self.assertGreaterEqual(len(broken), 50)
        for text in broken:
            config.write_text(text)
            status, body = agent.post("/-/reload")
            self.assertEqual(status, 400, (text[:200], body))
            self.assertNotIn("CANARY", json.dumps(body))
        config.unlink()
        self.assertEqual(agent.post("/-/reload")[0], 400)
        config.mkdir()
        self.assertEqual(agent.post("/-/reload")[0], 400)
        config.rmdir()
        self.assertFalse(agent.get("/api/v1/status")["agent"]["config_reload_ok"])
        config.write_text(good)
        for _ in range(1_000):
            agent.program.kill(signal.SIGHUP)
        wait_until(lambda: agent.get("/api/v1/status")["agent"]["config_reload_ok"], "the good one is loaded")
        self.assertEqual(agent.key("k1")["state"], "healthy")
        self.assertEqual(self.published()["generation"], generation)
        self.assertNotIn("CANARY", agent.program.log())
        self.assertEqual(agent.program.stop(), 0)

    def test_a_second_sigterm_ends_it_at_once(self):
        hook = self.write("hook.sh", "#!/bin/sh\nexec sleep 60\n", 0o755)
        self.agent = self.agent_of(publish=f', {{ exec = ["{hook}"], timeout = "60s" }}', more='')
        (self.directory / "out").mkdir()
        agent = self.agent.start()
        self.published()
        agent.program.kill(signal.SIGTERM)
        wait_until(lambda: "stopping" in agent.program.log(), "it stops")
        began = time.monotonic()
        agent.program.kill(signal.SIGTERM)
        self.assertIn(agent.program.wait(), (0, -signal.SIGTERM))
        self.assertLess(time.monotonic() - began, 1.5)

    def test_a_stderr_that_is_full_stops_nothing(self):
        self.agent = self.agent_of()
        (self.directory / "out").mkdir()
        agent = self.agent.start_with(prefix=["sh", "-c", 'exec "$@" 2>/dev/full', "sh"])
        agent.wait_state("k1", "healthy")
        self.published()
        self.assertTrue(agent.program.alive())
        self.assertEqual(agent.program.stop(), 0)

    def test_it_touches_what_it_was_told_of_and_nothing_else(self):
        self.agent = self.agent_of()
        (self.directory / "out").mkdir()
        trace = self.directory / "trace"
        agent = self.agent.start_with(prefix=["strace", "-f", "-qq", "-o", str(trace), "-e",
                                              "trace=open,openat,creat,execve,connect,bind,unlink,unlinkat,rename,renameat2"])
        self.published()
        agent.wait_state("k2", "healthy")
        tracer = agent.program.process.pid
        os.kill(int(pathlib.Path(f"/proc/{tracer}/task/{tracer}/children").read_text()), signal.SIGTERM)
        agent.program.wait()
        text = trace.read_text(errors="replace")
        self.assertEqual(text.count("execve("), 1)
        ports = {int(port) for port in re.findall(r"connect\(.*?sin_port=htons\((\d+)\)", text)}
        self.assertLessEqual(ports, {self.sandbox_port})
        self.assertEqual(set(re.findall(r'connect\(.*?inet_addr\("([^"]+)"\)', text)) - {"127.0.0.1"}, set())
        # The allocator asks for overcommit_memory when it makes a heap smaller.
        read = re.compile(r"/(lib|usr|etc/(ld\.so|ssl|hosts|nsswitch|host\.conf|resolv|passwd|group|localtime|gai)|proc/(self|\d+|sys/vm/overcommit_memory)|"
                          r"sys/(devices|fs)|dev/(null|urandom|random))")
        for line in text.splitlines():
            found = re.search(r'(?:open|openat|creat|unlink|unlinkat|rename|renameat2)\((?:AT_FDCWD, )?"([^"]*)"(.*)', line)
            if not found or found[2].endswith("(No such file or directory)"):
                continue
            path, rest = found[1], found[2]
            if path.startswith(str(self.directory)) or not path.startswith("/"):
                continue
            self.assertRegex(path, rf"\A{read.pattern}", line)
            if path != "/dev/null" and not path.endswith("/comm"):  # the names of its threads
                self.assertNotRegex(rest, r"O_WRONLY|O_RDWR|O_CREAT", line)

    def test_it_lives_through_the_ends_of_other_calendars(self):
        for moment, zone, after in (("2038-01-19 03:14:05", "UTC", "2038-01-19T03:14:08"),
                                    ("2100-02-28 23:59:57", "UTC", "2100-03-01T00:00:00"),
                                    ("2026-11-01 01:59:57", "America/New_York", "2026-11-01T06:00:00")):
            with self.subTest(moment):
                self.agent = self.agent_of()
                (self.directory / "out").mkdir(exist_ok=True)
                (self.directory / "keyherd.db").unlink(missing_ok=True)
                library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
                self.agent.environment.update(LD_PRELOAD=str(library), FAKETIME=f"@{moment}", TZ=zone,
                                              FAKETIME_DONT_FAKE_MONOTONIC="1")
                agent = self.agent.start()
                agent.wait_state("k1", "healthy")
                self.assertEqual(agent.get("/api/v1/status")["agent"]["started_at"][:10], moment[:10])
                wait_until(lambda: agent.key("k1")["last_probe_at"] > after, "probes go on after it", 30)
                self.assertIn("keyherd_key_state", agent.metrics())
                agent.program.kill(signal.SIGKILL)
                agent.program.wait()

    def test_the_unit_for_systemd_is_a_tight_one(self):
        text = (ROOT / "deploy/systemd/keyherd.service").read_text()
        unit = self.write("keyherd.service", text.replace("/usr/bin/keyherd", str(KEYHERD)))
        for arguments in (["verify", "--man=no"], ["security", "--offline=true", "--threshold=15", "--no-pager"]):
            done = subprocess.run(["systemd-analyze", *arguments, str(unit)], capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr)


if __name__ == "__main__":
    main()
