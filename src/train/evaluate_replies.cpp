#include "train/evaluate_replies.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "comm/fault.h"
#include "core/error.h"
#include "core/log.h"
#include "learn/reply_rows.h"
#include "planner/balance.h"
#include "planner/items.h"
#include "train/shared_outcome.h"

namespace straq::train {
namespace {

// Negative log-likelihoods summed, of each dialogue: of its strategy lines and of its replies.
// [dialogues, 2] fp64 on the host; rows of dialogues that others have are zero.
at::Tensor sums_of(const planner::Reading& reading, const std::vector<prompt::Comb>& combs,
                   int rank, int size, const planner::Pack& pack) {
  c10::NoGradGuard no_grad;
  planner::Batch all;
  for (std::size_t c = 0; c < combs.size(); ++c) {
    const auto n = static_cast<std::int32_t>(combs[c].decisions.size());
    if (n > 0) all.push_back({static_cast<std::int32_t>(c), 0, n});
  }
  at::Tensor out =
      at::zeros({static_cast<std::int64_t>(combs.size()), 2}, at::TensorOptions(at::kDouble));
  const auto share = planner::share_of(all, combs, rank, size,
                                       planner::cost_in(reading.model.shape(), /*lm=*/true));
  for (const auto& micro : planner::micro_batches(share, combs, reading.micro_tokens)) {
    std::vector<model::CombSelection> selections;
    for (const auto& item : micro) {
      auto& s = selections.emplace_back();
      s.comb = &combs[static_cast<std::size_t>(item.comb)];
      s.probes.resize(static_cast<std::size_t>(item.count()));
      std::iota(s.probes.begin(), s.probes.end(), item.first);
    }
    const model::CombBatch batch = pack(selections);
    const auto targets = learn::target_rows(batch, selections);
    const at::Tensor hidden =
        reading.model.hidden(batch.to(reading.model.device()), at::tensor(targets.row, at::kLong));
    const at::Tensor tokens = at::tensor(targets.token, at::kLong).to(reading.model.device());
    for (std::size_t s = 0; s < selections.size(); ++s) {
      for (const bool reply : {false, true}) {
        std::vector<std::int64_t> rows;
        for (std::size_t i = 0; i < targets.row.size(); ++i) {
          if (static_cast<std::size_t>(targets.selection[i]) == s && targets.reply[i] == reply) {
            rows.push_back(static_cast<std::int64_t>(i));
          }
        }
        if (rows.empty()) continue;
        const at::Tensor at = at::tensor(rows, at::kLong).to(reading.model.device());
        out[micro[s].comb][reply ? 1 : 0] =
            reading.model.cross_entropy_sum(hidden.index_select(0, at), tokens.index_select(0, at))
                .to(at::kCPU, at::kDouble);
      }
    }
  }
  return out;
}

results::TokenLoss mean_of(std::int64_t tokens, double sum) {
  return {tokens, tokens > 0 ? sum / static_cast<double>(tokens) : 0};
}

}  // namespace

results::ReplyLoss reply_loss(const planner::Reading& reading, const shard::DatasetView& data,
                              const std::string& split, comm::Collectives& group,
                              const planner::PackOfSplit& pack_of) {
  const std::vector<prompt::Comb>* combs = nullptr;
  together(group, [&] {
    comm::fault_point("evaluating");
    combs = &data.split(split);
    if (data.decision_count(split) == 0) {
      fail_input("evaluate.splits: the split " + split + " has no labelled decision to score",
                 "leave it out of evaluate.splits (or --splits)");
    }
  });
  const planner::Pack pack = pack_of ? pack_of(split, *combs) : planner::pack_plainly;
  at::Tensor sums;
  together(group, [&] {
    comm::fault_point("evaluating decisions");
    sums = sums_of(reading, *combs, group.rank(), group.size(), pack);
  });
  group.allreduce_sum(sums);  // every row was filled by exactly one learner
  results::ReplyLoss out;
  std::int64_t lead = 0, reply = 0;
  for (const auto& comb : *combs) {
    out.decisions += static_cast<std::int64_t>(comb.decisions.size());
    for (const auto& branch : comb.probes) {
      lead += branch.target - branch.reply;
      reply += branch.reply;
    }
  }
  const at::Tensor all = sums.sum(0);
  const double of_lead = all[0].item<double>(), of_reply = all[1].item<double>();
  out.target = mean_of(lead + reply, of_lead + of_reply);
  out.reply = mean_of(reply, of_reply);
  if (lead > 0) out.strategy = mean_of(lead, of_lead);
  return out;
}

void evaluate_replies(const planner::Reading& reading, const shard::DatasetView& data,
                      const std::vector<std::string>& splits, const results::RunFolder& folder,
                      comm::Collectives& group, const planner::PackOfSplit& pack_of) {
  results::ReplyLosses losses;
  for (const auto& split : splits) {
    losses.splits.emplace_back(split, reply_loss(reading, data, split, group, pack_of));
  }
  together(group, [&] {
    comm::fault_point("writing an evaluation");
    if (group.rank() != 0) return;
    for (const auto& [split, loss] : losses.splits) {
      log::info("evaluate", "{}: {} decisions, {}", split, loss.decisions, results::words_of(loss));
    }
    if (std::filesystem::exists(folder.reply_loss())) {
      for (auto& before : results::read_reply_losses(folder.reply_loss()).splits) {
        const bool again = std::find(splits.begin(), splits.end(), before.first) != splits.end();
        if (!again) losses.splits.push_back(std::move(before));
      }
    }
    results::write_reply_losses(folder.reply_loss(), losses);
  });
}

}  // namespace straq::train
