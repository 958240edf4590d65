// EmpatheticDialogues' CSV: a header line, then one utterance a line. The files use no quoting: a
// comma inside a field is written _comma_ and a quote character is just itself.
#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "dialogue/readers_internal.h"
#include "dialogue/utf8.h"

namespace straq::dialogue::internal {
namespace {

std::vector<std::string_view> split_commas(std::string_view line) {
  std::vector<std::string_view> out;
  for (std::size_t start = 0;;) {
    const std::size_t comma = line.find(',', start);
    out.push_back(line.substr(start, comma - start));
    if (comma == line.npos) return out;
    start = comma + 1;
  }
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
};

bool read_header(Source& source, std::string_view line, Columns& columns) {
  const auto names = split_commas(line);
  const auto find = [&](std::string_view name, std::size_t& at) {
    const auto it = std::find(names.begin(), names.end(), name);
    at = static_cast<std::size_t>(it - names.begin());
    if (it == names.end()) {
      source.problem(1, "the column \"" + std::string(name) + "\" is missing",
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

std::vector<Dialogue> read_empathetic_csv(Source& source) {
  std::vector<Dialogue> out;
  Columns columns{};
  std::set<std::string, std::less<>> seen;
  std::string conversation;
  std::vector<std::string> speakers;  // of the conversation at hand, in order of appearance
  long last_index = 0, line_number = 0;

  for (std::size_t start = 0; start < source.bytes.size();) {
    const std::size_t end = std::min(source.bytes.find('\n', start), source.bytes.size());
    std::string_view line = source.bytes.substr(start, end - start);
    start = end + 1;
    ++line_number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line_number == 1) {
      if (!read_header(source, line, columns)) return out;
      continue;
    }
    if (line.empty()) continue;

    const auto fields = split_commas(line);
    if (fields.size() != columns.count) {
      source.problem(line_number,
                     "expected " + std::to_string(columns.count) + " fields, found " +
                         std::to_string(fields.size()),
                     "these files use no quoting: a comma inside a field is written _comma_");
      continue;
    }
    long index = 0;
    const std::string_view digits = fields[columns.index];
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) {
      source.problem(
          line_number,
          "utterance_idx: expected a whole number, found \"" + std::string(digits) + "\"", "");
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

    const std::string speaker = std::string(fields[columns.speaker]);
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

}  // namespace straq::dialogue::internal
