#include "learn/reply_rows.h"

namespace straq::learn {

TargetRows target_rows(const model::CombBatch& batch,
                       const std::vector<model::CombSelection>& selections) {
  TargetRows out;
  for (const auto& span : batch.spans) {
    const auto& selection = selections[static_cast<std::size_t>(span.selection)];
    const auto& comb = *selection.comb;
    std::int64_t own = span.begin + span.trunk;  // the first row of the branch that is no trunk's
    for (const auto p : selection.probes) {
      const auto& branch = comb.probes[static_cast<std::size_t>(p)];
      if (branch.trunk != span.trunk_index) continue;
      const std::int64_t repeated = comb.repeated(branch);
      const auto tokens = static_cast<std::int64_t>(branch.tokens.size());
      for (std::int64_t i = tokens - branch.target; i < tokens; ++i) {
        const std::int64_t before = i - 1;
        out.row.push_back(before < repeated ? batch.trunk_row(span, branch.attach + before)
                                            : own + before - repeated);
        out.token.push_back(branch.tokens[static_cast<std::size_t>(i)]);
        out.selection.push_back(span.selection);
        out.reply.push_back(i >= tokens - branch.reply);
      }
      own += tokens - repeated;
    }
  }
  return out;
}

}  // namespace straq::learn
