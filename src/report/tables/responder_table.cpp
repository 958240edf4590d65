// Responders: how well they predict the replies of the corpus.
#include <algorithm>

#include "report/tables/tables.h"
#include "results/rows/reply_loss.h"

namespace straq::report {
namespace {

// A responder's method, as its config has it.
std::string method_of(const results::Run& run) {
  return run.parameter("responder.method").value_or("–");
}

void add_loss(std::vector<Cell>& row, const results::TokenLoss& loss) {
  row.push_back(Cell::real(loss.nll, 4));
  row.push_back(Cell::real(loss.perplexity(), 2));
}

}  // namespace

Table responder_table(const results::Results& results) {
  Table t;
  t.id = "responders";
  t.title = "Responders: the corpus's replies, as they predict them";
  t.columns = {"Run",        "Method",       "Split",
               "n",          "Reply tokens", "NLL",
               "Perplexity", "Strategy NLL", "Strategy perplexity",
               "Seed"};
  for (const results::Run* run : results.runs()) {
    if (!run->reply_losses) continue;
    for (const auto& [split, loss] : run->reply_losses->splits) {
      std::vector<Cell> row = {run->name(), method_of(*run), split, loss.decisions,
                               loss.reply.tokens};
      add_loss(row, loss.reply);
      if (loss.strategy) {
        add_loss(row, *loss.strategy);
      } else {
        row.resize(row.size() + 2, Cell::missing());
      }
      row.push_back(run->seed() ? Cell(*run->seed()) : Cell::missing());
      t.add(std::move(row));
    }
  }
  if (t.rows.empty()) return {t.id, t.title, {}, {}, {}};
  t.notes = {
      "NLL: mean negative log-probability in nats of the tokens of the supporter's own replies and "
      "of "
      "the one that ends each, lower is better; comparable where the tokenizer is the same. "
      "Strategy: "
      "of the line that names the strategy before the reply, of responders that write one."};
  return t;
}

}  // namespace straq::report
