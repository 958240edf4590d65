#include "planner/card.h"

#include <filesystem>
#include <memory>
#include <utility>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/gguf_file.h"
#include "core/files/lfs_pointer.h"
#include "core/json/json.h"
#include "prompt/builder.h"
#include "text/tokenizer.h"
#include "text/tokenizers/gguf_tokenizer.h"

namespace straq::planner {
namespace fs = std::filesystem;
namespace {

constexpr const char* kHint = "name a run's planner folder, and copy it as a whole";

// Errors about a value name the file that it came from.
void set_file(config::Value& value, const std::string& file) {
  value.file = file;
  for (auto& v : value.list) set_file(v, file);
  for (auto& [key, v] : value.map) set_file(v, file);
}

void require_format(const nlohmann::ordered_json& json, const std::string& path) {
  if (!json.is_object() || !json.contains("format") || !json["format"].is_number_integer()) {
    fail_input(path + ": this is no planner's file (it has no \"format\")", kHint);
  }
  const auto format = json["format"].get<std::int64_t>();
  if (format == kCardFormat) return;
  const std::string is = path + " has format " + std::to_string(format);
  if (format == 1) {
    fail_input(is +
                   ", which names the prompt and the tokenizer but does not hold them; this "
                   "version asks planners of format " +
                   std::to_string(kCardFormat),
               "make the run again (straq run --from RUN); straq evaluate RUN still scores it");
  }
  fail_input(is + "; this version reads format " + std::to_string(kCardFormat),
             "use the version that wrote it");
}

}  // namespace

void Card::fields(config::Fields& f) {
  int format = kCardFormat;
  f.required("format", format);
  q.fields(f);
  f.required("option_ids", option_ids);
  f.required("strategies", strategies);
  f("option_shift", option_shift);
  f.required("gamma", gamma, config::between(0, 1));
  f.choice("merge_label", merge_label,
           {{"first", dialogue::MergeLabel::first},
            {"last", dialogue::MergeLabel::last},
            {"none", dialogue::MergeLabel::none}});
  f.required("prompt", prompt);
  f.required("template", pieces);
  f.required("prompt_fingerprint", prompt_fingerprint);
  f.required("tokenizer_fingerprint", tokenizer_fingerprint);
  f.required("inputs_sha256", inputs_sha256);
}

void Card::write(const std::string& folder) const {
  const auto json = config::to_json(config::dump(*this));
  write_file_atomic(folder + "/" + kCardName, dump_json(json, 2) + "\n");
}

Card Card::read(const std::string& folder) {
  const std::string path = folder + "/" + kCardName;
  if (!fs::exists(path)) fail_input(folder + " holds no planner (no " + kCardName + ")", kHint);
  const std::string bytes = read_file(path);
  if (is_lfs_pointer(bytes)) fail_input(path + ": " + lfs_pointer_words(bytes), kLfsHint);
  const auto json = parse_ordered_json(bytes, path, kHint);
  require_format(json, path);
  config::Value root = config::from_json(json);
  set_file(root, path);
  return config::read<Card>(root);
}

NamedFiles tokenizer_files(const std::string& tokenizer) {
  NamedFiles out;
  if (is_gguf_file(tokenizer)) {
    // Its weights stay behind.
    for (auto& file : text::tokenizer_files_of_gguf(GgufFile(tokenizer))) {
      out.emplace_back(std::move(file.name), std::move(file.bytes));
    }
  } else {
    for (const auto& copy : text::copies_of_tokenizer(tokenizer)) {
      out.emplace_back(copy.name, read_file(copy.path));
    }
  }
  return out;
}

void write_tokenizer(const std::string& folder, const NamedFiles& files) {
  for (const auto& name : text::names_of_copies()) fs::remove(fs::path(folder) / name);
  for (const auto& [name, bytes] : files) write_file_atomic(folder + "/" + name, bytes);
}

Companions Companions::gather(Card card, const std::string& tokenizer) {
  Companions out;
  const auto opened = text::open_tokenizer(tokenizer);
  out.tokenizer = tokenizer_files(tokenizer);
  const std::string& source = card.prompt.template_path;
  card.pieces = prompt::Template::load(source);
  const auto strategies = dialogue::StrategySet::of(card.strategies, "the strategies");
  const prompt::PromptBuilder builder(card.prompt, card.pieces, source, strategies, *opened);
  card.prompt = builder.config();
  card.option_ids = builder.option_ids();
  card.prompt_fingerprint = builder.fingerprint();
  card.tokenizer_fingerprint = opened->fingerprint();
  out.card = std::move(card);
  return out;
}

void Companions::write(const std::string& folder) const {
  write_tokenizer(folder, tokenizer);
  card.write(folder);
}

}  // namespace straq::planner
