#include "text/sentencepiece.h"

#include <sentencepiece_processor.h>

#include <mutex>

#include "core/error.h"
#include "core/files.h"
#include "core/hash.h"
#include "text/bpe.h"
#include "text/sentencepiece_model.h"
#include "text/unicode.h"
#include "text/unigram.h"

namespace straq::text {
namespace {

constexpr std::string_view blank_piece = "\xE2\x96\x81";  // U+2581, a blank in the pieces
constexpr std::size_t remembered_bytes = 64;
constexpr std::size_t remembered_words = 1 << 16;

class SentencePieceTokenizer final : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(const std::string& path) {
    const std::string bytes = read_file(path);
    const auto status = processor_.LoadFromSerializedProto(bytes);
    if (!status.ok()) {
      fail_input(path + ": not a sentencepiece model (" + status.ToString() + ")",
                 "a sentencepiece model is the .model file that its trainer writes");
    }
    fingerprint_ = "sentencepiece:" + sha256_hex(bytes);
    const auto model = parse_sentencepiece_model(bytes);
    // Unigram models add up scores over the whole text, and rounding lets a word's best cut depend
    // on what came before it; merges of BPE look at their own word only.
    by_word_ =
        model && model->kind == SentencePieceModel::Kind::bpe && words_are_independent(*model);
    if (model) unigram_ = UnigramEncoder::make(*model);
    dummy_prefix_ = model && model->dummy_prefix;
    blank_id_ = processor_.PieceToId({blank_piece.data(), blank_piece.size()});
  }

  std::vector<TokenId> encode(std::string_view text) const override {
    std::vector<TokenId> ids;
    // A U+2581 in the text would join the blanks beside it.
    if (!(by_word_ || unigram_) || text.find(blank_piece) != std::string_view::npos ||
        find_invalid_utf8(text)) {
      ask(text, ids);
      return ids;
    }
    if (unigram_) {
      unigram_->append(text, ids);
      return ids;
    }
    const std::unique_lock lock(memory_mutex_, std::try_to_lock);
    if (!lock.owns_lock()) {
      ask(text, ids);
      return ids;
    }
    ids.reserve(text.size() / 3 + 4);
    // Words as the pieces have them: blanks lead the word after them. With the dummy prefix each
    // word gets one blank from the library, which the first needs and which stands for one of the
    // others' own.
    std::size_t begin = 0;
    while (begin < text.size()) {
      std::size_t end = begin;
      while (end < text.size() && text[end] == ' ') ++end;
      while (end < text.size() && text[end] != ' ') ++end;
      std::string_view word = text.substr(begin, end - begin);
      if (dummy_prefix_ && begin > 0) word.remove_prefix(1);
      word.empty() ? ids.push_back(blank_id_) : append_word(word, ids);
      begin = end;
    }
    return ids;
  }

  std::string decode(const std::vector<TokenId>& ids) const override {
    std::string out;
    std::vector<int> run;
    const auto flush = [&] {
      if (run.empty()) return;
      std::string text;
      check(processor_.Decode(run, &text), "decode");
      out += text;
      run.clear();
    };
    for (const TokenId id : ids) {
      if (id < 0 || id >= vocab_size()) {
        fail_input("token id " + std::to_string(id) + " is outside the vocabulary of " +
                       std::to_string(vocab_size()),
                   "the ids were made with another tokenizer");
      }
      if (processor_.IsControl(id)) {
        flush();
        out += processor_.IdToPiece(id);
      } else {
        run.push_back(id);
      }
    }
    flush();
    return out;
  }

  int vocab_size() const override { return processor_.GetPieceSize(); }

  std::optional<TokenId> special(std::string_view token) const override {
    // The library answers with the id of the unknown piece for what it does not know.
    const int id = processor_.PieceToId({token.data(), token.size()});
    if (id < 0 || processor_.IdToPiece(id) != token) return std::nullopt;
    if (!processor_.IsControl(id) && !processor_.IsUnknown(id)) return std::nullopt;
    return id;
  }
  std::optional<TokenId> bos() const override { return known(processor_.bos_id()); }
  std::optional<TokenId> eos() const override { return known(processor_.eos_id()); }
  std::string fingerprint() const override { return fingerprint_; }

 private:
  void ask(std::string_view text, std::vector<TokenId>& ids) const {
    check(processor_.Encode({text.data(), text.size()}, &ids), "encode");
  }
  void append_word(std::string_view word, std::vector<TokenId>& ids) const {
    const std::uint64_t hash = hash_bytes(word.data(), word.size());
    if (memory_.find(word, hash, ids)) return;
    std::vector<TokenId> found;
    ask(word, found);
    ids.insert(ids.end(), found.begin(), found.end());
    if (word.size() > remembered_bytes) return;
    if (memory_.size() >= remembered_words) memory_.clear();
    memory_.insert(word, hash, found.data(), found.size());
  }
  static std::optional<TokenId> known(int id) {
    return id < 0 ? std::nullopt : std::optional<TokenId>(id);
  }
  static void check(const sentencepiece::util::Status& status, const char* what) {
    if (!status.ok()) {
      fail_runtime(std::string("sentencepiece could not ") + what + ": " + status.ToString());
    }
  }

  sentencepiece::SentencePieceProcessor processor_;
  std::string fingerprint_;
  std::optional<UnigramEncoder> unigram_;
  bool by_word_ = false, dummy_prefix_ = false;
  TokenId blank_id_ = -1;
  // One caller at a time uses the memory of words; another one that comes meanwhile goes without.
  mutable std::mutex memory_mutex_;
  mutable PieceMap memory_;
};

}  // namespace

std::unique_ptr<Tokenizer> open_sentencepiece(const std::string& path) {
  return std::make_unique<SentencePieceTokenizer>(path);
}

}  // namespace straq::text
