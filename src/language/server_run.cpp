#include "language/server_run.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

#include "core/environment.h"
#include "core/json/json.h"
#include "core/log.h"

namespace straq::language {
namespace {

constexpr std::int64_t kFewReplies = 20;  // below, a rate of failures says nothing
constexpr std::int64_t kFailuresLogged = 5;
constexpr double kLongestSleep = 1;

std::string seconds_words(double x) {
  char text[40];
  // To the millisecond, and never 1.2e+06.
  std::snprintf(text, sizeof text, "%.15g s", std::round(x * 1000) / 1000);
  return text;
}

}  // namespace

ServerRun::ServerRun(const ServerConfig& config, const ServerTuning& tuning, const ServerKey& key,
                     ServerState& state, HttpClient& http, const std::vector<Request>& requests,
                     const Source::Done& done)
    : config_(config),
      tuning_(tuning),
      key_(key),
      state_(state),
      http_(http),
      requests_(requests),
      done_(done),
      gathered_(requests.size()) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    gathered_[i].parts_left = scoring_parts(config.scores, requests[i]);
    gathered_[i].reply.attempts = 0;
    for (std::size_t part = 0; part < gathered_[i].parts_left; ++part) {
      Call call;
      call.request = i;
      call.part = part;
      calls_.push_back(call);
    }
  }
}

void ServerRun::go() {
  for (;;) {
    if (!lost_) send_due();
    const bool waiting = !lost_ && (next_ < calls_.size() || !again_.empty());
    if (http_.under_way() == 0 && !waiting) break;
    for (const auto& [call, reply] : http_.wait(seconds_to_next())) settle(call, reply);
  }
  log::debug("language", "{} replies of {} at {} after {} attempts; at least {} at once",
             requests_.size(), config_.model, config_.url, attempts_, state_.pace.lowest());
  if (lost_) throw *lost_;
}

void ServerRun::send_due() {
  const double now = monotonic_seconds();
  if (now < state_.paused_until) return;
  while (http_.under_way() < static_cast<std::size_t>(state_.pace.limit())) {
    // What waited has its turn before what is new: the job's end does not wait for stragglers.
    if (!again_.empty() && again_.top().first <= now) {
      const std::size_t call = again_.top().second;
      again_.pop();
      send(call);
    } else if (next_ < calls_.size()) {
      send(next_++);
    } else {
      return;
    }
  }
}

double ServerRun::seconds_to_next() const {
  if (lost_) return kLongestSleep;
  const double now = monotonic_seconds();
  double at = now + kLongestSleep;
  if (now < state_.paused_until) {
    at = std::min(at, state_.paused_until);
  } else if (!again_.empty() && http_.under_way() < static_cast<std::size_t>(state_.pace.limit())) {
    at = std::min(at, again_.top().first);
  }
  return std::max(at - now, 0.001);
}

void ServerRun::send(std::size_t index) {
  Call& call = calls_[index];
  const Request& request = requests_[call.request];
  if (gathered_[call.request].failed) {  // of choices that are asked for one by one
    finish(index, HttpReply{}, "", CompletionRead{});
    return;
  }
  const std::string limit_key = config::word_of(kTokenLimits, config_.token_limit);
  const auto body = request.choices.empty() ? completion_body(config_.model, request, limit_key)
                                            : scoring_body(config_.scores, config_.model, request,
                                                           call.part, limit_key);
  if (call.attempts == 0) call.first_sent = monotonic_seconds();
  ++call.attempts;
  ++attempts_;
  call.round = state_.pace.round();
  http_.post(index, config_.url + "/" + endpoint_of(request), dump_json(body));
}

void ServerRun::settle(std::size_t index, const HttpReply& http) {
  Call& call = calls_[index];
  CompletionRead read;
  Verdict verdict = judge(call, http, read);
  using What = Verdict::What;
  const bool reached = http.fault != Fault::unreachable && http.fault != Fault::untrusted;
  if (reached) state_.last_contact = monotonic_seconds();
  if (verdict.throttled) {
    const int lowest = state_.pace.lowest();
    state_.pace.throttled(call.round);
    verdict.slowest = state_.pace.lowest() < lowest;
  } else if (verdict.what == What::good) {
    state_.pace.success();
  } else {
    state_.pace.fault();
  }
  switch (verdict.what) {
    case What::good:
      finish(index, http, "", std::move(read));
      return;
    case What::lost:
      lose(verdict.words, verdict.hint);
      return;
    case What::failed:
      finish(index, http, verdict.words, {});
      return;
    case What::again:
      break;
  }
  if (call.attempts <= config_.retries) {
    if (!lost_) try_again(index, verdict);
    return;
  }
  const std::string times =
      call.attempts == 1 ? "" : " (attempt " + std::to_string(call.attempts) + ", the last)";
  // Nobody has heard of the server for as long as this was tried: it is not this request's fault.
  if (http.fault == Fault::unreachable && state_.last_contact < call.first_sent) {
    lose("no server answers at " + config_.url + ": " + verdict.words + times,
         "start the server, or correct `url`; is it reached from this host, does it listen on that "
         "address and port, is it http or https?");
    return;
  }
  finish(index, http, verdict.words + times, {});
}

