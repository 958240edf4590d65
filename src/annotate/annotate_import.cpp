// Sheets that came back: checked against the key, then written where the report reads ratings.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>

#include "annotate/annotate.h"
#include "annotate/rating_key.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "core/tables/csv.h"
#include "dialogue/utf8.h"
#include "results/layout.h"
#include "results/rows/replies.h"
#include "results/scales.h"

namespace straq::annotate {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostProblems = 20;

using Scores = std::map<std::string, int>;

// A score from 1 to 5; a spreadsheet may show 4 as 4.0, or as 4,0. 0 for anything else.
int score_of(const std::string& text) {
  if (text.empty() || text[0] < '1' || text[0] > '5') return 0;
  const bool zeros = text.size() > 2 && (text[1] == '.' || text[1] == ',') &&
                     text.find_first_not_of('0', 2) == std::string::npos;
  return text.size() == 1 || zeros ? text[0] - '0' : 0;
}

// One sheet against the key. Problems are collected: a rater who mistyped three cells should hear
// of three.
class Sheet {
 public:
  Sheet(const std::string& path, const RatingKey& key, std::vector<std::string>& problems)
      : path_(path), key_(key), problems_(problems) {}

  std::string rater;
  std::map<std::string, Scores> scores;  // by item

  void read() {
    // What spreadsheets save: any separator, with or without a line that names it, any line ends,
    // UTF-8 or UTF-16.
    const DecodedText decoded = decode_text(read_file(path_));
    if (!decoded.reason.empty()) {
      complain(std::max(decoded.line, 1L), decoded.reason + "; " + decoded.hint);
      return;
    }
    if (const auto bad = find_invalid_utf8(decoded.text)) {
      const auto end = decoded.text.begin() + static_cast<std::ptrdiff_t>(*bad);
      complain(1 + std::count(decoded.text.begin(), end, '\n'),
               "the encoding is not UTF-8; save the sheet as CSV in UTF-8");
      return;
    }
    const CsvFile csv = read_csv(decoded.text, 0);
    const auto& rows = csv.rows;
    if (rows.empty()) {
      complain(1, csv.reason.empty() ? "the sheet is empty" : csv.reason);
      return;
    }
    if (!find_columns(rows[0], csv.separator)) return;
    if (!csv.reason.empty()) {
      complain(csv.line, csv.reason);
      return;
    }
    for (std::size_t i = 1; i < rows.size(); ++i) take(rows[i], rows[0].fields.size());
    if (rater.empty()) {
      complain(1, "the sheet has no row");
      return;
    }
    std::vector<std::string> missing;
    for (const auto& code : *key_.codes_of(rater)) {
      if (seen_.count(code) == 0) missing.push_back(code);
    }
    if (!missing.empty()) {
      complain(static_cast<long>(rows.back().line),
               "the sheet ends without " + std::to_string(missing.size()) + " of " + rater +
                   "'s items, the first is " + missing[0]);
    }
  }

 private:
  void complain(long line, const std::string& message) {
    problems_.push_back(at_line(path_, line, message));
  }

  bool find_columns(const CsvRow& head, char separator) {
    std::vector<std::string> names;
    for (const auto& field : head.fields) {
      names.push_back(dialogue::to_lower(dialogue::normalise_space(field)));
    }
    if (names.size() == 1) {
      complain(head.line,
               "the first line has one column; cells are parted by " +
                   std::string(separator == '\t' ? "tabs" : "commas, semicolons or tabs") +
                   ", and the line names the columns");
      return false;
    }
    const auto at = [&](const std::string& name) -> std::optional<std::size_t> {
      const auto it = std::find(names.begin(), names.end(), name);
      if (it != names.end()) {
        return static_cast<std::size_t>(it - names.begin());
      }
      complain(head.line, "the column \"" + name + "\" is missing");
      return std::nullopt;
    };
    const auto r = at("rater"), i = at("item");
    bool all = r && i;
    for (const auto& s : results::rating_scales()) {
      const auto c = at(s.key);
      all = all && c;
      if (c) columns_.emplace_back(&s, *c);
    }
    if (all) {
      rater_column_ = *r;
      item_column_ = *i;
    }
    return all;
  }

