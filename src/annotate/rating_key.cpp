#include "annotate/rating_key.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/files/text_file.h"
#include "core/json/json.h"
#include "results/scales.h"

namespace straq::annotate {
namespace {

constexpr const char* kHint = "use the key.json as `straq annotate export` wrote it";

// The key says where files go: it must not reach outside the results folder.
void check_sources(const RatingKey& key, const std::string& path) {
  for (const auto& source : key.sources) {
    const std::filesystem::path run(source.run);
    const bool inside = run.is_relative() && std::none_of(run.begin(), run.end(),
                                                          [](const auto& p) { return p == ".."; });
    if (!inside || source.name.empty() || source.name.find('/') != std::string::npos) {
      fail_input(path + ": sources: \"" + source.run + "\" and \"" + source.name +
                     "\" name no file of a results folder",
                 kHint);
    }
  }
}

void check_items(const RatingKey& key, const std::string& path) {
  std::set<std::string> codes;
  for (const auto& [code, item] : key.items) {
    codes.insert(code);
    if (item.source >= key.sources.size()) {
      fail_input(path + ": items: " + code + ": source is none of the sources", kHint);
    }
  }
  for (const auto& [rater, assigned] : key.raters) {
    for (const auto& code : assigned) {
      if (codes.count(code) == 0) {
        fail_input(path + ": raters: " + rater + ": \"" + code + "\" is no item", kHint);
      }
    }
  }
}

}  // namespace

const KeyItem* RatingKey::item(const std::string& code) const {
  const auto found = std::find_if(items.begin(), items.end(),
                                  [&](const auto& named) { return named.first == code; });
  return found == items.end() ? nullptr : &found->second;
}

const std::vector<std::string>* RatingKey::codes_of(const std::string& rater) const {
  const auto found = std::find_if(raters.begin(), raters.end(),
                                  [&](const auto& named) { return named.first == rater; });
  return found == raters.end() ? nullptr : &found->second;
}

RatingKey key_of(const RatingPlan& plan) {
  RatingKey key;
  key.seed = plan.seed;
  for (const auto& s : results::rating_scales()) key.scales.push_back(s.key);
  key.sources = plan.sources;
  for (const auto& [code, item] : plan.items) {
    key.items.emplace_back(code,
                           KeyItem{std::stoul(item.source), item.id, item.dialogue, item.strategy});
  }
  key.raters.assign(plan.assigned.begin(), plan.assigned.end());
  return key;
}

RatingKey read_rating_key(const std::string& path) {
  const auto json = parse_ordered_json(read_text_file(path), path);
  auto key = read_json<RatingKey>(json, {path, kHint});
  check_sources(key, path);
  check_items(key, path);
  return key;
}

}  // namespace straq::annotate
