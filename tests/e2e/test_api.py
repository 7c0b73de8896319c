#!/usr/bin/env python3
"""docs/openapi.json against a running agent: every route answers with every status that it documents, and every
answer has the shape that it documents. What is documented and not provoked here fails the test."""
import base64
import http.client
import json
import re
import sqlite3
import urllib.parse

from harness import ROOT, Agent, EndToEnd, environment_for, key_config, main, utc_now, wait_until

DOCUMENT = json.loads((ROOT / "docs/openapi.json").read_text())


def resolve(node):
    while "$ref" in node:
        target = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict,
         "null": type(None)}
KNOWN = {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "pattern", "minimum", "maximum",
         "description", "format", "default"}


def problems(value, schema, where="$"):
    """What is wrong with the value, as far as the schema's words that are used here say it."""
    schema = resolve(schema)
    if unknown := set(schema) - KNOWN:
        yield f"{where}: the schema has words that this test does not know: {unknown}"
    if "anyOf" in schema:
        tries = [list(problems(value, one, where)) for one in schema["anyOf"]]
        if all(tries):
            yield from min(tries, key=len)
        return
    types = schema.get("type", [])
    types = types if isinstance(types, list) else [types]
    if types and not any(isinstance(value, TYPES[one]) and not (isinstance(value, bool) and one != "boolean") for one in types):
        yield f"{where}: {value!r} is no {types}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} is not like {schema['pattern']}"
    if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where}: {value!r} is out of range"
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from problems(item, schema.get("items", {}), f"{where}[{number}]")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in set(schema.get("required", [])) - set(value):
            yield f"{where}: {name} is missing"
        more = schema.get("additionalProperties", True)
        for name, item in value.items():
            if name in properties:
                yield from problems(item, properties[name], f"{where}.{name}")
            elif more is False:
                yield f"{where}: {name} is not documented"
            elif isinstance(more, dict):
                yield from problems(item, more, f"{where}.{name}")


