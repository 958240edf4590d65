// EmpatheticDialogues' CSV: a header line, then one utterance a line. The official files use no
// quoting: a comma inside a field is written _comma_ and a quote character is just itself. Files
// that another program has read and written again are quoted as CSV is; which of the two a file is,
// its quotes tell.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

#include "core/files/text_file.h"
#include "core/tables/csv.h"
#include "core/tables/csv_stream.h"
#include "dialogue/readers/readers_internal.h"
#include "dialogue/utf8.h"

namespace straq::dialogue::internal {
namespace {

std::vector<std::string> split_at(std::string_view line, char separator) {
  std::vector<std::string> out;
  for (std::size_t start = 0;;) {
    const std::size_t end = line.find(separator, start);
    out.emplace_back(line.substr(start, end - start));
    if (end == line.npos) return out;
    start = end + 1;
  }
}

// How a table is written, and where its first row begins.
struct Form {
  char separator = ',';
  bool quoted = false;  // as CSV is; else every character stands for itself
  std::uint64_t start = 0;
  long first_line = 1;
};

// The rows of a table, from wherever its text stands.
class Rows {
 public:
  Rows(TextStream& text, const Form& form)
      : form_(form), lines_(text), quoted_(text, form.separator) {}

  std::optional<PlacedRow> next() {
    if (form_.quoted) return quoted_.next();
    while (const auto line = lines_.next()) {
      if (line->text.empty()) continue;
      PlacedRow row;
      row.line = line->number;
      row.fields = split_at(line->text, form_.separator);
      row.offset = line->offset;
      row.end = line->end;
      return row;
    }
    return std::nullopt;
  }
  // Why quoted rows end before the text does.
  const std::string& reason() const { return quoted_.reason(); }
  long line() const { return quoted_.line(); }

 private:
  const Form& form_;
  LineStream lines_;
  CsvStream quoted_;
};

// Whether a field is one pair of quotes around text whose own quotes are doubled.
bool is_quoted(std::string_view field, bool& doubled) {
  if (field.size() < 2 || field.front() != '"' || field.back() != '"') return false;
  field = field.substr(1, field.size() - 2);
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] != '"') continue;
    if (i + 1 == field.size() || field[++i] != '"') return false;
    doubled = true;
  }
  return true;
}

// What the fields of a file say of how they are quoted, each as it stands between separators.
struct Quotes {
  std::size_t rows = 0, width = 0;  // of the first row
  bool even = true;                 // all rows are as wide
  bool any = false;                 // there is a quote
  bool only_escaped = true;         // and a backslash before each
  std::size_t doubled = 0;  // quoted as CSV is, with doubled quotes in it: somebody's CSV writer
  std::size_t odd = 0;      // with quotes that no CSV writer leaves so: the official form
  long first_odd = 0;       // its line
  std::vector<std::size_t> quoted = {};  // fields that are quoted, by column, behind the first row

  void add(const CsvRow& row) {
    const auto& fields = row.fields;
    if (rows++ == 0) {
      width = fields.size();
      quoted.resize(width);
    }
    even = even && fields.size() == width;
    for (std::size_t c = 0; c < fields.size(); ++c) {
      const std::string& field = fields[c];
      if (field.find('"') == std::string::npos) continue;
      any = true;
      for (std::size_t at = 0; (at = field.find('"', at)) != field.npos; ++at) {
        only_escaped = only_escaped && at > 0 && field[at - 1] == '\\';
      }
      bool has_doubled = false;
      if (is_quoted(field, has_doubled)) {
        doubled += has_doubled;
        if (rows > 1 && c < quoted.size()) ++quoted[c];
      } else if (odd++ == 0) {
        first_odd = row.line;
      }
    }
  }
  // A column that is quoted in every row, as some writers do.
  bool full_column() const {
    return rows > 2 &&
           std::any_of(quoted.begin(), quoted.end(), [&](std::size_t n) { return n + 1 == rows; });
  }
};

// The same read as CSV.
struct QuotedRows {
  std::string reason;  // why it is none
  long line = 0;
  bool narrow = true;  // no row is wider than the first
};

QuotedRows read_as_csv(TextStream& text, Form form) {
  form.quoted = true;
  text.seek(form.start, form.first_line);
  Rows rows(text, form);
  QuotedRows out;
  std::size_t width = 0;
  for (std::size_t n = 0; const auto row = rows.next(); ++n) {
    if (n == 0) width = row->fields.size();
    out.narrow = out.narrow && row->fields.size() <= width;
  }
  out.reason = rows.reason();
  out.line = rows.line();
  return out;
}

