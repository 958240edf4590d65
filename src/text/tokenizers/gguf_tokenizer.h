// The tokenizer that lies in a GGUF file, turned into the files that it would be in a Hugging Face
// folder, and opened as those are: ids come from one place, and an imported model has them beside
// it. Byte-level models ("gpt2") become a tokenizer.json, sentencepiece's ("llama") a
// tokenizer.model; BOS, EOS and the chat template stand in tokenizer_config.json.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/files/gguf_file.h"
#include "text/tokenizer.h"

namespace straq::text {

struct TokenizerFile {
  std::string name;
  std::string bytes;
};

// Whether the file holds a tokenizer of any kind.
bool has_gguf_tokenizer(const GgufFile& file);

// The files, the same bytes each time. Throws Error(input) naming file and key: no tokenizer, a
// model or split pattern (tokenizer.ggml.pre) that is not known, lists of different lengths, tokens
// without text or twice, no UTF-8, merges that are no two tokens, ids outside the vocabulary.
std::vector<TokenizerFile> tokenizer_files_of_gguf(const GgufFile& file);

// Control tokens are special: users' text never holds one. A text begins with BOS as
// tokenizer.ggml.add_bos_token says or, without it, for Llama 3's and sentencepiece's models.
std::unique_ptr<Tokenizer> open_gguf_tokenizer(const std::string& path);

}  // namespace straq::text
