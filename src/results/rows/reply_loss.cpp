#include "results/rows/reply_loss.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "core/files/files.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "results/layout.h"

namespace straq::results {

namespace {
constexpr int kReplyLossFormat = 1;
}

double TokenLoss::perplexity() const {
  return std::exp(nll);
}

void TokenLoss::fields(JsonFields& f) {
  f("tokens", tokens);
  f("nll", nll);
  if (f.writing()) f.put("perplexity", perplexity());
}

void ReplyLoss::fields(JsonFields& f) {
  f("decisions", decisions);
  f("target", target);
  f("reply", reply);
  f("strategy", strategy);
}

void ReplyLosses::fields(JsonFields& f) {
  f.format(kReplyLossFormat, "write it anew with `straq evaluate`");
  f("splits", splits);
}

std::string words_of(const ReplyLoss& loss) {
  std::string out = fmt::format("NLL {:.4f} a token, perplexity {:.2f}", loss.target.nll,
                                loss.target.perplexity());
  if (loss.strategy) {
    out += fmt::format("; of replies {:.4f}, of strategy lines {:.4f}", loss.reply.nll,
                       loss.strategy->nll);
  }
  return out;
}

ReplyLosses read_reply_losses(const std::string& path) {
  const std::string hint = hint_of(FileKind::reply_loss);
  return read_json<ReplyLosses>(read_json_of(path, hint), {path, hint});
}

void write_reply_losses(const std::string& path, const ReplyLosses& losses) {
  write_file_atomic(path, dump_json(write_json(losses), 2) + "\n");
}

}  // namespace straq::results
