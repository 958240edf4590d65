#include "language/record.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/environment.h"
#include "core/error.h"
#include "core/files/temporary_name.h"
#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_records.h"
#include "core/log.h"

namespace straq::language {
namespace fs = std::filesystem;
namespace {

constexpr int kLinesUnflushed = 32;
constexpr double kSecondsUnflushed = 5;
constexpr const char* kRecordHint =
    "remove that line, or move the file out of the folder; the replies in it are asked for again";

// "replies-20250301T120000Z-…": names sort by time, so the first reply stays the first whatever
// comes later.
std::string new_file_name() {
  std::string time = utc_now();
  std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
  return "replies-" + time + "-" + temporary_mark() + ".jsonl";
}

}  // namespace

std::string to_word(Finish finish) {
  switch (finish) {
    case Finish::stop:
      return "stop";
    case Finish::length:
      return "length";
    case Finish::failed:
      break;
  }
  return "failed";
}

RecordedReply::RecordedReply(std::string key, const Request& request, Reply reply)
    : key(std::move(key)),
      id(request.id),
      asked(shortened_text(
          request.messages.empty() ? request.prompt : request.messages.back().content, 80)),
      time(utc_now()),
      reply(std::move(reply)) {}

void RecordedReply::fields(JsonFields& f) {
  f("key", key);
  f.unless_default("id", id);
  f.unless_default("asked", asked);
  f.unless_default("time", time);
  f("text", reply.text);
  f.word("finish", reply.finish, {Finish::stop, Finish::length, Finish::failed});
  f.unless_default("error", reply.error);
  auto& scores = reply.choice_log_probabilities;
  if (f.reading() ? f.has("choice_log_probabilities") : !scores.empty()) {
    f.numbers_or_null("choice_log_probabilities", scores);
    // JSON has no infinity; the only one that a probability's logarithm can be is this.
    for (double& x : scores) {
      if (f.reading() && std::isnan(x)) x = -std::numeric_limits<double>::infinity();
    }
  }
  f("model", reply.model);
  f("prompt_tokens", reply.prompt_tokens);
  f("reply_tokens", reply.reply_tokens);
  f("attempts", reply.attempts);
  f("seconds", reply.seconds);
}

Record::Record(std::string folder) : folder_(std::move(folder)), flushed_at_(monotonic_seconds()) {
  std::error_code ec;
  if (!fs::exists(folder_, ec)) return;
  if (!fs::is_directory(folder_, ec)) {
    fail_input("the record of replies " + folder_ + " is no folder", "name a folder");
  }
  std::vector<std::string> paths;
  for (const auto& entry : fs::directory_iterator(folder_, ec)) {
    if (entry.path().extension() == ".jsonl") paths.push_back(entry.path().string());
  }
  if (ec) fail_input("cannot list the record of replies " + folder_ + ": " + ec.message());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) read(path);
}

Record::~Record() {
  try {
    flush();
  } catch (const std::exception& e) {
    log::warn("language", "{}", e.what());
  }
}

void Record::read(const std::string& path) {
  const std::string text = read_file(path);
  for (const JsonRecord& line : cut_json_lines(text)) {
    const std::string where = path + ":" + std::to_string(line.line);
    nlohmann::ordered_json json;
    const std::string reason = try_parse_json(line.text, json);
    if (!reason.empty() && !line.ended) {
      log::warn("language",
                "{}: the last line is cut off: its writer was interrupted, or is writing; that "
                "reply is asked for again",
                where);
      continue;
    }
    if (!reason.empty()) fail_input(where + ": " + reason, kRecordHint);
    take(read_json<RecordedReply>(json, {where, kRecordHint}));
  }
}

void Record::take(RecordedReply line) {
  if (line.reply.finish == Finish::failed) {
    failures_[line.key] = line.reply.error;
  } else {
    replies_.try_emplace(std::move(line.key), std::move(line.reply));
  }
}

const Reply* Record::find(const std::string& key) const {
  const auto it = replies_.find(key);
  return it == replies_.end() ? nullptr : &it->second;
}

std::string Record::failure(const std::string& key) const {
  const auto it = failures_.find(key);
  return it == failures_.end() || replies_.count(key) ? std::string() : it->second;
}

void Record::append(RecordedReply line) {
  if (!writer_) {
    path_ = (fs::path(folder_) / new_file_name()).string();
    writer_ = std::make_unique<LineWriter>(path_, /*append=*/true);
  }
  writer_->write(dump_json(write_json(line)));
  ++unflushed_;
  take(std::move(line));
  if (unflushed_ >= kLinesUnflushed || monotonic_seconds() - flushed_at_ >= kSecondsUnflushed) {
    flush();
  }
}

void Record::flush() {
  flushed_at_ = monotonic_seconds();
  if (unflushed_ == 0) return;
  sync_to_disk(path_);
  unflushed_ = 0;
}

}  // namespace straq::language
