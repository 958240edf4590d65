// How close written replies are to the human supporter's, by surface: BLEU, ROUGE-L, CIDEr, Dist-n,
// token F1, lengths. Published scripts disagree in small ways that move these numbers by a point or
// more, so every choice is named here; the defaults reproduce the field's tables.
//
// Pairs are tokenized and counted once. Everything but CIDEr's idf and Dist-n is a sum over pairs
// (ResponseSums): a bootstrap replicate adds one small record a dialogue and visits no reply again.
// All scores are fractions (BLEU-2 0.08, CIDEr 0.0836), which tables multiply by 100.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/response_pairs.h"

namespace straq::metrics {

enum class Tokenization {
  nltk_lower,  // lower case, sentences, then NLTK's word rules (dialogue/word_tokenizer.h)
  whitespace,  // as the file has them: for text that was tokenized before
};

enum class BleuVariant {
  method3,  // nltk's corpus_bleu: an order without a match counts 1 / 2^k of a match
  coco,     // pycocoevalcap: 1e-15 is added to matches and 1e-9 to totals
};

struct ResponseOptions {
  Tokenization tokenization = Tokenization::nltk_lower;
  BleuVariant bleu = BleuVariant::method3;
  double rouge_beta = 1.2;  // weight of recall in ROUGE-L's F; 1 is the balanced F
};

std::vector<std::string> tokenize_response(std::string_view text, Tokenization tokenization);

struct TokenPair {
  std::vector<std::string> hypothesis;
  std::vector<std::vector<std::string>> references;
};
TokenPair tokenize(const ResponsePair& pair, Tokenization tokenization);

// What a set of pairs adds up to; each field is a sum over pairs.
struct ResponseSums {
  double n = 0;                     // pairs
  std::array<double, 4> matches{};  // n-grams of the hypothesis that a reference has, clipped
  std::array<double, 4> totals{};   // n-grams of the hypothesis; method3 counts one at least
  double length = 0;                // tokens of the hypothesis
  double closest_reference = 0;     // tokens of the reference nearest in length; ties: shorter
  double reference_length = 0;      // mean tokens of the references
  double sentence_bleu2 = 0;        // BLEU-2 of the pair by itself, 0 without a bigram match
  double rouge_l = 0, cider = 0, f1 = 0;

  ResponseSums& operator+=(const ResponseSums& other);
};

// Cumulative corpus BLEU-1..4 of summed counts, with brevity penalty. Papineni et al. 2002;
// smoothing method 3 of Chen and Cherry 2014. 0 under method3 when no unigram matches.
std::array<double, 4> bleu(const ResponseSums& sums, BleuVariant variant);

// ROUGE-L (Lin 2004) of one pair: F of the longest common subsequence; with several references the
// best precision and the best recall are taken apart, as pycocoevalcap does.
double rouge_l(std::span<const std::uint32_t> hypothesis,
               std::span<const std::vector<std::uint32_t>> references, double beta);

// An n-gram as a number below CountedResponses::ngrams[n - 1], and how often it occurs.
struct NgramCount {
  std::uint32_t id = 0, count = 0;
};
using NgramCounts = std::array<std::vector<NgramCount>, 4>;  // by order, ascending ids

struct CountedPair {
  std::array<std::vector<std::uint32_t>, 2> sequence;  // hypothesis: unigrams, bigrams, in order
  NgramCounts hypothesis;
  std::vector<NgramCounts> references;
  ResponseSums sums;  // of this pair; cider is 0, for it depends on which pairs are scored
};

struct CountedResponses {
  std::vector<CountedPair> pairs;
  std::array<std::size_t, 4> ngrams{};  // distinct n-grams of hypotheses and references
};

CountedResponses count_responses(std::span<const TokenPair> pairs, const ResponseOptions& options);

// CIDEr of each pair of `subset` (indices into counted.pairs), document frequencies taken from the
// references of the subset. Vedantam et al. 2015 in the variant of pycocoevalcap: clipped cosine of
// tf-idf vectors with a Gaussian length penalty (sigma 6), no stemming, mean over n = 1..4, times
// 10. A subset of one pair scores 0: every idf is log 1.
std::vector<double> cider(const CountedResponses& counted, std::span<const std::size_t> subset);

// Distinct n-grams among all n-grams of the hypotheses (Li et al. 2016). It falls with the size of
// the set, so only sets of equal size compare.
struct Distinct {
  std::int64_t distinct = 0, total = 0;
  double value() const { return total > 0 ? static_cast<double>(distinct) / total : 0; }
};
enum class DistinctRule {
  all,        // every n-gram
  drop_last,  // without the last n-gram of each reply, a widespread script's off-by-one
};
// `order` is 1 or 2.
Distinct distinct(const CountedResponses& counted, std::span<const std::size_t> subset, int order,
                  DistinctRule rule = DistinctRule::all);

// Dist-n of the subset without one cluster, for each cluster in turn; `cluster[i]` below `clusters`
// belongs to subset[i]. Dist-n does not add up and a dialogue drawn twice lowers it, so its error
// comes from the jackknife and not from the bootstrap.
std::vector<double> distinct_without_each(const CountedResponses& counted,
                                          std::span<const std::size_t> subset,
                                          std::span<const std::uint32_t> cluster,
                                          std::size_t clusters, int order,
                                          DistinctRule rule = DistinctRule::all);

std::string to_word(Tokenization tokenization);
std::string to_word(BleuVariant variant);

}  // namespace straq::metrics
