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
#include <vector>

#include "text/beside.h"
#include "text/tokenizer.h"

namespace straq::text {

// Tokens that the files beside the model add are found in text before the model sees it, and the
// text behind one gets no dummy prefix, as transformers does it. A text that begins with BOS does
// so with the model's own, unless those files say otherwise.
//
// Throws Error(input) when the file is no sentencepiece model, and for what settle() refuses.
std::unique_ptr<Tokenizer> open_sentencepiece(const std::string& path, const Beside& beside);
// The same of the bytes of a model that the file `path` amounts to.
std::unique_ptr<Tokenizer> open_sentencepiece(const std::string& path, const std::string& bytes,
                                              const Beside& beside);

// The model's pieces by id, as they are spelled there; for comparing it with other files. Throws
// Error(input) when the file is no sentencepiece model.
std::vector<std::string> pieces_of_sentencepiece(const std::string& path);

}  // namespace straq::text
