#include "dialogue/plan/order_json.h"

namespace straq::dialogue {
namespace {

using Json = nlohmann::json;

Json outcomes_json(const std::vector<DecisionOutcome>& outcomes) {
  auto out = Json::array();
  for (const auto& o : outcomes) {
    out.push_back({o.rating, o.judge ? Json(*o.judge) : Json()});
  }
  return out;
}

}  // namespace

// Lists rather than objects: thousands of dialogues need no thousands of key names.
Json to_json(const EpisodeOrders& orders) {
  auto files = Json::array(), episodes = Json::array();
  for (const auto& [number, f] : orders.files) {
    files.push_back({number, f.source.path, f.source.sha256, f.source.dialogues,
                     static_cast<int>(f.format), f.stamp.bytes, f.stamp.modified, f.packed});
  }
  for (const auto& e : orders.episodes) {
    auto row = Json::array({e.file, e.place.offset, e.place.bytes, e.place.number, e.place.line});
    if (!e.owned.empty() || !e.outcomes.empty()) {
      row.push_back(e.owned);
      row.push_back(outcomes_json(e.outcomes));
    }
    episodes.push_back(std::move(row));
  }
  return {{"files", std::move(files)}, {"episodes", std::move(episodes)}};
}

EpisodeOrders orders_from_json(const Json& json) {
  EpisodeOrders out;
  for (const auto& f : json.at("files")) {
    PlannedFile file;
    f.at(1).get_to(file.source.path);
    f.at(2).get_to(file.source.sha256);
    f.at(3).get_to(file.source.dialogues);
    file.format = static_cast<Format>(f.at(4).get<int>());
    f.at(5).get_to(file.stamp.bytes);
    f.at(6).get_to(file.stamp.modified);
    f.at(7).get_to(file.packed);
    out.files.emplace(f.at(0).get<std::uint32_t>(), std::move(file));
  }
  for (const auto& e : json.at("episodes")) {
    EpisodeOrder order;
    e.at(0).get_to(order.file);
    e.at(1).get_to(order.place.offset);
    e.at(2).get_to(order.place.bytes);
    e.at(3).get_to(order.place.number);
    e.at(4).get_to(order.place.line);
    if (e.size() > 5) {
      e.at(5).get_to(order.owned);
      for (const auto& o : e.at(6)) {
        DecisionOutcome outcome{o.at(0).get<int>()};
        if (!o.at(1).is_null()) outcome.judge = o.at(1).get<double>();
        order.outcomes.push_back(outcome);
      }
    }
    out.episodes.push_back(std::move(order));
  }
  return out;
}

}  // namespace straq::dialogue
