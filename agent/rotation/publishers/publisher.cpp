#include "rotation/publishers/publisher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/time_text.hpp"
#include "rotation/publishers/targets.hpp"

namespace keyherd::rotation {

namespace {

std::string json_string(std::string_view text) {
  return dump_json(nlohmann::json(std::string(text)));
}

// The secret goes from its Secret to the document's without a JSON value between, which would leave
// copies in memory that nobody wipes.
void append_quoted_secret(std::string& out, std::string_view secret) {
  out += '"';
  for (const char c : secret) {
    if (c == '"' || c == '\\')
      out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      out += c;
  }
  out += '"';
}

// NAME=value for a shell and for systemd's EnvironmentFile. Quoted only where it must be: `docker
// --env-file` takes quotes for a part of the value.
void append_variable(std::string& out, std::string_view name, std::string_view value) {
  constexpr std::string_view kPlain = "_-./:+=@%,";
  const bool plain = std::all_of(value.begin(), value.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kPlain.find(c) != std::string_view::npos;
  });
  out += name;
  out += '=';
  if (!plain)
    out += '\'';
  for (const char c : value) {
    if (c == '\'')
      out += "'\\'";
    out += c;
  }
  if (!plain)
    out += '\'';
  out += '\n';
}

Secret variables(const std::string& secret_name, const Publication& publication) {
  std::string text;
  text.reserve(1024 + secret_name.size() + 4 * publication.secret.size());  // no copy left behind
  append_variable(text, secret_name, publication.secret.reveal());
  append_variable(text, "KEYHERD_POOL", publication.pool);
  append_variable(text, "KEYHERD_KEY", publication.key);
  append_variable(text, "KEYHERD_GENERATION", std::to_string(publication.generation));
  append_variable(text, "KEYHERD_PUBLISHED_AT", format_rfc3339(publication.published_at));
  append_variable(text, "KEYHERD_VALID_UNTIL", format_rfc3339(publication.valid_until));
  return Secret(std::move(text));
}

}  // namespace

Result<Secret> published_document(const Publication& publication) {
  const std::string_view secret = publication.secret.reveal();
  if (secret.empty() || !is_valid_utf8(secret)) {
    return fail(ErrorCode::invalid, "publishing " + publication.key + ": its secret is " +
                                        (secret.empty() ? "empty" : "not text (UTF-8)"));
  }
  const std::string head = "{\"pool\":" + json_string(publication.pool) +
                           ",\"key\":" + json_string(publication.key) + ",\"secret\":";
  const std::string tail =
      fmt::format(",\"generation\":{},\"published_at\":{},\"valid_until\":{}}}\n",
                  publication.generation, json_string(format_rfc3339(publication.published_at)),
                  json_string(format_rfc3339(publication.valid_until)));
  std::string document;
  // No reallocation: it would leave a copy behind. An escaped byte takes six.
  document.reserve(head.size() + 6 * secret.size() + 2 + tail.size());
  document += head;
  append_quoted_secret(document, secret);
  document += tail;
  return Secret(std::move(document));
}

Result<Secret> published_text(const model::PublishFile& file, const Publication& publication) {
  KH_ASSIGN(Secret document, published_document(publication));  // checks the secret
  switch (file.shape) {
    case model::FileTemplate::json:
      return document;
    case model::FileTemplate::env:
      return variables(file.variable, publication);
    case model::FileTemplate::raw:
      return publication.secret.clone();
  }
  return document;
}

Status publish(const model::PublishTarget& target, const Publication& publication,
               const PublishContext& context, std::stop_token stop) {
  struct Dispatch {
    const Publication& publication;
    const PublishContext& context;
    const std::stop_token& stop;
    Status operator()(const model::PublishFile& file) const {
      return publish_file(file, publication, context);
    }
    Status operator()(const model::PublishExec& exec) const {
      return publish_exec(exec, publication, context, stop);
    }
    Status operator()(const model::PublishWebhook& webhook) const {
      return publish_webhook(webhook, publication, context, stop);
    }
  };
  if (stop.stop_requested())
    return fail(ErrorCode::cancelled, model::describe(target) + " was not told: stopping");
  return std::visit(Dispatch{publication, context, stop}, target);
}

}  // namespace keyherd::rotation
