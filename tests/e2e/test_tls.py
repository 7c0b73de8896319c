#!/usr/bin/env python3
"""HTTPS with the real programs: Debian's Prometheus scrapes with a token and with a password, certificates are
exchanged while the agent runs, clients show certificates of their own, and the command line finds its way."""
import base64
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import time

from harness import KEYHERD, Agent, EndToEnd, Program, free_port, http_request, main, wait_until

# bcrypt, cost 10, of "scrape-password" and "anna-password".
SCRAPER = "$2b$10$abcdefghijklmnopqrstuubwiNIfzQ5V3bgeXTvX/ywSi2S0MFfWS"
ANNA = "$2b$10$abcdefghijklmnopqrstuu0/aM4Slh245ehRQNtloAIBALqZFtNw."


class Tls(EndToEnd):
    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

    def make_ca(self, name="ca"):
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")

    def make_certificate(self, name, purpose="serverAuth", ca="ca"):
        """name.crt and name.key, put in place as renewal tools do: whole, the key first."""
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "new.key",
                     "-out", "new.csr", "-subj", f"/CN={name}")
        self.write("new.ext", f"subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage={purpose}\n")
        self.openssl("x509", "-req", "-in", "new.csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
                     "-days", "2", "-extfile", "new.ext", "-out", "new.crt")
        os.chmod(self.directory / "new.key", 0o600)
        os.replace(self.directory / "new.key", self.directory / f"{name}.key")
        os.replace(self.directory / "new.crt", self.directory / f"{name}.crt")

    def context(self, certificate=None):
        context = ssl.create_default_context(cafile=self.directory / "ca.pem")
        if certificate:
            context.load_cert_chain(self.directory / f"{certificate}.crt", self.directory / f"{certificate}.key")
        return context

    def ask(self, path, headers=None, certificate=None):
        """(status, headers, body); 0 when no connection comes about."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.agent.port, timeout=10,
                                                 context=self.context(certificate))
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, {}, ""
        finally:
            connection.close()

    def serial(self):
        """Of the certificate that the agent shows now."""
        with socket.create_connection(("127.0.0.1", self.agent.port), timeout=10) as plain:
            with self.context().wrap_socket(plain, server_hostname="localhost") as secure:
                return secure.getpeercert()["serialNumber"]

    def start_agent(self, tls="", more=""):
        self.make_ca()
        self.make_certificate("server")
        self.settings = (
            '[web.tls]\ncert_file = "server.crt"\nkey_file = "server.key"\n%s\n'
            f'[web.basic_auth_users.prometheus]\nrole = "metrics"\npassword_hash = "{SCRAPER}"\n\n'
            f'[web.basic_auth_users.anna]\nrole = "operate"\npassword_hash = "{ANNA}"\n\n{more}')
        self.agent = Agent(self, self.settings % tls, {})
        self.agent.start(wait=False)
        wait_until(lambda: self.ask("/-/ready")[0] == 200 or not self.agent.program.alive(), "the agent is ready")
        self.assertTrue(self.agent.program.alive(), self.agent.program.log())
        return self.agent

    def test_prometheus_scrapes_with_a_token_and_with_a_password(self):
        agent = self.start_agent()
        self.write("metrics.token", agent.token, 0o600)
        self.write("good.password", "scrape-password", 0o600)
        self.write("wrong.password", "guess", 0o600)
        job = ("  - job_name: {0}\n    scheme: https\n    tls_config: {{ca_file: ca.pem}}\n    {1}\n"
               f"    static_configs: [{{{{targets: ['127.0.0.1:{agent.port}']}}}}]\n")
        basic = "basic_auth: {{username: prometheus, password_file: {}.password}}"
        config = self.write("prometheus.yml", "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n" +
                            job.format("bearer", "authorization: {credentials_file: metrics.token}") +
                            job.format("basic", basic.format("good")) +
                            job.format("wrong", basic.format("wrong")) +
                            job.format("stranger", "").replace("ca_file: ca.pem", ""))
        port = free_port()
        self.programs.append(Program("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.directory}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}"], self.directory))

        def targets():
            status, body = http_request("GET", f"http://127.0.0.1:{port}/api/v1/targets")
            active = body["data"]["activeTargets"] if status == 200 else []
            found = {target["labels"]["job"]: target for target in active}
            return found if len(found) == 4 and all(t["health"] != "unknown" for t in found.values()) else None
        wait_until(lambda: targets() and targets()["basic"]["health"] == "up", "the password is good", 20)
        found = targets()
        self.assertEqual({job: target["health"] for job, target in found.items()},
                         {"bearer": "up", "basic": "up", "wrong": "down", "stranger": "down"})
        self.assertIn("401", found["wrong"]["lastError"])
        self.assertIn("certificate", found["stranger"]["lastError"])
        # The wrong password was tried every second from this very address: it has to wait by now, and the good
        # one goes on.
        wait_until(lambda: "429" in targets()["wrong"]["lastError"], "guessing is slowed down", 30)
        self.assertEqual(targets()["basic"]["health"], "up")
        # What was checked once costs no tenth of a second again.
        login = {"Authorization": "Basic " + base64.b64encode(b"prometheus:scrape-password").decode()}
        began = time.monotonic()
        for _ in range(10):
            self.assertEqual(self.ask("/metrics", login)[0], 200)
        self.assertLess(time.monotonic() - began, 0.5)
        # Its role is enough for that only.
        self.assertEqual(self.ask("/api/v1/keys", login)[0], 403)
        for secret in ("scrape-password", "guess", agent.token, SCRAPER):
            self.assertNotIn(secret, agent.program.log())

    def test_a_new_certificate_is_shown_without_a_restart(self):
        agent = self.start_agent()
        first = self.serial()
        kept = http.client.HTTPSConnection("127.0.0.1", agent.port, timeout=30, context=self.context())
        kept.request("GET", "/-/healthy")
        kept.getresponse().read()
        # Half of it, and then nonsense: the old one stays.
        good = (self.directory / "server.key").read_text()
        self.write("server.key", "nonsense", 0o600)
        wait_until(lambda: "the old one stays" in agent.program.log(), "the bad key is told of", 15)
        self.assertEqual(self.serial(), first)
        self.write("server.key", good, 0o600)
        self.make_certificate("server")
        wait_until(lambda: self.serial() != first, "the renewed certificate is shown", 15)
        kept.request("GET", "/-/healthy")
        self.assertEqual(kept.getresponse().status, 200)
        kept.close()
        # At once with a reload; and a reload that cannot read it changes nothing.
        second = self.serial()
        self.make_certificate("server")
        agent.program.kill(signal.SIGHUP)
        wait_until(lambda: self.serial() != second, "the certificate is reloaded", 4)
        third = self.serial()
        os.remove(self.directory / "server.crt")
        agent.program.kill(signal.SIGHUP)
        wait_until(lambda: "was not reloaded" in agent.program.log(), "the reload fails", 10)
        self.assertEqual(self.serial(), third)

    def test_clients_show_certificates_where_they_must(self):
        self.make_ca("clients")
        self.make_certificate("me", "clientAuth", "clients")
        self.make_certificate("stranger", "clientAuth", "clients")
        self.make_ca("others")
        self.make_certificate("stranger", "clientAuth", "others")
        agent = self.start_agent()
        self.assertEqual(self.ask("/-/healthy")[0], 200)
        text = agent.config_path.read_text()
        agent.config_path.write_text(text.replace(
            'key_file = "server.key"\n',
            'key_file = "server.key"\nclient_ca_file = "clients.pem"\nclient_auth = "required"\n', 1))
        agent.program.kill(signal.SIGHUP)
        wait_until(lambda: self.ask("/-/healthy")[0] == 0, "clients without a certificate are refused", 10)
        self.assertEqual(self.ask("/-/healthy", certificate="me")[0], 200)
        self.assertEqual(self.ask("/-/healthy", certificate="stranger")[0], 0)
        # It opens the door, no more.
        self.assertEqual(self.ask("/metrics", certificate="me")[0], 401)
        self.assertEqual(agent.cli("status", expect=3).stdout, "")
        with open(agent.config_path, "a", encoding="utf-8") as config:
            config.write('\n[client]\ncert_file = "me.crt"\nkey_file = "me.key"\n')
        agent.cli("status")

    def test_the_command_line_speaks_to_agents_behind_tls(self):
        agent = self.start_agent()
        # On the agent's machine: the certificate of the configuration is trusted, the best token taken.
        self.assertEqual(json.loads(agent.cli("status", "--json").stdout)["keys"], [])
        self.assertEqual(agent.cli("healthcheck").stdout, "ready\n")
        # On another one: only where it is, who vouches for it, and who one is.
        self.write("anna.password", "anna-password", 0o600)
        self.write("elsewhere/client.toml", f'[client]\nurl = "https://localhost:{agent.port}"\nca_file = "../ca.pem"\n'
                                            'user = "anna"\npassword = "file:../anna.password"\n')
        elsewhere = self.directory / "elsewhere/client.toml"

        def cli(*arguments):
            return subprocess.run([str(KEYHERD), *arguments, "--config", str(elsewhere)], capture_output=True,
                                  text=True, timeout=60, check=False, env={"PATH": os.environ["PATH"]})
        done = cli("status", "--json")
        self.assertEqual((done.returncode, json.loads(done.stdout)["keys"]), (0, []), done.stderr)
        self.write("anna.password", "wrong", 0o600)
        self.assertEqual(cli("status").returncode, 2)
        # A server that nobody vouches for is not spoken to.
        elsewhere.write_text(elsewhere.read_text().replace('ca_file = "../ca.pem"\n', ""))
        done = cli("status")
        self.assertEqual(done.returncode, 3)
        self.assertIn("--ca-file", done.stderr)
        self.write("anna.password", "anna-password", 0o600)
        self.assertEqual(cli("status", "--ca-file", str(self.directory / "ca.pem")).returncode, 0)
        # Whoever speaks plain HTTP is told.
        self.assertEqual(http_request("GET", agent.url("/-/healthy"))[0], 400)


if __name__ == "__main__":
    main()
