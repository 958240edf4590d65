#include "coordinate/rank_loops.h"

#include <map>
#include <memory>

#include "comm/activity.h"
#include "comm/fault.h"
#include "comm/watchdog.h"
#include "coordinate/dataset_job.h"
#include "coordinate/remote_director.h"
#include "coordinate/shard_desk.h"
#include "core/log.h"
#include "train/torch_failure.h"

namespace straq::coordinate {
namespace {

std::unique_ptr<ShardMaker> maker_for(const ShardOrder& order) {
  const auto config = experiment::read_experiment(config::parse_yaml(order.config, "config"));
  return std::make_unique<ShardMaker>(config, order.tokenizer, order.folder, order.key);
}

}  // namespace

int run_preprocessor(OrderLine& orders) {
  std::map<std::size_t, std::unique_ptr<ShardMaker>> makers;
  for (int i = 0; i < kItemsAhead; ++i) orders.tell(Ready{});
  while (true) {
    comm::enter_phase("waiting for work", comm::Patience::none);
    const auto said = decode<ShardOrder, Finish>(orders.next());
    if (const auto* finish = std::get_if<Finish>(&said)) return finish->code;
    const auto& order = std::get<ShardOrder>(said);
    comm::enter_phase("preprocessing a shard", comm::Patience::phase, order.item.index);
    comm::hang_if_arranged(order.item.index);
    try {
      comm::fault_point("preprocessing");
      auto& maker = makers[order.dataset];
      if (!maker) maker = maker_for(order);
      const auto record = maker->process(order.item, order.dialogues);
      log::debug("preprocess", "{}: {} decisions", order.item.file(), record.decisions);
      orders.tell(ShardMade{record});
    } catch (const std::exception& e) {
      orders.tell(ShardFailed{train::as_failure(e)});
    }
  }
}

int run_learner(OrderLine& orders, comm::DirectiveLine& directives, bool leader,
                const RunPoint& run_point) {
  RemoteDirector director(orders, directives, leader);
  train::PointResult last;
  while (true) {
    if (leader) orders.tell(Idle{last});
    comm::enter_phase("waiting for a point", comm::Patience::none);
    const auto said = decode<PointOrder, Finish>(orders.next());
    if (const auto* finish = std::get_if<Finish>(&said)) return finish->code;
    last = run_point(std::get<PointOrder>(said).task, director);
  }
}

}  // namespace straq::coordinate
