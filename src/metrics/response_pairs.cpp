#include "metrics/response_pairs.h"

#include <algorithm>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_number.h"
#include "core/json/json_records.h"
#include "core/tables/csv.h"
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

// A file of replies, told by what it holds.
struct Replies {
  enum class Form { text, rows };
  Form form = Form::text;
  std::vector<Line> lines;  // of rows: the records, without blank lines
};

const char* const kForms =
    "replies are read as text, one a line, or as JSON rows, one object a line (or a list of "
    "them), each with an \"id\"";

void require_utf8(const std::string& path, const std::vector<TextLine>& lines) {
  for (const TextLine& line : lines) {
    if (const auto bad = find_invalid_utf8(line.text)) {
      fail_input(at_line(path, line.number,
                         "byte " + std::to_string(*bad) + " of the line is not valid UTF-8"),
                 "convert the file to UTF-8, for example with iconv");
    }
  }
}

bool ends_with_any(const std::string& path, std::initializer_list<const char*> endings) {
  const std::string name = dialogue::to_lower(path);
  return std::any_of(endings.begin(), endings.end(),
                     [&](const char* ending) { return name.ends_with(ending); });
}

// Whether the first line names the columns of a table: no reply consists of such words.
bool is_table_head(std::string_view line) {
  const CsvFile head = read_csv(line, 0);
  if (head.rows.empty() || head.rows[0].fields.size() < 2) return false;
  const auto has = [&](std::initializer_list<const char*> names) {
    return std::any_of(
        head.rows[0].fields.begin(), head.rows[0].fields.end(), [&](const std::string& field) {
          const std::string word = dialogue::to_lower(dialogue::normalise_space(field));
          return std::find(names.begin(), names.end(), word) != names.end();
        });
  };
  const bool text =
      has({"text", "hypothesis", "reference", "reply", "response", "prediction", "utterance"});
  return text && (has({"id", "dialogue", "strategy", "emotion"}) ||
                  (has({"hypothesis", "prediction"}) && has({"reference"})));
}

// How a text's lines read as JSON, each by itself.
struct JsonLines {
  std::size_t objects = 0, lists = 0, texts = 0, all = 0;  // of the lines that are not blank
};

JsonLines json_lines_of(const std::vector<TextLine>& lines) {
  JsonLines out;
  for (const TextLine& line : lines) {
    if (is_blank_line(line.text)) continue;
    ++out.all;
    const char first = line.text[line.text.find_first_not_of(" \t\r")];
    json value;
    if (std::string_view("{[\"").find(first) == std::string_view::npos ||
        !try_parse_json(line.text, value).empty()) {
      continue;
    }
    out.objects += value.is_object();
    out.lists += value.is_array();
    out.texts += value.is_string();
  }
  return out;
}

class ReplyFileReader {
 public:
  explicit ReplyFileReader(const std::string& path)
      : path_(path), text_(read_text_file(path)), lines_(lines_of(text_)) {
    require_utf8(path, lines_);
  }

  Replies read() const {
    if (ends_with_any(path_, {".csv", ".tsv", ".xlsx", ".parquet"}) ||
        (!lines_.empty() && is_table_head(lines_[0].text))) {
      refuse("this is a table (CSV or TSV), which is not read as replies");
    }
    const JsonLines found = json_lines_of(lines_);
    const bool named_rows = ends_with_any(path_, {".jsonl", ".ndjson"});
    const bool named_json = named_rows || ends_with_any(path_, {".json"});
    json value;
    const std::string reason = try_parse_json(text_, value);
    if (reason.empty() && value.is_array() && !(named_rows && found.all == 1)) {
      return rows_of_list(value);
    }
    if (reason.empty() && value.is_object() && found.all > 1) refuse(kJsonObjectMessage);
    // Rows with a broken one among them are rows: the error then names the line.
    if (found.objects > 0 && 2 * found.objects >= found.all) return rows_of_lines();
    if (!named_rows && found.all > 0 && found.lists + found.texts == found.all &&
        found.all + found.lists > 1) {
      refuse("each line is a JSON text or list, whose quotes are no words");
    }
    refuse_broken_json(named_json, reason);
    if (named_rows) return rows_of_lines();
    if (named_json && found.all > 0) refuse("its name says JSON, its content is none");
    Replies out;
    for (const TextLine& line : lines_) out.lines.push_back({line.number, std::string(line.text)});
    return out;
  }

 private:
  [[noreturn]] void refuse(const std::string& message) const {
    fail_input(path_ + ": " + message, kForms);
  }

  Replies rows_of_lines() const {
    Replies out;
    out.form = Replies::Form::rows;
    for (const TextLine& line : lines_) {
      if (!is_blank(line.text)) out.lines.push_back({line.number, std::string(line.text)});
    }
    return out;
  }

