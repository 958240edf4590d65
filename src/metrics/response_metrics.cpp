#include "metrics/response_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "dialogue/utf8.h"
#include "dialogue/word_tokenizer.h"

namespace straq::metrics {
namespace {

using Ids = std::vector<std::uint32_t>;
using Sequences = std::array<Ids, 4>;

// Numbers for n-grams: an n-gram is its first n - 1 tokens' number and its last token.
class NgramIndex {
 public:
  Sequences sequences(const std::vector<std::string>& tokens) {
    Sequences out;
    for (const auto& token : tokens) {
      out[0].push_back(
          words_.emplace(token, static_cast<std::uint32_t>(words_.size())).first->second);
    }
    for (std::size_t n = 1; n < 4 && tokens.size() > n; ++n) {
      auto& known = longer_[n - 1];
      for (std::size_t i = 0; i + n < tokens.size(); ++i) {
        const std::uint64_t key = std::uint64_t{out[n - 1][i]} << 32 | out[0][i + n];
        out[n].push_back(
            known.emplace(key, static_cast<std::uint32_t>(known.size())).first->second);
      }
    }
    return out;
  }
  std::array<std::size_t, 4> sizes() const {
    return {words_.size(), longer_[0].size(), longer_[1].size(), longer_[2].size()};
  }

