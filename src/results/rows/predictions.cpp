#include "results/rows/predictions.h"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "core/files/files.h"
#include "core/json/json.h"
#include "results/layout.h"
#include "results/rows/json_lines.h"

namespace straq::results {
namespace {

constexpr int kMostBits = 31;  // Prediction::strategies

// A row as its line; `strategies`: how many the set has, when reading.
struct PredictionLine {
  metrics::Prediction row;
  int strategies = std::numeric_limits<int>::max();

  void fields(JsonFields& f) {
    constexpr int kMany = std::numeric_limits<int>::max();
    std::string id = f.writing() ? row.id() : std::string();
    f("id", id);
    f("dialogue", row.dialogue);
    f.within("turn", row.turn, 0, kMany);
    f.within("index", row.index, 0, kMany);
    f.within("of", row.of, 1, kMany);
    f.within("gold", row.gold, 0, strategies - 1);
    f.within("previous", row.previous, -1, strategies - 1);
    f.within("chosen", row.chosen, -1, strategies - 1);
    f.numbers_or_null("q", row.q);
    f("return", row.mc_return);
    strategies_field(f);
    if (f.reading() ? f.has("rating") : row.rating > 0) f.within("rating", row.rating, 1, 5);
    if (f.reading()) check(f, id);
  }

  // The strategies of the turn, as a list; absent where they are not known.
  void strategies_field(JsonFields& f) {
    std::vector<int> list;
    for (int i = 0; f.writing() && i < kMostBits; ++i) {
      if (row.strategies >> i & 1) list.push_back(i);
    }
    if (f.writing() ? list.empty() : !f.has("strategies")) return;
    f("strategies", list);
    for (const int i : list) {
      if (i < 0 || i >= std::min(strategies, kMostBits)) {
        f.fail("strategies", "names " + std::to_string(i) + ", which is no strategy of the set");
      }
      row.strategies |= std::uint32_t{1} << i;
    }
  }

  void check(const JsonFields& f, const std::string& id) const {
    if (row.index >= row.of) {
      f.fail("index",
             "is " + std::to_string(row.index) + ", expected 0 to " + std::to_string(row.of - 1));
    }
    if (id != row.id()) {
      f.fail("id", "is \"" + id + "\", expected \"" + row.id() + "\" from its dialogue and turn");
    }
    if (!row.q.empty() && row.q.size() != static_cast<std::size_t>(strategies)) {
      f.fail("q", "must be a list of " + std::to_string(strategies) + " numbers");
    }
  }
};

}  // namespace

std::vector<metrics::Prediction> read_predictions(const std::string& path, int strategies) {
  std::vector<metrics::Prediction> rows;
  std::unordered_set<std::string> seen;
  for_each_row(path, hint_of(FileKind::predictions), [&](JsonFields& fields) {
    PredictionLine line;
    line.strategies = strategies;
    line.fields(fields);
    if (!seen.insert(line.row.id()).second) {
      fields.place().fail("decision " + line.row.id() + " comes twice");
    }
    rows.push_back(std::move(line.row));
  });
  return rows;
}

void write_predictions(const std::string& path, std::span<const metrics::Prediction> rows) {
  std::string out;
  for (const auto& row : rows) out += dump_json(write_json(PredictionLine{row})) + "\n";
  write_file_atomic(path, out);
}

}  // namespace straq::results