class Api(EndToEnd):
    strangers = 0

    def setUp(self):
        super().setUp()
        base, control = self.sandbox({"k1": {}, "k2": {}, "k3": {}})
        control("PUT", "keys/k2", {"state": "revoked"})
        self.write("metrics.token", "metrics-token-0123456789", 0o600)
        self.write("read.token", "read-token-0123456789", 0o600)
        self.append_log([{"ts": utc_now(), "key": "k1", "model": "m", "input_tokens": 5, "output_tokens": 5, "status": 200},
                         {"ts": utc_now(), "key": "nobody", "status": 200}])
        self.agent = Agent(
            self, f'[providers.fake]\ntype = "deepseek"\nbase_url = "{base}/alpha"\n'
                  'probe = { every = "2s", timeout = "2s", confirm_after = "1s" }\n\n'
                  '[[web.tokens]]\nrole = "metrics"\ntoken = "file:metrics.token"\n\n'
                  '[[web.tokens]]\nrole = "read"\ntoken = "file:read.token"\n\n'
                  + key_config(["k1", "k2", "k3"], quotas='["daily"]', labels='{ team = "search" }')
                  + '[keys.lost]\nprovider = "fake"\nsecret = "env:NOWHERE"\nlimit_group = "g"\n'
                    'expires_at = 2099-01-01T00:00:00Z\n\n[limit_groups.g]\nquotas = ["money"]\n\n'
                    '[quotas.daily]\nlimit = 1000\nunit = "tokens"\nwindow = "day"\n\n'
                    '[quotas.money]\nlimit = 5\nunit = "usd"\nwindow = "month"\n\n'
                    '[pools.prod]\nkeys = ["k1", "k2", "k3"]\nschedule = "0 3 * * *"\npublish = [{ file = "prod.json" }]\n\n'
                    '[pools.empty]\nkeys = ["lost"]\n\n[usage_logs.clients]\npath = "usage.jsonl"\n',
            environment_for(["k1", "k2", "k3"]))
        (self.directory / "keys.d").mkdir()  # where imported keys live
        self.agent.config_path.write_text(self.agent.config_path.read_text().replace(
            'log_level = "debug"', 'log_level = "debug"\nkey_files = ["keys.d/*.json"]'))
        self.agent.start()
        for key, state in (("k1", "healthy"), ("k3", "healthy"), ("k2", "dead")):
            self.agent.wait_state(key, state, 40)
        self.agent.wait_committed("prod")
        wait_until(lambda: self.agent.get("/api/v1/usage"), "the log is read")

    def restart_with(self, configuration):
        self.agent.program.stop()
        self.agent.config_path.write_text(configuration)
        self.agent.start()

    def ask(self, method, path, body=None, *, token="admin", source="127.0.0.1", **headers):
        """(status, headers, body as text)"""
        tokens = {"admin": self.agent.token, "metrics": "metrics-token-0123456789", "read": "read-token-0123456789",
                  "wrong": "a-wrong-token-0123456789"}
        connection = http.client.HTTPConnection("127.0.0.1", self.agent.port, timeout=40, source_address=(source, 0))
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = "Bearer " + tokens[token]
        if body is not None and "Content-Type" not in sent:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            endless = answer.headers.get("Content-Type") == "text/event-stream"
            return answer.status, answer.headers, (answer.read1(65536) if endless else answer.read()).decode()
        finally:
            connection.close()

    def check(self, method, path, operation, status, answer, asked):
        got, headers, text = answer
        context = f"{method} {asked} -> {got}: {text[:300]}"
        self.assertEqual(got, status, context)
        documented = resolve(operation["responses"][str(status)])
        for name in documented.get("headers", {}):
            if name != "Link":
                self.assertIn(name, headers, context)
        if "content" not in documented:
            self.assertEqual(text, "", context)
            return
        (media_type, content), = documented["content"].items()
        self.assertTrue(headers["Content-Type"].startswith(media_type), context + headers["Content-Type"])
        value = json.loads(text) if media_type == "application/json" else text
        self.assertEqual(list(problems(value, content["schema"])), [], context)

    def example(self, path):
        return path.replace("{id}", "k1" if "/keys/" in path else "prod").replace("{file}", "style.css")

    def provoke(self, method, path, status):
        """The answers that must have this status: (what was asked, the answer)."""
        at = self.example(path)
        body = "" if method == "POST" else None

        def ask(target=at, body=body, **more):
            yield target, self.ask(method, target, body, **more)
        if status in (200, 202):
            yield from self.good(method, path, at)
        elif status == 304 and path.endswith("/active"):
            yield from ask(at + f"?generation={self.agent.get(at)['generation']}")
        elif status == 304:
            yield from ask(If_None_Match="*")
        elif status == 401:
            yield from ask(token=None)
            self.strangers += 1  # each from an address of its own: ten failures of one are too many
            yield from ask(token="wrong", source=f"127.0.1.{self.strangers}")
        elif status == 403:
            yield from ask(token="metrics" if self.role(method, path) == "read" else "read")
        elif status == 421:
            yield from ask(Host="evil.example")
        elif status == 429:
            def refused():  # sooner or later: failures are forgotten with time
                answer = self.ask(method, at, body, token="wrong", source="127.0.0.3")
                return answer if answer[0] == 429 else None
            yield at, wait_until(refused, "too many failures are refused", every=0)
        elif status == 404 and path == "/api/v1/audit":
            with_audit = self.agent.config_path.read_text()
            self.restart_with(with_audit.replace("[agent]\n", '[agent]\naudit = "none"\n', 1))
            yield from ask()
            self.restart_with(with_audit)
        elif status == 404 and path == "/api/v1/timeline":
            yield from ask(at + "?pool=none")
        elif status == 404:
            yield from ask(re.sub("{.*}", "nobody", path) if "{" in path else at + "?log=none")
        elif status == 415:
            yield from ask(body="{}", Content_Type="text/plain")
            if path == "/api/v1/usage":
                yield from ask(body="{}", Content_Encoding="gzip")
        elif status == 413:
            yield from ask(body=b"x" * (17 << 20))
        elif status == 409:
            yield from ask(body={"/api/v1/import": '{"keys": [{"id": "k1", "provider": "fake", "secret": "env:OTHER"}]}',
                                 "/api/v1/pools/{id}/drill": '{"key": "k2"}'}.get(path, '{"to": "k2"}'))
        elif status == 400:
            yield from self.bad(method, path, at)
        elif status == 503 and path == "/-/ready":
            yield from self.while_the_state_is_locked(ask)
        elif status == 503:
            yield from ask(at.replace("prod", "empty"))
        else:
            self.fail(f"nothing provokes {method} {path} {status}")

    def role(self, method, path):
        return DOCUMENT["paths"][path][method.lower()]["x-keyherd-role"]

    def good(self, method, path, at):
        queries = {"/api/v1/keys": ["", "?state=dead", "?provider=fake&pool=prod&label=team%3Dsearch&q=k&limit=2", "?limit=1&cursor=k1"],
                   "/api/v1/pools": ["", "?key=lost", "?q=pro&limit=1"],
                   "/api/v1/rotations": ["", "?pool=prod&state=committed,retired&limit=1"],
                   "/api/v1/keys/{id}/explain": ["", "?at=" + urllib.parse.quote(utc_now())],
                   "/api/v1/audit": ["", "?from=7d&pool=prod&key=k1&limit=5"], "/api/v1/timeline": ["?pool=prod", "?key=k1&from=1h"],
                   "/api/v1/schedule": ["", "?count=3"], "/api/v1/usage/unaccounted": ["", "?from=7d"],
                   "/api/v1/usage": ["", "?by=day,label.team&from=7d&timezone=Asia/Singapore", "?by=key&limit=1&pool=prod"]}
        def drill():
            return self.agent.get("/api/v1/pools/prod")["drill"]
        wait_until(lambda: drill() is None, "no drill is under way", 60)
        self.agent.wait_committed("prod")
        active = self.agent.get("/api/v1/pools/prod")["active"]
        start_drill = f'{{"key": "{active}", "for": "10s"}}'
        if (method, path) == ("GET", "/api/v1/pools/{id}/drill"):
            self.assertEqual(self.ask("POST", at, start_drill)[0], 202)
        other = "k1" if active == "k3" else "k3"
        bodies = {"/api/v1/pools/{id}/rotate": [f'{{"dry_run": true, "to": "{other}", "reason": "a test"}}', f'{{"to": "{other}"}}'],
                  "/api/v1/pools/{id}/next": ["", '{"exclude": ["k2"]}'],
                  "/api/v1/pools/{id}/report": ['{"key": "k1", "status": 200, "model": "m", "input_tokens": 5}'],
                  "/api/v1/pools/{id}/drill": [start_drill],
                  "/api/v1/import": ['{"keys": [{"id": "bulk", "provider": "fake", "secret": "env:SECRET_k1"}]}', '{"keys": []}'],
                  "/api/v1/pools/{id}/freeze": ['{"until": "2099-01-01T00:00:00Z", "reason": "a test"}', ""],
                  "/api/v1/usage": ['{"ts":"%s","key":"k1","model":"m","status":200}\n{"ts":1}\n' % utc_now()]}
        if method == "GET":
            for query in queries.get(path, [""]):
                yield at + query, self.ask(method, at + query)
        else:
            for body in bodies.get(path, [""]):
                yield at, self.ask(method, at, body)

    def bad(self, method, path, at):
        if path == "/-/reload":
            good = self.agent.config_path.read_text()
            self.agent.config_path.write_text(good + "nonsense")
            yield at, self.ask(method, at, "")
            self.agent.config_path.write_text(good)
            self.assertEqual(self.ask(method, at, "")[0], 200)
        elif method == "POST" and path == "/api/v1/usage":
            with open(self.agent.config_path, "a", encoding="utf-8") as config:
                config.write('\n[usage_logs.other]\npath = "other.jsonl"\n')
            self.assertEqual(self.ask("POST", "/-/reload", "")[0], 200)
            yield at, self.ask(method, at, "{}\n")
        elif method == "POST":
            for body in ("[", "[]", '{"unknown": 1}', '{"reason": 5}', "[" * 1000):
                yield at, self.ask(method, at, body)
        else:
            words = {"/api/v1/export": "?with_secrets=true", "/api/v1/audit": "?limit=0", "/api/v1/timeline": "",
                     "/api/v1/keys/{id}/explain": "?at=soon", "/api/v1/schedule": "?count=0", "/api/v1/usage": "?by=colour",
                     "/api/v1/usage/unaccounted": "?from=soon", "/api/v1/pools/{id}/active": "?generation=x"}
            for query in (words[path],) if path in words else ("?limit=0", "?limit=x", "?colour=red"):
                yield at + query, self.ask(method, at + query)

    def while_the_state_is_locked(self, ask):
        lock = sqlite3.connect(self.directory / "keyherd.db", timeout=5, isolation_level=None)
        lock.execute("BEGIN EXCLUSIVE")
        self.append_log([{"ts": utc_now(), "key": "k1", "model": "m", "status": 200}])
        wait_until(lambda: self.ask("GET", "/-/ready")[0] == 503, "it is not ready", 30)
        answers = list(ask())
        lock.execute("ROLLBACK")
        lock.close()
        wait_until(lambda: self.ask("GET", "/-/ready")[0] == 200, "it is ready again", 30)
        yield from answers

    def test_every_documented_status_of_every_route_is_as_documented(self):
        provoked = 0
        for path, methods in DOCUMENT["paths"].items():
            for method, operation in methods.items():
                method = method.upper()
                for status in operation["responses"]:
                    if status == "default":
                        continue
                    for asked, answer in self.provoke(method, path, int(status)):
                        self.check(method, path, operation, int(status), answer, asked)
                        provoked += 1
        self.assertGreater(provoked, 150)

    def test_what_is_not_there_answers_in_the_same_form(self):
        for method, path, status in (("GET", "/api/v2/keys", 404), ("GET", "/nothing", 404), ("DELETE", "/api/v1/keys/k1", 405),
                                     ("POST", "/api/v1/keys", 405), ("GET", "/api/v1/keys/k1/pause", 405)):
            got, headers, text = self.ask(method, path)
            self.assertEqual(got, status)
            self.assertEqual(list(problems(json.loads(text), {"$ref": "#/components/schemas/Error"})), [])
            if status == 405:
                self.assertIn("Allow", headers)

    def test_pages_and_tags_walk_a_list_once(self):
        seen, target = [], "/api/v1/keys?limit=2"
        while target:
            status, headers, text = self.ask("GET", target)
            self.assertEqual(status, 200)
            seen += [key["id"] for key in json.loads(text)]
            link = re.fullmatch(r'<(.*)>; rel="next"', headers.get("Link", ""))
            target = link and link[1]
        self.assertEqual(seen, ["k1", "k2", "k3", "lost"])
        _, headers, _ = self.ask("GET", "/api/v1/pools")
        status, again, text = self.ask("GET", "/api/v1/pools", If_None_Match=headers["ETag"])
        self.assertEqual((status, text, again["ETag"]), (304, "", headers["ETag"]))
        self.assertEqual(self.ask("POST", "/api/v1/pools/prod/freeze", "{}")[0], 200)
        self.assertEqual(self.ask("GET", "/api/v1/pools", If_None_Match=headers["ETag"])[0], 200)

    def test_a_secret_is_in_the_answers_that_may_have_it_and_in_no_other(self):
        may = {("GET", "/api/v1/pools/{id}/active"), ("POST", "/api/v1/pools/{id}/next")}
        for path, methods in DOCUMENT["paths"].items():
            for method in methods:
                for asked, (_, headers, text) in self.good(method.upper(), path, self.example(path)):
                    has = any(form in text + str(headers) for key in ("k1", "k2", "k3")
                              for form in (f"sk-sandbox-{key}-secret", base64.b64encode(f"sk-sandbox-{key}".encode()).decode()))
                    self.assertEqual(has, (method.upper(), path) in may, (method, asked))


if __name__ == "__main__":
    main()
