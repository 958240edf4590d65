#include "text/tokenizers/sentencepiece.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "text/tokenizers/bpe.h"
#include "text/tokenizers/sentencepiece_model.h"
#include "text/tokenizers/unigram.h"
#include "text/unicode.h"

namespace straq::text {
namespace {

constexpr std::string_view blank_piece = "\xE2\x96\x81";  // U+2581, a blank in the pieces
constexpr std::size_t kRememberedBytes = 64;
constexpr std::size_t remembered_words = 1 << 16;

void load(sentencepiece::SentencePieceProcessor& processor, const std::string& path,
          const std::string& bytes) {
  const auto status = processor.LoadFromSerializedProto(bytes);
  if (status.ok()) return;
  fail_input(path + ": not a sentencepiece model (" + status.ToString() + ")",
             "a sentencepiece model is the .model file that its trainer writes");
}

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(const std::string& path, const std::string& bytes, const Beside& beside) {
    load(processor_, path, bytes);
    const auto model = parse_sentencepiece_model(bytes);
    // Unigram models add up scores over the whole text, and rounding lets a word's best cut depend
    // on what came before it; merges of BPE look at their own word only.
    by_word_ =
        model && model->kind == SentencePieceModel::Kind::bpe && words_are_independent(*model);
    if (model) unigram_ = UnigramEncoder::make(*model);
    dummy_prefix_ = model && model->dummy_prefix;
    blank_id_ = processor_.PieceToId({blank_piece.data(), blank_piece.size()});
    if (beside.add_prefix_space && *beside.add_prefix_space != dummy_prefix_) {
      fail_input(beside.config + ": add_prefix_space is " + (dummy_prefix_ ? "false" : "true") +
                     ", but " + path + " says otherwise",
                 "take both files from the same model");
    }
    take_added(path, beside);
    if (!words_.empty() && dummy_prefix_) {
      // A message of this format may be continued: the last value of a field counts. Field 3 is the
      // normalisation, its field 3 the dummy prefix.
      load(unprefixed_, path, bytes + std::string("\x1a\x02\x18\x00", 4));
    }
    const Conventions own{known(processor_.bos_id()), known(processor_.eos_id()),
                          processor_.bos_id() >= 0};
    const auto id_of = [&](const std::string& text) { return token(text); };
    const Conventions settled = settle(beside, own, false, id_of, vocab_size());
    bos_ = settled.bos;
    eos_ = settled.eos;
    adds_bos_ = settled.adds_bos;
    fingerprint_ = fingerprint_of("sentencepiece", sha256_hex(bytes), facts_of(own, {}),
                                  facts_of(settled, added_));
  }

  std::vector<TokenId> encode(std::string_view text) const override {
    std::vector<TokenId> ids;
    if (words_.empty()) {
      encode_plain(text, ids);
      return ids;
    }
    // Whether bytes are text decides on where a token may be found.
    require_utf8(text);
    words_.find(text, [&](std::string_view stretch, TokenId id) {
      if (id >= 0) {
        ids.push_back(id);
      } else if (stretch.data() == text.data() || !dummy_prefix_) {
        encode_plain(stretch, ids);
      } else {
        std::vector<TokenId> found;
        check(unprefixed_.Encode({stretch.data(), stretch.size()}, &found), "encode");
        ids.insert(ids.end(), found.begin(), found.end());
      }
    });
    return ids;
  }

  std::string decode(const std::vector<TokenId>& ids) const override {
    std::string out;
    std::vector<int> run;
    bool behind = false;  // an added token, whose text has no dummy prefix to take off
    const auto flush = [&] {
      if (run.empty()) return;
      std::string text;
      check((behind ? unprefixed_ : processor_).Decode(run, &text), "decode");
      out += text;
      run.clear();
    };
    for (const TokenId id : ids) {
      if (id < 0 || id >= vocab_size()) {
        fail_input("token id " + std::to_string(id) + " is outside the vocabulary of " +
                       std::to_string(vocab_size()),
                   "the ids were made with another tokenizer");
      }
      if (const auto it = added_texts_.find(id); it != added_texts_.end()) {
        flush();
        out += it->second;
        behind = !words_.empty() && dummy_prefix_;
      } else if (id >= processor_.GetPieceSize()) {
        flush();  // a hole between the model and what was added to it
      } else if (processor_.IsControl(id)) {
        flush();
        out += processor_.IdToPiece(id);
        behind = false;
      } else {
        run.push_back(id);
      }
    }
    flush();
    return out;
  }

  int vocab_size() const override {
    const int pieces = processor_.GetPieceSize();
    return added_.empty() ? pieces : std::max(pieces, added_.back().id + 1);
  }

  std::optional<TokenId> special(std::string_view token) const override {
    for (const auto& added : added_) {
      if (added.special && added.text == token) return added.id;
    }
    // The library answers with the id of the unknown piece for what it does not know.
    const int id = processor_.PieceToId({token.data(), token.size()});
    if (id < 0 || processor_.IdToPiece(id) != token) return std::nullopt;
    if (!processor_.IsControl(id) && !processor_.IsUnknown(id)) return std::nullopt;
    return id;
  }
  std::optional<TokenId> bos() const override { return bos_; }
  std::optional<TokenId> eos() const override { return eos_; }
  bool adds_bos() const override { return adds_bos_; }
  std::string fingerprint() const override { return fingerprint_; }

