#include "metrics/predictions.h"

#include <utility>

namespace straq::metrics {

std::vector<Prediction> gold_rows(const std::vector<dialogue::Episode>& episodes) {
  std::vector<Prediction> rows;
  for (const auto& episode : episodes) {
    for (std::size_t i = 0; i < episode.decisions.size(); ++i) {
      Prediction row;
      row.dialogue = episode.id;
      row.turn = episode.decisions[i].turn;
      row.index = static_cast<int>(i);
      row.of = static_cast<int>(episode.decisions.size());
      row.gold = episode.decisions[i].gold;
      row.previous = episode.decisions[i].previous;
      row.rating = episode.decisions[i].rating;
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace straq::metrics
