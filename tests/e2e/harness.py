"""What the end-to-end tests share: the real binary, the sandbox, real servers from Debian packages, all
on loopback and free ports, ended by pid. Nothing here sleeps for a fixed time: it waits for conditions
with a deadline. A test's directory is kept when it fails."""
import contextlib
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEYHERD = pathlib.Path(os.environ.get("KEYHERD_BINARY", ROOT / "build/release/agent/cli/keyherd"))


# What a build with sanitizers complains of, in the log of a program.
SANITIZER = re.compile(r"(WARNING|ERROR|SUMMARY): \w+Sanitizer|runtime error:")


def process_seconds(pid):
    """What it took of processor cores since its start."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid, field="VmRSS"):
    """Of /proc/PID/status, in MiB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB$", status, re.M).group(1)) / 1024


def open_files(pid):
    """The paths of its descriptors; one that is closed meanwhile is left out."""
    paths = []
    for link in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            paths.append(os.readlink(link))
    return paths


def wait_until(condition, what, timeout=20.0, every=0.02):
    """Polls until condition() is true and returns what it returned; fails with `what` otherwise."""
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        pause.wait(every)


def free_port():
    """Below those that the kernel gives to connections (net.ipv4.ip_local_port_range): no client takes it before
    a program listens on it, or while one restarts."""
    for port in random.sample(range(10_000, 32_000), 1_000):
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a thousand ports are in use")


def http_request(method, url, body=None, token=None, timeout=10):
    """(status, parsed JSON or text); a refused connection is (0, "")."""
    data = json.dumps(body).encode() if body is not None else (b"" if method == "POST" else None)
    request = urllib.request.Request(url, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            status, text = response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, ""
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text


IS_ROOT = os.geteuid() == 0


class Program:
    """A child process with its output in a file."""

    def __init__(self, name, argv, directory, environment=None, cwd=None):
        self.log_path = pathlib.Path(directory) / f"{name}.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([str(a) for a in argv], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, env=environment, cwd=cwd)

    def alive(self):
        return self.process.poll() is None

    def log(self):
        return self.log_path.read_text(errors="replace")

    def kill(self, number=signal.SIGKILL):
        if self.alive():
            self.process.send_signal(number)

    def stop(self, timeout=10):
        """SIGTERM, and the exit code."""
        self.kill(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"{self.process.args[0]} did not stop within {timeout} s") from None

    def wait(self, timeout=20):
        return self.process.wait(timeout)


class Sink:
    """An HTTP server that keeps what is posted to it, by path."""

    def __init__(self):
        received = self.received = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                received.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Agent:
    """A keyherd agent on a configuration text, in the test's directory."""

    def __init__(self, test, config, environment, name="agent"):
        self.test = test
        self.directory = test.directory
        self.port = free_port()
        self.token = "test-admin-token-0123456789"
        token_file = self.directory / "admin.token"
        if not token_file.exists():
            test.write("admin.token", self.token, 0o600)
        self.config_path = test.write(
            "keyherd.toml",
            f'[agent]\nlisten = "127.0.0.1:{self.port}"\nstate = "keyherd.db"\nlog_level = "debug"\n\n'
            f'[[web.tokens]]\nrole = "admin"\ntoken = "file:admin.token"\n\n{config}')
        self.environment = {"PATH": os.environ["PATH"], **environment}
        self.name = name
        self.program = None

    def start(self, wait=True):
        return self.start_with(wait=wait)

    def start_as(self, user):
        """As another user; by root."""
        return self.start_with(prefix=["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"])

    def start_with(self, *arguments, wait=True, prefix=()):
        self.program = Program(self.name, [*prefix, KEYHERD, "run", "--config", self.config_path, *arguments],
                               self.directory, self.environment)
        self.test.programs.append(self.program)
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self):
        def ready():
            if not self.program.alive():
                raise AssertionError("the agent ended:\n" + self.program.log())
            return http_request("GET", self.url("/-/ready"))[0] == 200
        wait_until(ready, "the agent is ready")

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path):
        status, body = http_request("GET", self.url(path), token=self.token)
        assert status == 200, (path, status, body)
        return body

    def post(self, path, body=None):
        return http_request("POST", self.url(path), body if body is not None else {}, self.token, 40)

    def wait_committed(self, pool):
        """Its newest rotation is through: consumers have the key, and it was seen to work."""
        def through():
            rows = self.get(f"/api/v1/rotations?pool={pool}")
            return rows and rows[0]["state"] in ("committed", "retiring", "retired")
        return wait_until(through, f"pool {pool} has rotated")

    def key(self, name):
        return self.get(f"/api/v1/keys/{name}")

    def wait_state(self, key, state, timeout=20):
        try:
            return wait_until(lambda: self.key(key)["state"] == state, f"{key} is {state}", timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.get(f'/api/v1/keys/{key}/explain')}") from None

    def wait_metric(self, line):
        wait_until(lambda: f"\n{line}\n" in self.metrics(), f"/metrics has the line {line}")

    def metrics(self):
        return http_request("GET", self.url("/metrics"), token=self.token)[1]

    def cli(self, *arguments, expect=0, environment=None):
        done = subprocess.run([str(KEYHERD), *arguments, "--config", str(self.config_path)],
                              capture_output=True, text=True, timeout=60, check=False,
                              env={**self.environment, **(environment or {})})
        if expect is not None:
            self.test.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return done


