// One call of a server source's answer(): which requests are sent when, and what becomes of each
// reply. What outlives the call (the pace, how many have failed) is a ServerState.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "core/error.h"
#include "language/http.h"
#include "language/pace.h"
#include "language/server.h"

namespace straq::language {

struct ServerKey {
  std::string variable;  // where it comes from, or would if it were set; empty: nowhere
  std::string key;       // empty: none
};

struct ServerState {
  explicit ServerState(int concurrency) : pace(concurrency) {}
  Pace pace;
  double paused_until = 0;  // on the monotonic clock; nothing is sent before
  double last_contact = -std::numeric_limits<double>::infinity();  // the server said something
  std::int64_t finished = 0, failed = 0;                           // replies
};

class ServerRun {
 public:
  ServerRun(const ServerConfig& config, const ServerTuning& tuning, const ServerKey& key,
            ServerState& state, HttpClient& http, const std::vector<Request>& requests,
            const Source::Done& done);
  ~ServerRun() { http_.cancel(); }
  ServerRun(const ServerRun&) = delete;
  ServerRun& operator=(const ServerRun&) = delete;

  void go();

 private:
  // One HTTP request: a request, or its part where choices are asked for one by one.
  struct Call {
    std::size_t request = 0, part = 0;
    std::int64_t attempts = 0;
    double first_sent = 0;
    int round = 0;  // of the pace, when it was sent
  };
  // What a reply's parts have come to.
  struct Gathered {
    std::size_t parts_left = 1;
    bool failed = false;
    Reply reply;
  };
  // What is done about one HTTP reply.
  struct Verdict {
    enum class What { good, again, failed, lost } what = What::good;
    std::string words;
    std::string hint;                         // of lost
    std::optional<double> wait;               // of again: what the server asks for
    bool throttled = false, slowest = false;  // slowest: as slow as it never was
  };

  void send_due();
  void send(std::size_t call);
  double seconds_to_next() const;
  void settle(std::size_t call, const HttpReply& http);
  Verdict judge(const Call& call, const HttpReply& http, CompletionRead& read) const;
  Verdict judge_fault(const HttpReply& http) const;
  Verdict judge_status(const HttpReply& http) const;
  Verdict judge_key(const HttpReply& http) const;
  Verdict judge_body(const Call& call, const HttpReply& http, CompletionRead& read) const;
  void try_again(std::size_t call, const Verdict& verdict);
  void finish(std::size_t call, const HttpReply& http, const std::string& failure,
              CompletionRead read);
  void deliver(std::size_t request);
  void lose(const std::string& words, const std::string& hint);
  // A server's words without the key in them, cut to what a message takes.
  std::string shown(const std::string& words) const;
  std::string hidden(std::string text) const;

  const ServerConfig& config_;
  const ServerTuning& tuning_;
  const ServerKey& key_;
  ServerState& state_;
  HttpClient& http_;
  const std::vector<Request>& requests_;
  const Source::Done& done_;

  std::vector<Call> calls_;
  std::vector<Gathered> gathered_;  // of a request
  std::size_t next_ = 0;            // the first call that was never sent
  using Due = std::pair<double, std::size_t>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> again_;
  std::optional<Error> lost_;  // thrown when what is under way has come in
  std::int64_t attempts_ = 0;
};

}  // namespace straq::language
