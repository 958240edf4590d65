// The chat template that comes with a model: in its GGUF file, or in its folder.
#pragma once

#include <optional>
#include <string>

#include "text/chat_template.h"

namespace straq::text {

inline constexpr const char* kChatTemplateFile = "chat_template.jinja";  // in a model's folder

struct ModelChat {
  std::string jinja;  // the template as it stands there
  ChatFormat format;  // what it writes
};
// Of a .gguf file the key tokenizer.chat_template, of a folder chat_template.jinja or
// tokenizer_config.json's "chat_template" (a text, or a list of which the one named "default").
// Nothing where the model has none: a base model. Throws Error(input) naming the file for a
// template that recognise_chat_template() refuses and for a file that is damaged.
std::optional<ModelChat> chat_of_model(const std::string& path);
// Its format alone.
std::optional<ChatFormat> chat_format_of_model(const std::string& path);

}  // namespace straq::text
