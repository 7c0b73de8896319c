#include "audit/verify.hpp"

#include <fmt/format.h>

#include <array>
#include <deque>
#include <map>
#include <utility>

namespace keyherd::audit {

namespace {

constexpr std::array<std::string_view, 6> kFlaws{"changed", "missing", "added",
                                                 "moved",   "foreign", "torn"};
// How far ahead is looked for the line that must follow.
constexpr std::size_t kLookAhead = 4'096;

struct Place {
  std::string file;
  std::int64_t line = 0;
  std::int64_t seq = 0;
  std::string prev;
  std::string hash;
};

// Follows the chain: `head_` is the last line that is known to belong to it. Lines come in the
// order of the files; each waits until the ones behind it can say where it belongs.
class Chain {
 public:
  Chain(Verdict& verdict, const VerifyOptions& options) : verdict_(verdict), options_(options) {
    head_.seq = options.first - 1;
    anchored_ = options.first == 1;
  }

  void read(const RawLine& raw) {
    if (!raw.whole) {
      found(Flaw::torn, raw.file, raw.number, 0, "the last line has no end");
      return;
    }
    ++verdict_.lines;
    const auto sealed = parse_line(raw.text);
    if (!sealed) {
      found(Flaw::foreign, raw.file, raw.number, 0, "not a line of an audit log");
      return;
    }
    if (!sealed->intact)
      found(Flaw::changed, raw.file, raw.number, sealed->entry.seq,
            fmt::format("entry {} was changed", sealed->entry.seq));
    if (verdict_.first_seq == 0)
      verdict_.first_seq = sealed->entry.seq;
    waiting_.push_back({raw.file, raw.number, sealed->entry.seq, sealed->prev, sealed->hash});
    ++followers_[sealed->prev];
    if (waiting_.size() > kLookAhead)
      place_first();
  }

  void finish() {
    while (!waiting_.empty())
      place_first();
    take_strays();
    for (const auto& [prev, stray] : strays_)
      added(stray);
    if (options_.known && head_.seq < options_.known->seq)
      missing(head_.seq + 1, options_.known->seq, last_file_, last_line_ + 1,
              "the agent's state knows of them");
    else if (options_.known && head_.seq == options_.known->seq &&
             head_.hash != options_.known->hash)
      found(Flaw::changed, last_file_, last_line_, head_.seq,
            fmt::format("entry {} is not the one that the agent wrote", head_.seq));
    verdict_.head = head_;
  }

 private:
  void place_first() {
    Place place = std::move(waiting_.front());
    waiting_.pop_front();
    if (--followers_[place.prev] == 0)
      followers_.erase(place.prev);
    const bool follows = !anchored_ || place.prev == head_.hash;
    if (follows && place.seq == head_.seq + 1 && is_rival(place)) {
      added(place);
    } else if (follows && place.seq == head_.seq + 1) {
      accept(place);
      take_strays();
    } else if (anchored_ && followers_.contains(head_.hash)) {
      // What must follow comes later: this one is in its place.
      strays_.emplace(place.prev, std::move(place));
    } else if (place.seq <= head_.seq) {
      added(place);
    } else {
      jump_to(place);
    }
  }

  // Another line claims the same place, and what comes later follows that one.
  [[nodiscard]] bool is_rival(const Place& place) const {
    return anchored_ && followers_.contains(place.prev) && !followers_.contains(place.hash);
  }

  void accept(const Place& place) {
    head_ = {place.seq, place.hash};
    anchored_ = true;
    last_file_ = place.file;
    last_line_ = place.line;
  }

  // The chain is broken before this line: it goes on from here.
  void jump_to(const Place& place) {
    if (place.seq > head_.seq + 1)
      missing(head_.seq + 1, place.seq - 1, place.file, place.line, "");
    else
      found(
          Flaw::changed, last_file_, last_line_, head_.seq,
          fmt::format("entry {} was replaced: entry {} follows another one", head_.seq, place.seq));
    accept(place);
    take_strays();
  }

  // A line that came too early is due now.
  void take_strays() {
    for (auto due = strays_.find(head_.hash); due != strays_.end();
         due = strays_.find(head_.hash)) {
      const Place place = std::move(due->second);
      strays_.erase(due);
      if (place.seq != head_.seq + 1) {
        added(place);
        continue;
      }
      found(
          Flaw::moved, place.file, place.line, place.seq,
          fmt::format("entry {} was moved here: it belongs behind entry {}", place.seq, head_.seq));
      head_ = {place.seq, place.hash};
    }
  }

  void added(const Place& place) {
    found(Flaw::added, place.file, place.line, place.seq,
          fmt::format("a line that calls itself entry {} does not belong here", place.seq));
  }

  void missing(std::int64_t first, std::int64_t last, const std::string& file, std::int64_t line,
               const std::string& why) {
    found(Flaw::missing, file, line, first,
          (first == last ? fmt::format("entry {} is missing", first)
                         : fmt::format("entries {} to {} are missing", first, last)) +
              (why.empty() ? "" : ": " + why));
  }

  void found(Flaw flaw, const std::string& file, std::int64_t line, std::int64_t seq,
             std::string message) {
    ++verdict_.flaws;
    if (verdict_.findings.size() < kMostFindings)
      verdict_.findings.push_back({flaw, file, line, seq, std::move(message)});
  }

  Verdict& verdict_;
  const VerifyOptions& options_;
  Head head_;
  bool anchored_ = true;  // the hash of head_ is known
  std::string last_file_;
  std::int64_t last_line_ = 0;
  std::deque<Place> waiting_;
  std::map<std::string, int> followers_;      // of the lines that wait, by what they follow
  std::multimap<std::string, Place> strays_;  // by what they follow
};

}  // namespace

std::string_view to_string(Flaw flaw) {
  return kFlaws[static_cast<std::size_t>(flaw)];
}

Result<Verdict> verify(const FileSystem& files, const VerifyOptions& options) {
  Verdict verdict;
  KH_ASSIGN(verdict.files, files_of(files, options.path));
  Chain chain(verdict, options);
  for (const std::string& file : verdict.files) {
    KH_TRY(each_line(files, file, [&](const RawLine& line) {
      chain.read(line);
      return true;
    }));
  }
  chain.finish();
  return verdict;
}

}  // namespace keyherd::audit
