#include "metrics/response_pairs.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "core/files.h"
#include "dialogue/utf8.h"

namespace straq::metrics {
namespace {

using nlohmann::json;

struct Line {
  long number = 0;
  std::string text;
};

bool is_blank(std::string_view text) {
  return dialogue::normalise_space(text).empty();
}

// The file's lines without their ends. A byte order mark would become part of the first word.
std::vector<Line> read_lines(const std::string& path) {
  const std::string bytes = read_file(path);
  std::vector<Line> lines;
  std::size_t at = bytes.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (at < bytes.size()) {
    std::size_t end = bytes.find('\n', at);
    if (end == std::string::npos) end = bytes.size();
    std::string text = bytes.substr(at, end - at);
    if (text.ends_with('\r')) text.pop_back();
    const long number = static_cast<long>(lines.size()) + 1;
    if (const auto bad = dialogue::first_invalid_utf8(text)) {
      fail_input(
          at_line(path, number, "byte " + std::to_string(*bad) + " of the line is not valid UTF-8"),
          "convert the file to UTF-8, for example with iconv");
    }
    lines.push_back({number, std::move(text)});
    at = end + 1;
  }
  return lines;
}

[[noreturn]] void fail_empty_file(const std::string& path) {
  fail_input(path + ": there is nothing to score in it", "expected one reply a line");
}

[[noreturn]] void fail_empty_reference(const std::string& path, long line) {
  fail_input(at_line(path, line, "the reference is empty"),
             "nothing can match an empty reference: leave the pair out of all files");
}

bool is_json_lines(const std::string& path) {
  return path.ends_with(".jsonl");
}

std::vector<ResponsePair> pair_lines(const std::string& hypotheses,
                                     const std::vector<std::string>& references) {
  std::vector<ResponsePair> pairs;
  for (Line& line : read_lines(hypotheses)) {
    ResponsePair pair;
    pair.id = std::to_string(line.number);
    pair.hypothesis = std::move(line.text);
    pairs.push_back(std::move(pair));
  }
  if (pairs.empty()) fail_empty_file(hypotheses);
  for (const std::string& path : references) {
    auto lines = read_lines(path);
    if (lines.empty()) fail_empty_file(path);
    if (lines.size() != pairs.size()) {
      const bool more = lines.size() > pairs.size();
      fail_input(
          at_line(
              more ? path : hypotheses, static_cast<long>(std::min(lines.size(), pairs.size())) + 1,
              "this line has no partner: " + hypotheses + " has " + std::to_string(pairs.size()) +
                  " lines, " + path + " has " + std::to_string(lines.size())),
          "line i of every file belongs to the same reply; write line breaks inside a reply "
          "as blanks, or use .jsonl files with ids");
    }
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (is_blank(lines[i].text)) fail_empty_reference(path, lines[i].number);
      pairs[i].references.push_back(std::move(lines[i].text));
    }
  }
  return pairs;
}

// One row of a .jsonl file; `text` holds the replies that the row's file is about.
struct Row {
  long line = 0;
  std::string id;
  std::vector<std::string> text;
  std::vector<std::string> references;  // of a hypothesis row
  std::string dialogue, strategy, emotion;
};

class RowReader {
 public:
  RowReader(const std::string& path, const Line& line)
      : path_(path), line_(line.number), object_(json::parse(line.text, nullptr, false)) {
    if (!object_.is_object()) fail("expected one JSON object a line");
  }

  Row hypothesis() const {
    Row row = common();
    const char* key = has("hypothesis") ? "hypothesis" : "text";
    if (!has(key)) fail("there is neither \"hypothesis\" nor \"text\"");
    row.text.push_back(text(key));
    if (has("reference") || has("references")) row.references = references();
    return row;
  }

  Row reference() const {
    Row row = common();
    if (has("reference") || has("references")) {
      row.text = references();
    } else if (has("text")) {
      row.text.push_back(text("text"));
      if (is_blank(row.text[0])) fail_empty_reference(path_, line_);
    } else {
      fail("there is none of \"reference\", \"references\" and \"text\"");
    }
    return row;
  }

 private:
  [[noreturn]] void fail(const std::string& message) const {
    fail_input(at_line(path_, line_, message),
               "a row looks like {\"id\": \"test/00003:7\", \"text\": \"I see.\"}");
  }
  bool has(const char* key) const {
    const auto it = object_.find(key);
    return it != object_.end() && !it->is_null();
  }
  std::string text(const char* key) const {
    const json& v = object_.at(key);
    if (!v.is_string()) fail("\"" + std::string(key) + "\" must be a string");
    return v.get<std::string>();
  }
  std::string optional(const char* key) const { return has(key) ? text(key) : std::string(); }

