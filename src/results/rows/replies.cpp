#include "results/rows/replies.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "core/json/json_number.h"
#include "dialogue/utf8.h"
#include "metrics/metric.h"
#include "results/layout.h"
#include "results/rows/json_lines.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

constexpr int kAboutFormat = 1;

std::string beside(const std::string& path, const char* ending) {
  return fs::path(path).replace_extension(ending).string();
}

// What to do about a file of a run folder, which it is told by its names: who writes it.
std::string hint_for(const fs::path& path) {
  return hint_of(classify(path.parent_path().filename() / path.filename()).kind);
}

// A text that may be written as a whole number: a seed.
void text_or_number(JsonFields& f, const char* key, std::string& out) {
  if (!f.has(key)) return;
  const auto& v = f.at(key);
  const auto n = whole_number(v);
  if (!v.is_string() && !n) f.fail(key, "must be text");
  out = v.is_string() ? v.get<std::string>() : std::to_string(*n);
}

MethodInfo read_info(const std::string& rows_path) {
  MethodInfo info;
  const std::string path = beside(rows_path, kAbout);
  info.method = fs::path(rows_path).stem().string();
  std::error_code ec;
  if (!fs::exists(path, ec)) return info;
  const std::string hint = hint_for(path);
  info.about = read_json_of(path, hint);
  JsonFields fields(info.about, {path, hint});
  info.fields(fields);
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
    for (const auto& m : metrics::reply_metrics()) {
      const double a = then[m.which], b = scores[m.which];
      if (std::isnan(a) && std::isnan(b)) continue;
      if (std::abs(a - b) <= 1e-9 * std::max(1.0, std::abs(b))) continue;
      fail_input(path + ": it is not the score of these rows: " + m.key + of + " is " +
                     std::to_string(a) + " there and " + std::to_string(b) + " now",
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
    out.push_back({.id = r.id,
                   .hypothesis = r.hypothesis,
                   .references = {r.reference},
                   .dialogue = r.dialogue,
                   .strategy = r.strategy,
                   .emotion = r.emotion});
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
                 "list the set's names under \"strategies\" in " + beside(path, kAbout));
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

void MethodInfo::fields(JsonFields& f) {
  f.format(kAboutFormat, "report with the version that wrote it, or write it anew",
           /*needed=*/false);
  if (f.reading()) {
    text_or_number(f, "method", method);
    text_or_number(f, "responder", responder);
    text_or_number(f, "corpus", corpus);
    text_or_number(f, "split", split);
    text_or_number(f, "seed", seed);
  } else {
    f("method", method);
    f("responder", responder);
    f("corpus", corpus);
    f.unless_default("split", split);
    f.unless_default("seed", seed);
  }
  f.unless_default("strategies", strategies);
  if (strategies.size() > kMostStrategies) {
    f.fail("strategies", "names more than " + std::to_string(kMostStrategies));
  }
  if (f.writing()) f.put_all(about);
}

void Reply::fields(JsonFields& f) {
  f("id", id);
  f("dialogue", dialogue);
  if (id.empty() || dialogue.empty()) {
    f.place().fail("\"id\" and \"dialogue\" must not be empty");
  }
  f.unless_default("strategy", strategy);
  f.unless_default("emotion", emotion);
  // Null: the method's output named none.
  if (f.reading() && f.named("chosen")) chosen = "";
  f("chosen", chosen);
  f("hypothesis", hypothesis);
  f("reference", reference);
  if (reference.empty()) f.place().fail("\"reference\" must not be empty");
  f.unless_default("query", query);
  f.unless_default("finish", finish);
  f.unless_default("error", error);
  f.unless_default("unread", unread);
  f("requests", requests);
  f("prompt_tokens", prompt_tokens);
  f("reply_tokens", reply_tokens);
  f.unless_default("notes", notes);
}

namespace {

double checked_score(const JsonFields& f, const std::string& name, double x) {
  if (!(x >= 1 && x <= 5)) f.fail(name, "must lie between 1 and 5");
  return x;
}

}  // namespace

void Judgement::fields(JsonFields& f) {
  f("id", id);
  f("dialogue", dialogue);
  if (id.empty() || dialogue.empty()) {
    f.place().fail("\"id\" and \"dialogue\" must not be empty");
  }
  f.unless_default("rater", rater);
  f.unless_default("strategy", strategy);
  if (f.reading() ? f.named("parsed") : !parsed) f("parsed", parsed);
  f("overall", overall);
  if (overall) checked_score(f, "overall", *overall);
  std::vector<std::pair<std::string, double>> list(scores.begin(), scores.end());
  if (f.writing() && !scores.empty()) {
    // People's scores are whole, and are written so.
    auto object = nlohmann::ordered_json::object();
    for (const auto& [name, x] : scores) {
      if (x == std::floor(x)) {
        object[name] = static_cast<int>(x);
      } else {
        object[name] = x;
      }
    }
    f.put("scores", std::move(object));
  } else if (f.reading() && f.named("scores")) {
    f("scores", list);
    for (const auto& [name, x] : list) scores[name] = checked_score(f, name, x);
  }
  f("expected", expected);
  if (expected) checked_score(f, "expected", *expected);
  f("integer", integer);
  if (integer) checked_score(f, "integer", *integer);
  f("mass", mass);
  f("reversed", reversed);
  if (reversed) checked_score(f, "reversed", *reversed);
  f("words", words);
  f.unless_default("explanation", explanation);
  f.unless_default("error", error);
  if (f.reading()) check(f);
}

void Judgement::check(const JsonFields& f) const {
  if (!parsed && (overall || !scores.empty())) {
    f.place().fail("a row that was not parsed cannot have scores");
  }
  if (parsed && !overall && scores.empty()) {
    f.place().fail(
        "neither \"overall\" nor \"scores\" is there; set \"parsed\" to false if the "
        "judge's answer could not be read");
  }
}

ReplyFile read_replies(const std::string& path) {
  ReplyFile out;
  out.name = fs::path(path).stem().string();
  out.path = path;
  out.info = read_info(path);
  std::set<std::string> seen;
  for_each_row(path, hint_for(path), [&](JsonFields& fields) {
    Reply r;
    r.fields(fields);
    if (!seen.insert(r.id).second) fields.place().fail("the id \"" + r.id + "\" comes twice");
    out.rows.push_back(std::move(r));
  });
  const std::string score = beside(path, kScore);
  std::error_code ec;
  if (fs::exists(score, ec)) {
    const std::string hint = hint_of(FileKind::reply_scores);
    out.score = read_json<metrics::ResponseReport>(read_json_of(score, hint), {score, hint});
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
  for_each_row(path, hint_for(path), [&](JsonFields& fields) {
    Judgement j;
    j.fields(fields);
    if (!seen.insert({j.id, j.rater}).second) {
      fields.place().fail("the id \"" + j.id + "\" comes twice" +
                          (j.rater.empty() ? "" : " from the rater " + j.rater));
    }
    out.rows.push_back(std::move(j));
  });
  return out;
}

namespace {

template <class Row>
void write_rows(const std::string& path, const MethodInfo& info, const std::vector<Row>& rows) {
  // The rows last: without them the rest is not read.
  write_file_atomic(beside(path, kAbout), dump_json(write_json(info), 1) + "\n");
  std::vector<nlohmann::ordered_json> lines;
  for (const Row& row : rows) lines.push_back(write_json(row));
  write_lines(path, lines);
}

}  // namespace

void write_replies(const std::string& path, const MethodInfo& info,
                   const std::vector<Reply>& rows) {
  write_rows(path, info, rows);
}

void write_judgements(const std::string& path, const MethodInfo& info,
                      const std::vector<Judgement>& rows) {
  write_rows(path, info, rows);
}

}  // namespace straq::results
