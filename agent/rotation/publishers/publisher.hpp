#pragma once

// Telling consumers which key is active: a file, a hook, a webhook. Blocking, each with its own
// deadline; called on the step runner's thread (any one thread at a time per target). Every target
// may be told the same decision twice and must end in the same place: files are replaced whole,
// hooks and webhooks get the rotation's id to recognise it.

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/redactor.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "model/pool.hpp"
#include "net/transport.hpp"

namespace keyherd::rotation {

struct Publication {
  std::string pool;
  std::string key;
  const Secret& secret;  // borrowed for the call
  std::int64_t generation = 0;
  WallTime published_at;
  WallTime valid_until;
  std::string rotation;
};

struct PublishContext {
  const FileSystem& files;
  net::Transport& transport;
  const Redactor& redactor;  // knows the secret: what hooks and servers answer passes through it
  // Loads a webhook's signing secret; may block.
  std::function<Result<Secret>(const model::SecretRef&)> load_secret;
};

// Errors, as callers tell them apart: unavailable, timeout and no_space may go away by themselves;
// cancelled is ours; everything else wants a person. The message names the target, never a secret.
Status publish(const model::PublishTarget& target, const Publication& publication,
               const PublishContext& context, std::stop_token stop);

// What a file holds and an exec hook reads on stdin: {"pool","key","secret","generation",
// "published_at","valid_until"} and a newline. Itself a secret. Error `invalid` when the key's
// secret is empty or not text.
Result<Secret> published_document(const Publication& publication);

// What a file of this shape holds; json is published_document().
Result<Secret> published_text(const model::PublishFile& file, const Publication& publication);

}  // namespace keyherd::rotation
