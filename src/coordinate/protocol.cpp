#include "coordinate/protocol.h"

#include <cmath>

#include "config/value.h"
#include "core/error.h"
#include "dialogue/plan/order_json.h"

namespace straq::coordinate {
namespace {

using comm::Json;

constexpr const char *kCoordinator = "coordinator", *kPreprocessor = "preprocessor",
                     *kLeader = "group leader", *kGroup = "every learner of a group",
                     *kAnyRank = "any rank", *kEverybody = "everybody";

Json to_json(const comm::Status& s) {
  return {{"step", s.step},
          {"stage_begin", s.stage_begin},
          {"stage_end", s.stage_end},
          {"run_end", s.run_end},
          {"sync_every", s.sync_every},
          {"evaluate_every", s.evaluate_every},
          {"evaluated_step", s.evaluated_step},
          {"checkpoint_every", s.checkpoint_every},
          {"checkpoint_seconds", s.checkpoint_seconds},
          {"checkpoint_step", s.checkpoint_step},
          {"step_seconds", std::isfinite(s.step_seconds) ? s.step_seconds : 0.0},
          {"diverged", s.diverged},
          {"failed", s.failed},
          {"satisfied", s.satisfied},
          {"stop_requested", s.stop_requested}};
}

comm::Status status_from_json(const Json& j) {
  comm::Status s;
  j.at("step").get_to(s.step);
  j.at("stage_begin").get_to(s.stage_begin);
  j.at("stage_end").get_to(s.stage_end);
  j.at("run_end").get_to(s.run_end);
  j.at("sync_every").get_to(s.sync_every);
  j.at("evaluate_every").get_to(s.evaluate_every);
  j.at("evaluated_step").get_to(s.evaluated_step);
  j.at("checkpoint_every").get_to(s.checkpoint_every);
  j.at("checkpoint_seconds").get_to(s.checkpoint_seconds);
  j.at("checkpoint_step").get_to(s.checkpoint_step);
  j.at("step_seconds").get_to(s.step_seconds);
  j.at("diverged").get_to(s.diverged);
  j.at("failed").get_to(s.failed);
  j.at("satisfied").get_to(s.satisfied);
  j.at("stop_requested").get_to(s.stop_requested);
  return s;
}

Json to_json(const train::PointTask& t) {
  return {{"name", t.name},
          {"config", config::to_yaml(t.config)},
          {"run_folder", t.run_folder},
          {"shard_folder", t.shard_folder},
          {"key", t.key},
          {"tokenizer", t.tokenizer},
          {"retry", t.retry},
          {"continue_anyway", t.continue_anyway},
          {"inputs", t.inputs.to_json()}};
}

train::PointTask task_from_json(const Json& j) {
  train::PointTask t;
  j.at("name").get_to(t.name);
  j.at("run_folder").get_to(t.run_folder);
  t.config = config::parse_yaml(j.at("config").get<std::string>(),
                                results::RunFolder(t.run_folder).config());
  j.at("shard_folder").get_to(t.shard_folder);
  j.at("key").get_to(t.key);
  j.at("tokenizer").get_to(t.tokenizer);
  j.at("retry").get_to(t.retry);
  j.at("continue_anyway").get_to(t.continue_anyway);
  t.inputs = RunInputs::from_json(j.at("inputs"));
  return t;
}

Json to_json(const train::PointResult& r) {
  return {{"ok", r.ok},
          {"busy", r.busy},
          {"kind", static_cast<int>(r.kind)},
          {"failure", name(r.failure)},
          {"reason", r.reason}};
}

train::PointResult result_from_json(const Json& j) {
  train::PointResult r;
  j.at("ok").get_to(r.ok);
  j.at("busy").get_to(r.busy);
  r.kind = static_cast<ErrorKind>(j.at("kind").get<int>());
  r.failure = results::failure_kind(j.at("failure").get<std::string>());
  j.at("reason").get_to(r.reason);
  return r;
}

}  // namespace

Json ShardMade::to_json() const {
  return {{"record", write_json(record)}};
}

ShardMade ShardMade::from_json(const comm::Message& message) {
  return {read_json<shard::ShardRecord>(message.body.at("record"),
                                        "record of rank " + std::to_string(message.source))};
}

Json ShardFailed::to_json() const {
  return {{"reason", failure.full()},
          {"failure", name(failure.failure())},
          {"kind", failure.exit_code()}};
}

ShardFailed ShardFailed::from_json(const comm::Message& message) {
  const Json& j = message.body;
  return {results::PointFailure(
      results::failure_kind(j.at("failure").get<std::string>()),
      Error(static_cast<ErrorKind>(j.at("kind").get<int>()), j.at("reason").get<std::string>()))};
}

Json ShardOrder::to_json() const {
  return {{"dataset", dataset},
          {"config", config},
          {"key", key},
          {"folder", folder},
          {"tokenizer", tokenizer},
          {"split", item.split},
          {"index", item.index},
          {"first", item.first},
          {"count", item.count},
          {"dialogues", dialogue::to_json(dialogues)}};
}

ShardOrder ShardOrder::from_json(const comm::Message& message) {
  const Json& j = message.body;
  ShardOrder order;
  j.at("dataset").get_to(order.dataset);
  j.at("config").get_to(order.config);
  j.at("key").get_to(order.key);
  j.at("folder").get_to(order.folder);
  j.at("tokenizer").get_to(order.tokenizer);
  j.at("split").get_to(order.item.split);
  j.at("index").get_to(order.item.index);
  j.at("first").get_to(order.item.first);
  j.at("count").get_to(order.item.count);
  order.dialogues = dialogue::orders_from_json(j.at("dialogues"));
  return order;
}

Json Idle::to_json() const {
  return {{"result", coordinate::to_json(last)}};
}

Idle Idle::from_json(const comm::Message& message) {
  return {result_from_json(message.body.at("result"))};
}

Json StatusReport::to_json() const {
  return {{"status", coordinate::to_json(status)}};
}

StatusReport StatusReport::from_json(const comm::Message& message) {
  return {status_from_json(message.body.at("status"))};
}

Json PointOrder::to_json() const {
  return {{"task", coordinate::to_json(task)}};
}

PointOrder PointOrder::from_json(const comm::Message& message) {
  return {task_from_json(message.body.at("task"))};
}

ShardsIncomplete ShardsIncomplete::from_json(const comm::Message& message) {
  return {message.body.at("reason").get<std::string>()};
}

Finish Finish::from_json(const comm::Message& message) {
  return {message.body.at("code").get<int>()};
}

std::string type_of(const comm::Message& message) {
  const auto found = message.body.find("type");
  return found != message.body.end() && found->is_string() ? found->get<std::string>()
                                                           : std::string();
}

void fail_unknown(const comm::Message& message) {
  fail_runtime("a message \"" + type_of(message) + "\" of rank " + std::to_string(message.source) +
                   " has no meaning here",
               "every rank must run the same build of the program");
}

const std::vector<MessageKind>& message_kinds() {
  static const std::vector<MessageKind> kinds = {
      {Ready::kType, kPreprocessor, kCoordinator,
       "it can take an item; said once for each item that it may hold (two, so that it never "
       "waits)"},
      {ShardOrder::kType, kCoordinator, kPreprocessor,
       "a work item (data set, split, dialogue range) with the places of its dialogues; posted: "
       "the coordinator does not wait for it"},
      {ShardMade::kType, kPreprocessor, kCoordinator,
       "the record of the shard that its oldest item has become; it can take another"},
      {ShardFailed::kType, kPreprocessor, kCoordinator,
       "why its oldest item could not be made; it can take another"},
      {Idle::kType, kLeader, kCoordinator, "the group has no point; how its last one ended"},
      {PointOrder::kType, kCoordinator, kGroup,
       "a point: resolved config, run folder, shard folder, inputs"},
      {StatusReport::kType, kLeader, kCoordinator,
       "`Status` at a lease boundary; a directive answers it"},
      {Await::kType, kLeader, kCoordinator,
       "the point is trained and needs the splits that are still being made"},
      {ShardsComplete::kType, kCoordinator, kGroup, "answers `await`: all splits are there"},
      {ShardsIncomplete::kType, kCoordinator, kGroup,
       "answers `await`: the data set has failed, and why"},
      {StopWord::kType, kCoordinator, kGroup,
       "answers `await`: the job stops before the data set is complete"},
      {StopWord::kType, kAnyRank, kCoordinator, "a signal has reached it; said once"},
      {Finish::kType, kCoordinator, kEverybody, "the last message, with the job's exit code"},
  };
  return kinds;
}

}  // namespace straq::coordinate
