#include "dialogue/plan/corpus_index.h"

#include <bit>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "core/environment.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "core/json/json.h"
#include "core/log.h"

namespace straq::dialogue {
namespace {

constexpr const char* kFormat = "straq-corpus-index";
constexpr std::int64_t kVersion = 1;
constexpr std::size_t kBeginning = std::size_t{1} << 16;
constexpr std::int64_t kMost = std::int64_t{1} << 53;
static_assert(std::endian::native == std::endian::little, "index files are little-endian");

// What a file was when it was read; the JSON of a PlannedFile.
struct FileLine {
  std::string path, sha256, beginning;
  std::int64_t dialogues = 0, bytes = 0, modified = 0;
  int format = 0;
  bool packed = false;

  void fields(JsonFields& f) {
    f("path", path);
    f("sha256", sha256);
    f("beginning", beginning);
    f.within("dialogues", dialogues, std::int64_t{0}, kMost);
    f.within("bytes", bytes, std::int64_t{0}, kMost);
    f("modified", modified);
    f.within("format", format, static_cast<int>(Format::esconv_json),
             static_cast<int>(Format::empathetic_csv));
    f("packed", packed);
  }
};

struct Head {
  std::string format = kFormat;
  std::int64_t version = kVersion;
  std::string sha256, content;  // of the corpus; of the bytes behind this line
  std::int64_t dialogues = 0;
  std::vector<FileLine> files;

  void fields(JsonFields& f) {
    f("format", format);
    f("version", version);
    f("sha256", sha256);
    f("content", content);
    f.within("dialogues", dialogues, std::int64_t{0}, kMost);
    f("files", files);
  }
};

// A file's first bytes, as they lie on disk.
std::string beginning_of(const std::string& path) {
  ByteSource source(path, /*unpack=*/false);
  std::string bytes(kBeginning, '\0');
  std::size_t there = 0;
  while (there < bytes.size()) {
    const std::size_t n = source.read(bytes.data() + there, bytes.size() - there);
    if (n == 0) break;
    there += n;
  }
  bytes.resize(there);
  return sha256_hex(bytes);
}

// The columns of all dialogues, one after the other: name them once for both directions.
template <class Dialogues, class F>
void each_column(Dialogues& dialogues, F&& column) {
  column(
      dialogues, [](auto& d) -> auto& { return d.place.offset; });
  column(
      dialogues, [](auto& d) -> auto& { return d.place.line; });
  column(
      dialogues, [](auto& d) -> auto& { return d.place.bytes; });
  column(
      dialogues, [](auto& d) -> auto& { return d.place.number; });
  column(
      dialogues, [](auto& d) -> auto& { return d.file; });
  column(
      dialogues, [](auto& d) -> auto& { return d.decisions; });
}

constexpr std::size_t kBytesOfADialogue = 8 + 8 + 4 + 4 + 4 + 4;

// Says now and then how far a large file has been read.
class ReadingProgress {
 public:
  ReadingProgress(const std::string& path, const FileStamp& stamp, bool packed)
      : path_(path), bytes_(packed ? 0 : stamp.bytes) {}

  void read(std::size_t dialogues, std::uint64_t offset) {
    if (dialogues % 1024 != 0) return;
    const double now = monotonic_seconds();
    if (now - said_ < kPause) return;
    said_ = now;
    const double seconds = now - start_;
    const std::string left =
        bytes_ == 0
            ? std::string()
            : fmt::format(
                  ", {:.0f} s left",
                  seconds * (static_cast<double>(bytes_) / static_cast<double>(offset + 1) - 1));
    log::info("data", "reading {}: {} dialogues, {:.0f} a second{}", path_, dialogues,
              static_cast<double>(dialogues) / seconds, left);
  }