ServerRun::Verdict ServerRun::judge(const Call& call, const HttpReply& http,
                                    CompletionRead& read) const {
  if (http.fault != Fault::none) return judge_fault(http);
  if (http.status < 200 || http.status >= 300) return judge_status(http);
  return judge_body(call, http, read);
}

ServerRun::Verdict ServerRun::judge_fault(const HttpReply& http) const {
  Verdict out;
  out.what = Verdict::What::again;
  out.words = shown(http.words);
  if (http.fault == Fault::too_large) out.what = Verdict::What::failed;
  if (http.fault == Fault::timeout) {
    out.words = "no reply within " + seconds_words(config_.timeout_seconds) +
                " (`timeout_seconds`): " + out.words;
  }
  if (http.fault == Fault::untrusted) {
    out.what = Verdict::What::lost;
    out.words = "the server at " + config_.url + " cannot be trusted: " + out.words;
    out.hint = "SSL_CERT_FILE names the file of certificates that are trusted";
  }
  return out;
}

ServerRun::Verdict ServerRun::judge_status(const HttpReply& http) const {
  using What = Verdict::What;
  Verdict out;
  const long status = http.status;
  nlohmann::ordered_json body, error;
  if (try_parse_json(http.body, body).empty() && body.is_object()) error = body["error"];
  const std::string said = error_words(error);
  out.words = "HTTP status " + std::to_string(status);
  if (const std::string& quoted = said.empty() ? http.body : said; !quoted.empty()) {
    out.words += ": " + shown(quoted);
  }
  if (status == 401 || status == 403) return judge_key(http);
  if (status == 429 && error_code(error) == "insufficient_quota") {
    out.what = What::lost;
    out.words =
        "the server at " + config_.url + " says that nothing is left to spend: " + out.words;
    out.hint = "rerun when the account is in order: what was recorded is not asked again";
    return out;
  }
  out.throttled = status == 429;
  const bool passing = status == 408 || status == 409 || status == 429 || status >= 500;
  if (!passing) {
    out.what = What::failed;
    if (status >= 300 && status < 400) {
      out.words += ": a redirect to \"" + shown(http.location) + "\", which is not followed";
    } else if (status == 404) {
      out.words += " (asked of " + config_.url + ": is /v1 part of `url`, is `model` served?)";
    }
    return out;
  }
  out.what = What::again;
  out.wait =
      wait_asked(http.retry_after_ms, http.retry_after, static_cast<double>(std::time(nullptr)));
  if (out.wait && *out.wait > config_.retry_after_cap_seconds) {
    out.what = What::failed;
    out.words += ": it asks for a wait of " + seconds_words(*out.wait) +
                 ", which is more than the " + seconds_words(config_.retry_after_cap_seconds) +
                 " of `retry_after_cap_seconds`";
  }
  return out;
}

ServerRun::Verdict ServerRun::judge_key(const HttpReply& http) const {
  Verdict out;
  out.what = Verdict::What::lost;
  const std::string said = "HTTP status " + std::to_string(http.status) + ": " + shown(http.body);
  if (!key_.key.empty()) {
    out.words = "the server at " + config_.url + " refuses the key: " + said;
    out.hint = "is the key in the environment variable " + key_.variable + " the right one?";
  } else {
    out.words = "the server at " + config_.url + " wants a key, and none was sent: " + said;
    out.hint = key_.variable.empty()
                   ? "put it into an environment variable and name that in `key_env`"
                   : "put it into the environment variable " + key_.variable;
  }
  return out;
}

