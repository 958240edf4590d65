#include "text/model_chat_template.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/gguf_file.h"
#include "core/json/json.h"
#include "text/beside.h"

namespace straq::text {
namespace {

namespace fs = std::filesystem;

std::optional<ModelChat> of_gguf(const std::string& path) {
  const GgufFile file(path);
  const auto jinja = file.text("tokenizer.chat_template");
  if (!jinja) return std::nullopt;
  std::string bos;
  const auto tokens = file.texts("tokenizer.ggml.tokens");
  const auto id = file.integer("tokenizer.ggml.bos_token_id");
  if (id && *id >= 0 && *id < static_cast<std::int64_t>(tokens.size())) {
    bos = std::string(tokens[static_cast<std::size_t>(*id)]);
  }
  return ModelChat{std::string(*jinja),
                   recognise_chat_template(*jinja, bos, path + ": tokenizer.chat_template")};
}

// "chat_template" of a tokenizer_config.json: a text, or a list of named ones.
std::string jinja_of(const nlohmann::ordered_json& config, const std::string& where) {
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_array()) {
    for (const auto& item : *found) {
      if (item.is_object() && item.value("name", "") == "default" && item.contains("template") &&
          item["template"].is_string()) {
        return item["template"].get<std::string>();
      }
    }
  }
  fail_input(where + ": \"chat_template\" is neither a text nor a list with a default one",
             "take the file that came with the model");
}

}  // namespace

std::optional<ModelChat> chat_of_model(const std::string& path) {
  if (fs::is_regular_file(path)) return of_gguf(path);
  const std::string config_path = (fs::path(path) / "tokenizer_config.json").string();
  const std::string jinja_path = (fs::path(path) / kChatTemplateFile).string();
  std::string jinja, where = jinja_path, bos;
  if (fs::exists(config_path)) {
    const auto config = parse_json(read_file(config_path), config_path);
    if (!config.is_object()) fail_input(config_path + ": no JSON object");
    jinja = jinja_of(config, config_path);
    if (!jinja.empty()) where = config_path;
    bos = beside_of_config(config_path, read_file(config_path)).bos.text;
  }
  if (fs::exists(jinja_path)) {
    jinja = read_file(jinja_path);
    where = jinja_path;
  }
  if (jinja.empty()) return std::nullopt;
  auto format = recognise_chat_template(jinja, bos, where);
  return ModelChat{std::move(jinja), std::move(format)};
}

std::optional<ChatFormat> chat_format_of_model(const std::string& path) {
  auto chat = chat_of_model(path);
  return chat ? std::optional(std::move(chat->format)) : std::nullopt;
}

}  // namespace straq::text
