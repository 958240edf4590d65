// Replies that were paid for, in waiting or in money, kept so that none is asked for twice: a
// folder of append-only files, one JSON object a line, one file a process. Processes that write
// into one folder at the same time never touch each other's files, and what a killed one leaves is
// whole but for its last line.
//
//   Record record("results/replies");
//   if (const Reply* known = record.find(key)) …
//   record.append({key, request, reply});
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/files/files.h"
#include "core/json/json_fields.h"
#include "language/source.h"

namespace straq::language {

// "stop", "length" or "failed".
std::string to_word(Finish finish);

// One line of a record. `asked` and `id` are for people who look into the file; only the key
// counts.
struct RecordedReply {
  std::string key;
  std::string id;
  std::string asked;  // the beginning of the last message or the end of the prompt
  std::string time;   // UTC
  Reply reply;

  RecordedReply() = default;
  RecordedReply(std::string key, const Request& request, Reply reply);
  void fields(JsonFields& f);
};

class Record {
 public:
  // Reads every *.jsonl of the folder, the oldest first; one that is not there has no replies. A
  // last line that is cut off is dropped with a warning. Throws Error(input) naming file and line
  // for any other line that is no recorded reply.
  explicit Record(std::string folder);
  ~Record();  // flushes; never throws
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;

  const std::string& folder() const { return folder_; }
  // The first reply to have been recorded under the key that did not fail.
  const Reply* find(const std::string& key) const;
  // Why a key has failed replies only; empty where it has none.
  std::string failure(const std::string& key) const;
  std::size_t size() const { return replies_.size(); }  // that did not fail

  // Writes one line and, every 32 lines or 5 seconds, flushes the file to disk. The first call
  // makes the file, so who only reads leaves nothing. Throws Error(failure).
  void append(RecordedReply line);
  void flush();

 private:
  void read(const std::string& path);
  void take(RecordedReply line);

  std::string folder_, path_;
  std::unordered_map<std::string, Reply> replies_;
  std::unordered_map<std::string, std::string> failures_;
  std::unique_ptr<LineWriter> writer_;
  int unflushed_ = 0;
  double flushed_at_ = 0;
};

}  // namespace straq::language
