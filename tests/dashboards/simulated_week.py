"""A lively week of a herd of eight keys, as OpenMetrics text: what the boards are drawn with and tried on.

It tells this story, ending now: deepseek had an outage three days ago; openai-2 was revoked five days ago
and replaced; openai-1 is throttled every afternoon; deepseek-2 ran out of money yesterday and was topped
up; anthropic-2 has been dead for 50 minutes, so that the pool chat has no spare; a quota of openai-3 fills
too fast; anthropic-1 expires in ten days; the agent was restarted two days ago.

Every family of docs/metrics.md is in it (a test holds this), with the labels that the agent gives it."""
import math
import pathlib
import random
import re

STEP = 240  # seconds: below Prometheus' five minutes of looking back
LOOKBACK = 6 * STEP
WEEK = 7 * 86400
FINE = 26 * 3600
VERDICTS = ["invalid_key", "disabled_key", "account_disabled", "permission_denied", "region_denied", "balance_exhausted",
            "quota_exhausted", "rate_limited", "overloaded", "server_error", "model_missing", "bad_request", "upstream_auth",
            "network"]
STATES = ["unknown", "healthy", "degraded", "throttled", "exhausted", "dead", "paused"]
USABLE = {"unknown", "healthy", "degraded"}
PROVIDERS = {  # name: (endpoint, model prices per million tokens in and out, seconds of a probe)
    "deepseek": ("api.deepseek.com", {"deepseek-flash": (0.28, 0.42), "deepseek-pro": (0.55, 2.19)}, 0.45),
    "openai": ("api.openai.com", {"gpt-nano": (0.05, 0.40), "gpt-mini": (0.25, 2.0)}, 0.30),
    "anthropic": ("api.anthropic.com", {"claude-haiku": (1.0, 5.0)}, 0.65)}
KEYS = {"deepseek-1": 1.0, "deepseek-2": 0.7, "deepseek-3": 0.4, "openai-1": 1.4, "openai-2": 0.8, "openai-3": 1.0,
        "anthropic-1": 0.6, "anthropic-2": 0.5}  # name: share of the traffic
POOLS = {"search": ["deepseek-1", "deepseek-2", "deepseek-3"], "batch": ["openai-1", "openai-2", "openai-3"],
         "chat": ["anthropic-1", "anthropic-2"]}
QUOTAS = {"deepseek-1": ["daily"], "deepseek-2": ["daily"], "openai-1": ["daily"], "openai-3": ["daily", "spend"]}
TRIGGERS = ["schedule", "invalid_key", "rate_limited", "quota", "balance", "endpoint", "recovery", "manual", "drill", "initial", "tariff"]
FAILURES = ["no_candidate", "preflight", "publish", "adoption", "hook"]
CLIENT_FAILURES = ["auth", "quota", "rate_limited", "client_error", "server_error", "network"]
SUSPECT = ["missing_usage", "cumulative", "clock", "unknown_model"]
REJECTS = ["bad_json", "missing_field", "unknown_key", "bad_value", "too_long", "duplicate", "clock"]


def provider_of(key):
    return key.rsplit("-", 1)[0]


