#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <queue>
#include <set>
#include <unordered_map>

#include "core/error.h"
#include "text/split.h"
#include "text/tokenizers/bpe.h"
#include "text/tokenizers/byte_alphabet.h"
#include "text/training/train.h"
#include "text/unicode.h"

namespace straq::text {
namespace {

struct Word {
  std::vector<TokenId> ids;
  std::int64_t count = 0;
};

// The different pieces of the texts with how often each occurs, in the order of their bytes, so
// that nothing depends on the order of the texts.
std::vector<Word> count_words(const std::vector<std::string>& texts, SplitStyle style) {
  std::unordered_map<std::string, std::int64_t> counts;
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (const auto bad = find_invalid_utf8(texts[i])) {
      fail_input(
          "text " + std::to_string(i) + " is not valid UTF-8 at byte " + std::to_string(*bad),
          "convert the corpus to UTF-8 first");
    }
    pieces.clear();
    style == SplitStyle::gpt2 ? split_gpt2(texts[i], pieces) : split_llama3(texts[i], pieces);
    for (const auto piece : pieces) ++counts[std::string(piece)];
  }
  std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<Word> words;
  words.reserve(sorted.size());
  for (const auto& [piece, count] : sorted) {
    Word word{{}, count};
    for (const char c : piece) word.ids.push_back(static_cast<unsigned char>(c));
    words.push_back(std::move(word));
  }
  return words;
}

using Pair = std::pair<TokenId, TokenId>;
struct PairHash {
  std::size_t operator()(const Pair& p) const {
    return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(p.first)) << 32 |
            static_cast<std::uint32_t>(p.second)) *
           0x9E3779B97F4A7C15ull;
  }
};

// Merges the most frequent pair again and again (Sennrich et al. 2016, "Neural machine translation
// of rare words with subword units"); of equally frequent pairs the one with the smaller ids.
// Counts are kept up to date by looking only at the words that hold the merged pair.
class MergeLearner {
 public:
  explicit MergeLearner(std::vector<Word> words) : words_(std::move(words)) {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      const auto& ids = words_[w].ids;
      for (std::size_t i = 0; i + 1 < ids.size(); ++i)
        add({ids[i], ids[i + 1]}, w, words_[w].count);
    }
    for (const auto& [pair, stat] : stats_) queue_.push({stat.count, pair});
  }

  // The pair to merge next; empty when none occurs `min_count` times.
  std::optional<Pair> best(std::int64_t min_count) {
    while (!queue_.empty()) {
      const Entry top = queue_.top();
      queue_.pop();
      const auto it = stats_.find(top.pair);
      if (it == stats_.end()) continue;
      if (it->second.count != top.count) {
        // The entry is out of date: counts only fall once a pair is in the queue, or it was pushed
        // anew when they rose.
        if (it->second.count > 0 && it->second.count < top.count) {
          queue_.push({it->second.count, top.pair});
        }
        continue;
      }
      if (top.count < std::max<std::int64_t>(1, min_count)) return std::nullopt;
      return top.pair;
    }
    return std::nullopt;
  }

  // Puts `id` in the place of every occurrence of the pair.
  void merge(Pair pair, TokenId id) {
    std::vector<std::size_t> holders = std::move(stats_[pair].words);
    std::sort(holders.begin(), holders.end());
    holders.erase(std::unique(holders.begin(), holders.end()), holders.end());
    std::set<Pair> risen;
    for (const std::size_t w : holders) {
      auto& ids = words_[w].ids;
      const std::int64_t count = words_[w].count;
      std::size_t out = 0;
      for (std::size_t i = 0; i < ids.size();) {
        if (i + 1 < ids.size() && ids[i] == pair.first && ids[i + 1] == pair.second) {
          if (out > 0) {
            add({ids[out - 1], pair.first}, w, -count);
            add({ids[out - 1], id}, w, count);
            risen.insert({ids[out - 1], id});
          }
          if (i + 2 < ids.size()) {
            add({pair.second, ids[i + 2]}, w, -count);
            add({id, ids[i + 2]}, w, count);
            risen.insert({id, ids[i + 2]});
          }
          ids[out++] = id;
          i += 2;
        } else {
          ids[out++] = ids[i++];
        }
      }
      ids.resize(out);
    }
    stats_.erase(pair);
    for (const Pair& p : risen) {
      const auto it = stats_.find(p);
      if (it != stats_.end() && it->second.count > 0) queue_.push({it->second.count, p});
    }
  }

 private:
  struct Stat {
    std::int64_t count = 0;
    std::vector<std::size_t> words;  // that hold the pair, or held it once
  };
  struct Entry {
    std::int64_t count;
    Pair pair;
    bool operator<(const Entry& o) const {
      return count != o.count ? count < o.count : pair > o.pair;
    }
  };

  void add(Pair pair, std::size_t word, std::int64_t count) {
    Stat& stat = stats_[pair];
    stat.count += count;
    if (count > 0 && (stat.words.empty() || stat.words.back() != word)) stat.words.push_back(word);
  }

  std::vector<Word> words_;
  std::unordered_map<Pair, Stat, PairHash> stats_;
  std::priority_queue<Entry> queue_;
};

