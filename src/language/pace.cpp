#include "language/pace.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/rng.h"

namespace straq::language {
namespace {

constexpr double kFirstBackoff = 0.5;
constexpr double kLongestBackoff = 8;

std::optional<double> header_number(const std::string& text) {
  double x = 0;
  const char* end = text.data() + text.size();
  const auto r = std::from_chars(text.data(), end, x, std::chars_format::fixed);
  if (text.empty() || r.ec != std::errc() || r.ptr != end || !std::isfinite(x) || x < 0) return {};
  return x;
}

}  // namespace

void Pace::success() {
  if (++run_ < limit_ || limit_ >= most_) return;
  ++limit_;
  run_ = 0;
}

void Pace::throttled(int round) {
  run_ = 0;
  if (round != round_) return;
  ++round_;
  limit_ = std::max(1, limit_ / 2);
  lowest_ = std::min(lowest_, limit_);
}

double backoff_seconds(std::int64_t attempts, std::uint64_t request) {
  const double doublings = static_cast<double>(std::clamp<std::int64_t>(attempts - 1, 0, 30));
  const double longest = std::min(kLongestBackoff, kFirstBackoff * std::exp2(doublings));
  CounterRng rng(static_cast<std::uint64_t>(attempts), "language.backoff", request);
  return longest * (0.5 + 0.5 * rng.uniform());
}

std::optional<double> wait_asked(const std::string& retry_after_ms, const std::string& retry_after,
                                 double now) {
  if (const auto ms = header_number(retry_after_ms)) return *ms / 1000;
  if (const auto seconds = header_number(retry_after)) return seconds;
  if (retry_after.empty()) return {};
  const time_t date = curl_getdate(retry_after.c_str(), nullptr);
  if (date == static_cast<time_t>(-1)) return {};
  return std::max(0.0, static_cast<double>(date) - now);
}

}  // namespace straq::language
