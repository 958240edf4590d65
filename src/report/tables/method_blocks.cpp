#include "report/tables/method_blocks.h"

#include <algorithm>

#include "report/tables/estimate_cells.h"

namespace straq::report {

std::string heading_of(const metrics::Metric& metric, bool arrow) {
  std::string out = metric.title;
  if (metric.paper != nullptr) out += " (" + std::string(metric.paper) + ")";
  if (!arrow || metric.better == metrics::Better::neither) return out;
  return out + (metric.better == metrics::Better::higher ? " ↑" : " ↓");
}

Cell cell_of(const std::map<std::string, Measured>& measured, const metrics::Metric& metric) {
  const auto it = measured.find(metric.key);
  return it == measured.end() ? Cell::missing()
                              : estimate_cell(it->second.estimate(), metric.decimals);
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
