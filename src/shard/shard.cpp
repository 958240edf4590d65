#include "shard/shard.h"

#include <filesystem>
#include <mutex>
#include <stdexcept>

#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "core/json/json_number.h"
#include "shard/columns.h"
#include "shard/lock_probe.h"

namespace straq::shard {
namespace {

constexpr const char* kShardFormat = "straq-shard";
// Sums of two of them do not overflow.

ShardRecord make_record(const ShardHeader& header, const Columns& columns, std::string_view bytes) {
  ShardRecord r;
  r.key = header.key;
  r.item = header.item;
  r.decisions = static_cast<std::int64_t>(columns.decision_gold.size());
  r.trunk_tokens = static_cast<std::int64_t>(columns.trunk_token.size());
  r.probe_tokens = static_cast<std::int64_t>(columns.probe_token.size());
  r.bytes = static_cast<std::int64_t>(bytes.size());
  r.content_sha256 = content_hash(header, columns);
  r.file_sha256 = sha256_hex(bytes);
  return r;
}

std::string range_text(const WorkItem& item) {
  return item.split + " " + std::to_string(item.first) + ".." +
         std::to_string(item.first + item.count - 1);
}

// A number of a header, which counts, indexes or bounds something.
std::int64_t count_in(const H5Reader& in, const char* name, std::int64_t most) {
  const std::int64_t n = in.number(name);
  if (n < 0 || n > most) {
    throw Unreadable{std::string("attribute ") + name + " is " + std::to_string(n) +
                     ", outside 0 to " + std::to_string(most)};
  }
  return n;
}

ShardHeader read_header(const H5Reader& in) {
  if (!in.has_attribute("format") || in.text("format") != kShardFormat) {
    throw Unreadable{"it is an HDF5 file, but not a shard of this program"};
  }
  const std::int64_t version = in.number("format_version");
  if (version != kShardVersion) {
    throw Unreadable{"it has format version " + std::to_string(version) +
                     (version < kShardVersion ? " of an older program" : " of a newer program") +
                     "; this one reads version " + std::to_string(kShardVersion)};
  }
  ShardHeader h;
  h.key = in.text("key");
  h.source = in.text("source");
  h.tokenizer = in.text("tokenizer");
  h.prompt = in.text("template");
  h.window = count_in(in, "window", kMostCount);
  h.vocab_size = count_in(in, "vocab_size", std::int64_t{1} << 31);
  h.option_ids = in.numbers("option_ids");
  h.item.split = in.text("split");
  h.item.index = count_in(in, "index", kMostCount);
  h.item.first = count_in(in, "first_dialogue", kMostCount);
  h.item.count = count_in(in, "dialogues", kMostCount);
  return h;
}

// The numbers that a shard states about itself, for those who read headers only.
void check_totals(const H5Reader& in, const Columns& columns) {
  const auto check = [&](const char* name, std::size_t there) {
    const std::int64_t stated = in.number(name);
    if (stated != static_cast<std::int64_t>(there)) {
      throw Unreadable{std::string("attribute ") + name + " is " + std::to_string(stated) +
                       ", its datasets hold " + std::to_string(there)};
    }
  };
  check("trunks", columns.trunk_header.size());
  check("decisions", columns.decision_gold.size());
  check("trunk_tokens", columns.trunk_token.size());
  check("probe_tokens", columns.probe_token.size());
}

// The parts of the key first: "other tokenizer" helps more than "other key".
void compare(const ShardHeader& h, const Expected& e) {
  const auto same = [](const char* what, const std::string& has, const std::string& wanted) {
    if (!wanted.empty() && has != wanted) {
      throw Unreadable{std::string("it was made with another ") + what + ": it has " + has +
                       ", wanted is " + wanted};
    }
  };
  same("tokenizer", h.tokenizer, e.tokenizer);
  same("prompt template", h.prompt, e.prompt);
  same("source corpus", h.source, e.source);
  same("preprocessing key", h.key, e.key);
  if (e.item && h.item != *e.item) {
    throw Unreadable{"it holds dialogues " + range_text(h.item) + ", wanted are " +
                     range_text(*e.item)};
  }
}

// The library keeps state of its own, and a learner reads its next shard on a thread.
std::mutex& hdf5_turn() {
  static std::mutex turn;
  return turn;
}

struct Loaded {
  ShardHeader header;
  Columns columns;
  ShardRecord record;
};

// A file that does not open and is shorter than recorded was cut off, whatever HDF5 stumbled over.
H5Reader open_image(const std::string& bytes, const Expected& expected) {
  try {
    return H5Reader(bytes);
  } catch (const Unreadable&) {
    const auto size = static_cast<std::int64_t>(bytes.size());
    if (!expected.record || size >= expected.record->bytes) throw;
    throw Unreadable{"it is truncated: " + std::to_string(size) + " of " +
                     std::to_string(expected.record->bytes) + " bytes"};
  }
}

Loaded load_unlocked(const std::string& path, const Expected& expected) {
  std::error_code ec;
  if (!std::filesystem::exists(path, ec)) throw Unreadable{"it is missing"};
  std::string bytes;
  try {
    bytes = read_file(path);
  } catch (const Error& e) {
    throw Unreadable{e.what()};
  }
  if (bytes.empty()) throw Unreadable{"it is empty"};
  const std::lock_guard turn(hdf5_turn());
  const H5Reader in = open_image(bytes, expected);
  Loaded out;
  out.header = read_header(in);
  compare(out.header, expected);
  out.columns.dialogue_id = in.strings("dialogue/id");
  Columns::each(out.columns, [&](const char* name, auto& values) {
    using T = typename std::remove_cvref_t<decltype(values)>::value_type;
    values = in.array<T>(name);
  });
  Columns::each_optional(out.columns, [&](const char* name, auto& column) {
    using T = typename std::remove_cvref_t<decltype(*column)>::value_type;
    if (in.has(name)) column = in.array<T>(name);
  });
  check_columns(out.columns, out.header);
  check_totals(in, out.columns);
  out.record = make_record(out.header, out.columns, bytes);
  if (in.text("content_sha256") != out.record.content_sha256) {
    throw Unreadable{"its content does not have the SHA-256 that it states"};
  }
  if (expected.record) {
    if (out.record.content_sha256 != expected.record->content_sha256) {
      throw Unreadable{"its content is not the one that the manifest records"};
    }
    if (out.record.file_sha256 != expected.record->file_sha256) {
      throw Unreadable{"its bytes differ from the ones that the manifest records"};
    }
  }
  return out;
}

// A shard that cannot be used while another program holds its lock is most likely being written by
// that program; then neither the file nor the disk is to blame.
Loaded load(const std::string& path, const Expected& expected) {
  try {
    return load_unlocked(path, expected);
  } catch (const Unreadable& e) {
    const std::string holder = lock_holder(path);
    if (holder.empty()) throw;
    throw Unreadable{e.reason + "; " + holder + " has it open for writing: close it there first"};
  }
}

}  // namespace

std::string WorkItem::file() const {
  std::string number = std::to_string(index);
  if (number.size() < 5) number.insert(0, 5 - number.size(), '0');
  return split + "-" + number + ".h5";
}

ShardRecord write_shard(const std::string& path, const ShardHeader& h,
                        const std::vector<prompt::Comb>& combs, const Storage& storage) {
  Columns columns;
  try {
    columns = to_columns(combs);
    check_columns(columns, h);
  } catch (const Unreadable& e) {
    throw std::logic_error("write_shard " + path + ": " + e.reason);
  }
  const std::lock_guard turn(hdf5_turn());
  H5Writer out(path, storage);
  out.attribute("format", kShardFormat);
  out.attribute("format_version", kShardVersion);
  out.attribute("key", h.key);
  out.attribute("source", h.source);
  out.attribute("tokenizer", h.tokenizer);
  out.attribute("template", h.prompt);
  out.attribute("window", h.window);
  out.attribute("vocab_size", h.vocab_size);
  out.attribute("option_ids", h.option_ids);
  out.attribute("split", h.item.split);
  out.attribute("index", h.item.index);
  out.attribute("first_dialogue", h.item.first);
  out.attribute("dialogues", h.item.count);
  out.attribute("trunks", static_cast<std::int64_t>(columns.trunk_header.size()));
  out.attribute("decisions", static_cast<std::int64_t>(columns.decision_gold.size()));
  out.attribute("trunk_tokens", static_cast<std::int64_t>(columns.trunk_token.size()));
  out.attribute("probe_tokens", static_cast<std::int64_t>(columns.probe_token.size()));
  out.attribute("content_sha256", content_hash(h, columns));
  for (const char* group : {"dialogue", "trunk", "decision", "probe"}) out.group(group);
  out.strings("dialogue/id", columns.dialogue_id);
  Columns::each(columns,
                [&](const char* name, const auto& values) { out.array(name, std::span(values)); });
  Columns::each_optional(columns, [&](const char* name, const auto& column) {
    if (column) out.array(name, std::span(*column));
  });
  const std::string image = out.image();
  ShardRecord record = make_record(h, columns, image);
  write_file_atomic(path, image);
  return record;
}

ShardCheck validate_shard(const std::string& path, const Expected& expected) {
  try {
    return {load(path, expected).record, {}};
  } catch (const Unreadable& e) {
    return {std::nullopt, e.reason};
  }
}

Shard read_shard(const std::string& path, const Expected& expected, ShardRecord* record) {
  try {
    Loaded loaded = load(path, expected);
    if (record != nullptr) *record = std::move(loaded.record);
    return {std::move(loaded.header), to_combs(loaded.columns)};
  } catch (const Unreadable& e) {
    fail_input(
        "shard " + path + " is refused: " + e.reason,
        "rerun straq preprocess with this config; it writes again what is missing or invalid");
  }
}

}  // namespace straq::shard
