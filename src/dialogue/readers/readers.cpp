#include "dialogue/readers/readers.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/text_file.h"
#include "core/hash.h"
#include "dialogue/readers/readers_internal.h"
#include "dialogue/utf8.h"

namespace straq::dialogue {
namespace {

std::string stem_of(const std::string& path) {
  return std::filesystem::path(path).stem().string();
}

Format detect(std::string_view bytes, const std::string& path) {
  std::size_t i = 0;
  while (i < bytes.size() && is_space(static_cast<unsigned char>(bytes[i]))) ++i;
  if (i == bytes.size()) fail_input(path + ": the file is empty", "expected dialogues");
  if (bytes[i] == '[') return Format::esconv_json;
  if (bytes[i] == '{') return Format::esconv_jsonl;
  // A first line of spreadsheets, before the columns.
  if (bytes.substr(i, 4) == "sep=" || bytes.substr(i, 5) == "\"sep=") {
    i = std::min(bytes.find_first_of("\r\n", i), bytes.size());
    while (i < bytes.size() && is_space(static_cast<unsigned char>(bytes[i]))) ++i;
  }
  const std::string_view head = bytes.substr(i, bytes.find_first_of("\r\n", i) - i);
  if (head.find("conv_id") != head.npos && head.find_first_of(",;\t|") != head.npos) {
    return Format::empathetic_csv;
  }
  fail_input(at_line(path, 1, "the format is not recognised"), internal::kFormsHint);
}

Corpus parse_named(std::string_view bytes, const std::string& path, Format format,
                   const StrategySet& strategies, const OnProblem& on_problem) {
  const DecodedText decoded = decode_text(bytes);
  internal::Source source{decoded.text, path, stem_of(path), strategies, on_problem};
  Corpus corpus;
  corpus.name = source.stem;
  corpus.sha256 = sha256_hex(bytes);

  if (!decoded.reason.empty()) {
    source.problem(decoded.line, decoded.reason, decoded.hint);
  } else if (const auto offset = find_invalid_utf8(source.bytes)) {
    // Whatever stands around it cannot be trusted, so nothing of the file is used.
    source.problem(source.line_of(*offset), "the text is not valid UTF-8",
                   "convert the file, for instance with iconv -f latin1 -t utf-8");
  } else {
    if (format == Format::automatic) format = detect(source.bytes, path);
    switch (format) {
      case Format::esconv_json:
        corpus.dialogues = internal::read_json_list(source);
        break;
      case Format::esconv_jsonl:
        corpus.dialogues = internal::read_json_lines(source);
        break;
      default:
        corpus.dialogues = internal::read_empathetic_csv(source);
        break;
    }
    if (corpus.dialogues.empty() && !source.reported) {
      source.problem(1, "the file holds no dialogues", "");
    }
  }
  const auto count = static_cast<std::int64_t>(corpus.dialogues.size());
  corpus.sources.push_back({path, corpus.sha256, count});
  return corpus;
}

}  // namespace

namespace internal {

const char* const kFormsHint =
    "expected a JSON list of dialogues, one dialogue as a JSON object a line, or "
    "EmpatheticDialogues' CSV columns";

void Source::problem(long line, const std::string& message, const std::string& hint) {
  reported = true;
  if (!on_problem)
    fail_input(line > 0 ? at_line(path, line, message) : path + ": " + message, hint);
  on_problem({path, line, message, hint});
}

long Source::line_of(std::size_t offset) const {
  const char end = bytes.find('\n') == bytes.npos ? '\r' : '\n';
  return 1 + std::count(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(offset), end);
}

std::string Source::id_of(std::size_t index) const {
  std::string number = std::to_string(index);
  if (number.size() < 5) number.insert(0, 5 - number.size(), '0');
  return stem + "/" + number;
}

}  // namespace internal

Corpus parse_corpus(std::string_view bytes, const std::string& path, Format format,
                    const StrategySet& strategies, const OnProblem& on_problem) {
  return parse_named(bytes, path, format, strategies, on_problem);
}

Corpus read_corpus(const std::string& path, Format format, const StrategySet& strategies,
                   const OnProblem& on_problem) {
  return parse_named(read_file(path), path, format, strategies, on_problem);
}

Corpus read_corpora(const std::vector<std::string>& paths, Format format,
                    const StrategySet& strategies, const OnProblem& on_problem) {
  if (paths.empty()) fail_input("no corpus file is named", "give at least one path");
  Corpus all;
  Sha256 hash;
  std::set<std::string> stems;
  for (const std::string& path : paths) {
    if (!stems.insert(stem_of(path)).second) {
      fail_input(path +
                     ": another file of this corpus has the same name, so their dialogues would "
                     "have the same ids",
                 "rename one of the files");
    }
    const std::string bytes = read_file(path);
    hash.update(bytes);
    Corpus one = parse_named(bytes, path, format, strategies, on_problem);
    if (all.name.empty()) all.name = one.name;
    all.sources.push_back(std::move(one.sources.front()));
    std::move(one.dialogues.begin(), one.dialogues.end(), std::back_inserter(all.dialogues));
  }
  all.sha256 = hash.hex();
  return all;
}

}  // namespace straq::dialogue
