#pragma once

// Rows of the schema about pools: who makes their keys, how they are chosen, who is told. For
// schema.cpp alone.

#include <array>

#include "config/schema.hpp"
#include "config/schema_ranges.hpp"

namespace keyherd::config {

inline constexpr std::array kIssuer{
    Field{.name = "type",
          .type = Type::choice,
          .required = true,
          .choices = "openrouter litellm openai xai newapi azure anthropic command",
          .doc = "What administration API it speaks; `command` runs yours."},
    Field{
        .name = "base_url", .type = Type::url, .doc = "Where it is. litellm and newapi need one."},
    Field{.name = "allow_plain_http",
          .type = Type::boolean,
          .fallback = "false",
          .doc = "Permits `http://` to another machine."},
    Field{.name = "admin_secret",
          .type = Type::secret,
          .doc = "The management or admin key; for azure an Entra token, which `exec:` can fetch. "
                 "Resolved each time it is used."},
    Field{.name = "owner",
          .doc =
              "Whose keys: openai the project, xai the team, newapi the user's number, azure the "
              "account's resource path `/subscriptions/…/accounts/NAME`."},
    Field{.name = "request",
          .doc = "A JSON object with further members of the request that makes a key, such as "
                 "`{\"limit\": 50}`."},
    Field{.name = "command",
          .type = Type::texts,
          .doc = "With type `command`: program and arguments, no shell; JSON in and out."},
    Field{.name = "timeout",
          .type = Type::duration,
          .fallback = "\"30s\"",
          .range = {0.1, 10 * kMinute},
          .doc = "For one request or one run of the command."},
};

inline constexpr std::array kPool{
    Field{.name = "keys", .type = Type::ids, .required = true, .doc = "Ids of `[keys.ID]`."},
    Field{.name = "strategy",
          .type = Type::choice,
          .fallback = "\"priority\"",
          .choices = "round_robin priority quota_aware least_used lowest_latency cheapest",
          .doc = "Which key comes next."},
    Field{
        .name = "schedule",
        .type = Type::cron,
        .doc = "Cron expression, such as `0 3 * * *` or `@daily`; without it only events rotate."},
    Field{.name = "timezone",
          .type = Type::timezone,
          .fallback = "\"UTC\"",
          .doc = "Of the schedule."},
    Field{.name = "schedule_jitter",
          .type = Type::duration,
          .fallback = "\"0s\"",
          .range = {0, kDay},
          .doc =
              "Firings come later by a part of this that is always the same for the pool, so that "
              "pools of one schedule do not rotate together. Shorter than `catch_up_window` and "
              "than the time between two firings."},
    Field{.name = "catch_up",
          .type = Type::choice,
          .fallback = "\"once\"",
          .choices = "once skip",
          .doc =
              "After a stop: `once` makes up for the missed firings with one rotation if the last "
              "was due less than `catch_up_window` ago; `skip` waits for the next."},
    Field{.name = "catch_up_window",
          .type = Type::duration,
          .fallback = "\"10m\"",
          .range = {kMinute, kYear},
          .doc = "How late a firing may still rotate."},
    Field{.name = "freeze",
          .type = Type::table_list,
          .fallback = "[]",
          .doc = "Times in which only emergencies rotate."},
    Field{.name = "rotate_on",
          .type = Type::choices,
          .fallback = "[\"dead\", \"exhausted\"]",
          .choices = "dead exhausted throttled degraded dear incident",
          .doc = "States of the active key that start a rotation; `dear`: its price is above its "
                 "lowest at this hour, and another key costs less; `incident`: its provider has "
                 "one, and a key at another provider is fit (mode `switch` alone)."},
    Field{.name = "publish",
          .type = Type::table_list,
          .fallback = "[]",
          .doc = "Who is told of the active key."},
    Field{.name = "min_remaining",
          .type = Type::integer,
          .fallback = "100",
          .range = kNotNegative,
          .doc = "With `quota_aware`: a key with less left of its quota is no candidate."},
    Field{.name = "max_error_ratio",
          .type = Type::ratio,
          .fallback = "0.05",
          .doc = "Of a key's logged requests in the last 5 minutes; above it the key is avoided."},
    Field{.name = "min_available",
          .type = Type::integer,
          .fallback = "1",
          .range = {1, 100'000},
          .doc = "Fewer usable keys are worth an alert, and automation ends no key at its provider "
                 "that would leave fewer."},
    Field{.name = "slo_objective",
          .type = Type::ratio,
          .fallback = "0.999",
          .doc = "Share of requests that should succeed."},
    Field{.name = "valid_for",
          .type = Type::duration,
          .fallback = "\"24h\"",
          .range = {kMinute, kYear},
          .doc = "How long consumers may go on with a published key if they hear nothing more."},
    Field{.name = "min_stay",
          .type = Type::duration,
          .fallback = "\"60s\"",
          .range = {0, kDay},
          .doc = "Least time between two automatic rotations."},
    Field{.name = "rotations_per_hour",
          .type = Type::integer,
          .fallback = "30",
          .range = {1, 3600},
          .doc = "Most automatic rotations within an hour; emergencies are counted, not refused."},
    Field{.name = "recovery_wait",
          .type = Type::duration,
          .fallback = "\"0s\"",
          .range = {0, 7 * kDay},
          .doc =
              "With `priority`: how long a better key must have been healthy again before the pool "
              "returns to it."},
    Field{.name = "ramp",
          .type = Type::duration,
          .fallback = "\"0s\"",
          .range = {0, 7 * kDay},
          .doc =
              "A key that was out of service takes up its full share over this time: `next` hands "
              "it out more and more often, and rotations that can wait prefer others."},
    Field{.name = "mode",
          .type = Type::choice,
          .fallback = "\"switch\"",
          .choices = "switch provision slot deactivate command guided",
          .doc = "How the next key is had and what becomes of the last one (docs/rotation.md)."},
    Field{.name = "issuer", .type = Type::id, .doc = "Id of a section `[issuers.ID]`."},
    Field{.name = "overlap",
          .type = Type::duration,
          .fallback = "\"1h\"",
          .range = {0, kYear},
          .doc = "How long the last key works beside the new one, at least, before it is ended."},
    Field{.name = "quiet_for",
          .type = Type::duration,
          .fallback = "\"10m\"",
          .range = {0, 30 * kDay},
          .doc = "The usage logs must show nobody on the last key for so long before it is ended."},
    Field{.name = "settle_within",
          .type = Type::duration,
          .fallback = "\"15m\"",
          .range = {0, kDay},
          .doc = "A new secret may be refused for so long after it was made: providers take time."},
    Field{.name = "adopt_within",
          .type = Type::duration,
          .range = {0, 30 * kDay},
          .doc =
              "While the usage logs show requests with the last key, they must show some with "
              "the new one within this time, or the pool goes back. 15m where something is ended; "
              "with `mode = \"switch\"` it is not asked."},
};

inline constexpr std::array kFreeze{
    Field{.name = "start",
          .type = Type::cron,
          .required = true,
          .doc = "When it begins, such as `0 18 * * FRI`, in the pool's `timezone`."},
    Field{.name = "lasts",
          .type = Type::duration,
          .required = true,
          .range = {kMinute, 60 * kDay},
          .doc = "For how long."},
};

inline constexpr std::array kPublish{
    Field{.name = "file",
          .type = Type::path,
          .doc = "Writes the decision, secret included, to this file."},
    Field{.name = "mode",
          .fallback = "\"0600\"",
          .doc = "With `file`: its permissions; nothing for others."},
    Field{.name = "template",
          .type = Type::choice,
          .fallback = "\"json\"",
          .choices = "json env raw",
          .doc = "With `file`: the document, the same as shell variables, or the secret alone."},
    Field{.name = "variable",
          .fallback = "\"KEYHERD_SECRET\"",
          .doc = "With `template = \"env\"`: the variable that holds the secret."},
    Field{.name = "owner",
          .doc = "With `file`: `user`, `user:group` or `:group`, set before there is any content. "
                 "Another user needs root; a group must be the agent's own."},
    Field{.name = "exec",
          .type = Type::texts,
          .doc = "Runs this command (program and arguments, no shell)."},
    Field{.name = "timeout",
          .type = Type::duration,
          .fallback = "\"10s\"",
          .range = {0.1, 10 * kMinute},
          .doc = "With `exec`: killed after it."},
    Field{.name = "webhook", .type = Type::url, .doc = "Posts the decision to this URL."},
    Field{.name = "signing_secret",
          .type = Type::secret,
          .doc = "With `webhook`: signs the request, so that the receiver can trust it."},
    Field{.name = "allow_plain_http",
          .type = Type::boolean,
          .fallback = "false",
          .doc = "With `webhook`: permits `http://` to another machine."},
};

}  // namespace keyherd::config