// How the table is written: its rows are looked at to the end, as they come, once or twice. Nothing
// where a problem was reported or the text ends in a fault. The text stands at the first row then.
std::optional<Form> form_of(Source& source) {
  TextStream& text = source.text;
  while (text.window().size() < 4096 && text.more()) {
  }
  Form form;
  // A first line "sep=;" is what spreadsheets need to open such a file, and no row.
  form.separator = read_csv(text.window().substr(0, 4096), 0).separator;
  const std::string_view begin = text.window();
  if (begin.substr(0, 4) == "sep=" || begin.substr(0, 5) == "\"sep=") {
    const std::size_t end = std::min(begin.find_first_of("\r\n"), begin.size());
    text.drop(std::min(end + (begin.substr(end, 2) == "\r\n" ? 2 : 1), begin.size()));
    form.first_line = 2;
  }
  form.start = text.offset();
  const bool head_quoted = text.window().substr(0, 1) == "\"";
  Quotes found;
  {
    Rows plain(text, form);
    while (const auto row = plain.next()) found.add(*row);
  }
  if (text.fault() != nullptr) return std::nullopt;
  const auto as = [&](bool quoted) {
    form.quoted = quoted;
    text.seek(form.start, form.first_line);
    return form;
  };
  if (!found.any || found.rows == 0) return as(false);
  if (found.only_escaped) {
    source.problem(0, "its quotes are written \\\", which neither the official files nor CSV has",
                   "save it again with quotes doubled, as CSV has them");
    return std::nullopt;
  }
  const QuotedRows csv = read_as_csv(text, form);
  const auto refuse = [&](long line, const std::string& reason) -> std::optional<Form> {
    source.problem(line, "the file is quoted as CSV in part only: " + reason,
                   "save it again from the program that wrote it, or take the official file");
    return std::nullopt;
  };
  if (found.even) {
    // No field holds a separator or a line end, so that only its own quotes tell. A quoted field
    // that needs no quotes, in a file that quotes nothing else, is somebody's "yes".
    const bool written = head_quoted || found.full_column() || found.doubled > 0;
    if (!written || found.odd >= 10 * std::max<std::size_t>(found.doubled, 1)) return as(false);
    if (found.odd == 0 && csv.reason.empty()) return as(true);
    return refuse(found.first_odd, "a quote in this line is not doubled");
  }
  if (csv.reason.empty() && csv.narrow) return as(true);
  if (!head_quoted && found.odd > found.doubled) return as(false);
  if (csv.reason.empty()) return as(true);
  return refuse(csv.line, csv.reason);
}

std::string field_text(std::string_view field) {
  constexpr std::string_view kComma = "_comma_";
  std::string out;
  for (std::size_t i = 0; i < field.size();) {
    if (field.substr(i, kComma.size()) == kComma) {
      out += ',';
      i += kComma.size();
    } else {
      out += field[i++];
    }
  }
  return normalise_space(out);
}

// The columns that are read, at their positions in this file.
struct Columns {
  std::size_t conversation, index, emotion, situation, speaker, utterance, count;

  std::size_t last() const {
    return std::max({conversation, index, emotion, situation, speaker, utterance});
  }
};

// A row of the header's width. Programs drop what is empty at a row's end, or add to it.
bool has_width(const CsvRow& row, const Columns& columns) {
  if (row.fields.size() <= columns.count) return row.fields.size() > columns.last();
  return std::all_of(row.fields.begin() + static_cast<std::ptrdiff_t>(columns.count),
                     row.fields.end(), [](const std::string& f) { return f.empty(); });
}

// "3", or "3.0" where a table held gaps; -1 for anything else.
long index_of(const std::string& text) {
  if (!is_plain_number(text)) return -1;
  const double x = std::strtod(text.c_str(), nullptr);
  return x >= 0 && x <= 1e9 && x == std::floor(x) ? static_cast<long>(x) : -1;
}

bool read_header(Source& source, const CsvRow& row, Columns& columns) {
  std::vector<std::string> names;
  for (const auto& field : row.fields) names.push_back(normalise_space(field));
  const auto find = [&](std::string_view name, std::size_t& at) {
    const auto it = std::find(names.begin(), names.end(), name);
    at = static_cast<std::size_t>(it - names.begin());
    if (it == names.end()) {
      source.problem(row.line, "the column \"" + std::string(name) + "\" is missing",
                     "expected EmpatheticDialogues' columns: conv_id,utterance_idx,context,prompt,"
                     "speaker_idx,utterance,…");
    }
    return it != names.end();
  };
  columns.count = names.size();
  return find("conv_id", columns.conversation) && find("utterance_idx", columns.index) &&
         find("context", columns.emotion) && find("prompt", columns.situation) &&
         find("speaker_idx", columns.speaker) && find("utterance", columns.utterance);
}

// The rows of one conversation, as they come, and what they make.
class Conversation {
 public:
  Conversation(Source& source, const Columns& columns) : source_(source), columns_(columns) {}

  // Whether the row belongs to another conversation than the rows before.
  bool ends_before(const CsvRow& row) const {
    return open_ && row.fields[columns_.conversation] != name_;
  }
  bool open() const { return open_; }
  const std::string& name() const { return name_; }

  // The conversation that the row begins.
  void begin(const CsvRow& row, std::size_t number) {
    open_ = true;
    name_ = row.fields[columns_.conversation];
    dialogue_ = {};
    dialogue_.id = source_.id_of(number);
    dialogue_.emotion = field_text(row.fields[columns_.emotion]);
    dialogue_.situation = field_text(row.fields[columns_.situation]);
    dialogue_.line = row.line;
    speakers_.clear();
    last_index_ = 0;
  }

