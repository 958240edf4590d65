// reply_loss.json of a run folder: how well a responder predicts the replies of the corpus.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace straq {
class JsonFields;
}

namespace straq::results {

// Of some tokens: how many, and the mean of their negative log-probabilities in nats.
struct TokenLoss {
  std::int64_t tokens = 0;
  double nll = 0;
  double perplexity() const;   // exp(nll)
  void fields(JsonFields& f);  // with the perplexity
};

// Of one split.
struct ReplyLoss {
  std::int64_t decisions = 0;
  TokenLoss target;  // of all that is learned
  // Of it the reply with the token that ends it, which is comparable between responders that name
  // the strategy and those that are given it (where their tokenizers are the same).
  TokenLoss reply;
  // And what stands in front of it: the strategy line; absent where there is none.
  std::optional<TokenLoss> strategy;
  void fields(JsonFields& f);
};

struct ReplyLosses {
  std::vector<std::pair<std::string, ReplyLoss>> splits;
  void fields(JsonFields& f);
};

// "NLL 3.2144 a token, perplexity 24.89; of replies 3.4021, of strategy lines 0.5512", for people.
std::string words_of(const ReplyLoss& loss);

// Throws Error(input) with file, line and key for what is no such file.
ReplyLosses read_reply_losses(const std::string& path);
// Writes the file whole or not at all.
void write_reply_losses(const std::string& path, const ReplyLosses& losses);

}  // namespace straq::results