class EndToEnd(unittest.TestCase):
    """A directory, and the programs that were started in it."""
    maxDiff = None

    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="keyherd-e2e-"))
        self.programs = []
        self.sinks = []
        self.mounts = []

    def tearDown(self):
        for program in self.programs:
            if program.alive():
                program.kill()
            program.process.wait()
        for sink in self.sinks:
            sink.close()
        for mounted in self.mounts:
            subprocess.run(["umount", "-l", mounted], check=True)
        outcome = getattr(self._outcome, "result", None)
        failed = outcome and any(getattr(test, "test_case", test) is self for test, _ in outcome.failures + outcome.errors)
        reports = [str(program.log_path) for program in self.programs if SANITIZER.search(program.log())]
        if failed or reports:
            print(f"kept for a look: {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.assertEqual(reports, [], "a sanitizer reported something")

    def write(self, name, text, mode=0o644):
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def small_disk(self, size, name="disk"):
        """A directory with a file system of its own, of that size ("2m"), until the test ends. By root."""
        disk = self.directory / name
        disk.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "none", disk], check=True)
        self.mounts.append(disk)
        return disk

    def sandbox(self, keys, faces=None):
        """Starts a sandbox with {id: {...}}; returns (base URL, control function)."""
        port = free_port()
        scenario = {"port": port, "faces": faces or [{"name": "alpha"}],
                    "keys": [{"id": name, "face": "alpha", "secret": secret_of(name), **more}
                             for name, more in keys.items()]}
        path = self.write("sandbox.json", json.dumps(scenario))
        program = Program("sandbox", [KEYHERD, "sandbox", "--scenario", path], self.directory)
        self.programs.append(program)
        base = f"http://127.0.0.1:{port}"
        wait_until(lambda: http_request("GET", base + "/sandbox/state")[0] == 200, "the sandbox is up")

        def control(method, path, body):
            status, answer = http_request(method, base + "/sandbox/" + path, body)
            assert status == 200, (path, status, answer)
            return answer
        return base, control

    def append_log(self, lines, name="usage.jsonl"):
        with open(self.directory / name, "a", encoding="utf-8") as log:
            for line in lines:
                log.write(json.dumps(line) + "\n")


def secret_of(key):
    return f"sk-sandbox-{key}-secret"


def environment_for(keys):
    return {f"SECRET_{name.replace('-', '_')}": secret_of(name) for name in keys}


def key_config(names, provider="fake", **more):
    """[keys.*] tables for these names; `more` are raw TOML values for all of them."""
    text = ""
    for name in names:
        text += f'[keys.{name}]\nprovider = "{provider}"\nsecret = "env:SECRET_{name.replace("-", "_")}"\n'
        text += "".join(f"{field} = {value}\n" for field, value in more.items()) + "\n"
    return text


def utc_now():
    now = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03}Z"


@contextlib.contextmanager
def running(program):
    try:
        yield program
    finally:
        program.kill()
        program.process.wait()


def main():
    """Runs the module's tests and closes with the totals."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)
