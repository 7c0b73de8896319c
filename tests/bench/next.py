"""scripts/bench next: decisions a second over keep-alive, beside the same server's /-/healthy, in one run."""
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

import harness

ROUNDS = 3
SECONDS = 5
GOAL = 20_000

# One request in ten is a report, when asked for: each names a request of its own.
SCRIPT = """
local reports, key = {reports}, "key-0"
local count, me = 0, tostring(math.random(1, 1000000000))
local headers = {{ ["Authorization"] = "Bearer {token}", ["Content-Type"] = "application/json" }}
math.randomseed(os.time())
request = function()
  count = count + 1
  if reports and count % 10 == 0 then
    return wrk.format("POST", "/api/v1/pools/prod/report", headers, string.format(
      '{{"key":"%s","status":200,"model":"m","input_tokens":10,"output_tokens":5,"latency_ms":80,"request_id":"%s-%d"}}',
      key, me, count))
  end
  return wrk.format("POST", "/api/v1/pools/prod/next", headers, "")
end
"""


def rate(arguments, connections=64):
    """Requests a second, the 99th percentile of the latency, and how many answers were not 2xx."""
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "--latency", *arguments],
                          capture_output=True, text=True, check=True).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    return (float(re.search(r"Requests/sec:\s+([\d.]+)", done)[1]), re.search(r"99%\s+(\S+)", done)[1],
            int(bad[1]) if bad else 0)


def measure(test, strategy, keys):
    names = [f"key-{i}" for i in range(keys)]
    base, _ = test.sandbox({name: {} for name in names})
    agent = harness.Agent(
        test, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
        'probe = { every = "1h", min_spacing = "0s" }\n\n'
        + harness.key_config(names, quotas='["day"]') +
        '[quotas.day]\nlimit = 1000000000000\nunit = "tokens"\nwindow = "day"\n\n'
        f'[pools.prod]\nkeys = {names}\nstrategy = "{strategy}"\n\n'.replace("'", '"'),
        harness.environment_for(names))
    agent.config_path.write_text(agent.config_path.read_text().replace('"debug"', '"info"'))
    agent.start()
    harness.wait_until(lambda: all(key["state"] == "healthy" for key in agent.get("/api/v1/keys")),
                       "every key is probed", 120, 1)
    ways = {"healthy": ["-H", f"Authorization: Bearer {agent.token}", agent.url("/-/healthy")]}
    for way, reports in (("next", "false"), ("next and report", "true")):
        script = test.write(f"{way}.lua".replace(" ", "-"), SCRIPT.format(token=agent.token, reports=reports))
        ways[way] = ["-s", str(script), agent.url("")]
    results = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, arguments in ways.items():
            results[way].append(rate(arguments))
    agent.program.stop()
    medians = {way: statistics.median(one[0] for one in runs) for way, runs in results.items()}
    for way, runs in results.items():
        refused = sum(one[2] for one in runs)
        print(f"{strategy:12} {keys:5} keys  {way:16} {medians[way]:9,.0f}/s  "
              f"{medians[way] / medians['healthy']:.2f} of /-/healthy  p99 {runs[0][1]:>8}" +
              (f"  {refused} not 2xx" if refused else ""))
    return medians["next"]


def main():
    if shutil.which("wrk") is None:
        print("bench: wrk is not installed: apt-get install wrk", file=sys.stderr)
        return 2
    test = harness.EndToEnd()
    test.setUp()
    try:
        slowest = min(measure(test, strategy, keys)
                      for strategy, keys in (("round_robin", 5), ("quota_aware", 5), ("quota_aware", 1000)))
    finally:
        for program in test.programs:
            program.kill()
            program.process.wait()
        shutil.rmtree(pathlib.Path(test.directory), ignore_errors=True)
    print(f"slowest: {slowest:,.0f} decisions/s (to reach {GOAL:,})")
    return 0 if slowest >= GOAL else 1