nlohmann::ordered_json pre_tokenizer_json(SplitStyle style) {
  nlohmann::ordered_json byte_level = {{"type", "ByteLevel"},
                                       {"add_prefix_space", false},
                                       {"trim_offsets", true},
                                       {"use_regex", style == SplitStyle::gpt2}};
  if (style == SplitStyle::gpt2) return byte_level;
  const nlohmann::ordered_json split = {{"type", "Split"},
                                        {"pattern", {{"Regex", llama3_pattern}}},
                                        {"behavior", "Isolated"},
                                        {"invert", false}};
  return {{"type", "Sequence"},
          {"pretokenizers", nlohmann::ordered_json::array({split, byte_level})}};
}

// Texts begin with "<s>"; the file says so itself, so that other readers do the same.
nlohmann::ordered_json post_processor_json(std::size_t bos_id) {
  const nlohmann::ordered_json bos = {{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}};
  const auto sequence = [](const char* name, int type) {
    return nlohmann::ordered_json{{"Sequence", {{"id", name}, {"type_id", type}}}};
  };
  return {{"type", "TemplateProcessing"},
          {"single", nlohmann::ordered_json::array({bos, sequence("A", 0)})},
          {"pair", nlohmann::ordered_json::array({bos, sequence("A", 0), sequence("B", 1)})},
          {"special_tokens",
           {{"<s>",
             {{"id", "<s>"},
              {"ids", nlohmann::ordered_json::array({bos_id})},
              {"tokens", nlohmann::ordered_json::array({"<s>"})}}}}}};
}

std::vector<std::string> special_names(const TrainOptions& options) {
  std::vector<std::string> specials = {"<s>", "</s>"};
  for (const auto& name : options.specials) {
    if (name.empty() || find_invalid_utf8(name)) fail_input("a special token has no valid name");
    if (std::find(specials.begin(), specials.end(), name) == specials.end()) {
      specials.push_back(name);
    }
  }
  return specials;
}

// The file's bytes: `tokens` by their bytes, the specials behind them.
std::string tokenizer_json(const std::vector<std::string>& tokens,
                           const nlohmann::ordered_json& merges,
                           const std::vector<std::string>& specials, SplitStyle style) {
  nlohmann::ordered_json vocab = nlohmann::ordered_json::object();
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    vocab[to_byte_alphabet(tokens[id])] = id;
  }
  auto added = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < specials.size(); ++i) {
    added.push_back({{"id", tokens.size() + i},
                     {"content", specials[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  const nlohmann::ordered_json decoder = {{"type", "ByteLevel"},
                                          {"add_prefix_space", false},
                                          {"trim_offsets", true},
                                          {"use_regex", false}};
  const nlohmann::ordered_json root = {{"version", "1.0"},
                                       {"truncation", nullptr},
                                       {"padding", nullptr},
                                       {"added_tokens", added},
                                       {"normalizer", nullptr},
                                       {"pre_tokenizer", pre_tokenizer_json(style)},
                                       {"post_processor", post_processor_json(tokens.size())},
                                       {"decoder", decoder},
                                       {"model",
                                        {{"type", "BPE"},
                                         {"dropout", nullptr},
                                         {"unk_token", nullptr},
                                         {"continuing_subword_prefix", nullptr},
                                         {"end_of_word_suffix", nullptr},
                                         {"fuse_unk", false},
                                         {"byte_fallback", false},
                                         {"ignore_merges", false},
                                         {"vocab", vocab},
                                         {"merges", merges}}}};
  return root.dump(1) + "\n";
}

}  // namespace

std::string train_byte_bpe(const std::vector<std::string>& texts, const TrainOptions& options) {
  const std::vector<std::string> specials = special_names(options);
  const int room = options.vocab_size - 256 - static_cast<int>(specials.size());
  if (room < 0) {
    fail_input("vocab_size " + std::to_string(options.vocab_size) +
                   " has no room for 256 bytes and " + std::to_string(specials.size()) +
                   " special tokens",
               "choose at least " + std::to_string(256 + specials.size()));
  }

  std::vector<std::string> tokens;
  for (int b = 0; b < 256; ++b) tokens.emplace_back(1, static_cast<char>(b));
  MergeLearner learner(count_words(texts, options.split));
  auto merges = nlohmann::ordered_json::array();
  std::unordered_map<std::string, TokenId> id_of;
  for (int b = 0; b < 256; ++b) id_of[tokens[static_cast<std::size_t>(b)]] = b;
  std::set<Pair> merged;
  while (static_cast<int>(tokens.size()) < 256 + room) {
    const auto pair = learner.best(options.min_frequency);
    if (!pair) {
      fail_input("the texts give only " + std::to_string(tokens.size() + specials.size()) +
                     " tokens where vocab_size asks for " + std::to_string(options.vocab_size),
                 "lower vocab_size, or train on more text");
    }
    const std::string& left = tokens[static_cast<std::size_t>(pair->first)];
    const std::string& right = tokens[static_cast<std::size_t>(pair->second)];
    const std::string bytes = left + right;
    // Two ways to put the same bytes together are two merges but one token.
    const auto [place, is_new] = id_of.emplace(bytes, static_cast<TokenId>(tokens.size()));
    learner.merge(*pair, place->second);
    if (merged.insert(*pair).second) {
      merges.push_back(to_byte_alphabet(left) + " " + to_byte_alphabet(right));
    }
    if (is_new) tokens.push_back(bytes);
  }
  return tokenizer_json(tokens, merges, specials, options.split);
}

}  // namespace straq::text
