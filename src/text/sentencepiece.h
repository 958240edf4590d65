// Sentencepiece models through sentencepiece's own library, so that ids are its ids. Where a BPE
// model lets no token cross from one word into the blank before the next (Llama 2's and those that
// we train), the library is asked word by word and its answers are remembered: the same ids, many
// times as fast. Unigram models of that sort have an encoder of our own (unigram.h). Other models
// and texts go to the library whole.
//
// Each encode() call is one text for the library: a model with a dummy prefix (Llama 2's has it)
// puts a blank before every text that is encoded by itself, so encode segments the same way
// everywhere. Bytes that are not UTF-8 become U+FFFD, as the library does it. Control symbols
// ("<s>") are never found in text; user-defined symbols of the model are, as the library does it.
// decode() gives control symbols their spelling, and takes the dummy prefix off the text at the
// start and after each of them.
#pragma once

#include <memory>
#include <string>

#include "text/tokenizer.h"

namespace straq::text {

// Throws Error(input) when the file is no sentencepiece model.
std::unique_ptr<Tokenizer> open_sentencepiece(const std::string& path);

}  // namespace straq::text