 private:
  static constexpr double kPause = 10;  // seconds
  const std::string& path_;
  std::uint64_t bytes_;
  double start_ = monotonic_seconds(), said_ = start_;
};

void read_file(const std::string& path, const DataConfig& config, const StrategySet& strategies,
               const OnDialogue& on_dialogue, Sha256& all, CorpusIndex& index) {
  CorpusReader reader(path, config.format, strategies);
  reader.add_to(all);
  const FileStamp stamp = reader.stamp();
  const auto file = static_cast<std::uint32_t>(index.files.size());
  ReadingProgress progress(path, stamp, reader.packed());
  for (std::size_t n = 1; auto d = reader.next(); ++n) {
    progress.read(n, reader.place().offset);
    const auto decisions = static_cast<std::uint32_t>(make_episode(config, *d).decisions.size());
    index.dialogues.push_back({reader.place(), file, decisions});
    if (on_dialogue) on_dialogue(std::move(*d));
  }
  index.files.push_back({reader.source(), reader.format(), stamp, reader.packed()});
  if (reader.stamp() != stamp) {
    fail_input(path + ": the file was written to while it was read", "start again");
  }
}

}  // namespace

CorpusIndex read_index(const std::vector<std::string>& paths, const DataConfig& config,
                       const StrategySet& strategies, const OnDialogue& on_dialogue) {
  CorpusIndex index;
  Sha256 all;
  std::set<std::string> stems;
  for (const std::string& path : paths) {
    if (!stems.insert(content_stem(path)).second) {
      fail_input(path +
                     ": another file of this corpus has the same name, so their dialogues would "
                     "have the same ids",
                 "rename one of the files");
    }
    read_file(path, config, strategies, on_dialogue, all, index);
  }
  index.sha256 = all.hex();
  return index;
}

std::string index_name(const std::vector<std::string>& paths, const DataConfig& config,
                       const StrategySet& strategies) {
  nlohmann::ordered_json rules;
  for (const std::string& path : paths) {
    rules["paths"].push_back(std::filesystem::absolute(path).lexically_normal().string());
  }
  rules["format"] = static_cast<int>(config.format);
  rules["merge"] = static_cast<int>(config.merge());
  rules["unit"] = static_cast<int>(config.unit);
  for (const Strategy& s : strategies.items()) {
    rules["labels"].push_back(
        {{"name", s.name}, {"abbreviation", s.abbreviation}, {"aliases", s.aliases}});
  }
  return sha256_hex(dump_json(rules)).substr(0, 16) + ".index";
}

std::optional<CorpusIndex> load_index(const std::string& file,
                                      const std::vector<std::string>& paths) {
  std::error_code ec;
  if (!std::filesystem::exists(file, ec)) return std::nullopt;
  try {
    const std::string bytes = straq::read_file(file);
    const std::size_t end = bytes.find('\n');
    if (end == bytes.npos) return std::nullopt;
    const auto head = read_json<Head>(
        parse_ordered_json(std::string_view(bytes).substr(0, end), file), JsonPlace(file, ""));
    const std::string_view columns = std::string_view(bytes).substr(end + 1);
    if (head.format != kFormat || head.version != kVersion || head.files.size() != paths.size() ||
        columns.size() / kBytesOfADialogue != static_cast<std::size_t>(head.dialogues) ||
        columns.size() % kBytesOfADialogue != 0 || sha256_hex(columns) != head.content) {
      return std::nullopt;
    }
    CorpusIndex index;
    index.sha256 = head.sha256;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const FileLine& f = head.files[i];
      const FileStamp stamp{static_cast<std::uint64_t>(f.bytes), f.modified};
      if (ByteSource(paths[i]).stamp() != stamp || beginning_of(paths[i]) != f.beginning) {
        return std::nullopt;
      }
      index.files.push_back(
          {{paths[i], f.sha256, f.dialogues}, static_cast<Format>(f.format), stamp, f.packed});
    }
    index.dialogues.resize(static_cast<std::size_t>(head.dialogues));
    const char* at = columns.data();
    each_column(index.dialogues, [&](auto& dialogues, auto&& value) {
      for (auto& d : dialogues) {
        std::memcpy(&value(d), at, sizeof value(d));
        at += sizeof value(d);
      }
    });
    for (const auto& d : index.dialogues) {
      if (d.file >= index.files.size()) return std::nullopt;
    }
    return index;
  } catch (const Error&) {
    return std::nullopt;
  }
}

void save_index(const std::string& file, const CorpusIndex& index) {
  std::string columns;
  columns.reserve(index.dialogues.size() * kBytesOfADialogue);
  each_column(index.dialogues, [&](auto& dialogues, auto&& value) {
    for (const auto& d : dialogues) {
      columns.append(reinterpret_cast<const char*>(&value(d)), sizeof value(d));
    }
  });
  Head head;
  head.sha256 = index.sha256;
  head.content = sha256_hex(columns);
  head.dialogues = static_cast<std::int64_t>(index.dialogues.size());
  for (const PlannedFile& f : index.files) {
    head.files.push_back({f.source.path, f.source.sha256, beginning_of(f.source.path),
                          f.source.dialogues, static_cast<std::int64_t>(f.stamp.bytes),
                          f.stamp.modified, static_cast<int>(f.format), f.packed});
  }
  write_file_atomic(file, dump_json(write_json(head)) + "\n" + columns);
}

}  // namespace straq::dialogue
