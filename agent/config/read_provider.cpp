#include <algorithm>
#include <array>
#include <utility>

#include "config/sections.hpp"
#include "config/values.hpp"

namespace keyherd::config {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kBaseUrls{{
    {"anthropic", "https://api.anthropic.com"},
    {"dashscope", "https://dashscope.aliyuncs.com/compatible-mode/v1"},
    {"deepseek", "https://api.deepseek.com"},
    {"gemini", "https://generativelanguage.googleapis.com/v1beta"},
    {"groq", "https://api.groq.com/openai/v1"},
    {"mistral", "https://api.mistral.ai/v1"},
    {"moonshot", "https://api.moonshot.ai/v1"},
    {"openai", "https://api.openai.com/v1"},
    {"openrouter", "https://openrouter.ai/api/v1"},
    {"siliconflow", "https://api.siliconflow.cn/v1"},
    {"xai", "https://api.x.ai/v1"},
    {"zhipu", "https://open.bigmodel.cn/api/paas/v4"},
}};

void read_base_url(const TableReader& reader, model::Provider& provider) {
  const bool allow_plain_http = reader.boolean("allow_plain_http").value_or(false);
  auto url = reader.text("base_url");
  if (!reader.has("base_url") && !provider.type.empty()) {
    url = default_base_url(provider.type);
    if (!url)
      reader.error("\"base_url\" is missing: a provider of type " + provider.type +
                   " has no place of its own");
  }
  if (!url)
    return;
  const Status status = check_url(*url, allow_plain_http);
  if (!status)
    reader.error("base_url", status.error().message);
  while (url->ends_with('/'))
    url->pop_back();
  provider.base_url = std::move(*url);
}

void read_probe(const TableReader& reader, model::ProbeSettings& probe) {
  probe.every = reader.duration("every").value_or(probe.every);
  probe.jitter = reader.ratio("jitter").value_or(probe.jitter);
  probe.timeout = reader.duration("timeout").value_or(std::min(probe.timeout, probe.every));
  if (probe.timeout > probe.every)
    reader.error("timeout", "is longer than every: probes would pile up");
  probe.method = reader.choice<model::ProbeMethod>("method", model::probe_method_from_string)
                     .value_or(probe.method);
  probe.model = reader.text("model").value_or(probe.model);
  probe.paths = reader.text_map("paths", check_probe_path);
  probe.limit_field =
      reader.choice<model::LimitField>("limit_field", model::limit_field_from_string);
  if (const auto tokens = reader.integer("limit_tokens"))
    probe.limit_tokens = static_cast<int>(*tokens);
  probe.paid_every = reader.duration("paid_every").value_or(probe.paid_every);
  probe.control_every = reader.duration("control_every").value_or(probe.control_every);
  probe.min_spacing = reader.duration("min_spacing").value_or(probe.min_spacing);
  probe.failures_to_dead =
      static_cast<int>(reader.integer("failures_to_dead").value_or(probe.failures_to_dead));
  probe.successes_to_healthy =
      static_cast<int>(reader.integer("successes_to_healthy").value_or(probe.successes_to_healthy));
  probe.confirm_after = reader.duration("confirm_after").value_or(probe.confirm_after);
  probe.latency_limit = reader.duration("latency_limit");
}

void read_rule(const TableReader& reader, std::vector<model::ErrorRule>& rules) {
  model::ErrorRule rule;
  for (const std::string& text : reader.texts("status").value_or(std::vector<std::string>())) {
    if (const auto range = parse_status_range(text))
      rule.statuses.push_back(*range);
    else
      reader.error("status", in_quotes(text) + " " + range.error().message);
  }
  rule.codes = reader.texts("codes").value_or(rule.codes);
  rule.texts = reader.texts("texts").value_or(rule.texts);
  rule.scope = reader.choice<model::VerdictScope>("scope", model::verdict_scope_from_string);
  rule.reset = reader.choice<model::RuleReset>("reset", model::rule_reset_from_string)
                   .value_or(model::RuleReset::none);
  const auto verdict = reader.choice<model::Verdict>("verdict", model::verdict_from_string);
  if (!reader.has("status") && !reader.has("codes") && !reader.has("texts"))
    reader.error("would match every answer: name status, codes or texts");
  if (verdict == model::Verdict::ok && rule.codes.empty() && rule.texts.empty())
    reader.error("verdict", "a status alone never shows that a key is good: name codes or texts");
  if (!verdict)
    return;
  rule.verdict = *verdict;
  rules.push_back(std::move(rule));
}

bool is_currency(std::string_view code) {
  return code.size() == 3 &&
         std::all_of(code.begin(), code.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

void read_threshold(const std::string& currency, const TableReader& reader,
                    model::Provider& provider) {
  const model::BalanceThreshold threshold{reader.usd("warning"), reader.usd("critical")};
  if (!is_currency(currency))
    reader.error("is no currency: expected three capital letters, such as USD or CNY");
  if (!reader.has("warning") && !reader.has("critical"))
    reader.error("needs warning, critical or both");
  if (threshold.warning && threshold.critical && *threshold.critical > *threshold.warning)
    reader.error("critical", "is above warning: the milder alert would never come alone");
  provider.balance_thresholds[currency] = threshold;
}

void read_credential_header(const TableReader& reader, model::Provider& provider) {
  provider.auth_header = reader.text("auth_header");
  provider.auth_prefix = reader.text("auth_prefix");
  if (provider.auth_prefix && !provider.auth_header)
    reader.error("auth_prefix", "stands without auth_header");
  if (!provider.auth_header)
    return;
  if (const Status status = check_auth_header(*provider.auth_header); !status)
    reader.error("auth_header", status.error().message);
}

}  // namespace

std::optional<std::string> default_base_url(std::string_view provider_type) {
  for (const auto& [type, url] : kBaseUrls) {
    if (type == provider_type)
      return std::string(url);
  }
  return std::nullopt;
}

void read_provider(const std::string& id, const TableReader& reader, Spec& spec) {
  check_id(id, reader);
  model::Provider provider;
  provider.id = id;
  provider.type = reader.choice("type").value_or("");
  read_base_url(reader, provider);
  reader.table("probe", SectionId::probe,
               [&](const TableReader& table) { read_probe(table, provider.probe); });
  provider.billed_in = read_currency(reader);
  const model::NanoUsd rate = provider.billed_in ? provider.billed_in->rate : model::kNanosPerUsd;
  reader.each_in_map("prices", SectionId::price,
                     [&](const std::string& model, const TableReader& table) {
                       provider.prices[model] = read_price(table, rate);
                     });
  spec.list_choices.push_back({reader.texts("list_prices"), reader.place_of("list_prices")});
  provider.ca_file = reader.path("ca_file").value_or("");
  provider.headers = reader.text_map("headers", check_header);
  read_credential_header(reader, provider);
  reader.each_in_list("rules", SectionId::error_rule,
                      [&](const TableReader& table) { read_rule(table, provider.rules); });
  reader.each_in_map("balance_thresholds", SectionId::balance_threshold,
                     [&](const std::string& currency, const TableReader& table) {
                       read_threshold(currency, table, provider);
                     });
  spec.provider_places.push_back(reader.place());
  spec.config.providers.push_back(std::move(provider));
}

}  // namespace keyherd::config