class Week:
    def __init__(self, now):
        self.end = int(now) // STEP * STEP
        self.times = [self.end - WEEK + i * STEP for i in range(WEEK // STEP + 1)]
        self.series = {}  # name: [(labels, values)]
        self.random = random.Random(7)
        self.states = {key: [self.state(key, t) for t in self.times] for key in KEYS}
        for part in (self.keys, self.probes, self.use, self.quotas, self.limits, self.pools, self.logs, self.agent):
            part()

    # ---- helpers

    def put(self, name, values, **labels):
        if not isinstance(values, list):
            values = [values] * len(self.times)
        self.series.setdefault(name, []).append((labels, values))

    def summed(self, steps):
        total, out = 0.0, []
        for step in steps:
            total += step
            out.append(round(total, 9))
        return out

    def histogram(self, name, bounds, draw, per_step, **labels):
        """per_step observations a step, each drawn by draw(i)."""
        counts = [[] for _ in range(len(bounds) + 1)]
        current, total, sums = [0] * (len(bounds) + 1), 0.0, []
        for i in range(len(self.times)):
            for _ in range(per_step(i)):
                value = draw(i)
                total += value
                for b, bound in enumerate(bounds + [math.inf]):
                    if value <= bound:
                        current[b] += 1
            for b in range(len(current)):
                counts[b].append(current[b])
            sums.append(round(total, 6))
        for bound, values in zip(bounds + [math.inf], counts):
            self.put(name + "_bucket", values, **labels, le="+Inf" if bound == math.inf else f"{bound:g}")
        self.put(name + "_sum", sums, **labels)
        self.put(name + "_count", counts[-1], **labels)

    # ---- the story

    def ago(self, t):
        return self.end - t

    def outage(self, t):
        return 3 * 86400 < self.ago(t) <= 3 * 86400 + 2400

    def state(self, key, t):
        ago, hour = self.ago(t), t % 86400 / 3600
        if key == "anthropic-2" and ago <= 3000:
            return "dead"
        if key == "openai-2" and 4.7 * 86400 < ago <= 5 * 86400:
            return "dead"
        if key == "deepseek-2" and 20 * 3600 < ago <= 26 * 3600:
            return "exhausted"
        if key == "openai-1" and 13 <= hour < 14.5:
            return "throttled"
        if key == "deepseek-3" and 2 * 86400 < ago <= 2 * 86400 + 5400:
            return "degraded"
        if key == "deepseek-3" and 6 * 86400 < ago:
            return "paused"
        return "healthy"

    def busy(self, t):
        """Traffic by the hour: a day with a lunch, quiet weekends."""
        hour = t % 86400 / 3600
        day = 0.25 + max(0.0, math.sin((hour - 6) / 14 * math.pi)) if 6 <= hour <= 20 else 0.2
        return day * (0.4 if t // 86400 % 7 in (2, 3) else 1.0) * self.random.uniform(0.85, 1.15)

    # ---- parts

    def keys(self):
        for key in KEYS:
            provider = provider_of(key)
            endpoint, models, _ = PROVIDERS[provider]
            k = {"key": key, "provider": provider}
            states = self.states[key]
            self.put("keyherd_key_info", 1, **k, fingerprint=f"{abs(hash(key)) % 16**12:012x}", endpoint=endpoint,
                     account=f"{provider}-main", model=next(iter(models)))
            self.put("keyherd_key_labels", 1, key=key, label_team="search" if provider == "deepseek" else "apps")
            self.put("keyherd_key_up", [int(s in USABLE) for s in states], **k)
            for state in STATES:
                self.put("keyherd_key_state", [int(s == state) for s in states], **k, state=state)
            changed, at = [], 0
            for i, t in enumerate(self.times):
                if i and states[i] != states[i - 1]:
                    at = t
                changed.append(at)
            self.put("keyherd_key_state_changed_timestamp_seconds", changed, **k)
            self.put("keyherd_key_cooldown_until_timestamp_seconds",
                     [t + 900 if s == "throttled" else 0 for t, s in zip(self.times, states)], **k)
            self.put("keyherd_key_created_timestamp_seconds", self.end - 86400 * (40 + 10 * len(key)), **k)
            self.put("keyherd_key_max_age_seconds", 180 * 86400, **k)
            if provider == "anthropic":
                self.put("keyherd_key_expiry_timestamp_seconds", self.end + 86400 * (10 if key == "anthropic-1" else 90), **k)
        self.put("keyherd_key_expiry_threshold_seconds", 1209600, level="warning")
        self.put("keyherd_key_expiry_threshold_seconds", 259200, level="critical")
        for provider, (endpoint, _, _) in PROVIDERS.items():
            self.put("keyherd_endpoint_up", [int(not (provider == "deepseek" and self.outage(t))) for t in self.times],
                     provider=provider, endpoint=endpoint)
            self.put("keyherd_endpoint_authenticates", 1, provider=provider, endpoint=endpoint)

    def verdict(self, key, i):
        t = self.times[i]
        if provider_of(key) == "deepseek" and self.outage(t):
            return "overloaded"
        if self.random.random() < 0.004:
            return "network"
        return {"dead": "invalid_key", "exhausted": "balance_exhausted", "throttled": "rate_limited",
                "degraded": "server_error"}.get(self.states[key][i], "ok")

    def probes(self):
        every = [i for i in range(len(self.times))]
        for key in KEYS:
            k = {"key": key, "provider": provider_of(key)}
            verdicts = [self.verdict(key, i) for i in every]
            sent = [int(self.states[key][i] != "paused") for i in every]
            self.put("keyherd_probes_total", self.summed(sent), **k, probe="models")
            self.put("keyherd_probes_total", self.summed([int(i % 15 == 0) for i in every]), **k, probe="chat")
            self.put("keyherd_probes_total", self.summed([int(i % 8 == 0) for i in every]), **k, probe="balance")
            self.put("keyherd_probes_total", 0, **k, probe="auth")
            for reason in VERDICTS:
                self.put("keyherd_probe_failures_total", self.summed([int(v == reason) for v in verdicts]), **k, reason=reason)
            good, in_a_row, last_good, row = [], [], self.times[0], 0
            for t, v in zip(self.times, verdicts):
                last_good, row = (t, 0) if v == "ok" else (last_good, row + 1)
                good.append(last_good)
                in_a_row.append(row)
            self.put("keyherd_probe_last_timestamp_seconds", [t - 20 for t in self.times], **k)
            self.put("keyherd_probe_last_success_timestamp_seconds", [t - 20 for t in good], **k)
            self.put("keyherd_probe_consecutive_failures", in_a_row, **k)
            base = PROVIDERS[k["provider"]][2]
            self.put("keyherd_probe_last_duration_seconds",
                     [round(base * self.random.lognormvariate(0, 0.25) * (6 if v == "overloaded" else 1), 3) for v in verdicts], **k)
            code = {"ok": 200, "invalid_key": 401, "balance_exhausted": 402, "rate_limited": 429, "overloaded": 503,
                    "server_error": 500, "network": 0}
            self.put("keyherd_probe_last_http_status_code", [code[v] for v in verdicts], **k)
            self.put("keyherd_probe_interval_seconds", [0 if s == "paused" else STEP for s in self.states[key]], **k)
            self.put("keyherd_probe_tokens_total", self.summed([9 * int(i % 15 == 0) for i in every]), **k, direction="input")
            self.put("keyherd_probe_tokens_total", self.summed([int(i % 15 == 0) for i in every]), **k, direction="output")
            self.put("keyherd_probe_cost_total", self.summed([0.0000061 * int(i % 15 == 0) for i in every]), **k, currency="USD")
        bounds = [.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60]
        for provider, (_, _, base) in PROVIDERS.items():
            for probe, factor, rate in (("models", 1.0, lambda i: 3), ("chat", 2.2, lambda i: int(i % 5 == 0))):
                self.histogram("keyherd_probe_duration_seconds", bounds,
                               lambda i, b=base * factor, p=provider: b * self.random.lognormvariate(0, 0.3) * (
                                   6 if p == "deepseek" and self.outage(self.times[i]) else 1), rate, provider=provider, probe=probe)
            self.put("keyherd_probe_latency_threshold_seconds", 2, provider=provider)
        for reason, share in (("budget", 0), ("cooldown", 0.1), ("recent_evidence", 2), ("disabled", 0)):
            self.put("keyherd_probes_skipped_total", self.summed([self.random.random() * share // 1 for _ in every]), reason=reason)
        self.histogram("keyherd_probe_schedule_delay_seconds", [.001, .01, .1, .5, 1, 5, 30, 60, 300],
                       lambda i: self.random.lognormvariate(-4, 1.2), lambda i: 8)
        self.put("keyherd_probe_budget_used_ratio", [round(t % 86400 / 86400 * 0.4, 4) for t in self.times])
        self.put("keyherd_probes_in_flight", [self.random.choice([0, 0, 0, 1, 2]) for _ in every])
        self.put("keyherd_probe_queue_length", [self.random.choice([0] * 9 + [1]) for _ in every])

    def use(self):
        self.tokens = {}
        self.costs = {}
        for key, share in KEYS.items():
            provider = provider_of(key)
            k = {"key": key, "provider": provider}
            requests = []
            for i, t in enumerate(self.times):
                usable = self.states[key][i] in USABLE or self.states[key][i] == "throttled"
                requests.append(int(self.busy(t) * share * 60 * (1 if usable else 0)))
            models = PROVIDERS[provider][1]
            total_in = [0] * len(requests)
            self.costs[key] = [0.0] * len(requests)
            self.tokens[key] = [0] * len(requests)
            for n, (model, (price_in, price_out)) in enumerate(models.items()):
                part = [r * (3 if n == 0 else 1) // (4 if len(models) > 1 else 3) for r in requests]
                tokens_in = [p * self.random.randint(700, 1100) for p in part]
                tokens_out = [p * self.random.randint(150, 320) for p in part]
                cost = [(a * price_in * 0.7 + b * price_out) / 1e6 for a, b in zip(tokens_in, tokens_out)]
                total_in = [a + b for a, b in zip(total_in, tokens_in)]
                self.costs[key] = [a + b for a, b in zip(self.costs[key], cost)]
                self.tokens[key] = [a + b + c for a, b, c in zip(self.tokens[key], tokens_in, tokens_out)]
                self.put("keyherd_usage_requests_total", self.summed(part), **k, model=model)
                self.put("keyherd_usage_tokens_total", self.summed(tokens_in), **k, model=model, direction="input")
                self.put("keyherd_usage_tokens_total", self.summed(tokens_out), **k, model=model, direction="output")
                self.put("keyherd_usage_cost_total", self.summed(cost), **k, model=model, currency="USD")
            for reason in CLIENT_FAILURES:
                bad = []
                for i, r in enumerate(requests):
                    state, out = self.states[key][i], provider == "deepseek" and self.outage(self.times[i])
                    rate = {"auth": 0.6 * (state == "dead"), "quota": 0.5 * (state == "exhausted"), "rate_limited": 0.2 * (state == "throttled"),
                            "server_error": 0.9 * out + 0.002, "client_error": 0.003, "network": 0.0005}[reason]
                    bad.append(int(r * rate + self.random.random()) if rate else 0)
                self.put("keyherd_usage_request_failures_total", self.summed(bad), **k, reason=reason)
            self.put("keyherd_usage_cached_input_tokens_total", self.summed([int(x * 0.35) for x in total_in]), **k)
            self.put("keyherd_usage_reasoning_output_tokens_total", self.summed([int(x * 0.04) for x in total_in]), **k)
            last, used = self.times[0], []
            for t, r in zip(self.times, requests):
                last = t if r else last
                used.append(last)
            self.put("keyherd_usage_last_record_timestamp_seconds", used, **k)
        for provider in PROVIDERS:
            self.put("keyherd_usage_unpriced_requests_total", self.summed([int(provider == "openai" and i % 40 == 0) for i in range(len(self.times))]), provider=provider)
            self.put("keyherd_usage_models_folded_total", self.summed([2 * int(provider == "openai" and i % 60 == 0) for i in range(len(self.times))]), provider=provider)

    def quotas(self):
        sizes = {"daily": max(sum(self.tokens[k][-360:]) for k in QUOTAS) * 1.5, "spend": 40.0}
        self.put_quota("group:deepseek-main", "deepseek", "daily", [sum(self.tokens[k][i] for k in ("deepseek-1", "deepseek-2", "deepseek-3")) for i in range(len(self.times))],
                       sizes["daily"] * 1.6, "tokens")
        for key in KEYS:
            self.put("keyherd_quota_trust_ratio", [0.82 if key == "deepseek-3" and self.ago(t) < 4 * 3600 else 0.998 for t in self.times], key=key)
        for key, names in QUOTAS.items():
            for name in names:
                amounts = self.costs[key] if name == "spend" else self.tokens[key]
                limit = sizes[name]
                if (key, name) == ("openai-3", "daily"):  # will be gone before midnight
                    day = [a for t, a in zip(self.times, amounts) if t >= self.end // 86400 * 86400]
                    limit = max(sum(day), 1) / 0.88
                self.put_quota(key, provider_of(key), name, amounts, limit, "usd" if name == "spend" else "tokens")

    def put_quota(self, key, provider, quota, amounts, limit, unit):
        q = {"key": key, "provider": provider, "quota": quota}
        used, total, day = [], 0.0, None
        for t, a in zip(self.times, amounts):
            if t // 86400 != day:
                total, day = 0.0, t // 86400
            total += a
            used.append(total)
        self.put("keyherd_quota_used_ratio", [u / limit for u in used], **q)
        self.put("keyherd_quota_used", used, **q, unit=unit)
        self.put("keyherd_quota_limit", limit, **q, unit=unit)
        for level, value in (("info", .7), ("warning", .85), ("critical", .95)):
            self.put("keyherd_quota_threshold_ratio", value, **q, level=level)
        self.put("keyherd_quota_reset_timestamp_seconds", [(t // 86400 + 1) * 86400 for t in self.times], **q)
        self.put("keyherd_quota_window_seconds", 86400, **q)

    def limits(self):
        self.put("keyherd_unaccounted_spend_threshold", 5)
        self.put("keyherd_spend_anomaly_floor_per_hour", 5)
        for key in KEYS:
            k = {"key": key, "provider": provider_of(key)}
            if k["provider"] != "deepseek":
                for resource, limit in (("requests", 500), ("tokens", 200000)):
                    self.put("keyherd_ratelimit_limit", limit, **k, resource=resource)
                    self.put("keyherd_ratelimit_remaining", [int(limit * (0.01 if s == "throttled" else self.random.uniform(0.45, 0.95)))
                                                             for s in self.states[key]], **k, resource=resource)
                    self.put("keyherd_ratelimit_reset_timestamp_seconds", [t + 30 for t in self.times], **k, resource=resource)
                self.put("keyherd_ratelimit_observed_timestamp_seconds", [t - 20 for t in self.times], **k)
            else:
                left, out = {"deepseek-1": 90.0, "deepseek-2": 21.0, "deepseek-3": 60.0}[key], []
                for t, cost in zip(self.times, self.costs[key]):
                    if key == "deepseek-2" and self.ago(t) == 20 * 3600:
                        left += 30
                    left -= cost
                    out.append(round(max(left, 0.0), 4))
                self.put("keyherd_balance_remaining", out, **k, currency="USD")
                for level, least in (("warning", 20), ("critical", 5)):
                    self.put("keyherd_balance_threshold", least, **k, currency="USD", level=level)
                self.put("keyherd_balance_drop_total", self.summed([cost + (0.4 if key == "deepseek-3" and self.ago(t) < 4 * 3600 else 0) / 15
                                                                    for t, cost in zip(self.times, self.costs[key])]), **k, currency="USD")
                self.put("keyherd_unaccounted_spend", [round(max(0, 1.6 * (4 * 3600 - self.ago(t)) / 14400), 4) if key == "deepseek-3" else 0.0
                                                       for t in self.times], **k, currency="USD")
                self.put("keyherd_balance_last_success_timestamp_seconds", [t - t % 1800 for t in self.times], **k)

    def pools(self):
        every = range(len(self.times))
        for pool, members in POOLS.items():
            active, triggers, failures, current = [], {t: [0] * len(self.times) for t in TRIGGERS}, {f: [0] * len(self.times) for f in FAILURES}, members[0]
            for i in every:
                t = self.times[i]
                usable = [m for m in members if self.states[m][i] in USABLE]
                if current not in usable and usable:
                    cause = {"dead": "invalid_key", "exhausted": "balance", "throttled": "rate_limited"}.get(self.states[current][i], "recovery")
                    triggers[cause][i] = 1
                    current = usable[0]
                elif t % 86400 == 3 * 3600 // STEP * STEP and len(usable) > 1:
                    triggers["schedule"][i] = 1
                    current = usable[(usable.index(current) + 1) % len(usable)]
                    if pool == "batch" and self.ago(t) > 4 * 86400:
                        failures["preflight"][i] = 1
                active.append(current)
            p = {"pool": pool}
            self.put("keyherd_pool_info", 1, **p, strategy="quota_aware" if pool == "search" else "priority")
            for key in members:
                self.put("keyherd_pool_active_key", [int(a == key) for a in active], **p, key=key)
            usable = [sum(self.states[m][i] in USABLE for m in members) - (pool == "search" and self.outage(self.times[i]) and 3) for i in every]
            self.put("keyherd_pool_available_keys", usable, **p)
            self.put("keyherd_pool_min_available_keys", 1 if pool == "chat" else 2, **p)
            self.put("keyherd_pool_survives_key_loss", [int(u > 1) for u in usable], **p)
            self.put("keyherd_pool_exhaustion_timestamp_seconds", [t + 7200 if pool == "search" and u < 3 else 0 for t, u in zip(self.times, usable)], **p)
            self.put("keyherd_pool_slo_objective_ratio", 0.99 if pool == "search" else 0.999, **p)
            self.put("keyherd_pool_decision_timestamp_seconds", [t - t % 7200 for t in self.times], **p)
            self.put("keyherd_pool_decision_max_age_seconds", 86400, **p)
            for trigger, steps in triggers.items():
                self.put("keyherd_rotations_total", self.summed(steps), **p, trigger=trigger)
            for reason, steps in failures.items():
                self.put("keyherd_rotation_failures_total", self.summed(steps), **p, reason=reason)
            moved = [any(steps[i] for steps in triggers.values()) for i in every]
            self.put("keyherd_rotation_adoption_ratio", [0.2 if now else round(self.random.uniform(0.98, 1), 3) for now in moved], **p)
            last, out = 0, []
            for i in every:
                if any(steps[i] for steps in triggers.values()):
                    last = self.times[i]
                out.append(last)
            self.put("keyherd_rotation_last_success_timestamp_seconds", out, **p)
            s = {"schedule": pool}
            self.put("keyherd_schedule_next_run_timestamp_seconds", [(t - 10800) // 86400 * 86400 + 86400 + 10800 for t in self.times], **s)
            for what in ("last_run", "last_success"):
                self.put(f"keyherd_schedule_{what}_timestamp_seconds", [(t - 10800) // 86400 * 86400 + 10800 for t in self.times], **s)
            self.put("keyherd_schedule_runs_total", self.summed([int(t % 86400 == 10800 // STEP * STEP) for t in self.times]), **s)
            self.put("keyherd_schedule_failures_total", self.summed(failures["preflight"]), **s)
            self.put("keyherd_schedule_missed_total", self.summed([int(pool == "chat" and self.ago(t) == 2 * 86400) for t in self.times]), **s)
        self.histogram("keyherd_rotation_duration_seconds", [.05, .1, .25, .5, 1, 2.5, 5, 10, 30],
                       lambda i: self.random.lognormvariate(-0.5, 0.5), lambda i: int(i % 45 == 0))

    def logs(self):
        every = range(len(self.times))
        for source, share in (("gateway", 0.8), ("batch", 0.2)):
            s = {"source": source}
            records = [int(self.busy(t) * share * 350) for t in self.times]
            self.put("keyherd_usagelog_up", 1, **s)
            self.put("keyherd_usagelog_lag_bytes", [int(self.random.expovariate(1 / 9e3)) + (4_000_000 if self.ago(self.times[i]) in range(2 * 86400, 2 * 86400 + 1200) else 0) for i in every], **s)
            self.put("keyherd_usagelog_lag_threshold_bytes", 16777216, **s)
            self.put("keyherd_usagelog_last_record_timestamp_seconds", [t - 3 for t in self.times], **s)
            self.put("keyherd_usagelog_last_read_timestamp_seconds", [t - 1 for t in self.times], **s)
            self.put("keyherd_usagelog_idle_threshold_seconds", 600, **s)
            self.put("keyherd_usagelog_read_bytes_total", self.summed([r * 252 for r in records]), **s)
            self.put("keyherd_usagelog_records_total", self.summed(records), **s)
            for reason in REJECTS:
                rate = {"unknown_key": 0.02, "duplicate": 0.05, "bad_json": 0.004}.get(reason, 0)
                self.put("keyherd_usagelog_records_rejected_total", self.summed([int(self.random.random() < rate) for _ in every]), **s, reason=reason)
            for reason in SUSPECT:
                self.put("keyherd_usagelog_records_suspect_total", self.summed([int(self.random.random() < 0.005) for _ in every]), **s, reason=reason)
            self.put("keyherd_usagelog_duplicate_conflicts_total", self.summed([int(self.random.random() < 0.001) for _ in every]), **s)
            self.put("keyherd_usagelog_lost_bytes_total", self.summed([252 * int(6 * 3600 < self.ago(t) < 6 * 3600 + 1200) for t in self.times]), **s)
            self.put("keyherd_usagelog_stalled", 0, **s)
            self.put("keyherd_usagelog_records_late_total", self.summed([int(self.random.random() < 0.002) for _ in every]), **s)
            self.put("keyherd_usagelog_file_changes_total", self.summed([int(t % 86400 == 0) for t in self.times]), **s, kind="rename")
            self.put("keyherd_usagelog_file_changes_total", 0, **s, kind="truncate")
            self.put("keyherd_usagelog_read_errors_total", self.summed([int(self.ago(t) == 3 * 86400 + 3600) for t in self.times]), **s)

    def agent(self):
        every = range(len(self.times))
        restart = self.end - 2 * 86400
        started = [restart - 9 * 86400 if t < restart else restart for t in self.times]
        self.put("up", 1)
        self.put("keyherd_build_info", 1, version="0.1.0", revision="7970fbe", compiler="gcc 12")
        self.put("keyherd_config_last_reload_successful", [int(not 4 * 86400 < self.ago(t) < 4 * 86400 + 7200) for t in self.times])
        self.put("keyherd_config_last_reload_success_timestamp_seconds", started)
        self.put("keyherd_state_last_save_success_timestamp_seconds", [t - self.random.randint(1, 20) for t in self.times])
        self.put("keyherd_state_save_interval_seconds", 60)
        self.put("keyherd_state_save_failures_total", self.summed([int(self.ago(t) == 6 * 86400 + 3600) for t in self.times]))
        full_disk = [int(5 * 3600 < self.ago(t) < 7 * 3600) for t in self.times]
        self.put("keyherd_audit_entries_total", self.summed([int(self.random.random() < 0.05) for _ in every]))
        self.put("keyherd_audit_entries_waiting", [3 * full for full in full_disk])
        self.put("keyherd_audit_write_failures_total", self.summed(full_disk))
        self.put("keyherd_audit_entries_dropped_total", self.summed([int(5 * 3600 < self.ago(t) < 5 * 3600 + 1200) for t in self.times]))
        for target, rate in (("file", 0.02), ("webhook", 0.02)):
            self.put("keyherd_notifications_total", self.summed([int(self.random.random() < rate) for _ in every]), target=target)
            self.put("keyherd_notification_failures_total", self.summed([int(target == "webhook" and 5 * 86400 < self.ago(t) < 5 * 86400 + 900) for t in self.times]), target=target)
        for kind in ("env", "file"):
            self.put("keyherd_secret_load_failures_total", self.summed([int(kind == "file" and self.ago(t) == 5 * 86400) for t in self.times]), source=kind)
        for provider, skew in (("deepseek", 0.2), ("openai", -0.1), ("anthropic", 0.05)):
            self.put("keyherd_clock_skew_seconds", [round(skew + self.random.uniform(-0.4, 0.4), 3) for _ in every], provider=provider)
        for handler, code, rate in (("/metrics", "200", 16), ("/api/v1/pools/{id}/active", "200", 40), ("/api/v1/status", "200", 3),
                                    ("/api/v1/status", "401", 0.05)):
            self.put("keyherd_http_requests_total", self.summed([int(self.random.uniform(0.8, 1.2) * rate + self.random.random()) for _ in every]),
                     handler=handler, method="GET", code=code)
        for handler, typical in (("/metrics", 0.004), ("/api/v1/pools/{id}/active", 20), ("/api/v1/status", 0.002)):
            self.histogram("keyherd_http_request_duration_seconds", [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60],
                           lambda i, x=typical: x * self.random.lognormvariate(0, 0.3), lambda i: 3, handler=handler)
        self.put("keyherd_http_auth_failures_total", self.summed([int(self.random.random() < 0.01) for _ in every]))
        for level, rate in (("debug", 0), ("info", 1.2), ("warning", 0.06), ("error", 0.004)):
            self.put("keyherd_log_messages_total", self.summed([int(self.random.random() * rate * 2) if rate > 1 else int(self.random.random() < rate) for _ in every]), level=level)
        cpu, out = 0.0, []
        for t in self.times:
            cpu = 0.0 if t == restart else cpu + STEP * self.random.uniform(0.002, 0.006)
            out.append(round(cpu, 2))
        self.put("process_cpu_seconds_total", out)
        self.put("process_resident_memory_bytes", [int(21e6 + 2e6 * self.random.random()) for _ in every])
        self.put("process_virtual_memory_bytes", 410_000_000)
        self.put("process_open_fds", [24 + self.random.randint(0, 5) for _ in every])
        self.put("process_max_fds", 1024)
        self.put("process_start_time_seconds", started)
        self.put("keyherd_scrape_duration_seconds", [round(0.0009 * self.random.lognormvariate(0, 0.2), 6) for _ in every])
        self.put("keyherd_scrape_series", 884)

    # ---- out

    def families(self):
        return {re.sub(r"_(bucket|sum|count)$", "", name) for name in self.series}

    def write(self, path):
        """OpenMetrics. Older than a day every fifth sample is enough; LOOKBACK bridges the gaps."""
        kept = [i for i, t in enumerate(self.times) if self.ago(t) <= FINE or i % 5 == 0]
        target = {"job": "keyherd", "instance": "keyherd:9925"}
        with open(path, "w", encoding="utf-8") as out:
            for name in sorted(self.series):
                for labels, values in self.series[name]:
                    text = ",".join(f'{k}="{v}"' for k, v in {**labels, **target}.items())
                    out.write("".join(f"{name}{{{text}}} {value:.10g} {time}\n" for value, time in ((values[i], self.times[i]) for i in kept)))
            out.write("# EOF\n")


def documented_families(root):
    return set(re.findall(r"^\| `(\w+)` \|", (pathlib.Path(root) / "docs/metrics.md").read_text(), re.M))
