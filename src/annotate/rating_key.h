// key.json of an export: which method each blinded item is. Its fields stand here once, for the
// export that writes it and the import that reads it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "annotate/annotate.h"
#include "core/json/json_fields.h"

namespace straq::annotate {

struct KeyItem {
  std::size_t source = 0;  // index into the key's sources
  std::string id, dialogue, strategy;

  void fields(JsonFields& f) {
    f("source", source);
    f("id", id);
    f("dialogue", dialogue);
    f("strategy", strategy);
  }
};

struct RatingKey {
  std::uint64_t seed = 0;
  std::vector<std::string> scales;
  std::vector<RatingSource> sources;
  std::vector<std::pair<std::string, KeyItem>> items;                    // by code
  std::vector<std::pair<std::string, std::vector<std::string>>> raters;  // codes, in sheet order

  // Null where there is none of that name.
  const KeyItem* item(const std::string& code) const;
  const std::vector<std::string>* codes_of(const std::string& rater) const;

  void fields(JsonFields& f) {
    f.format(1, "export the sheets anew with this program");
    f("seed", seed);
    f.maybe("scales", scales);
    f("sources", sources);
    f("items", items);
    f("raters", raters);
  }
};

RatingKey key_of(const RatingPlan& plan);
// Throws Error(input) naming file and key for what is malformed, contradicts itself or names a file
// outside of a results folder.
RatingKey read_rating_key(const std::string& path);

}  // namespace straq::annotate
