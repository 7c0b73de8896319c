#include "api/listing.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <span>

#include "api/responses.hpp"
#include "api/views.hpp"
#include "base/secret.hpp"
#include "base/text.hpp"

namespace keyherd::api {

using nlohmann::json;

namespace {

constexpr std::int64_t kMostItems = 10'000;

struct Page {
  std::size_t limit = 0;
  std::string cursor;
};

std::string all_of(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names)
    text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

// A parameter that is not understood must not widen what is found.
Status check_names(const Query& query, std::span<const std::string_view> known) {
  for (const auto& [name, value] : query) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return fail(ErrorCode::invalid,
                  "no parameter '" + printable(name, 40) + "' here; known: " + all_of(known));
  }
  return {};
}

std::string value_of(const Query& query, const char* name) {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

Result<Page> read_page(const Query& query) {
  Page page{static_cast<std::size_t>(kMostItems), value_of(query, "cursor")};
  if (query.contains("limit")) {
    const auto limit = parse_int(value_of(query, "limit"));
    if (!limit || *limit < 1 || *limit > kMostItems)
      return fail(ErrorCode::invalid, "use limit=1..10000");
    page.limit = static_cast<std::size_t>(*limit);
  }
  return page;
}

template <class Enum>
Result<std::set<Enum>> read_states(const Query& query,
                                   std::optional<Enum> (*parse)(std::string_view),
                                   const std::string& known) {
  std::set<Enum> states;
  const std::string given = value_of(query, "state");
  for (const std::string_view word : split(given, ',')) {
    const auto state = parse(trim(word));
    if (!state && query.contains("state"))
      return fail(ErrorCode::invalid, "no state '" + printable(word, 40) + "'; " + known);
    if (state)
      states.insert(*state);
  }
  return states;
}

// One page of what is wanted; `views` in the order of the list, `is_after(id)` against the cursor.
template <class Views, class IdOf, class Wanted, class Render>
Listed page_of(const Views& views, const Page& page, IdOf id_of,
               const std::function<bool(const std::string&)>& is_after, Wanted wanted,
               Render render) {
  Listed listed;
  std::string last;
  for (const auto& view : views) {
    const std::string& id = id_of(view);
    if ((!page.cursor.empty() && !is_after(id)) || !wanted(view))
      continue;
    if (listed.items.size() == page.limit) {
      listed.next = last;
      break;
    }
    listed.items.push_back(render(view));
    last = id;
  }
  return listed;
}

// "team=search": that value; "team": any.
bool has_label(const model::Key& key, std::string_view wanted) {
  const auto equals = wanted.find('=');
  const auto found = key.labels.find(std::string(wanted.substr(0, equals)));
  return found != key.labels.end() &&
         (equals == std::string_view::npos || found->second == wanted.substr(equals + 1));
}

bool mentions(const model::KeyView& view, const std::string& text) {
  const auto has = [&text](std::string_view field) { return contains_ignore_case(field, text); };
  return has(view.key.id) || has(view.key.provider) || has(view.key.limit_group) ||
         has(view.fingerprint) || has(view.health.why) ||
         std::any_of(view.key.labels.begin(), view.key.labels.end(),
                     [&has](const auto& label) { return has(label.second); });
}

bool contains(const std::vector<std::string>& ids, const std::string& id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

Result<Listed> list_keys(const model::Snapshot& snapshot, const Principal& who,
                         const Query& query) {
  constexpr std::array<std::string_view, 7> kKnown{"state", "provider", "pool",  "label",
                                                   "q",     "limit",    "cursor"};
  KH_TRY(check_names(query, kKnown));
  KH_ASSIGN(const Page page, read_page(query));
  KH_ASSIGN(const auto states,
            read_states<model::KeyState>(query, model::key_state_from_string,
                                         "known: " + all_of(model::key_state_names())));
  const std::string provider = value_of(query, "provider");
  const std::string pool = value_of(query, "pool");
  const std::string text = value_of(query, "q");
  const auto labels = query.equal_range("label");
  const model::PoolView* members =
      who.may_see_pool(pool) ? model::find_pool(snapshot, pool) : nullptr;
  const auto wanted = [&](const auto& view) {
    const model::Key& key = view->key;
    return (states.empty() || states.contains(view->health.state)) &&
           (provider.empty() || key.provider == provider) &&
           (pool.empty() || (members != nullptr && contains(members->pool.keys, key.id))) &&
           std::all_of(labels.first, labels.second,
                       [&key](const auto& label) { return has_label(key, label.second); }) &&
           (text.empty() || mentions(*view, text)) && may_see_key(snapshot, who, key.id);
  };
  return page_of(
      snapshot.keys, page, [](const auto& view) -> const std::string& { return view->key.id; },
      [&page](const std::string& id) { return id > page.cursor; }, wanted,
      [](const auto& view) { return key_json(*view); });
}

Result<Listed> list_pools(const model::Snapshot& snapshot, const Principal& who,
                          const Query& query) {
  constexpr std::array<std::string_view, 4> kKnown{"key", "q", "limit", "cursor"};
  KH_TRY(check_names(query, kKnown));
  KH_ASSIGN(const Page page, read_page(query));
  const std::string key = value_of(query, "key");
  const std::string text = value_of(query, "q");
  const auto wanted = [&](const auto& view) {
    return who.may_see_pool(view->pool.id) && (key.empty() || contains(view->pool.keys, key)) &&
           (text.empty() || contains_ignore_case(view->pool.id, text) ||
            contains_ignore_case(view->problem, text));
  };
  return page_of(
      snapshot.pools, page, [](const auto& view) -> const std::string& { return view->pool.id; },
      [&page](const std::string& id) { return id > page.cursor; }, wanted,
      [](const auto& view) { return pool_json(*view); });
}

Result<Listed> list_rotations(const std::vector<model::Rotation>& rows, const Principal& who,
                              const Query& query) {
  constexpr std::array<std::string_view, 4> kKnown{"pool", "state", "limit", "cursor"};
  KH_TRY(check_names(query, kKnown));
  KH_ASSIGN(const Page page, read_page(query));
  KH_ASSIGN(const auto states,
            read_states<model::RotationState>(query, model::rotation_state_from_string,
                                              "docs/rotation.md has the states of a rotation"));
  // Ids begin with the time.
  return page_of(
      rows, page, [](const auto& row) -> const std::string& { return row.id; },
      [&page](const std::string& id) { return id < page.cursor; },
      [&](const auto& row) {
        return who.may_see_pool(row.pool) && (states.empty() || states.contains(row.state));
      },
      [](const auto& row) { return rotation_json(row); });
}

net::ServerResponse respond_list(const net::ServerRequest& request, const Result<Listed>& listed) {
  if (!listed)
    return respond_error(listed.error());
  net::ServerResponse response = respond_tagged(request, listed->items);
  if (listed->next.empty())
    return response;
  std::string link = "<" + request.path + "?";
  for (const auto& [name, value] : request.query) {
    if (name != "cursor")
      link += url_encode(name) + "=" + url_encode(value) + "&";
  }
  response.headers.emplace_back("Link",
                                link + "cursor=" + url_encode(listed->next) + ">; rel=\"next\"");
  return response;
}

net::ServerResponse respond_tagged(const net::ServerRequest& request, const json& body) {
  return tagged(request, respond(200, body));
}

net::ServerResponse tagged(const net::ServerRequest& request, net::ServerResponse response) {
  constexpr std::size_t kTagLength = 32;
  const std::string tag = "\"" + to_hex(sha256(response.body)).substr(0, kTagLength) + "\"";
  std::erase_if(response.headers,
                [](const auto& header) { return header.first == "Cache-Control"; });
  // To be kept by the client alone, and asked about each time.
  response.headers.emplace_back("Cache-Control", "private, no-cache");
  response.headers.emplace_back("ETag", tag);
  const auto tags = split(request.header("if-none-match"), ',');
  const bool is_known = std::any_of(tags.begin(), tags.end(), [&tag](std::string_view each) {
    each = trim(each);
    // Weak is enough: it is the same text.
    return each == "*" || each == tag || (each.starts_with("W/") && each.substr(2) == tag);
  });
  if (is_known) {
    response.status = 304;
    response.body.clear();
  }
  return response;
}

}  // namespace keyherd::api
