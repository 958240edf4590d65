#include "metrics/predictions.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_set>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_number.h"

namespace straq::metrics {
namespace {

using nlohmann::json;

const char* const kHint = "rewrite the file with `straq evaluate`";

// One line under validation: knows its place, so that every complaint names it.
class LineReader {
 public:
  LineReader(const std::string& file, long line, const json& object)
      : file_(file), line_(line), object_(object) {}

  [[noreturn]] void fail(const std::string& message) const {
    fail_input(at_line(file_, line_, message), kHint);
  }
  const json& get(const char* key) const {
    const auto it = object_.find(key);
    if (it == object_.end()) fail(std::string("the key \"") + key + "\" is missing");
    return *it;
  }
  int integer(const char* key, int low, int high) const {
    const json& v = get(key);
    const auto whole = whole_number(v);
    if (!whole) fail(std::string("\"") + key + "\" must be a whole number");
    const std::int64_t x = *whole;
    if (x < low || x > high) {
      fail(std::string("\"") + key + "\" is " + std::to_string(x) + ", expected " +
           std::to_string(low) + " to " + std::to_string(high));
    }
    return static_cast<int>(x);
  }
  std::string text(const char* key) const {
    const json& v = get(key);
    if (!v.is_string()) fail(std::string("\"") + key + "\" must be a string");
    return v.get<std::string>();
  }
  double number_or_nan(const json& v, const char* key) const {
    if (v.is_null()) return std::numeric_limits<double>::quiet_NaN();
    if (!v.is_number()) fail(std::string("\"") + key + "\" must hold numbers");
    return v.get<double>();
  }

 private:
  const std::string& file_;
  long line_;
  const json& object_;
};

Prediction parse_row(const std::string& file, long line, std::string_view text, int strategies,
                     bool ends_with_newline) {
  json object;
  const std::string reason = try_parse_json(text, object);
  // A line that lacks its end and is an object is whole: editors leave files so.
  if (!reason.empty() && !ends_with_newline) {
    fail_input(at_line(file, line, "the last line is incomplete (no newline at its end)"), kHint);
  }
  if (!object.is_object()) {
    fail_input(at_line(file, line,
                       "expected one JSON object a line" +
                           (reason.empty() || reason.find("parse error") != std::string::npos
                                ? ""
                                : " (" + reason + ")")),
               kHint);
  }
  const LineReader in(file, line, object);
  constexpr int kMany = std::numeric_limits<int>::max();
  Prediction row;
  row.dialogue = in.text("dialogue");
  row.turn = in.integer("turn", 0, kMany);
  row.of = in.integer("of", 1, kMany);
  row.index = in.integer("index", 0, row.of - 1);
  row.gold = in.integer("gold", 0, strategies - 1);
  row.previous = in.integer("previous", -1, strategies - 1);
  row.chosen = in.integer("chosen", -1, strategies - 1);
  if (in.text("id") != row.id()) {
    in.fail("\"id\" is \"" + in.text("id") + "\", expected \"" + row.id() +
            "\" from its dialogue and turn");
  }
  if (const auto it = object.find("q"); it != object.end() && !it->is_null()) {
    if (!it->is_array() || (!it->empty() && it->size() != static_cast<std::size_t>(strategies))) {
      in.fail("\"q\" must be a list of " + std::to_string(strategies) + " numbers");
    }
    for (const json& v : *it) row.q.push_back(in.number_or_nan(v, "q"));
  }
  if (const auto it = object.find("return"); it != object.end() && !it->is_null()) {
    row.mc_return = in.number_or_nan(*it, "return");
  }
  return row;
}

}  // namespace

std::vector<Prediction> gold_rows(const std::vector<dialogue::Episode>& episodes) {
  std::vector<Prediction> rows;
  for (const auto& episode : episodes) {
    for (std::size_t i = 0; i < episode.decisions.size(); ++i) {
      Prediction row;
      row.dialogue = episode.id;
      row.turn = episode.decisions[i].turn;
      row.index = static_cast<int>(i);
      row.of = static_cast<int>(episode.decisions.size());
      row.gold = episode.decisions[i].gold;
      row.previous = episode.decisions[i].previous;
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

std::vector<Prediction> read_predictions(const std::string& path, int strategies) {
  const std::string bytes = read_text_file(path);
  std::vector<Prediction> rows;
  std::unordered_set<std::string> seen;
  for (const TextLine& line : lines_of(bytes)) {
    if (is_blank_line(line.text)) continue;
    rows.push_back(parse_row(path, line.number, line.text, strategies, line.ended));
    if (!seen.insert(rows.back().id()).second) {
      fail_input(at_line(path, line.number, "decision " + rows.back().id() + " comes twice"),
                 kHint);
    }
  }
  return rows;
}

void write_predictions(const std::string& path, std::span<const Prediction> rows) {
  std::string out;
  for (const Prediction& row : rows) {
    nlohmann::ordered_json j;
    j["id"] = row.id();
    j["dialogue"] = row.dialogue;
    j["turn"] = row.turn;
    j["index"] = row.index;
    j["of"] = row.of;
    j["gold"] = row.gold;
    j["previous"] = row.previous;
    j["chosen"] = row.chosen;
    j["q"] = row.q;  // nlohmann writes non-finite numbers as null
    if (row.mc_return) j["return"] = *row.mc_return;
    out += dump_json(j);
    out += '\n';
  }
  write_file_atomic(path, out);
}

}  // namespace straq::metrics
