"""A Prometheus that holds the simulated week, with what the shipped rules record of it and the alerts that
they would have raised: for trying every query of the boards, and for drawing them. Needs Debian's package
prometheus. Nothing is scraped: ask at `end`."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import simulated_week  # noqa: E402
from harness import free_port  # noqa: E402


def alerts_as_recordings():
    """Rules that record ALERTS as Prometheus would have written it; `for` is left out. JSON is YAML."""
    rules = []
    for block in re.split(r"^      - alert: ", (ROOT / "rules/keyherd-alerts.yml").read_text(), flags=re.M)[1:]:
        found = re.search(r"^        expr: (?:\|\n((?:          .*\n)+)|(.*)\n)", block, re.M)
        expression = (found[1] or found[2]).strip().strip("'").replace("''", "'")
        severity = re.search(r"severity: (\w+)", block)[1]
        rules.append({"record": "ALERTS", "expr": f"({expression}) * 0 + 1",
                      "labels": {"alertname": block.split("\n", 1)[0].strip(), "alertstate": "firing", "severity": severity}})
    return json.dumps({"groups": [{"name": f"alerts.{i}", "rules": [rule]} for i, rule in enumerate(rules)]})


class WeekPrometheus:
    """Use as a context; `url` and `end` (Unix seconds) are what a query needs."""

    def __init__(self, directory, now=None):
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "tsdb"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.week = simulated_week.Week(now or time.time())
        self.end = self.week.end
        self.process = None

    def __enter__(self):
        text = self.directory / "week.om"
        self.week.write(text)
        self.run("promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", "--max-block-duration=240h", text, self.data)
        text.unlink()
        (self.directory / "prometheus.yml").write_text("global: {}\n")
        (self.directory / "alerts.yml").write_text(alerts_as_recordings())
        # The week's samples are rarer than a scrape's: five minutes would hold one.
        rules = (ROOT / "rules/keyherd-recording.yml").read_text().replace("[5m]", "[10m]")
        head, first, second = re.split(r"(?=^  - name: )", rules, flags=re.M)
        (self.directory / "first.yml").write_text(head + first)
        (self.directory / "second.yml").write_text(head + second)
        # The second group uses what the first has recorded, the alerts use both; the boards look at a day of them.
        self.add_rules(self.directory / "first.yml", simulated_week.WEEK)
        self.add_rules(self.directory / "second.yml", simulated_week.FINE)
        self.add_rules(self.directory / "alerts.yml", 3600)
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @staticmethod
    def run(*command):
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command[:4]}: {done.stdout[-2000:]}")

    def add_rules(self, path, span):
        self.start()
        made = self.directory / "made"
        try:
            self.run("promtool", "tsdb", "create-blocks-from", "rules", f"--start={self.end - span}", f"--end={self.end}",
                     f"--eval-interval={simulated_week.STEP}s", f"--url={self.url}", f"--output-dir={made}", path)
        finally:
            self.stop()
        for block in made.iterdir():
            shutil.move(str(block), self.data / block.name)

    def start(self):
        with open(self.directory / "prometheus.log", "ab") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={self.directory}/prometheus.yml", f"--storage.tsdb.path={self.data}",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.retention.time=90d",
                 f"--query.lookback-delta={simulated_week.LOOKBACK}s", "--web.cors.origin=.*"],
                stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self.is_ready():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.directory / "prometheus.log").read_text()[-2000:])
            time.sleep(0.05)

    def is_ready(self):
        try:
            return urllib.request.urlopen(self.url + "/-/ready", timeout=5).status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def query(self, expression, at=None):
        """The series of an instant query."""
        text = urllib.parse.urlencode({"query": expression, "time": at or self.end})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/query?{text}", timeout=60) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{expression}: {error.read().decode()}") from None
