// What the coordinator and the other ranks say to each other: a struct for each message, and the
// only place that knows its JSON. docs/architecture.md shows the same list; a test compares them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "comm/control.h"
#include "comm/directive.h"
#include "dialogue/plan/corpus_plan.h"
#include "results/rows/failure.h"
#include "shard/shard.h"
#include "train/point_runner.h"

namespace straq::coordinate {

// Every message has its word (kType), to_json without it, and from_json, which throws
// nlohmann::json::exception or Error where the message is not what to_json gave.

// Preprocessor to coordinator: it can take one more item.
struct Ready {
  static constexpr const char* kType = "ready";
  comm::Json to_json() const { return comm::Json::object(); }
  static Ready from_json(const comm::Message&) { return {}; }
};

// Preprocessor to coordinator: its oldest item is a shard now; it can take another.
struct ShardMade {
  static constexpr const char* kType = "record";
  shard::ShardRecord record;
  comm::Json to_json() const;
  static ShardMade from_json(const comm::Message& message);
};

// Preprocessor to coordinator: its oldest item could not be made; it can take another.
struct ShardFailed {
  static constexpr const char* kType = "failed";
  results::PointFailure failure;  // the whole text as its message
  comm::Json to_json() const;
  static ShardFailed from_json(const comm::Message& message);
};

// Coordinator to preprocessor: an item with all that it takes to make its shard.
struct ShardOrder {
  static constexpr const char* kType = "item";
  std::size_t dataset = 0;             // the same number, the same data set
  std::string config;                  // resolved, as YAML
  std::string key, folder, tokenizer;  // of the data set, and the tokenizer's path
  shard::WorkItem item;
  dialogue::EpisodeOrders dialogues;  // the item's
  comm::Json to_json() const;
  static ShardOrder from_json(const comm::Message& message);
};

// Group leader to coordinator: the group has no point (any more), and this is how its last one went
// (anything, before its first).
struct Idle {
  static constexpr const char* kType = "idle";
  train::PointResult last;
  comm::Json to_json() const;
  static Idle from_json(const comm::Message& message);
};

// Group leader to coordinator at a lease boundary; the answer is a directive to the whole group.
struct StatusReport {
  static constexpr const char* kType = "status";
  comm::Status status;
  comm::Json to_json() const;
  static StatusReport from_json(const comm::Message& message);
};

// Group leader to coordinator: the group has trained and needs its data set's other splits. The
// answer, to the whole group, is ShardsComplete, ShardsIncomplete or StopWord.
struct Await {
  static constexpr const char* kType = "await";
  comm::Json to_json() const { return comm::Json::object(); }
  static Await from_json(const comm::Message&) { return {}; }
};

// Coordinator to every learner of a group.
struct PointOrder {
  static constexpr const char* kType = "point";
  train::PointTask task;
  comm::Json to_json() const;
  static PointOrder from_json(const comm::Message& message);
};
struct ShardsComplete {
  static constexpr const char* kType = "complete";
  comm::Json to_json() const { return comm::Json::object(); }
  static ShardsComplete from_json(const comm::Message&) { return {}; }
};
struct ShardsIncomplete {
  static constexpr const char* kType = "incomplete";
  std::string reason;
  comm::Json to_json() const { return {{"reason", reason}}; }
  static ShardsIncomplete from_json(const comm::Message& message);
};

// Any rank to coordinator: a signal has reached it. Coordinator to every learner of a group, in
// answer to Await: the job is to stop before all shards are made.
struct StopWord {
  static constexpr const char* kType = "stop";
  comm::Json to_json() const { return comm::Json::object(); }
  static StopWord from_json(const comm::Message&) { return {}; }
};

// Coordinator to everybody, as the last message: the job's exit code.
struct Finish {
  static constexpr const char* kType = "finish";
  int code = 0;
  comm::Json to_json() const { return {{"code", code}}; }
  static Finish from_json(const comm::Message& message);
};

// The word of a message; empty where it has none.
std::string type_of(const comm::Message& message);

template <class M>
bool is(const comm::Message& message) {
  return type_of(message) == M::kType;
}

template <class M>
comm::Json encode(const M& message) {
  comm::Json body = message.to_json();
  body["type"] = M::kType;
  return body;
}

[[noreturn]] void fail_unknown(const comm::Message& message);

// The message as one of those that may come here. Throws Error(failure) for any other, and what its
// from_json throws.
template <class... M>
std::variant<M...> decode(const comm::Message& message) {
  std::optional<std::variant<M...>> out;
  const auto take = [&]<class One>(std::type_identity<One>) {
    if (is<One>(message)) out.emplace(One::from_json(message));
  };
  (take(std::type_identity<M>{}), ...);
  if (!out) fail_unknown(message);
  return *std::move(out);
}

// One row of the list.
struct MessageKind {
  std::string type, from, to, meaning;
};
const std::vector<MessageKind>& message_kinds();

}  // namespace straq::coordinate
