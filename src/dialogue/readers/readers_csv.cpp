// EmpatheticDialogues' CSV: a header line, then one utterance a line. The official files use no
// quoting: a comma inside a field is written _comma_ and a quote character is just itself. Files
// that another program has read and written again are quoted as CSV is; which of the two a file is,
// its quotes tell.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>

#include "core/files/text_file.h"
#include "core/tables/csv.h"
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

// Rows as the official files have them: a line each, every character as it stands.
CsvFile read_unquoted(std::string_view text, char separator, long first_line) {
  CsvFile out;
  out.separator = separator;
  for (const TextLine& line : lines_of(text)) {
    if (line.text.empty()) continue;
    out.rows.push_back({line.number + first_line - 1, split_at(line.text, separator)});
  }
  return out;
}

// What the quotes of a file's fields say, each field as it stands between separators.
struct Quotes {
  std::size_t doubled = 0;   // quoted as CSV is, with doubled quotes in it: somebody's CSV writer
  std::size_t odd = 0;       // with quotes that no CSV writer leaves so: the official form
  long first_odd = 0;        // its line
  bool full_column = false;  // a column that is quoted in every row, as some writers do
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

Quotes quotes_of(const CsvFile& plain) {
  Quotes out;
  std::vector<std::size_t> quoted(plain.rows[0].fields.size(), 0);
  for (std::size_t r = 0; r < plain.rows.size(); ++r) {
    const auto& fields = plain.rows[r].fields;
    for (std::size_t c = 0; c < fields.size(); ++c) {
      if (fields[c].find('"') == std::string::npos) continue;
      bool doubled = false;
      if (is_quoted(fields[c], doubled)) {
        out.doubled += doubled;
        if (r > 0 && c < quoted.size()) ++quoted[c];
      } else if (out.odd++ == 0) {
        out.first_odd = plain.rows[r].line;
      }
    }
  }
  out.full_column = plain.rows.size() > 2 &&
                    std::any_of(quoted.begin(), quoted.end(),
                                [&](std::size_t n) { return n + 1 == plain.rows.size(); });
  return out;
}

// Whether every quote of the text has a backslash before it.
bool only_escaped_quotes(std::string_view text) {
  for (std::size_t at = 0; (at = text.find('"', at)) != text.npos; ++at) {
    if (at == 0 || text[at - 1] != '\\') return false;
  }
  return true;
}

// The rows in the form that they are in; nothing where a problem was reported.
std::optional<CsvFile> rows_of(Source& source) {
  // A first line "sep=;" is what spreadsheets need to open such a file, and no row.
  const char separator = read_csv(source.text.window().substr(0, 4096), 0).separator;
  std::string_view text = source.text.window();
  long first_line = 1;
  if (text.substr(0, 4) == "sep=" || text.substr(0, 5) == "\"sep=") {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    text.remove_prefix(std::min(end + (text.substr(end, 2) == "\r\n" ? 2 : 1), text.size()));
    first_line = 2;
  }
  CsvFile plain = read_unquoted(text, separator, first_line);
  if (text.find('"') == text.npos || plain.rows.empty()) return plain;
  if (only_escaped_quotes(text)) {
    source.problem(0, "its quotes are written \\\", which neither the official files nor CSV has",
                   "save it again with quotes doubled, as CSV has them");
    return std::nullopt;
  }
  CsvFile quoted = read_csv(text, separator);
  for (auto& row : quoted.rows) row.line += first_line - 1;
  if (quoted.line > 0) quoted.line += first_line - 1;
  const auto refuse = [&](long line, const std::string& reason) -> std::optional<CsvFile> {
    source.problem(line, "the file is quoted as CSV in part only: " + reason,
                   "save it again from the program that wrote it, or take the official file");
    return std::nullopt;
  };
  const Quotes found = quotes_of(plain);
  const bool head_quoted = text[0] == '"';
  const std::size_t width = plain.rows[0].fields.size();
  const bool even = std::all_of(plain.rows.begin(), plain.rows.end(),
                                [&](const CsvRow& row) { return row.fields.size() == width; });
  if (even) {
    // No field holds a separator or a line end, so that only its own quotes tell. A quoted field
    // that needs no quotes, in a file that quotes nothing else, is somebody's "yes".
    const bool written = head_quoted || found.full_column || found.doubled > 0;
    if (!written || found.odd >= 10 * std::max<std::size_t>(found.doubled, 1)) return plain;
    if (found.odd == 0 && quoted.reason.empty()) return quoted;
    return refuse(found.first_odd, "a quote in this line is not doubled");
  }
  if (quoted.reason.empty() &&
      std::all_of(quoted.rows.begin(), quoted.rows.end(), [&](const CsvRow& row) {
        return row.fields.size() <= quoted.rows[0].fields.size();
      })) {
    return quoted;
  }
  if (!head_quoted && found.odd > found.doubled) return plain;
  if (quoted.reason.empty()) return quoted;
  return refuse(quoted.line, quoted.reason);
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

}  // namespace

namespace {

std::vector<Dialogue> read_all(Source& source) {
  std::vector<Dialogue> out;
  Columns columns{};
  std::set<std::string, std::less<>> seen;
  std::string conversation;
  std::vector<std::string> speakers;  // of the conversation at hand, in order of appearance
  long last_index = 0;

  const auto file = rows_of(source);
  if (!file || file->rows.empty() || !read_header(source, file->rows[0], columns)) return out;

  for (std::size_t r = 1; r < file->rows.size(); ++r) {
    const CsvRow& row = file->rows[r];
    const auto& fields = row.fields;
    const long line_number = row.line;
    if (!has_width(row, columns)) {
      source.problem(line_number,
                     "expected " + std::to_string(columns.count) + " fields, found " +
                         std::to_string(fields.size()),
                     "the official files use no quoting and write a comma inside a field _comma_; "
                     "else fields with commas stand in quotes");
      continue;
    }
    const std::string digits = normalise_space(fields[columns.index]);
    const long index = index_of(digits);
    if (index < 0) {
      source.problem(line_number,
                     "utterance_idx: expected a whole number, found \"" + digits + "\"", "");
      continue;
    }
    if (out.empty() || fields[columns.conversation] != conversation) {
      conversation = fields[columns.conversation];
      if (!seen.insert(conversation).second) {
        source.problem(line_number, "the conversation " + conversation + " goes on after others",
                       "the utterances of a conversation must stand together");
      }
      Dialogue d;
      d.id = source.id_of(seen.size() - 1);
      d.emotion = field_text(fields[columns.emotion]);
      d.situation = field_text(fields[columns.situation]);
      d.line = line_number;
      out.push_back(std::move(d));
      speakers.clear();
      last_index = 0;
    }
    if (index <= last_index) {
      source.problem(line_number,
                     "utterance_idx " + std::to_string(index) + " does not come after " +
                         std::to_string(last_index) + " of the same conversation",
                     "the utterances of a conversation must stand in order");
      continue;
    }
    last_index = index;

    const std::string& speaker = fields[columns.speaker];
    auto who = std::find(speakers.begin(), speakers.end(), speaker);
    if (who == speakers.end()) {
      if (speakers.size() == 2) {
        source.problem(line_number, "a third speaker, \"" + speaker + "\", in one conversation",
                       "");
        continue;
      }
      speakers.push_back(speaker);
      who = speakers.end() - 1;
    }
    Utterance u;
    u.speaker = who == speakers.begin() ? Speaker::seeker : Speaker::supporter;
    u.text = field_text(fields[columns.utterance]);
    if (u.text.empty()) {
      source.problem(line_number, "the utterance is empty", "remove the line or fill it");
      continue;
    }
    out.back().utterances.push_back(std::move(u));
  }
  std::erase_if(out, [](const Dialogue& d) { return d.utterances.empty(); });
  return out;
}

// How a table is quoted shows at its end only, so all of it is read first.
class CsvReader final : public FormatReader {
 public:
  explicit CsvReader(Source& source) {
    while (source.text.more()) {
    }
    if (source.text.fault() == nullptr) all_ = read_all(source);
  }

  std::optional<Dialogue> next() override {
    if (next_ == all_.size()) return std::nullopt;
    place_ = {0, 0, static_cast<std::uint32_t>(next_), all_[next_].line};
    return std::move(all_[next_++]);
  }

  const DialoguePlace& place() const override { return place_; }

 private:
  std::vector<Dialogue> all_;
  std::size_t next_ = 0;
  DialoguePlace place_;
};

}  // namespace

std::unique_ptr<FormatReader> empathetic_csv_reader(Source& source) {
  return std::make_unique<CsvReader>(source);
}

}  // namespace straq::dialogue::internal