  void take(const CsvRow& row, std::size_t width) {
    const auto field = [&](std::size_t c) {
      if (c >= row.fields.size()) return std::string();
      // Without what the export put before a formula's sign.
      return csv_text_read(dialogue::normalise_space(row.fields[c]));
    };
    const bool blank = std::all_of(row.fields.begin(), row.fields.end(),
                                   [](const std::string& f) { return f.empty(); });
    if (blank) return;
    // Spreadsheets drop empty cells at a row's end, or add some; text beyond the columns is a
    // broken quote.
    if (row.fields.size() > width &&
        std::any_of(row.fields.begin() + static_cast<std::ptrdiff_t>(width), row.fields.end(),
                    [](const std::string& f) { return !f.empty(); })) {
      complain(row.line,
               std::to_string(row.fields.size()) + " cells, expected " + std::to_string(width));
      return;
    }
    const std::string who = field(rater_column_), code = field(item_column_);
    if (key_.codes_of(who) == nullptr) {
      complain(row.line, "there is no rater \"" + who + "\"");
      return;
    }
    if (rater.empty()) rater = who;
    if (who != rater) {
      complain(row.line, "the sheet is " + rater + "'s, this row is " + who + "'s");
      return;
    }
    const KeyItem* item = key_.item(code);
    if (item == nullptr) {
      complain(row.line, "there is no item \"" + code + "\"");
      return;
    }
    const auto& mine = *key_.codes_of(rater);
    if (std::find(mine.begin(), mine.end(), code) == mine.end()) {
      complain(row.line, "the item " + code + " is not " + rater + "'s to rate");
      return;
    }
    if (!seen_.insert(code).second) {
      complain(row.line, "the item " + code + " comes twice");
      return;
    }
    std::string empty;
    for (const auto& [scale, column] : columns_) {
      const std::string text = field(column);
      // Without a strategy nothing can be aligned with it.
      const bool asked = std::string(scale->key) != "alignment" || !item->strategy.empty();
      if (text.empty()) {
        if (asked) empty += (empty.empty() ? "" : ", ") + std::string(scale->key);
        continue;
      }
      const int score = score_of(text);
      if (score == 0) {
        complain(row.line, "the item " + code + ": " + scale->key + " is \"" +
                               shortened_text(text) + "\", expected a whole number from 1 to 5");
        continue;
      }
      if (asked) scores[code][scale->key] = score;
    }
    if (!empty.empty()) {
      complain(row.line, "the item " + code + " is unfinished, no score for: " + empty);
    }
  }

  std::string path_;
  const RatingKey& key_;
  std::vector<std::string>& problems_;
  std::size_t rater_column_ = 0, item_column_ = 0;
  std::vector<std::pair<const results::Scale*, std::size_t>> columns_;
  std::set<std::string> seen_;
};

[[noreturn]] void refuse(const std::vector<std::string>& problems) {
  std::string message = std::to_string(problems.size()) +
                        (problems.size() == 1 ? " problem" : " problems") +
                        " in the sheets; nothing was imported";
  for (std::size_t i = 0; i < std::min(problems.size(), kMostProblems); ++i) {
    message += "\n  " + problems[i];
  }
  if (problems.size() > kMostProblems) {
    message += "\n  and " + std::to_string(problems.size() - kMostProblems) + " more";
  }
  fail_input(message, "let the rater finish or correct the sheet, or import without it");
}

}  // namespace

ImportResult import_ratings(const ImportOptions& options) {
  const RatingKey key = read_rating_key(options.key);
  if (options.sheets.empty())
    fail_input("there is no sheet to import", "name the filled CSV files");
  std::vector<std::string> problems;
  std::map<std::string, std::string> sheet_of;
  std::map<std::string, std::map<std::string, Scores>> by_rater;
  for (const auto& path : options.sheets) {
    Sheet sheet(path, key, problems);
    sheet.read();
    if (sheet.rater.empty()) continue;
    const auto [it, fresh] = sheet_of.emplace(sheet.rater, path);
    if (!fresh) {
      problems.push_back(
          at_line(path, 2, "a second sheet of " + sheet.rater + ", the first is " + it->second));
      continue;
    }
    by_rater[sheet.rater] = std::move(sheet.scores);
  }
  if (!problems.empty()) refuse(problems);

  // Where everything goes, before anything is written.
  std::vector<fs::path> paths;
  for (const auto& s : key.sources) {
    const fs::path run = fs::path(options.results) / s.run;
    std::error_code ec;
    if (!fs::is_directory(run, ec)) {
      fail_input("there is no run " + s.run + " in " + options.results,
                 "name the results folder that the sheets were exported from");
    }
    paths.push_back(run / results::kHumanFolder / (s.name + results::kRows));
    if (fs::exists(paths.back(), ec) && !options.replace) {
      fail_input(paths.back().string() + " is there already",
                 "--replace writes it anew; ratings of two exports cannot be mixed in one file");
    }
  }
  ImportResult out;
  for (const auto& [rater, codes] : key.raters) {
    if (by_rater.count(rater) == 0) out.absent.push_back(rater);
  }
  for (std::size_t s = 0; s < key.sources.size(); ++s) {
    std::vector<results::Judgement> rows;
    for (const auto& [code, item] : key.items) {
      if (item.source != s) continue;
      for (const auto& [rater, scores] : by_rater) {
        const auto it = scores.find(code);
        if (it == scores.end()) continue;
        results::Judgement row;
        row.id = item.id;
        row.dialogue = item.dialogue;
        row.rater = rater;
        row.strategy = item.strategy;
        row.scores = {it->second.begin(), it->second.end()};
        rows.push_back(std::move(row));
        ++out.ratings;
      }
    }
    const RatingSource& source = key.sources[s];
    results::MethodInfo info;
    info.method = source.method;
    info.responder = source.responder;
    info.corpus = source.corpus;
    info.about = {{"export_seed", key.seed}, {"raters", by_rater.size()}};
    results::write_judgements(paths[s].string(), info, rows);
    out.files.push_back(
        (fs::path(source.run) / results::kHumanFolder / paths[s].filename()).generic_string());
  }
  return out;
}

}  // namespace straq::annotate
