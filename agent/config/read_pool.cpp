#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/time_text.hpp"
#include "config/sections.hpp"
#include "config/values.hpp"
#include "cron/schedule.hpp"

namespace keyherd::config {

namespace {

// Which kinds of target a field belongs to.
struct OptionOf {
  std::string_view option;
  std::string_view kind;
};
constexpr std::array<OptionOf, 7> kOptions{{{"mode", "file"},
                                            {"template", "file"},
                                            {"variable", "file"},
                                            {"owner", "file"},
                                            {"timeout", "exec"},
                                            {"signing_secret", "webhook"},
                                            {"allow_plain_http", "webhook"}}};

bool is_variable(std::string_view text) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && !(text.front() >= '0' && text.front() <= '9') &&
         std::all_of(text.begin(), text.end(), is_word);
}

model::PublishTarget read_file_target(const TableReader& reader) {
  model::PublishFile target;
  target.path = reader.path("file").value_or("");
  if (const auto written = reader.text("mode")) {
    const auto mode = parse_mode(*written);
    if (mode)
      target.mode = *mode;
    else
      reader.error("mode", mode.error().message);
  }
  target.shape = reader.choice<model::FileTemplate>("template", model::file_template_from_string)
                     .value_or(target.shape);
  if (const auto variable = reader.text("variable")) {
    if (!is_variable(*variable))
      reader.error("variable", "expected the name of a variable, such as OPENAI_API_KEY");
    if (target.shape != model::FileTemplate::env)
      reader.error("variable", "belongs to template = \"env\" only");
    target.variable = *variable;
  }
  target.owner = reader.text("owner").value_or("");
  return target;
}

model::PublishTarget read_exec_target(const TableReader& reader) {
  model::PublishExec target;
  const auto argv = reader.arguments("exec");
  target.argv = argv.value_or(target.argv);
  if (argv && argv->empty())
    reader.error("exec", "must name a program, such as [\"/usr/local/bin/reload-app\"]");
  target.timeout = reader.duration("timeout").value_or(target.timeout);
  return target;
}

model::PublishTarget read_webhook_target(const TableReader& reader) {
  model::PublishWebhook target;
  const bool allow_plain_http = reader.boolean("allow_plain_http").value_or(false);
  if (const auto url = reader.text("webhook")) {
    const Status status = check_webhook_url(*url, allow_plain_http);
    if (!status)
      reader.error("webhook", status.error().message);
    target.url = *url;
  }
  target.signing_secret = reader.secret("signing_secret");
  return target;
}

void read_target(const TableReader& reader, model::Pool& pool) {
  constexpr std::array<std::string_view, 3> kKinds{"file", "exec", "webhook"};
  if (!reader.is_table())
    return;
  const auto written = [&](std::string_view name) { return reader.has(name); };
  if (std::count_if(kKinds.begin(), kKinds.end(), written) != 1) {
    reader.error(
        "expected exactly one of file, exec and webhook, such as { file = "
        "\"/run/keyherd/prod.json\" }");
    return;
  }
  for (const OptionOf& row : kOptions) {
    if (reader.has(row.option) && !reader.has(row.kind))
      reader.error(row.option, fmt::format("belongs to {} targets only", row.kind));
  }
  pool.publish.push_back(reader.has("file")   ? read_file_target(reader)
                         : reader.has("exec") ? read_exec_target(reader)
                                              : read_webhook_target(reader));
}

// Of the next year's firings, or of the first hundred.
std::chrono::nanoseconds shortest_interval(const cron::Schedule& schedule) {
  constexpr WallTime kFrom{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
  const auto firings = schedule.next_n(kFrom, 100);
  std::chrono::nanoseconds shortest = std::chrono::hours(24 * 366);
  for (std::size_t i = 1; i < firings.size(); ++i)
    shortest = std::min<std::chrono::nanoseconds>(shortest, firings[i] - firings[i - 1]);
  return shortest;
}

void read_schedule(const TableReader& reader, model::Pool& pool) {
  const auto timezone = reader.timezone("timezone");
  pool.timezone = timezone.value_or(pool.timezone);
  pool.schedule = reader.text("schedule").value_or("");
  // Without its zone a schedule means nothing; that error has been reported.
  if (pool.schedule.empty() || (reader.has("timezone") && !timezone))
    return;
  const auto schedule = cron::Schedule::parse(pool.schedule, pool.timezone);
  if (!schedule) {
    reader.error("schedule", schedule.error().message);
    return;
  }
  for (const std::string& note : schedule->notes())
    reader.warning("schedule", note);
  if (pool.schedule_jitter >= shortest_interval(*schedule))
    reader.error("schedule_jitter", "must be shorter than the time between two firings");
}

// When a firing may be late, and what becomes of one that was missed.
void read_lateness(const TableReader& reader, model::Pool& pool) {
  pool.schedule_jitter = reader.duration("schedule_jitter").value_or(pool.schedule_jitter);
  pool.catch_up = reader.choice<model::CatchUp>("catch_up", model::catch_up_from_string)
                      .value_or(pool.catch_up);
  pool.catch_up_window = reader.duration("catch_up_window").value_or(pool.catch_up_window);
  if (pool.schedule_jitter >= pool.catch_up_window)
    reader.error("schedule_jitter", fmt::format("must be shorter than catch_up_window ({})",
                                                format_duration(pool.catch_up_window)));
  for (const std::string_view name : {"schedule_jitter", "catch_up", "catch_up_window"}) {
    if (reader.has(name) && !reader.has("schedule"))
      reader.warning(name, "has no effect: the pool has no schedule");
  }
}

void read_freeze(const TableReader& reader, model::Pool& pool) {
  const auto start = reader.text("start");
  const auto lasts = reader.duration("lasts");
  if (!start || !lasts)
    return;
  const auto schedule = cron::Schedule::parse(*start, pool.timezone);
  if (!schedule)
    reader.error("start", schedule.error().message);
  else
    pool.freeze.push_back({*start, *lasts});
}

void read_mode(const TableReader& reader, model::Pool& pool) {
  pool.mode = reader.choice<model::RotationMode>("mode", model::rotation_mode_from_string)
                  .value_or(pool.mode);
  pool.issuer = reader.reference("issuer", Target::issuer).value_or("");
  const bool has_none =
      pool.mode == model::RotationMode::switch_ || pool.mode == model::RotationMode::guided;
  if (has_none && reader.has("issuer"))
    reader.error("issuer", fmt::format("mode = \"{}\" has none", model::to_string(pool.mode)));
  if (!has_none && !reader.has("issuer"))
    reader.error(fmt::format("mode = \"{}\" needs an issuer: the id of a section [issuers.ID]",
                             model::to_string(pool.mode)));
  pool.overlap = reader.duration("overlap").value_or(pool.overlap);
  pool.quiet_for = reader.duration("quiet_for").value_or(pool.quiet_for);
  pool.settle_within = reader.duration("settle_within").value_or(pool.settle_within);
  // A switch among keys at hand ends nothing, so nobody needs to be waited for.
  if (pool.mode != model::RotationMode::switch_)
    pool.adopt_within = std::chrono::minutes(15);
  pool.adopt_within = reader.duration("adopt_within").value_or(pool.adopt_within);
}

}  // namespace

void read_pool(const std::string& id, const TableReader& reader, Spec& spec) {
  check_id(id, reader);
  model::Pool pool;
  pool.id = id;
  const auto keys = reader.references("keys", Target::key);
  pool.keys = keys.value_or(pool.keys);
  if (keys && keys->empty())
    reader.error("keys", "a pool needs at least one key");
  pool.strategy = reader.choice<model::Strategy>("strategy", model::strategy_from_string)
                      .value_or(pool.strategy);
  read_lateness(reader, pool);
  read_schedule(reader, pool);
  reader.each_in_list("freeze", SectionId::freeze,
                      [&](const TableReader& window) { read_freeze(window, pool); });
  read_mode(reader, pool);
  if (const auto events = reader.choices("rotate_on")) {
    pool.rotate_on.clear();
    for (const std::string& event : *events)
      pool.rotate_on.push_back(*model::rotate_on_from_string(event));
    // Where secrets are made, a switch would ask the very provider for one.
    if (pool.mode != model::RotationMode::switch_ &&
        model::rotates_on(pool, model::RotateOn::incident))
      reader.error("rotate_on", fmt::format("\"incident\" is for mode = \"switch\", not \"{}\"",
                                            model::to_string(pool.mode)));
  }
  reader.each_in_list("publish", SectionId::publish,
                      [&](const TableReader& target) { read_target(target, pool); });
  pool.min_remaining = reader.integer("min_remaining").value_or(pool.min_remaining);
  pool.max_error_ratio = reader.ratio("max_error_ratio").value_or(pool.max_error_ratio);
  pool.min_available =
      static_cast<int>(reader.integer("min_available").value_or(pool.min_available));
  if (!pool.keys.empty() && pool.keys.size() < static_cast<std::size_t>(pool.min_available))
    reader.error("min_available",
                 fmt::format("is more than the pool has keys ({})", pool.keys.size()));
  pool.slo_objective = reader.ratio("slo_objective").value_or(pool.slo_objective);
  pool.valid_for = reader.duration("valid_for").value_or(pool.valid_for);
  pool.min_stay = reader.duration("min_stay").value_or(pool.min_stay);
  pool.rotations_per_hour =
      static_cast<int>(reader.integer("rotations_per_hour").value_or(pool.rotations_per_hour));
  pool.ramp = reader.duration("ramp").value_or(pool.ramp);
  pool.recovery_wait = reader.duration("recovery_wait").value_or(pool.recovery_wait);
  spec.pool_places.push_back(reader.place());
  spec.config.pools.push_back(std::move(pool));
}

}  // namespace keyherd::config
