"""scripts/bench probes: the agent's probe workers beside wrk, against nginx on loopback, in one run."""
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
BODY = json.dumps({"object": "list", "data": [{"id": f"model-{i}", "object": "model", "owned_by": "bench"}
                                              for i in range(5)]})
ROUNDS = 3
SECONDS = 4

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
  server {{
    listen 127.0.0.1:{plain}; listen 127.0.0.1:{tls} ssl;
    location /fast/ {{ return 200 '{body}'; }}
    # 200 ms later: nginx delays the refusal of who has no password, and then answers all the same.
    location /slow/ {{ auth_basic bench; auth_basic_user_file {folder}/nobody; auth_delay 200ms; error_page 401 =200 @answer; }}
    location @answer {{ return 200 '{body}'; }}
  }}
}}
"""


class Nginx:
    def __init__(self, folder):
        plain, tls = harness.free_port(), harness.free_port()
        self.plain, self.tls = f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}"
        self.certificate = folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", str(folder / "key.pem"), "-out", str(self.certificate)],
                       check=True, capture_output=True)
        (folder / "nobody").write_text("")
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, plain=plain, tls=tls, body=BODY))
        self.process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")])
        harness.wait_until(lambda: self.answers(folder), "nginx answers")

    def answers(self, folder):
        if self.process.poll() is not None:
            sys.exit("bench: nginx does not start: " + (folder / "error.log").read_text())
        return harness.http_request("GET", f"{self.plain}/fast/")[0] == 200

    def stop(self):
        stop_all([self.process])


def stop_all(processes):
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(30)


def wrk(url):
    text = subprocess.run(["wrk", "-t2", "-c64", f"-d{SECONDS}s", url], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"Requests/sec:\s+(\S+)", text).group(1))


def ours(program, base, workers, certificate=None):
    command = [str(program), base, str(workers), str(SECONDS)] + ([str(certificate)] if certificate else [])
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench: {' '.join(command)}: {done.stderr}{done.stdout}")
    return json.loads(done.stdout)


def median(rows, field):
    return statistics.median(row[field] for row in rows)


# name, path, workers, TLS, least rate, most CPU ms a probe, most MB.
CASES = [("plain, 64 workers", "fast", 64, False, 15_000, None, None),
         ("TLS, 64 workers", "fast", 64, True, 11_000, None, None),
         ("plain, 1,000 in flight at 200 ms", "slow", 1000, False, 4_800, 0.10, 60),
         ("TLS, 1,000 in flight at 200 ms", "slow", 1000, True, 4_800, 0.15, 140)]


def main(preset="release"):
    for tool in ("nginx", "wrk", "openssl"):
        if shutil.which(tool) is None:
            sys.exit(f"bench: {tool} is missing: apt-get install nginx-light wrk openssl")
    program = ROOT / f"build/{preset}/tests/bench/bench_probe_rate"
    subprocess.run([str(ROOT / "scripts/build"), preset, "bench_probe_rate"], check=True)
    met = True
    with tempfile.TemporaryDirectory(prefix="keyherd-bench-") as folder:
        nginx = Nginx(pathlib.Path(folder))
        try:
            rows = {case[0]: [] for case in CASES}
            limits = {False: [], True: []}
            for _ in range(ROUNDS):  # interleaved: what else the machine does hits all alike
                for tls, base in ((False, nginx.plain), (True, nginx.tls)):
                    limits[tls].append(wrk(f"{base}/fast/v1/models"))
                for name, path, workers, tls, *_ in CASES:
                    base = f"{nginx.tls if tls else nginx.plain}/{path}/v1"
                    rows[name].append(ours(program, base, workers, nginx.certificate if tls else None))
        finally:
            nginx.stop()
    print(f"wrk, 64 connections: plain {statistics.median(limits[False]):,.0f}/s, TLS {statistics.median(limits[True]):,.0f}/s")
    for name, path, _, tls, rate, cpu, memory in CASES:
        got = {field: median(rows[name], field) for field in ("per_second", "cpu_ms_per_probe", "rss_mb")}
        share = f", {got['per_second'] / statistics.median(limits[tls]):.2f} of wrk" if path == "fast" else ""
        print(f"{name}: {got['per_second']:,.0f}/s{share}, {got['cpu_ms_per_probe']:.3f} ms CPU a probe, "
              f"{got['rss_mb']:.0f} MB (to reach: {rate:,}/s" + (f", {cpu} ms, {memory} MB)" if cpu else ")"))
        met &= got["per_second"] >= rate and (not cpu or (got["cpu_ms_per_probe"] <= cpu and got["rss_mb"] <= memory))
    return 0 if met else 1
