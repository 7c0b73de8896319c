#!/usr/bin/env python3
"""What a service manager, a package and a cluster rely on: messages of readiness and life, secrets that root lends to a
group, the files that are installed, the bill of materials, the rules for the Prometheus operator."""
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile

from harness import IS_ROOT, KEYHERD, ROOT, Agent, EndToEnd, environment_for, http_request, key_config, main, secret_of, wait_until

PROVIDER = '[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\nprobe = {{ every = "2s", timeout = "2s" }}\n\n'


class Service(EndToEnd):
    def manager(self):
        """The socket that a service manager listens on, and what has arrived so far."""
        path = str(self.directory / "notify")
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(path)
        server.setblocking(False)
        self.addCleanup(server.close)
        told = []

        def heard():
            while True:
                try:
                    told.append(server.recv(4096).decode())
                except BlockingIOError:
                    return told
        return path, heard

    def test_the_service_manager_hears_of_readiness_life_and_end(self):
        path, heard = self.manager()
        base, _ = self.sandbox({"k1": {}})
        environment = {**environment_for(["k1"]), "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"}
        agent = Agent(self, PROVIDER.format(base=base) + key_config(["k1"]), environment).start(wait=False)
        wait_until(lambda: "READY=1" in heard(), "READY=1")
        # Ready means that it answers: no waiting here.
        self.assertEqual(http_request("GET", agent.url("/-/healthy"))[0], 200)
        wait_until(lambda: heard().count("WATCHDOG=1") >= 3, "signs of life")
        agent.program.kill(signal.SIGHUP)
        before = heard().count("WATCHDOG=1")
        wait_until(lambda: heard().count("WATCHDOG=1") > before, "life after a reload")
        self.assertEqual(agent.program.stop(), 0)
        self.assertEqual(heard()[-1], "STOPPING=1")

    def test_nobody_listens_and_nobody_is_told(self):
        base, _ = self.sandbox({"k1": {}})
        environment = {**environment_for(["k1"]), "NOTIFY_SOCKET": str(self.directory / "gone")}
        agent = Agent(self, PROVIDER.format(base=base) + key_config(["k1"]), environment).start()
        agent.wait_state("k1", "healthy")
        self.assertEqual(agent.program.stop(), 0)

    def test_root_may_lend_a_secret_to_the_agents_group(self):
        """As Kubernetes mounts Secrets for a pod that is not root: root's, the group may read."""
        if not IS_ROOT:
            self.skipTest("needs root")
        base, _ = self.sandbox({"k1": {}})
        group = 65534
        self.directory.chmod(0o755)
        self.write("lent", secret_of("k1"), 0o640)
        os.chown(self.directory / "lent", 0, group)
        config = PROVIDER.format(base=base) + '[keys.k1]\nprovider = "fake"\nsecret = "file:lent"\n'
        check = self.write("lent.toml", config.replace("[providers", '[agent]\nstate = ":memory:"\n\n[providers', 1))

        def probe(mode):
            (self.directory / "lent").chmod(mode)
            return subprocess.run(["setpriv", "--reuid=65534", f"--regid={group}", "--clear-groups", str(KEYHERD), "probe",
                                   "--config", str(check), "--json"], capture_output=True, text=True, timeout=30, check=False)
        for mode in (0o640, 0o440):
            done = probe(mode)
            self.assertEqual(json.loads(done.stdout)[0]["verdict"], "ok", done.stdout + done.stderr)
        for mode in (0o660, 0o644):
            done = probe(mode)
            self.assertNotEqual(done.returncode, 0, oct(mode))
            self.assertIn("open to others", done.stdout + done.stderr)

    def test_what_is_installed(self):
        build = pathlib.Path(KEYHERD).parents[2]
        with tempfile.TemporaryDirectory() as prefix:
            done = subprocess.run(["cmake", "--install", str(build), "--prefix", prefix], capture_output=True, text=True, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            installed = {str(path.relative_to(prefix)): path for path in pathlib.Path(prefix).rglob("*") if path.is_file()}
            for name in ("bin/keyherd", "share/man/man1/keyherd.1", "share/bash-completion/completions/keyherd",
                         "share/keyherd/rules/keyherd-alerts.yml", "share/keyherd/dashboards/keyherd-overview.json",
                         "share/keyherd/deploy/kubernetes/keyherd.yaml", "lib/systemd/system/keyherd.service", "lib/sysusers.d/keyherd.conf",
                         "share/doc/keyherd/docs/configuration.md", "share/doc/keyherd/examples/production.toml",
                         "etc/keyherd/keyherd.toml"):
                self.assertIn(name, installed)
            self.assertTrue(installed["share/doc/keyherd/examples/publishers/vault.sh"].stat().st_mode & stat.S_IXUSR)
            # The packaged configuration is good as it is, and the state is where the service may write.
            done = subprocess.run([installed["bin/keyherd"], "check", "--config", installed["etc/keyherd/keyherd.toml"]],
                                  capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            unit = installed["lib/systemd/system/keyherd.service"].read_text()
            self.assertIn("StateDirectory=keyherd\n", unit)
            self.assertIn('state = "/var/lib/keyherd/keyherd.db"', installed["etc/keyherd/keyherd.toml"].read_text())

    def test_the_bill_of_materials_names_what_is_inside(self):
        done = subprocess.run([ROOT / "scripts/sbom", KEYHERD], capture_output=True, text=True, timeout=60, check=True)
        bill = json.loads(done.stdout)
        self.assertEqual((bill["bomFormat"], bill["specVersion"]), ("CycloneDX", "1.5"))
        names = {part["name"] for part in bill["components"]}
        for name in ("libc6", "libssl3", "libsqlite3-0", "libsodium23", "nlohmann-json3-dev", "libcpp-httplib-dev"):
            self.assertIn(name, names)
        for part in bill["components"]:
            self.assertRegex(part["purl"], r"^pkg:deb/debian/[a-z0-9.+-]+@\S+$")
        # The same build, the same identity.
        again = subprocess.run([ROOT / "scripts/sbom", KEYHERD], capture_output=True, text=True, timeout=60, check=True,
                               env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"})
        self.assertEqual(json.loads(again.stdout)["serialNumber"], bill["serialNumber"])

    def test_the_operators_rules_are_the_shipped_ones(self):
        text = subprocess.run([ROOT / "scripts/kubernetes-rules"], capture_output=True, text=True, timeout=30, check=True).stdout
        head, _, groups = text.partition("\n  groups:\n")
        self.assertIn("kind: PrometheusRule", head)
        plain = "groups:\n" + "\n".join(line.removeprefix("  ") for line in groups.splitlines()) + "\n"
        rules = self.write("rules.yml", plain)
        done = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        # What the program prints is one file of all of them.
        printed = self.write("printed.yml", subprocess.run([KEYHERD, "rules"], capture_output=True, text=True, timeout=30, check=True).stdout)
        done = subprocess.run(["promtool", "check", "rules", printed], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        shipped = "".join(path.read_text() for path in (ROOT / "rules").glob("*.yml"))
        for kind in ("- alert:", "- record:"):
            self.assertEqual(plain.count(kind), shipped.count(kind))
            self.assertEqual(printed.read_text().count(kind), shipped.count(kind))


if __name__ == "__main__":
    main()