ServerRun::Verdict ServerRun::judge_body(const Call& call, const HttpReply& http,
                                         CompletionRead& read) const {
  Verdict out;
  const Request& request = requests_[call.request];
  read = parse_completion(http.body, is_chat(request));
  if (!read.reason.empty()) {
    out.what = read.again ? Verdict::What::again : Verdict::What::failed;
    out.words = "the server's reply cannot be used: ";
    out.words += http.body.empty() ? "it is empty"
                                   : shown(read.reason) + "; it begins with: " + shown(http.body);
  }
  return out;
}

void ServerRun::try_again(std::size_t index, const Verdict& verdict) {
  const Call& call = calls_[index];
  const bool asked = verdict.wait && *verdict.wait > 0;
  const double wait =
      tuning_.time_scale * (asked ? *verdict.wait : backoff_seconds(call.attempts, index));
  const double at = monotonic_seconds() + wait;
  if (verdict.throttled) {
    // One for all: the others would only be told the same.
    state_.paused_until = std::max(state_.paused_until, at);
    // At every fall to a new low; the saw's other teeth are for who looks closely.
    const log::Level level = verdict.slowest ? log::Level::info : log::Level::debug;
    if (log::enabled(level)) {
      log::write(level, "language",
                 config_.url + ": too many requests; waiting " + seconds_words(wait) + ", then " +
                     std::to_string(state_.pace.limit()) + " at once");
    }
  } else {
    log::debug("language", "{}: {}; again in {}", config_.url, verdict.words, seconds_words(wait));
  }
  again_.emplace(at, index);
}

void ServerRun::finish(std::size_t index, const HttpReply& http, const std::string& failure,
                       CompletionRead read) {
  const Call& call = calls_[index];
  Gathered& g = gathered_[call.request];
  const Request& request = requests_[call.request];
  Reply& reply = g.reply;
  std::string why = failure;
  if (why.empty() && !g.failed) {
    if (request.choices.empty()) {
      reply.text = std::move(read.reply.text);
      reply.finish = read.reply.finish;
    } else {
      why = shown(
          read_scores(config_.scores, request, call.part, read, reply.choice_log_probabilities));
    }
    reply.model = read.reply.model;
  }
  reply.prompt_tokens += read.reply.prompt_tokens;
  reply.reply_tokens += read.reply.reply_tokens;
  reply.attempts += call.attempts;
  reply.seconds += http.seconds;
  if (!why.empty() && !g.failed) {
    g.failed = true;
    reply.error = std::move(why);
  }
  if (--g.parts_left == 0) deliver(call.request);
}

void ServerRun::deliver(std::size_t index) {
  Gathered& g = gathered_[index];
  ++state_.finished;
  if (g.reply.model.empty()) g.reply.model = config_.model;
  if (g.failed) {
    g.reply.finish = Finish::failed;
    g.reply.text.clear();
    g.reply.choice_log_probabilities.clear();
    if (++state_.failed <= kFailuresLogged) {
      log::warn("language", "{} at {}: no reply to request {}: {}{}", config_.model, config_.url,
                requests_[index].id.empty() ? std::to_string(index) : requests_[index].id,
                g.reply.error,
                state_.failed == kFailuresLogged ? " (further ones are not logged)" : "");
    }
  }
  const std::string error = g.reply.error;
  done_(index, std::move(g.reply));
  g.reply = {};
  const auto finished = static_cast<double>(state_.finished);
  if (!error.empty() && state_.finished >= kFewReplies &&
      static_cast<double>(state_.failed) > config_.max_failure_rate * finished) {
    lose(std::to_string(state_.failed) + " of " + std::to_string(state_.finished) +
             " requests to " + config_.model + " at " + config_.url +
             " failed, which is more than `max_failure_rate` allows; the last: " + error,
         "replies that came are valid; mend the cause and rerun, or raise `max_failure_rate`");
  }
}

void ServerRun::lose(const std::string& words, const std::string& hint) {
  if (!lost_) lost_.emplace(ErrorKind::failure, words, hint);
}

std::string ServerRun::hidden(std::string text) const {
  constexpr std::size_t kNoSecret = 4;  // "none", "x": local servers take any key
  if (key_.key.size() <= kNoSecret) return text;
  for (std::size_t at = 0; (at = text.find(key_.key, at)) != text.npos;) {
    text.replace(at, key_.key.size(), "[key]");
    at += 5;
  }
  return text;
}

std::string ServerRun::shown(const std::string& words) const {
  return excerpt(hidden(words));
}

}  // namespace straq::language
