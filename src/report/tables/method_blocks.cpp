#include "report/tables/method_blocks.h"

#include <algorithm>

namespace straq::report {

const std::vector<MetricColumn> kTable1Metrics = {{"acc", "Acc ↑", 2},
                                                  {"q", "Q ↑", 2},
                                                  {"b", "B ↓", 3},
                                                  {"bleu2", "B-2 ↑", 2},
                                                  {"rouge_l", "R-L ↑", 2}};
const std::vector<MetricColumn> kTable2Metrics = {
    {"bleu2", "B-2", 2}, {"rouge_l", "R-L", 2}, {"dist2", "Dist-2", 2}, {"cider", "CIDEr", 2}};

bool is_strategy_metric(const std::string& key) {
  return key == "acc" || key == "q" || key == "b";
}

std::vector<std::vector<std::size_t>> blocks_of(const MethodRows& rows) {
  const auto replies = [](const MethodRow& r) {
    const auto it = r.metrics.find("bleu2");
    return it == r.metrics.end() ? 0 : it->second.n;
  };
  std::vector<std::vector<std::size_t>> blocks;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto at = std::find_if(blocks.begin(), blocks.end(), [&](const auto& b) {
      const MethodRow &first = *rows[b.front()], &row = *rows[i];
      return first.responder == row.responder && first.support == row.support &&
             (!row.support.empty() || replies(first) == replies(row));
    });
    (at == blocks.end() ? blocks.insert(blocks.end(), {{}}) : at)->push_back(i);
  }
  return blocks;
}

}  // namespace straq::report
