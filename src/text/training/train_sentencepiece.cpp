#include <sentencepiece_trainer.h>

#include <algorithm>
#include <unordered_map>

#include "config/choices.h"
#include "core/error.h"
#include "text/training/train.h"
#include "text/unicode.h"

namespace straq::text {
namespace {

// Hands out texts line by line: the trainer takes a sample to be one line.
class Lines final : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(const std::vector<std::string>& texts) : texts_(texts) { advance(); }
  bool done() const override { return done_; }
  void Next() override { advance(); }
  const std::string& value() const override { return line_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  void advance() {
    while (text_ < texts_.size()) {
      const std::string& text = texts_[text_];
      const std::size_t end = std::min(text.find('\n', begin_), text.size());
      line_.assign(text, begin_, end - begin_);
      begin_ = end + 1;
      if (begin_ > text.size()) {
        ++text_;
        begin_ = 0;
      }
      if (!line_.empty()) return;
    }
    done_ = true;
  }

  const std::vector<std::string>& texts_;
  std::size_t text_ = 0, begin_ = 0;
  std::string line_;
  bool done_ = false;
};

std::string yes_no(bool x) {
  return x ? "true" : "false";
}

}  // namespace

std::string train_sentencepiece(const std::vector<std::string>& texts,
                                const TrainOptions& options) {
  std::size_t longest = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (const auto bad = find_invalid_utf8(texts[i])) {
      fail_input(
          "text " + std::to_string(i) + " is not valid UTF-8 at byte " + std::to_string(*bad),
          "convert the corpus to UTF-8 first");
    }
    longest = std::max(longest, texts[i].size());
  }
  if (longest == 0) fail_input("there is no text to train a tokenizer on");
  std::string controls;
  for (const auto& name : options.specials) {
    // The trainer takes a list with commas and has "<s>", "</s>" and "<unk>" of its own.
    if (name.empty() || name.find(',') != std::string::npos || name == "<unk>") {
      fail_input("\"" + name + "\" can't be a special token of a sentencepiece model",
                 "use a name without commas, like <pad>");
    }
    if (name != "<s>" && name != "</s>") controls += (controls.empty() ? "" : ",") + name;
  }

  std::unordered_map<std::string, std::string> settings = {
      {"model_type", config::word_of(kPieceModels, options.model)},
      {"vocab_size", std::to_string(options.vocab_size)},
      {"character_coverage", std::to_string(options.character_coverage)},
      {"byte_fallback", "true"},
      {"split_digits", yes_no(options.split_digits)},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"allow_whitespace_only_pieces", "true"},
      {"add_dummy_prefix", yes_no(options.dummy_prefix)},
      {"num_threads", std::to_string(options.threads)},
      // The trainer leaves out longer lines without an error.
      {"max_sentence_length", std::to_string(std::max<std::size_t>(longest, 4192))},
      {"minloglevel", "2"},
  };
  if (!controls.empty()) settings["control_symbols"] = controls;
  Lines lines(texts);
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(settings, &lines, &model);
  if (!status.ok() || model.empty()) {
    fail_input("sentencepiece could not train " + std::to_string(options.vocab_size) +
                   " pieces: " + status.ToString(),
               "lower vocab_size (256 bytes, special tokens and the characters of the texts are "
               "always in it), or train on more text");
  }
  return model;
}

}  // namespace straq::text
