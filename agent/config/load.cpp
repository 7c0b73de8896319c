#include "config/load.hpp"

#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "config/check.hpp"
#include "config/json_text.hpp"
#include "config/price_lists.hpp"
#include "config/sections.hpp"
#include "config/toml_text.hpp"

namespace keyherd::config {

namespace {

constexpr std::size_t kMaxFile = 64U << 20U;

// Whoever can write the configuration can run commands as the agent.
void warn_if_writable(const std::string& path, const FileSystem& files, Report& report,
                      std::size_t file) {
  constexpr unsigned kWritableByOthers = 022;
  const auto stat = files.stat(path);
  if (stat && (stat->mode & kWritableByOthers) != 0)
    report.warning(
        {file, {}}, "",
        fmt::format("others than its owner can write this file; run: chmod go-w {}", path));
}

void read_key_file(const std::string& path, const FileSystem& files, Report& report, Spec& spec) {
  const std::size_t file = report.add_file(path);
  const auto text = files.read(path, kMaxFile);
  if (!text) {
    report.error({file, {}}, "", text.error().message);
    return;
  }
  warn_if_writable(path, files, report, file);
  ReadContext context{file, directory_of(path), report, spec.references};
  if (auto document = parse_json_text(*text, file, report))
    read_keys_document(std::move(*document), context, spec);
}

void read_key_files(const FileSystem& files, Report& report, Spec& spec) {
  std::set<std::string> paths;
  const auto& patterns = spec.config.agent.key_files;
  for (const std::string& pattern : patterns) {
    const auto found = files.glob(pattern);
    if (!found) {
      report.error(spec.key_files, "agent.key_files", found.error().message);
      continue;
    }
    const bool is_plain = pattern.find_first_of("*?[") == std::string::npos;
    if (found->empty() && is_plain)
      report.error(spec.key_files, "agent.key_files",
                   fmt::format("{} does not exist", in_quotes(pattern)));
    paths.insert(found->begin(), found->end());
  }
  for (const std::string& path : paths)
    read_key_file(path, files, report, spec);
}

LoadResult finish(Spec spec, Report& report) {
  LoadResult result;
  result.errors = report.take_errors();
  result.warnings = report.take_warnings();
  if (result.errors.empty())
    result.config = take_sorted(std::move(spec));
  return result;
}

LoadResult load_text(std::string_view text, std::size_t file, const FileSystem& files,
                     const LoadOptions& options, Report& report) {
  Spec spec;
  spec.config.file = report.file_name(file);
  const std::string directory = directory_of(spec.config.file);
  spec.config.agent.state = resolve_path(directory, spec.config.agent.state);
  ReadContext context{file, directory, report, spec.references};
  if (const auto document = parse_toml(text, file, report)) {
    read_document(*document, context, options, spec);
    read_key_files(files, report, spec);
    apply_price_lists(files, report, spec);
    check_spec(spec, report);
  }
  return finish(std::move(spec), report);
}

}  // namespace

std::string to_string(const Problem& problem) {
  std::string text = problem.file;
  if (problem.line > 0)
    text += fmt::format(":{}:{}", problem.line, problem.column);
  if (!problem.key.empty())
    text += ": " + problem.key;
  return text + ": " + problem.message;
}

LoadResult load_config(const std::string& path, const FileSystem& files,
                       const LoadOptions& options) {
  Report report;
  const std::size_t file = report.add_file(path);
  const auto text = files.read(path, kMaxFile);
  if (!text) {
    report.error({file, {}}, "", text.error().message);
    return finish({}, report);
  }
  // As an editor or a full disk leaves it for a moment: read as what it says, a reload would forget
  // every key and token.
  if (trim(*text).empty()) {
    report.error({file, {}}, "", "the file is empty; to make a first one run: keyherd init");
    return finish({}, report);
  }
  warn_if_writable(path, files, report, file);
  return load_text(*text, file, files, options, report);
}

LoadResult parse_config(std::string_view text, const std::string& name, const FileSystem& files,
                        const LoadOptions& options) {
  Report report;
  return load_text(text, report.add_file(name), files, options, report);
}

KeysResult parse_keys_json(std::string_view text, const std::string& name) {
  Report report;
  Spec spec;
  const std::size_t file = report.add_file(name);
  ReadContext context{file, directory_of(name), report, spec.references};
  if (auto document = parse_json_text(text, file, report))
    read_keys_document(std::move(*document), context, spec);
  check_duplicate_keys(spec, report);
  std::vector<int> lines;
  lines.reserve(spec.key_places.size());
  for (const Place& place : spec.key_places)
    lines.push_back(place.position.line);
  return {std::move(spec.config.keys), std::move(lines), report.take_errors()};
}

}  // namespace keyherd::config
