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
  probe.paid_every = reader.duration("paid_every").value_or(probe.paid_every);
  probe.failures_to_dead =
      static_cast<int>(reader.integer("failures_to_dead").value_or(probe.failures_to_dead));
  probe.successes_to_healthy =
      static_cast<int>(reader.integer("successes_to_healthy").value_or(probe.successes_to_healthy));
  probe.confirm_after = reader.duration("confirm_after").value_or(probe.confirm_after);
  probe.latency_limit = reader.duration("latency_limit");
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
  spec.provider_places.push_back(reader.place());
  spec.config.providers.push_back(std::move(provider));
}

}  // namespace keyherd::config
