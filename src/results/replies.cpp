#include "results/replies.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <set>

#include "core/error.h"
#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "core/json/json_number.h"
#include "core/json/json_records.h"
#include "dialogue/utf8.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

using nlohmann::ordered_json;

const char* const kHint = "docs/formats.md lists the fields; write the file anew";
constexpr int kFormat = 1;

// One row, with errors that name file and line.
class Row {
 public:
  Row(const std::string& path, long line, std::string_view text, bool whole)
      : path_(path), line_(line) {
    const std::string reason = try_parse_json(text, object_);
    if (object_.is_object()) return;
    if (!reason.empty() && !whole) fail("the last line is half-written");
    fail("this is no JSON object" + (reason.empty() ? "" : ": " + reason));
  }
  [[noreturn]] void fail(const std::string& message) const {
    fail_input(at_line(path_, line_, message), kHint);
  }
  bool has(const char* key) const { return object_.contains(key); }
  bool is_null(const char* key) const { return has(key) && object_[key].is_null(); }
  std::string text(const char* key, bool needed) const {
    if (!has(key) || is_null(key)) {
      if (needed) fail(std::string("\"") + key + "\" is missing");
      return {};
    }
    if (!object_[key].is_string()) fail(std::string("\"") + key + "\" must be text");
    return object_[key].get<std::string>();
  }
  bool flag(const char* key, bool otherwise) const {
    if (!has(key)) return otherwise;
    if (!object_[key].is_boolean()) fail(std::string("\"") + key + "\" must be true or false");
    return object_[key].get<bool>();
  }
  double score(const std::string& name, const ordered_json& value) const {
    if (!value.is_number()) fail("\"" + name + "\" must be a number");
    const double x = value.get<double>();
    if (!(x >= 1 && x <= 5)) fail("\"" + name + "\" must lie between 1 and 5");
    return x;
  }
  const ordered_json& object() const { return object_; }
  // The id and its dialogue, which the id's part before the last colon must be.
  void identify(std::string& id, std::string& dialogue) const {
    id = text("id", true);
    dialogue = text("dialogue", true);
    if (id.empty() || dialogue.empty()) fail("\"id\" and \"dialogue\" must not be empty");
  }

 private:
  const std::string& path_;
  long line_;
  ordered_json object_;
};

void for_each_row(const std::string& path, const std::function<void(const Row&)>& take) {
  const std::string text = read_text_file(path);
  const JsonForm form = json_form(text);
  if (form == JsonForm::object || form == JsonForm::list) {
    fail_input(path + ": expected one JSON object a line, found " +
                   (form == JsonForm::list ? "a JSON list" : "an object over many lines"),
               "write each row on a line of its own, for example with jq -c");
  }
  for (const JsonRecord& record : cut_json_lines(text)) {
    take(Row(path, record.line, record.text, record.ended));
  }
}

std::string beside(const std::string& path, const char* ending) {
  return fs::path(path).replace_extension(ending).string();
}

MethodInfo read_info(const std::string& rows_path) {
  MethodInfo info;
  const std::string path = beside(rows_path, ".json");
  info.method = fs::path(rows_path).stem().string();
  std::error_code ec;
  if (!fs::exists(path, ec)) return info;
  info.about = read_json_of(path, kHint);
  const JsonFields in(info.about, path);
  int format = kFormat;
  if (in.has("format")) in.get("format", format);
  if (format != kFormat) {
    fail_input(path + ": its format is " + std::to_string(format) + ", this program reads " +
                   std::to_string(kFormat),
               "report with the version that wrote it, or write it anew");
  }
  const auto take = [&](const char* key, std::string& out) {
    if (!in.has(key)) return;
    const auto& v = in.at(key);
    const auto n = whole_number(v);
    if (!v.is_string() && !n) in.fail(key, "must be text");
    out = v.is_string() ? v.get<std::string>() : std::to_string(*n);
  };
  take("method", info.method);
  take("responder", info.responder);
  take("corpus", info.corpus);
  take("split", info.split);
  take("seed", info.seed);
  if (in.has("strategies")) {
    if (!in.at("strategies").is_array()) in.fail("strategies", "must be a list");
    for (const auto& s : in.at("strategies")) {
      const JsonFields label(s, path + ": strategies");
      metrics::StrategyLabel l;
      label.get("name", l.name);
      if (label.has("abbreviation")) label.get("abbreviation", l.abbreviation);
      info.strategies.push_back(std::move(l));
    }
    if (info.strategies.size() > kMostStrategies) {
      in.fail("strategies", "names more than " + std::to_string(kMostStrategies));
    }
  }
  return info;
}

// A score that is not of these rows: of other rows, or of replies that were written anew since.
void check_score(const ReplyFile& file, const std::string& path) {
  const metrics::ResponseReport& stored = *file.score;
  const char* const hint = "remove it, or write it anew with `straq score`";
  if (stored.overall.n != static_cast<std::int64_t>(file.rows.size())) {
    fail_input(path + ": it scores " + std::to_string(stored.overall.n) +
                   " replies, the rows are " + std::to_string(file.rows.size()),
               hint);
  }
  if (file.rows.empty()) return;
  auto pairs = file.pairs();
  for (auto& p : pairs) p.emotion.clear();
  const auto now = metrics::response_report(pairs, stored.options);
  const auto check = [&](const std::string& of, const metrics::ResponseScores& then,
                         const metrics::ResponseScores& scores) {
    for (const auto m : metrics::response_metrics()) {
      const double a = then[m], b = scores[m];
      if (std::isnan(a) && std::isnan(b)) continue;
      if (std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b))) continue;
      fail_input(path + ": it is not the score of these rows: " + metrics::to_word(m) + of +
                     " is " + std::to_string(a) + " there and " + std::to_string(b) + " now",
                 hint);
    }
  };
  check("", stored.overall, now.overall);
  for (const auto& [name, scores] : now.by_strategy) {
    const auto then = std::find_if(stored.by_strategy.begin(), stored.by_strategy.end(),
                                   [&](const auto& s) { return s.first == name; });
    // Scored by other names, or without strategies: only Table 9 would miss them.
    if (then != stored.by_strategy.end()) check(" of " + name, then->second, scores);
  }
}

}  // namespace

