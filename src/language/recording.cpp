#include "language/recording.h"

#include <filesystem>
#include <unordered_map>

#include "core/error.h"
#include "core/utf8.h"

namespace straq::language {
namespace {

Reply from_record(Reply reply) {
  reply.recorded = true;
  return reply;
}

const std::string& existing_folder(const std::string& folder) {
  std::error_code ec;
  if (!std::filesystem::is_directory(folder, ec)) {
    fail_input("there is no record of replies in " + folder,
               "name the folder that a recording wrote");
  }
  return folder;
}

}  // namespace

Recording::Recording(std::unique_ptr<Source> inner, const std::string& folder)
    : inner_(std::move(inner)), record_(folder) {}

void Recording::answer(const std::vector<Request>& requests, const Done& done) {
  std::vector<Request> open;
  std::vector<std::string> keys;                  // of `open`
  std::vector<std::vector<std::size_t>> waiting;  // of `open`: who gets its reply
  std::unordered_map<std::string, std::size_t> place;
  const std::string model = inner_->model();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    std::string key = key_of(model, requests[i]);
    if (const Reply* known = record_.find(key)) {
      done(i, from_record(*known));
      continue;
    }
    const auto [it, is_new] = place.try_emplace(key, open.size());
    if (is_new) {
      open.push_back(requests[i]);
      keys.push_back(std::move(key));
      waiting.emplace_back();
    }
    waiting[it->second].push_back(i);
  }
  if (open.empty()) return;
  try {
    inner_->answer(open, [&](std::size_t i, Reply reply) {
      // JSON holds UTF-8 only: what is recorded and what the caller gets now must be the same text.
      reply.text = valid_utf8(std::move(reply.text));
      reply.error = valid_utf8(std::move(reply.error));
      // First to the record: what `done` does with it may fail.
      record_.append({keys[i], open[i], reply});
      const bool failed = reply.finish == Finish::failed;
      for (std::size_t k = 0; k < waiting[i].size(); ++k) {
        done(waiting[i][k], k == 0 || failed ? reply : from_record(reply));
      }
    });
  } catch (...) {
    try {
      record_.flush();
    } catch (const Error&) {  // the first failure is the one to tell
    }
    throw;
  }
  record_.flush();
}

Replay::Replay(const std::string& folder, std::string model)
    : record_(existing_folder(folder)), model_(std::move(model)) {}

void Replay::answer(const std::vector<Request>& requests, const Done& done) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const std::string key = key_of(model_, requests[i]);
    if (const Reply* known = record_.find(key)) {
      done(i, from_record(*known));
      continue;
    }
    const std::string failure = record_.failure(key);
    Reply reply;
    reply.finish = Finish::failed;
    reply.model = model_;
    reply.recorded = true;
    reply.error = failure.empty()
                      ? "no reply to this request (key " + key.substr(0, 16) +
                            "…) is recorded in " + record_.folder() + " for model " + model_
                      : "only a failed reply is recorded in " + record_.folder() + ": " + failure;
    done(i, std::move(reply));
  }
}

}  // namespace straq::language
