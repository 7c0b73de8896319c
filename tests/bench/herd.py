"""scripts/bench herd: an agent with 50,000 keys that probes each once in 5 minutes: start, memory, punctuality."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import harness
from probes import ROOT, Nginx, stop_all

KEYS = 50_000
PORT = 19925
SECONDS = 420  # the first round, and more than one further interval


def fetch(path):
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}{path}", timeout=30) as answer:
        return answer.read().decode()


def is_ready():
    try:
        return fetch("/-/ready").startswith("Keyherd is ready")
    except (urllib.error.URLError, ConnectionError):
        return False


def delays():
    """Upper bound in seconds -> how many probes started within it."""
    rows = re.findall(r'^keyherd_probe_schedule_delay_seconds_bucket\{le="([^"]+)"\} (\S+)$', fetch("/metrics"), re.M)
    return {float(bound): float(count) for bound, count in rows}


def write_herd(folder, base_url):
    secrets = folder / "secrets"
    secrets.mkdir()
    keys = {}
    for number in range(KEYS):
        name = f"herd-key-{number:05d}"
        (secrets / name).write_text(f"sk-proj-{number:05d}-bench-secret-{number * 7919:09d}")
        (secrets / name).chmod(0o600)
        keys[name] = {"provider": f"p{number % 10}", "secret": f"file:{secrets / name}", "limit_group": f"acct-{number // 5}"}
    (folder / "keys.json").write_text(json.dumps({"keys": keys}))
    providers = "".join(f'[providers.p{i}]\ntype = "openai_compat"\nbase_url = "{base_url}"\nprobe = {{ every = "5m", method = "models" }}\n'
                        for i in range(10))
    config = folder / "keyherd.toml"
    config.write_text(f'[agent]\nlisten = "127.0.0.1:{PORT}"\nstate = "{folder}/keyherd.db"\nlog_level = "warning"\n'
                      f'key_files = ["{folder}/keys.json"]\n{providers}')
    return config


def start(binary, config):
    begun = time.monotonic()
    agent = subprocess.Popen([str(binary), "run", "--config", str(config)])
    while not is_ready():
        if agent.poll() is not None:
            sys.exit("bench: the agent does not start")
        time.sleep(0.02)
    return agent, time.monotonic() - begun


def main(preset="release"):
    binary = ROOT / f"build/{preset}/agent/cli/keyherd"
    subprocess.run([str(ROOT / "scripts/build"), preset, "keyherd"], check=True)
    with tempfile.TemporaryDirectory(prefix="keyherd-bench-") as name:
        folder = pathlib.Path(name)
        nginx = Nginx(folder)
        agent = None
        try:
            config = write_herd(folder, f"{nginx.plain}/fast/v1")
            agent, first = start(binary, config)
            print(f"{KEYS:,} keys, empty state: ready after {first:.1f} s, {harness.memory_mb(agent.pid):.0f} MB", flush=True)
            cpu, begun = harness.process_seconds(agent.pid), time.monotonic()
            time.sleep(SECONDS)
            share = (harness.process_seconds(agent.pid) - cpu) / (time.monotonic() - begun)
            # Before the scrape, which has its own bound.
            memory, most = harness.memory_mb(agent.pid), harness.memory_mb(agent.pid, "VmHWM")
            seen = delays()
            total, punctual = seen[float("inf")], seen[1.0]
            print(f"after {SECONDS} s: {total:,.0f} probes, {punctual / total * 100:.2f} % started within 1 s of their time, "
                  f"{memory:.0f} MB (at most {most:.0f} MB meanwhile), {share * 100:.0f} % of a core", flush=True)
            agent.terminate()
            agent.wait(30)
            agent, again = start(binary, config)
            restarted = harness.memory_mb(agent.pid)
            print(f"with that state: ready after {again:.1f} s, {restarted:.0f} MB "
                  f"(at most {harness.memory_mb(agent.pid, 'VmHWM'):.0f} MB meanwhile)", flush=True)
        finally:
            stop_all([process for process in (agent, nginx.process) if process])
    return 0 if max(first, again) < 5 and max(memory, restarted) < 400 and punctual >= 0.99 * total and total >= KEYS else 1
