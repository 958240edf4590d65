#include "coordinate/shard_desk.h"

#include "comm/fault.h"
#include "coordinate/protocol.h"
#include "train/torch_failure.h"

namespace straq::coordinate {

bool ShardDesk::takes(const std::string& type) const {
  return type == Ready::kType || type == ShardMade::kType || type == ShardFailed::kType;
}

void ShardDesk::handle(const comm::Message& message) {
  if (!is<Ready>(message)) note_outcome(message);
  idle_.push_back(message.source);
}

void ShardDesk::note_outcome(const comm::Message& message) {
  try {
    const auto outcome = decode<ShardMade, ShardFailed>(message);
    if (const auto* failed = std::get_if<ShardFailed>(&outcome)) throw failed->failure;
    comm::fault_point("keeping a record");
    progress_.shard_made(message.source, std::get<ShardMade>(outcome).record);
  } catch (const std::exception& e) {  // also where the manifest's disk is full
    progress_.shard_failed(message.source, train::as_failure(e));
  }
}

void ShardDesk::feed() {
  while (!idle_.empty()) {
    const int rank = idle_.front();
    const auto work = progress_.shards().take(rank);
    if (!work) return;
    idle_.pop_front();
    const DatasetProgress& progress = progress_.datasets()[work->lot];
    control_.post(rank, encode(ShardOrder{.dataset = work->lot,
                                          .config = config::to_yaml(progress.config),
                                          .key = progress.job->key(),
                                          .folder = progress.job->folder(),
                                          .tokenizer = progress.job->tokenizer_path(),
                                          .item = work->item,
                                          .dialogues = progress.job->dialogues(work->item)}));
  }
}

bool ShardDesk::over() const {
  return progress_.shards().over() &&
         static_cast<int>(idle_.size()) == kItemsAhead * preprocessors_;
}

}  // namespace straq::coordinate