  std::vector<std::string> references() const {
    std::vector<std::string> out;
    if (has("reference")) out.push_back(text("reference"));
    if (has("references")) {
      const json& list = object_.at("references");
      if (!list.is_array() || list.empty()) {
        fail("\"references\" must be a list of one or more strings");
      }
      for (const json& v : list) {
        if (!v.is_string()) fail("\"references\" must be a list of one or more strings");
        out.push_back(v.get<std::string>());
      }
    }
    for (const auto& reference : out) {
      if (is_blank(reference)) fail_empty_reference(path_, line_);
    }
    return out;
  }

  Row common() const {
    Row row;
    row.line = line_;
    if (!has("id")) fail("the key \"id\" is missing");
    const json& id = object_.at("id");
    if (id.is_number_integer()) {
      row.id = id.dump();
    } else {
      row.id = text("id");
    }
    row.dialogue = optional("dialogue");
    row.strategy = optional("strategy");
    row.emotion = optional("emotion");
    return row;
  }

  const std::string& path_;
  long line_;
  json object_;
};

using Rows = std::vector<Row>;
using IndexOfId = std::unordered_map<std::string, std::size_t>;

IndexOfId index_by_id(const std::string& path, const Rows& rows) {
  IndexOfId out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto [it, fresh] = out.emplace(rows[i].id, i);
    if (!fresh) {
      fail_input(at_line(path, rows[i].line,
                         "the id \"" + rows[i].id + "\" comes twice, first on line " +
                             std::to_string(rows[it->second].line)),
                 "give every reply an id of its own");
    }
  }
  return out;
}

template <class Read>
Rows read_rows(const std::string& path, Read&& read) {
  Rows rows;
  for (const Line& line : read_lines(path)) {
    if (!is_blank(line.text)) rows.push_back(read(RowReader(path, line)));
  }
  if (rows.empty()) fail_empty_file(path);
  return rows;
}

// The first row of `rows` whose id the other file lacks is an error that says how many there are.
void require_partners(const std::string& path, const Rows& rows, const std::string& other,
                      const IndexOfId& ids) {
  const Row* first = nullptr;
  std::size_t missing = 0;
  for (const Row& row : rows) {
    if (ids.contains(row.id)) continue;
    if (first == nullptr) first = &row;
    ++missing;
  }
  if (first == nullptr) return;
  fail_input(at_line(path, first->line,
                     "the id \"" + first->id + "\" is not in " + other +
                         (missing > 1 ? " (and " + std::to_string(missing - 1) + " more)" : "")),
             "score the same replies on both sides: a method that skips some is not comparable");
}

std::vector<ResponsePair> pair_rows(const std::string& hypotheses,
                                    const std::vector<std::string>& references) {
  const Rows rows =
      read_rows(hypotheses, [](const RowReader& reader) { return reader.hypothesis(); });
  const IndexOfId ids = index_by_id(hypotheses, rows);
  std::vector<ResponsePair> pairs;
  for (const Row& row : rows) {
    pairs.push_back({row.id, row.text[0], row.references, row.dialogue, row.strategy, row.emotion});
  }
  for (const std::string& path : references) {
    Rows added = read_rows(path, [](const RowReader& reader) { return reader.reference(); });
    require_partners(path, added, hypotheses, ids);
    require_partners(hypotheses, rows, path, index_by_id(path, added));
    for (Row& row : added) {
      ResponsePair& pair = pairs[ids.at(row.id)];
      for (auto& text : row.text) pair.references.push_back(std::move(text));
      if (!row.dialogue.empty()) pair.dialogue = row.dialogue;
      if (!row.strategy.empty()) pair.strategy = row.strategy;
      if (!row.emotion.empty()) pair.emotion = row.emotion;
    }
  }
  std::size_t with_dialogue = 0;
  for (const auto& pair : pairs) with_dialogue += !pair.dialogue.empty();
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].references.empty()) {
      fail_input(at_line(hypotheses, rows[i].line,
                         "the row has no \"reference\" and no reference file was named"),
                 "name one with --ref");
    }
    if (with_dialogue > 0 && pairs[i].dialogue.empty()) {
      fail_input(at_line(hypotheses, rows[i].line,
                         "\"dialogue\" is missing here but " + std::to_string(with_dialogue) +
                             " other rows have it"),
                 "intervals resample dialogues: give it to every row or to none");
    }
  }
  return pairs;
}

}  // namespace

std::vector<ResponsePair> read_responses(const std::string& hypotheses,
                                         const std::vector<std::string>& references) {
  const bool rows = is_json_lines(hypotheses);
  for (const auto& path : references) {
    if (is_json_lines(path) != rows) {
      fail_input(hypotheses + " and " + path + " have different forms",
                 "give both as text, one reply a line, or both as .jsonl with ids");
    }
  }
  if (rows) return pair_rows(hypotheses, references);
  if (references.empty()) {
    fail_input(hypotheses + ": no references were named", "name a file with --ref");
  }
  return pair_lines(hypotheses, references);
}

}  // namespace straq::metrics
