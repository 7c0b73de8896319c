#pragma once

// The kinds of target, one file each. Only publisher.cpp includes this; contracts as in
// publisher.hpp.

#include "rotation/publishers/publisher.hpp"

namespace keyherd::rotation {

// Replaces the file by a rename, its mode set before its content: readers see the old document or
// the new. On failure the old file stays.
Status publish_file(const model::PublishFile& file, const Publication& publication,
                    const PublishContext& context);

// Runs the hook: argv (absolute path, no shell), the document on stdin, KEYHERD_POOL, KEYHERD_KEY,
// KEYHERD_GENERATION and KEYHERD_ROTATION in the environment. Exit 0 is done, 75 (EX_TEMPFAIL) is
// unavailable, any other is a failure.
Status publish_exec(const model::PublishExec& exec, const Publication& publication,
                    const PublishContext& context, std::stop_token stop);

// POSTs the decision without the secret: whoever reads it learns that a switch happened, not the
// key.
Status publish_webhook(const model::PublishWebhook& webhook, const Publication& publication,
                       const PublishContext& context, std::stop_token stop);

// " (its output: …)" for the end of an error, one line, redacted and cut; empty for no output.
std::string quoted_output(const Redactor& redactor, std::string_view output);

}  // namespace keyherd::rotation
