#pragma once

// Reading of each section into the spec. What one section alone can show to be wrong is reported
// here; what needs others is left to check.hpp.

#include <optional>

#include "config/load.hpp"
#include "config/node.hpp"
#include "config/spec.hpp"
#include "config/table_reader.hpp"

namespace keyherd::config {

// A whole configuration file.
void read_document(const Node& document, ReadContext& context, const LoadOptions& options,
                   Spec& spec);
// A file of keys in bulk, {"keys": {…}} or {"keys": […]}.
void read_keys_document(Node document, ReadContext& context, Spec& spec);

void read_agent(const TableReader& reader, Spec& spec);
void read_web(const TableReader& reader, Spec& spec);
void read_client(const TableReader& reader, Spec& spec);
void read_notify(const TableReader& reader, Spec& spec);
void read_provider(const std::string& id, const TableReader& reader, Spec& spec);
void read_key(const std::string& id, const TableReader& reader, Spec& spec);
void read_limit_group(const std::string& id, const TableReader& reader, Spec& spec);
void read_quota(const std::string& id, const TableReader& reader, Spec& spec);
void read_pool(const std::string& id, const TableReader& reader, Spec& spec);
void read_issuer(const std::string& id, const TableReader& reader, Spec& spec);
void read_usage_log(const std::string& id, const TableReader& reader, const LoadOptions& options,
                    Spec& spec);

// Prices of one model; `rate` is nano-USD for one unit of what they are written in.
model::ModelPrice read_price(const TableReader& reader, model::NanoUsd rate);
// What a provider bills in; nothing for USD.
std::optional<model::BilledIn> read_currency(const TableReader& reader);

// Reports an id that cannot be one.
void check_id(const std::string& id, const TableReader& reader);

// "https://api.deepseek.com" for "deepseek"; nothing for types without a place of their own.
std::optional<std::string> default_base_url(std::string_view provider_type);

}  // namespace keyherd::config