  Replies rows_of_list(const json& list) const {
    if (list.empty() ||
        !std::all_of(list.begin(), list.end(), [](const json& row) { return row.is_object(); })) {
      refuse("this is a JSON list of something else than rows");
    }
    Replies out;
    out.form = Replies::Form::rows;
    for (const auto& r : cut_json_list(text_).records) {
      out.lines.push_back({r.line, std::string(r.text)});
    }
    return out;
  }

  // What begins as JSON and is none. A reply may begin so, too ("[laughs] Well."), so that without
  // the file's name more than the first sign must speak for it.
  void refuse_broken_json(bool named_json, const std::string& reason) const {
    const JsonForm form = json_form(text_);
    if (form == JsonForm::object && (named_json || text_.find("\":") != std::string::npos)) {
      refuse(kJsonObjectMessage);
    }
    if (form != JsonForm::list || reason.empty()) return;
    const std::size_t first = text_.find_first_not_of(" \t\r\n", text_.find('[') + 1);
    const bool values = first != std::string::npos && (text_[first] == '{' || text_[first] == '"');
    if (values && (named_json || lines_.size() > 1)) {
      const JsonRecords list = cut_json_list(text_);
      fail_input(
          list.reason.empty() ? path_ + ": " + reason : at_line(path_, list.line, list.reason),
          kForms);
    }
  }

  std::string path_;
  std::string text_;
  std::vector<TextLine> lines_;
};

[[noreturn]] void fail_empty_file(const std::string& path) {
  fail_input(path + ": there is nothing to score in it", "expected one reply a line");
}

[[noreturn]] void fail_empty_reference(const std::string& path, long line) {
  fail_input(at_line(path, line, "the reference is empty"),
             "nothing can match an empty reference: leave the pair out of all files");
}

using File = std::pair<std::string, Replies>;  // with its path

std::vector<ResponsePair> pair_lines(File& replies, std::vector<File>& references) {
  const std::string& hypotheses = replies.first;
  std::vector<ResponsePair> pairs;
  for (Line& line : replies.second.lines) {
    ResponsePair pair;
    pair.id = std::to_string(line.number);
    pair.hypothesis = std::move(line.text);
    pairs.push_back(std::move(pair));
  }
  if (pairs.empty()) fail_empty_file(hypotheses);
  for (auto& [path, file] : references) {
    auto& lines = file.lines;
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
  RowReader(const std::string& path, const Line& line) : path_(path), line_(line.number) {
    const std::string reason = try_parse_json(line.text, object_);
    if (object_.is_object()) return;
    const bool said = reason.empty() || reason.find("parse error") != std::string::npos;
    fail("expected one JSON object a line" + (said ? "" : " (" + reason + ")"));
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
    const auto number = whole_number(id);
    row.id = number ? std::to_string(*number) : text("id");
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
Rows read_rows(const File& file, Read&& read) {
  const auto& [path, replies] = file;
  Rows rows;
  for (const Line& line : replies.lines) rows.push_back(read(RowReader(path, line)));
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

std::vector<ResponsePair> pair_rows(const File& replies, const std::vector<File>& references) {
  const std::string& hypotheses = replies.first;
  const Rows rows = read_rows(replies, [](const RowReader& reader) { return reader.hypothesis(); });
  const IndexOfId ids = index_by_id(hypotheses, rows);
  std::vector<ResponsePair> pairs;
  for (const Row& row : rows) {
    pairs.push_back({.id = row.id,
                     .hypothesis = row.text[0],
                     .references = row.references,
                     .dialogue = row.dialogue,
                     .strategy = row.strategy,
                     .emotion = row.emotion});
  }
  for (const File& file : references) {
    const std::string& path = file.first;
    Rows added = read_rows(file, [](const RowReader& reader) { return reader.reference(); });
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
  File replies{hypotheses, ReplyFileReader(hypotheses).read()};
  const bool rows = replies.second.form == Replies::Form::rows;
  if (!rows && references.empty()) {
    fail_input(hypotheses + ": no references were named", "name a file with --ref");
  }
  std::vector<File> others;
  for (const auto& path : references) {
    others.emplace_back(path, ReplyFileReader(path).read());
    const bool empty = others.back().second.lines.empty();
    if (!empty && (others.back().second.form == Replies::Form::rows) != rows) {
      fail_input(hypotheses + " and " + path + " have different forms: " +
                     (rows ? "JSON rows and text" : "text and JSON rows"),
                 "give both as text, one reply a line, or both as .jsonl with ids");
    }
  }
  return rows ? pair_rows(replies, others) : pair_lines(replies, others);
}

}  // namespace straq::metrics
