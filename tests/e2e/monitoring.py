"""Debian's Prometheus and Alertmanager on the shipped files. Only addresses and times differ from what is shipped: a
minute of a rule is a second here."""
import json
import re
import shutil
import sys
import time
import urllib.parse

from harness import ROOT, EndToEnd, Program, free_port, http_request, wait_until


def in_seconds(text):
    """Windows and waiting times of rules: minutes become seconds, an hour a minute."""
    text = re.sub(r"\b(for|keep_firing_for): *\w+", r"\1: 0s", text).replace("keep_firing_for: 0s", "keep_firing_for: 1s")
    text = re.sub(r"\[(\d+)m\]", lambda found: f"[{max(int(found[1]), 3)}s]", text)
    text = text.replace("[1d] offset 1h", "[20s] offset 10s").replace("offset 1d", "offset 20s")
    text = text.replace(" + 60\n", " + 1\n").replace("10 * keyherd_state_save_interval", "0.1 * keyherd_state_save_interval")
    return text.replace("[1h]", "[60s]").replace("[6h]", "[60s]")


sys.path.insert(0, str(ROOT / "tests/dashboards"))
import check_boards  # noqa: E402


class Monitored(EndToEnd):
    def start_alertmanager(self, sink):
        text = (ROOT / "deploy/alertmanager/alertmanager.yml").read_text()
        text = re.sub(r"url: http://127\.0\.0\.1:9095/", f"url: http://127.0.0.1:{sink.port}/", text)
        text = re.sub(r"group_wait: *\d+s", "group_wait: 0s", text)
        text = re.sub(r"group_interval: *\w+", "group_interval: 1s", text)
        shutil.copytree(ROOT / "deploy/alertmanager/templates", self.directory / "templates")
        port = free_port()
        config = self.write("alertmanager.yml", text)
        self.programs.append(Program("alertmanager", [
            "prometheus-alertmanager", f"--config.file={config}", f"--storage.path={self.directory}/am",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="], self.directory))
        wait_until(lambda: http_request("GET", f"http://127.0.0.1:{port}/-/ready")[0] == 200, "Alertmanager is ready")
        return port

    def start_prometheus(self, agent, alertmanager_port):
        rules = self.directory / "rules"
        rules.mkdir()
        for path in (ROOT / "rules").glob("*.yml"):
            (rules / path.name).write_text(in_seconds(path.read_text()))
        port = free_port()
        text = (ROOT / "deploy/prometheus/prometheus.yml").read_text()
        text = re.sub(r"scrape_interval: *\w+", "scrape_interval: 1s", text)
        text = re.sub(r"scrape_timeout: *\w+", "scrape_timeout: 1s", text)
        text = re.sub(r"evaluation_interval: *\w+", "evaluation_interval: 1s", text)
        text = text.replace("keyherd:9925", f"127.0.0.1:{agent.port}")
        text = text.replace("alertmanager:9093", f"127.0.0.1:{alertmanager_port}")
        text = text.replace("prometheus:9090", f"127.0.0.1:{port}")
        self.write("secrets/metrics.token", agent.token, 0o600)
        config = self.write("prometheus.yml", text)
        self.programs.append(Program("prometheus", [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.directory}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=2s", "--web.enable-lifecycle"], self.directory))
        wait_until(lambda: http_request("GET", f"http://127.0.0.1:{port}/-/ready")[0] == 200, "Prometheus is ready")
        return port

    @staticmethod
    def panels_without_data(prometheus, seconds):
        """Of the shipped boards: each query that returned nothing at any time within the last `seconds`."""
        now = time.time()
        empty = []
        for path in check_boards.BOARDS:
            for where, expression, _ in check_boards.queries_of(json.loads(path.read_text())):
                query = urllib.parse.urlencode({"query": check_boards.substituted(expression), "start": now - seconds,
                                                "end": now, "step": 1})
                status, answer = http_request("GET", f"http://127.0.0.1:{prometheus}/api/v1/query_range?{query}")
                assert status == 200, (where, answer)
                if not answer["data"]["result"]:
                    empty.append(where)
        return empty

    @staticmethod
    def alerts(sink, name):
        """(path, severity, status, labels) of each arrival of an alert."""
        found = []
        for path, body in list(sink.received):
            for alert in body.get("alerts", []):
                if alert["labels"]["alertname"] == name:
                    found.append((path, alert["labels"]["severity"], alert["status"], alert["labels"]))
        return found