 private:
  std::unordered_map<std::string, std::uint32_t> words_;
  std::array<std::unordered_map<std::uint64_t, std::uint32_t>, 3> longer_;
};

NgramCounts counts_of(const Sequences& sequences) {
  NgramCounts out;
  for (std::size_t n = 0; n < 4; ++n) {
    Ids sorted = sequences[n];
    std::sort(sorted.begin(), sorted.end());
    for (const std::uint32_t id : sorted) {
      if (out[n].empty() || out[n].back().id != id) out[n].push_back({id, 0});
      ++out[n].back().count;
    }
  }
  return out;
}

std::uint32_t count_in(const std::vector<NgramCount>& counts, std::uint32_t id) {
  const auto it = std::lower_bound(counts.begin(), counts.end(), id,
                                   [](const NgramCount& c, std::uint32_t x) { return c.id < x; });
  return it != counts.end() && it->id == id ? it->count : 0;
}

double overlap(const std::vector<NgramCount>& a, const std::vector<NgramCount>& b) {
  double out = 0;
  for (const auto& [id, count] : a) out += std::min(count, count_in(b, id));
  return out;
}

double clipped_matches(const CountedPair& pair, std::size_t n) {
  double out = 0;
  for (const auto& [id, count] : pair.hypothesis[n]) {
    std::uint32_t most = 0;
    for (const auto& reference : pair.references) most = std::max(most, count_in(reference[n], id));
    out += std::min(count, most);
  }
  return out;
}

double brevity_penalty(double length, double reference) {
  if (length > reference) return 1;
  return length > 0 ? std::exp(1 - reference / length) : 0;
}

std::size_t longest_common_subsequence(std::span<const std::uint32_t> a,
                                       std::span<const std::uint32_t> b) {
  std::vector<std::size_t> row(b.size() + 1, 0);
  for (const std::uint32_t x : a) {
    std::size_t diagonal = 0;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = x == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

// The harmonic mean of token precision and recall with the best reference. The definition is
// SQuAD's, but on the same tokens as the other metrics: punctuation and articles stay.
double token_f1(const CountedPair& pair, double length, std::span<const Ids> references) {
  double best = 0;
  for (std::size_t r = 0; r < references.size(); ++r) {
    const double both = length + static_cast<double>(references[r].size());
    if (both > 0) {
      best = std::max(best, 2 * overlap(pair.hypothesis[0], pair.references[r][0]) / both);
    }
  }
  return best;
}

CountedPair count_pair(NgramIndex& index, const TokenPair& tokens, const ResponseOptions& options) {
  CountedPair pair;
  Sequences hypothesis = index.sequences(tokens.hypothesis);
  pair.hypothesis = counts_of(hypothesis);
  std::vector<Ids> references;
  for (const auto& reference : tokens.references) {
    Sequences sequences = index.sequences(reference);
    pair.references.push_back(counts_of(sequences));
    references.push_back(std::move(sequences[0]));
  }

  ResponseSums& s = pair.sums;
  s.n = 1;
  s.length = static_cast<double>(hypothesis[0].size());
  double nearest = std::numeric_limits<double>::infinity();
  for (const Ids& reference : references) {
    const auto length = static_cast<double>(reference.size());
    const double away = std::abs(length - s.length);
    if (away < nearest || (away == nearest && length < s.closest_reference)) {
      nearest = away;
      s.closest_reference = length;
    }
    s.reference_length += length / static_cast<double>(references.size());
  }
  for (std::size_t n = 0; n < 4; ++n) {
    s.matches[n] = clipped_matches(pair, n);
    s.totals[n] = static_cast<double>(hypothesis[n].size());
    if (options.bleu == BleuVariant::method3) s.totals[n] = std::max(s.totals[n], 1.0);
  }
  if (s.matches[1] > 0) {
    s.sentence_bleu2 = brevity_penalty(s.length, s.closest_reference) *
                       std::sqrt(s.matches[0] / s.totals[0] * s.matches[1] / s.totals[1]);
  }
  s.rouge_l = rouge_l(hypothesis[0], references, options.rouge_beta);
  s.f1 = token_f1(pair, s.length, references);
  pair.sequence = {std::move(hypothesis[0]), std::move(hypothesis[1])};
  return pair;
}

std::array<std::vector<double>, 4> inverse_document_frequencies(
    const CountedResponses& counted, std::span<const std::size_t> subset) {
  std::array<std::vector<double>, 4> out;
  const double log_n = std::log(static_cast<double>(subset.size()));
  for (std::size_t n = 0; n < 4; ++n) {
    std::vector<std::uint32_t> documents(counted.ngrams[n], 0);
    // One document is a pair's set of references: an n-gram of two of them counts once.
    std::vector<std::size_t> last(counted.ngrams[n], 0);
    for (std::size_t i = 0; i < subset.size(); ++i) {
      for (const auto& reference : counted.pairs[subset[i]].references) {
        for (const auto& gram : reference[n]) {
          if (last[gram.id] != i + 1) ++documents[gram.id];
          last[gram.id] = i + 1;
        }
      }
    }
    for (const std::uint32_t d : documents) {
      out[n].push_back(log_n - std::log(std::max(1.0, static_cast<double>(d))));
    }
  }
  return out;
}

double norm(const std::vector<NgramCount>& counts, const std::vector<double>& idf) {
  double sum = 0;
  for (const auto& [id, count] : counts) sum += count * idf[id] * (count * idf[id]);
  return std::sqrt(sum);
}

// Tokens as the reference implementation takes them for the length penalty: its bigrams.
double bigrams(const NgramCounts& counts) {
  double out = 0;
  for (const auto& gram : counts[1]) out += gram.count;
  return out;
}

double cider_of_pair(const CountedPair& pair, const std::array<std::vector<double>, 4>& idf) {
  constexpr double kSigma = 6;
  double sum = 0;
  for (const auto& reference : pair.references) {
    const double delta = bigrams(pair.hypothesis) - bigrams(reference);
    const double penalty = std::exp(-delta * delta / (2 * kSigma * kSigma));
    for (std::size_t n = 0; n < 4; ++n) {
      double dot = 0;
      for (const auto& [id, count] : pair.hypothesis[n]) {
        const double r = count_in(reference[n], id) * idf[n][id];
        dot += std::min(count * idf[n][id], r) * r;
      }
      if (dot == 0) continue;
      sum += penalty * dot / (norm(pair.hypothesis[n], idf[n]) * norm(reference[n], idf[n]));
    }
  }
  return 10 * sum / 4 / static_cast<double>(pair.references.size());
}

std::span<const std::uint32_t> counted_ngrams(const CountedPair& pair, int order,
                                              DistinctRule rule) {
  const std::span<const std::uint32_t> all = pair.sequence.at(static_cast<std::size_t>(order - 1));
  return rule == DistinctRule::drop_last && !all.empty() ? all.first(all.size() - 1) : all;
}

}  // namespace

std::vector<std::string> tokenize_response(std::string_view text, Tokenization tokenization) {
  if (tokenization == Tokenization::nltk_lower) {
    return dialogue::word_tokenize(text, dialogue::Case::lower);
  }
  std::vector<std::string> out;
  const std::string plain = dialogue::normalise_space(text);
  for (std::size_t at = 0; at < plain.size();) {
    const std::size_t end = std::min(plain.find(' ', at), plain.size());
    out.push_back(plain.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

TokenPair tokenize(const ResponsePair& pair, Tokenization tokenization) {
  TokenPair out;
  out.hypothesis = tokenize_response(pair.hypothesis, tokenization);
  for (const auto& reference : pair.references) {
    out.references.push_back(tokenize_response(reference, tokenization));
  }
  return out;
}

ResponseSums& ResponseSums::operator+=(const ResponseSums& other) {
  n += other.n;
  for (std::size_t k = 0; k < 4; ++k) {
    matches[k] += other.matches[k];
    totals[k] += other.totals[k];
  }
  length += other.length;
  closest_reference += other.closest_reference;
  reference_length += other.reference_length;
  sentence_bleu2 += other.sentence_bleu2;
  rouge_l += other.rouge_l;
  cider += other.cider;
  f1 += other.f1;
  return *this;
}

std::array<double, 4> bleu(const ResponseSums& sums, BleuVariant variant) {
  std::array<double, 4> out{};
  if (variant == BleuVariant::coco) {
    constexpr double kTiny = 1e-15, kSmall = 1e-9;
    const double ratio = (sums.length + kTiny) / (sums.closest_reference + kSmall);
    const double penalty = ratio < 1 ? std::exp(1 - 1 / ratio) : 1;
    double product = 1;
    for (std::size_t k = 0; k < 4; ++k) {
      product *= (sums.matches[k] + kTiny) / (sums.totals[k] + kSmall);
      out[k] = penalty * std::pow(product, 1 / static_cast<double>(k + 1));
    }
    return out;
  }
  if (sums.matches[0] == 0) return out;
  const double penalty = brevity_penalty(sums.length, sums.closest_reference);
  double logs = 0, halving = 1;
  for (std::size_t k = 0; k < 4; ++k) {
    double p = sums.matches[k] / sums.totals[k];
    if (sums.matches[k] == 0) p = 1 / ((halving *= 2) * sums.totals[k]);
    logs += std::log(p);
    out[k] = penalty * std::exp(logs / static_cast<double>(k + 1));
  }
  return out;
}

double rouge_l(std::span<const std::uint32_t> hypothesis,
               std::span<const std::vector<std::uint32_t>> references, double beta) {
  double precision = 0, recall = 0;
  for (const auto& reference : references) {
    const auto common = static_cast<double>(longest_common_subsequence(hypothesis, reference));
    if (common == 0) continue;
    precision = std::max(precision, common / static_cast<double>(hypothesis.size()));
    recall = std::max(recall, common / static_cast<double>(reference.size()));
  }
  if (precision == 0) return 0;
  const double b2 = beta * beta;
  return (1 + b2) * precision * recall / (recall + b2 * precision);
}

CountedResponses count_responses(std::span<const TokenPair> pairs, const ResponseOptions& options) {
  CountedResponses out;
  NgramIndex index;
  out.pairs.reserve(pairs.size());
  for (const TokenPair& pair : pairs) out.pairs.push_back(count_pair(index, pair, options));
  out.ngrams = index.sizes();
  return out;
}

std::vector<double> cider(const CountedResponses& counted, std::span<const std::size_t> subset) {
  const auto idf = inverse_document_frequencies(counted, subset);
  std::vector<double> out;
  for (const std::size_t i : subset) out.push_back(cider_of_pair(counted.pairs[i], idf));
  return out;
}

Distinct distinct(const CountedResponses& counted, std::span<const std::size_t> subset, int order,
                  DistinctRule rule) {
  Distinct out;
  std::vector<bool> seen(counted.ngrams.at(static_cast<std::size_t>(order - 1)), false);
  for (const std::size_t i : subset) {
    for (const std::uint32_t id : counted_ngrams(counted.pairs[i], order, rule)) {
      ++out.total;
      out.distinct += !seen[id];
      seen[id] = true;
    }
  }
  return out;
}

std::vector<double> distinct_without_each(const CountedResponses& counted,
                                          std::span<const std::size_t> subset,
                                          std::span<const std::uint32_t> cluster,
                                          std::size_t clusters, int order, DistinctRule rule) {
  // An n-gram disappears with a cluster exactly when no other cluster has it.
  constexpr std::uint32_t kNone = 0xFFFFFFFF, kSeveral = 0xFFFFFFFE;
  const Distinct all = distinct(counted, subset, order, rule);
  Ids owner(counted.ngrams.at(static_cast<std::size_t>(order - 1)), kNone);
  std::vector<Distinct> lost(clusters);
  for (std::size_t i = 0; i < subset.size(); ++i) {
    for (const std::uint32_t id : counted_ngrams(counted.pairs[subset[i]], order, rule)) {
      ++lost[cluster[i]].total;
      if (owner[id] == kNone) {
        owner[id] = cluster[i];
      } else if (owner[id] != cluster[i]) {
        owner[id] = kSeveral;
      }
    }
  }
  for (const std::uint32_t who : owner) {
    if (who < clusters) ++lost[who].distinct;
  }
  std::vector<double> out;
  for (const Distinct& l : lost) {
    out.push_back(Distinct{all.distinct - l.distinct, all.total - l.total}.value());
  }
  return out;
}

std::string to_word(Tokenization tokenization) {
  return tokenization == Tokenization::nltk_lower ? "nltk_lower" : "whitespace";
}

std::string to_word(BleuVariant variant) {
  return variant == BleuVariant::method3 ? "method3" : "coco";
}

}  // namespace straq::metrics