 private:
  // The id of a token by its text, pieces of the model and added ones alike.
  std::optional<TokenId> token(const std::string& text) const {
    for (const auto& added : added_) {
      if (added.text == text) return added.id;
    }
    const int id = processor_.PieceToId(text);
    return id >= 0 && processor_.IdToPiece(id) == text ? std::optional<TokenId>(id) : std::nullopt;
  }

  // Tokens that the files beside the model add to it. A special one is found in text only where it
  // is an ordinary piece too, which text holds anyway.
  void take_added(const std::string& path, const Beside& beside) {
    const int pieces = processor_.GetPieceSize();
    const auto take = [&](AddedToken token, const std::string& where) {
      require_supported(token, where);
      bool ordinary = !token.special;
      if (const auto id = this->token(token.text)) {
        if (*id != token.id) {
          fail_input(where + ": token \"" + token.text + "\" has id " + std::to_string(token.id) +
                         ", but " + std::to_string(*id) + " in " + path,
                     "take both files from the same model");
        }
        if (processor_.IsControl(*id) || processor_.IsUnknown(*id) || processor_.IsByte(*id))
          return;
        ordinary = true;
      } else if (token.id < pieces) {
        fail_input(where + ": token \"" + token.text + "\" has id " + std::to_string(token.id) +
                       ", which is \"" + processor_.IdToPiece(token.id) + "\" in " + path,
                   "take both files from the same model");
      }
      if (ordinary) words_.add(token.text, token);
      added_texts_[token.id] = token.text;
      added_.push_back(std::move(token));
    };
    for (const auto& added : beside.added) take(added.token, added.where);
    for (const auto& [name, where] : beside.special_names) {
      const auto known = token(name);
      if (!known) {
        if (where.empty())
          continue;  // a pad token, say, which no text of ours begins with or holds
        fail_input(where + ": \"" + name + "\" has no id, neither there nor in " + path,
                   "added_tokens.json or tokenizer_config.json must give it one");
      }
      const bool there = std::any_of(added_.begin(), added_.end(),
                                     [&](const AddedToken& added) { return added.text == name; });
      if (!there) take({name, *known, true, false, false, false, false}, name);
    }
    std::sort(added_.begin(), added_.end(),
              [](const auto& a, const auto& b) { return a.id < b.id; });
  }

  void encode_plain(std::string_view text, std::vector<TokenId>& ids) const {
    // A U+2581 in the text would join the blanks beside it.
    if (!(by_word_ || unigram_) || text.find(blank_piece) != std::string_view::npos ||
        find_invalid_utf8(text)) {
      ask(text, ids);
      return;
    }
    if (unigram_) {
      unigram_->append(text, ids);
      return;
    }
    const std::unique_lock lock(memory_mutex_, std::try_to_lock);
    if (!lock.owns_lock()) {
      ask(text, ids);
      return;
    }
    ids.reserve(ids.size() + text.size() / 3 + 4);
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
  }

  void ask(std::string_view text, std::vector<TokenId>& ids) const {
    check(processor_.Encode({text.data(), text.size()}, &ids), "encode");
  }
  void append_word(std::string_view word, std::vector<TokenId>& ids) const {
    const std::uint64_t hash = hash_bytes(word.data(), word.size());
    if (memory_.find(word, hash, ids)) return;
    std::vector<TokenId> found;
    ask(word, found);
    ids.insert(ids.end(), found.begin(), found.end());
    if (word.size() > kRememberedBytes) return;
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
  sentencepiece::SentencePieceProcessor unprefixed_;  // loaded where added tokens need it
  std::vector<AddedToken> added_;                     // by id
  std::map<TokenId, std::string> added_texts_;
  TokenFinder words_;
  std::optional<TokenId> bos_, eos_;
  bool adds_bos_ = false;
  std::string fingerprint_;
  std::optional<UnigramEncoder> unigram_;
  bool by_word_ = false, dummy_prefix_ = false;
  TokenId blank_id_ = -1;
  // One caller at a time uses the memory of words; another one that comes meanwhile goes without.
  mutable std::mutex memory_mutex_;
  mutable PieceMap memory_;
};

}  // namespace

std::unique_ptr<Tokenizer> open_sentencepiece(const std::string& path, const Beside& beside) {
  return open_sentencepiece(path, read_file(path), beside);
}

std::unique_ptr<Tokenizer> open_sentencepiece(const std::string& path, const std::string& bytes,
                                              const Beside& beside) {
  return std::make_unique<SentencePieceTokenizer>(path, bytes, beside);
}

std::vector<std::string> pieces_of_sentencepiece(const std::string& path) {
  sentencepiece::SentencePieceProcessor processor;
  load(processor, path, read_file(path));
  std::vector<std::string> out;
  for (int id = 0; id < processor.GetPieceSize(); ++id) out.push_back(processor.IdToPiece(id));
  return out;
}

}  // namespace straq::text