  void add(const CsvRow& row, long index) {
    if (index <= last_index_) {
      source_.problem(row.line,
                      "utterance_idx " + std::to_string(index) + " does not come after " +
                          std::to_string(last_index_) + " of the same conversation",
                      "the utterances of a conversation must stand in order");
      return;
    }
    last_index_ = index;
    const std::string& speaker = row.fields[columns_.speaker];
    auto who = std::find(speakers_.begin(), speakers_.end(), speaker);
    if (who == speakers_.end()) {
      if (speakers_.size() == 2) {
        source_.problem(row.line, "a third speaker, \"" + speaker + "\", in one conversation", "");
        return;
      }
      speakers_.push_back(speaker);
      who = speakers_.end() - 1;
    }
    Utterance u;
    u.speaker = who == speakers_.begin() ? Speaker::seeker : Speaker::supporter;
    u.text = field_text(row.fields[columns_.utterance]);
    if (u.text.empty()) {
      source_.problem(row.line, "the utterance is empty", "remove the line or fill it");
      return;
    }
    dialogue_.utterances.push_back(std::move(u));
  }

  // Nothing where no utterance of it could be taken.
  std::optional<Dialogue> end() {
    open_ = false;
    if (dialogue_.utterances.empty()) return std::nullopt;
    return std::move(dialogue_);
  }

 private:
  Source& source_;
  const Columns& columns_;
  Dialogue dialogue_;
  std::string name_;
  std::vector<std::string> speakers_;  // in order of appearance
  long last_index_ = 0;
  bool open_ = false;
};

class CsvReader final : public FormatReader {
 public:
  explicit CsvReader(Source& source) : source_(source), conversation_(source, columns_) {
    if (const auto form = form_of(source)) {
      form_ = *form;
      rows_.emplace(source.text, form_);
      const auto header = rows_->next();
      if (!header || !read_header(source, *header, columns_)) rows_.reset();
    }
  }

  std::optional<Dialogue> next() override {
    while (rows_) {
      std::optional<PlacedRow> row = std::exchange(pending_, std::nullopt);
      if (!row) row = usable(*rows_);
      if (!row || conversation_.ends_before(*row)) {
        if (!row) rows_.reset();
        pending_ = std::move(row);
        if (!conversation_.open()) continue;
        place_ = open_;
        if (auto d = conversation_.end()) return d;
        continue;
      }
      if (!conversation_.open()) begin(*row);
      open_.bytes = static_cast<std::uint32_t>(row->end - open_.offset);
      conversation_.add(*row, index_of(normalise_space(row->fields[columns_.index])));
    }
    return std::nullopt;
  }

  const DialoguePlace& place() const override { return place_; }

  std::optional<Dialogue> at(const DialoguePlace& place) override {
    source_.text.seek(place.offset, static_cast<long>(place.line));
    Rows rows(source_.text, form_);
    const std::uint64_t end = place.offset + place.bytes;
    while (const auto row = usable(rows)) {
      if (row->offset >= end) break;
      if (!conversation_.open()) conversation_.begin(*row, place.number);
      conversation_.add(*row, index_of(normalise_space(row->fields[columns_.index])));
      if (row->end >= end) break;
    }
    return conversation_.open() ? conversation_.end() : std::nullopt;
  }

 private:
  // The next row that has all that a row needs.
  std::optional<PlacedRow> usable(Rows& rows) {
    while (auto row = rows.next()) {
      if (!has_width(*row, columns_)) {
        source_.problem(row->line,
                        "expected " + std::to_string(columns_.count) + " fields, found " +
                            std::to_string(row->fields.size()),
                        "the official files use no quoting and write a comma inside a field "
                        "_comma_; else fields with commas stand in quotes");
        continue;
      }
      const std::string digits = normalise_space(row->fields[columns_.index]);
      if (index_of(digits) < 0) {
        source_.problem(row->line,
                        "utterance_idx: expected a whole number, found \"" + digits + "\"", "");
        continue;
      }
      return row;
    }
    return std::nullopt;
  }

  void begin(const PlacedRow& row) {
    const std::string& name = row.fields[columns_.conversation];
    if (!seen_.insert(name)) {
      source_.problem(row.line, "the conversation " + name + " goes on after others",
                      "the utterances of a conversation must stand together");
    } else {
      ++count_;
    }
    open_ = {row.offset, 0, static_cast<std::uint32_t>(count_ - 1), row.line};
    conversation_.begin(row, count_ - 1);
  }

  Source& source_;
  Form form_;
  Columns columns_{};
  Conversation conversation_;
  std::optional<Rows> rows_;
  std::optional<PlacedRow> pending_;  // the first row of the next conversation
  DigestSet seen_;
  std::size_t count_ = 0;
  DialoguePlace place_, open_;
};

}  // namespace

std::unique_ptr<FormatReader> empathetic_csv_reader(Source& source) {
  return std::make_unique<CsvReader>(source);
}

}  // namespace straq::dialogue::internal
