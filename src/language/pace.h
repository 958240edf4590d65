// How fast a server is asked: how many requests are under way at most, and how long one waits
// before it is sent again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace straq::language {

// The number of requests under way: additive increase, multiplicative decrease, as TCP does it. It
// begins at the most; a server that says "too many" halves it, a run of as many successes as it is
// large raises it by one. Other faults say nothing about the load, but end the run.
class Pace {
 public:
  explicit Pace(int most) : most_(most), limit_(most), lowest_(most) {}

  int limit() const { return limit_; }
  int lowest() const { return lowest_; }
  // Of a request that is sent now; throttled() wants it back. All that were under way when the
  // limit fell say the same thing once more, which counts once.
  int round() const { return round_; }
  void success();
  void fault() { run_ = 0; }
  void throttled(int round);

 private:
  int most_, limit_, lowest_;
  int round_ = 0;
  int run_ = 0;
};

// 0.5 · 2^n seconds before the attempt behind `attempts` ones, at most 8, of which a part between a
// half and the whole is taken: a pure function of `request` and `attempts`, and another one for
// another request, so that those that failed together do not come back together.
double backoff_seconds(std::int64_t attempts, std::uint64_t request);

// What the headers `retry-after-ms` and `Retry-After` (seconds or an HTTP date) ask for, in seconds
// from `now` (seconds since 1970); a date that has passed is 0. None where both are absent or
// nonsense.
std::optional<double> wait_asked(const std::string& retry_after_ms, const std::string& retry_after,
                                 double now);

}  // namespace straq::language
