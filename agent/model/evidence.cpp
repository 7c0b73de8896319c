#include "model/evidence.hpp"

#include "model/enum_names.hpp"

namespace keyherd::model {

namespace {
constexpr std::array<std::string_view, 4> kSources{"probe", "usage_log", "report", "command"};
constexpr std::array<std::string_view, kProbeKindCount> kKinds{"models", "balance", "chat", "auth"};
}  // namespace

std::string_view to_string(EvidenceSource source) {
  return name_of(kSources, source);
}
std::optional<EvidenceSource> evidence_source_from_string(std::string_view name) {
  return value_of<EvidenceSource>(kSources, name);
}

std::string_view to_string(ProbeKind kind) {
  return name_of(kKinds, kind);
}
std::optional<ProbeKind> probe_kind_from_string(std::string_view name) {
  return value_of<ProbeKind>(kKinds, name);
}

}  // namespace keyherd::model