std::vector<metrics::ResponsePair> ReplyFile::pairs() const {
  std::vector<metrics::ResponsePair> out;
  for (const auto& r : rows) {
    out.push_back({r.id, r.hypothesis, {r.reference}, r.dialogue, r.strategy, r.emotion});
  }
  return out;
}

std::optional<std::vector<metrics::Prediction>> ReplyFile::choices(
    const std::vector<metrics::StrategyLabel>& labels) const {
  if (labels.empty() || rows.empty()) return std::nullopt;
  std::map<std::string, int> index;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    index.emplace(dialogue::fold_case(labels[i].name), static_cast<int>(i));
    if (!labels[i].abbreviation.empty()) {
      index.emplace(dialogue::fold_case(labels[i].abbreviation), static_cast<int>(i));
    }
  }
  const auto find = [&](const std::string& name) {
    const auto it = index.find(dialogue::fold_case(name));
    return it == index.end() ? -1 : it->second;
  };
  std::map<std::string, int> next, previous;
  std::vector<metrics::Prediction> out;
  for (const auto& r : rows) {
    if (!r.chosen || r.strategy.empty()) return std::nullopt;
    metrics::Prediction p;
    p.dialogue = r.dialogue;
    p.index = next[r.dialogue]++;
    const std::size_t colon = r.id.rfind(':');
    const std::string turn = colon == std::string::npos ? "" : r.id.substr(colon + 1);
    const bool digits = !turn.empty() && turn.size() < 9 &&
                        turn.find_first_not_of("0123456789") == std::string::npos;
    p.turn = digits ? std::stoi(turn) : p.index;
    p.gold = find(r.strategy);
    if (p.gold < 0) {
      fail_input(path + ": " + r.id + ": the strategy \"" + r.strategy + "\" is none of the set",
                 "list the set's names under \"strategies\" in " + beside(path, ".json"));
    }
    p.chosen = find(*r.chosen);
    const auto before = previous.find(r.dialogue);
    p.previous = before == previous.end() ? -1 : before->second;
    previous[r.dialogue] = p.gold;
    out.push_back(std::move(p));
  }
  for (auto& p : out) p.of = next[p.dialogue];
  return out;
}

std::size_t JudgeFile::unparsed() const {
  return static_cast<std::size_t>(
      std::count_if(rows.begin(), rows.end(), [](const Judgement& j) { return !j.parsed; }));
}

ReplyFile read_replies(const std::string& path) {
  ReplyFile out;
  out.name = fs::path(path).stem().string();
  out.path = path;
  out.info = read_info(path);
  std::set<std::string> seen;
  for_each_row(path, [&](const Row& row) {
    Reply r;
    row.identify(r.id, r.dialogue);
    if (!seen.insert(r.id).second) row.fail("the id \"" + r.id + "\" comes twice");
    r.strategy = row.text("strategy", false);
    r.emotion = row.text("emotion", false);
    if (row.has("chosen")) r.chosen = row.text("chosen", false);
    r.hypothesis = row.text("hypothesis", true);
    r.reference = row.text("reference", true);
    if (r.reference.empty()) row.fail("\"reference\" must not be empty");
    r.query = row.text("query", false);
    out.rows.push_back(std::move(r));
  });
  const std::string score = beside(path, ".score.json");
  std::error_code ec;
  if (fs::exists(score, ec)) {
    out.score = metrics::ResponseReport::from_json(read_json_of(score, kHint), score);
    check_score(out, score);
  }
  return out;
}

JudgeFile read_judgements(const std::string& path) {
  JudgeFile out;
  out.name = fs::path(path).stem().string();
  out.path = path;
  out.info = read_info(path);
  std::set<std::pair<std::string, std::string>> seen;
  for_each_row(path, [&](const Row& row) {
    Judgement j;
    row.identify(j.id, j.dialogue);
    j.strategy = row.text("strategy", false);
    j.rater = row.text("rater", false);
    if (!seen.insert({j.id, j.rater}).second) {
      row.fail("the id \"" + j.id + "\" comes twice" +
               (j.rater.empty() ? "" : " from the rater " + j.rater));
    }
    j.parsed = row.flag("parsed", true);
    const auto& object = row.object();
    if (row.has("scores")) {
      if (!object["scores"].is_object()) row.fail("\"scores\" must be an object");
      for (const auto& [name, value] : object["scores"].items()) {
        j.scores[name] = row.score(name, value);
      }
    }
    if (row.has("overall") && !row.is_null("overall")) {
      j.overall = row.score("overall", object["overall"]);
    }
    if (!j.parsed && (j.overall || !j.scores.empty())) {
      row.fail("a row that was not parsed cannot have scores");
    }
    if (j.parsed && !j.overall && j.scores.empty()) {
      row.fail(
          "neither \"overall\" nor \"scores\" is there; set \"parsed\" to false if the "
          "judge's answer could not be read");
    }
    out.rows.push_back(std::move(j));
  });
  return out;
}

}  // namespace straq::results
