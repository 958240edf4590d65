#include "dialogue/readers/readers.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/files/text_file.h"
#include "dialogue/readers/readers_internal.h"
#include "dialogue/utf8.h"

namespace straq::dialogue {
namespace {

using internal::Source;

constexpr const char* kChangedHint =
    "let nothing write to a corpus that is being read, and start again";

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

std::unique_ptr<internal::FormatReader> open_format(Source& source, Format format) {
  switch (format) {
    case Format::esconv_json:
      return json_list_reader(source);
    case Format::esconv_jsonl:
      return json_lines_reader(source);
    default:
      return empathetic_csv_reader(source);
  }
}

}  // namespace

namespace internal {

const char* const kFormsHint =
    "expected a JSON list of dialogues, one dialogue as a JSON object a line, or "
    "EmpatheticDialogues' CSV columns";

void Source::problem(long line, const std::string& message, const std::string& hint) {
  reported = true;
  if (!on_problem)
    fail_input(line > 0 ? at_line(path(), line, message) : path() + ": " + message, hint);
  on_problem({path(), line, message, hint});
}

void Source::report_fault() {
  if (const TextFault* fault = text.fault()) problem(fault->line, fault->message, fault->hint);
}

std::string Source::id_of(std::size_t index) const {
  std::string number = std::to_string(index);
  if (number.size() < 5) number.insert(0, 5 - number.size(), '0');
  return stem + "/" + number;
}

}  // namespace internal

struct CorpusReader::Impl {
  Source source;
  Format format;
  std::unique_ptr<internal::FormatReader> reader = {};
  std::int64_t dialogues = 0;
  bool over = false;

  // Finds out what the file holds.
  void open() {
    source.text.more();
    if (source.text.window().empty() && source.text.fault() != nullptr) return;
    if (format == Format::automatic) format = detect(source.text.window(), source.path());
    reader = open_format(source, format);
  }

  std::optional<Dialogue> next() {
    if (over) return std::nullopt;
    if (!reader) open();
    std::optional<Dialogue> out;
    if (reader) out = reader->next();
    if (out) {
      ++dialogues;
      return out;
    }
    over = true;
    source.report_fault();
    if (dialogues == 0 && !source.reported) source.problem(1, "the file holds no dialogues", "");
    return std::nullopt;
  }
};

CorpusReader::CorpusReader(const std::string& path, Format format, const StrategySet& strategies,
                           OnProblem on_problem)
    : impl_(std::make_unique<Impl>(Impl{
          {TextStream(path), content_stem(path), strategies, std::move(on_problem)}, format})) {}

CorpusReader::CorpusReader(std::string_view bytes, const std::string& path, Format format,
                           const StrategySet& strategies, OnProblem on_problem)
    : impl_(std::make_unique<Impl>(
          Impl{{TextStream::of(bytes, path), content_stem(path), strategies, std::move(on_problem)},
               format})) {}

CorpusReader::~CorpusReader() = default;
CorpusReader::CorpusReader(CorpusReader&&) noexcept = default;

std::optional<Dialogue> CorpusReader::next() {
  return impl_->next();
}

const DialoguePlace& CorpusReader::place() const {
  return impl_->reader->place();
}

Format CorpusReader::format() const {
  return impl_->format;
}

void CorpusReader::add_to(Sha256& all) {
  impl_->source.text.add_to(all);
}

SourceFile CorpusReader::source() {
  return {impl_->source.path(), impl_->source.text.sha256(), impl_->dialogues};
}

FileStamp CorpusReader::stamp() const {
  return impl_->source.text.stamp();
}

bool CorpusReader::packed() const {
  return impl_->source.text.packed();
}

struct DialogueFile::Impl {
  Source source;
  Format format;
  FileStamp stamp;
  std::unique_ptr<internal::FormatReader> reader = {};

  void check() const {
    if (source.text.stamp() != stamp) {
      fail_input(source.path() + ": the file has changed since its dialogues were counted",
                 kChangedHint);
    }
  }

  Dialogue read(const DialoguePlace& place) {
    if (!reader) {
      source.text.more();
      reader = open_format(source, format);
    }
    if (auto out = reader->at(place)) return std::move(*out);
    check();
    fail_input(source.path() + ": dialogue " + std::to_string(place.number) +
                   " does not lie where it was found before",
               kChangedHint);
  }
};

DialogueFile::DialogueFile(const std::string& path, Format format, const FileStamp& stamp,
                           const StrategySet& strategies)
    : impl_(std::make_unique<Impl>(
          Impl{{TextStream(path), content_stem(path), strategies, {}}, format, stamp})) {
  impl_->check();
}

DialogueFile::~DialogueFile() = default;
DialogueFile::DialogueFile(DialogueFile&&) noexcept = default;

Dialogue DialogueFile::read(const DialoguePlace& place) {
  return impl_->read(place);
}

void DialogueFile::check() const {
  impl_->check();
}

namespace {

// All of a reader's dialogues, behind those of `corpus`.
void append(CorpusReader reader, Corpus& corpus) {
  while (auto d = reader.next()) corpus.dialogues.push_back(std::move(*d));
  corpus.sources.push_back(reader.source());
}

Corpus whole(CorpusReader reader, const std::string& path) {
  Corpus corpus;
  corpus.name = content_stem(path);
  append(std::move(reader), corpus);
  corpus.sha256 = corpus.sources.front().sha256;
  return corpus;
}

}  // namespace

Corpus parse_corpus(std::string_view bytes, const std::string& path, Format format,
                    const StrategySet& strategies, const OnProblem& on_problem) {
  return whole(CorpusReader(bytes, path, format, strategies, on_problem), path);
}

Corpus read_corpus(const std::string& path, Format format, const StrategySet& strategies,
                   const OnProblem& on_problem) {
  return whole(CorpusReader(path, format, strategies, on_problem), path);
}

}  // namespace straq::dialogue
