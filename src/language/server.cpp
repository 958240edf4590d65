#include "language/server.h"

#include "core/environment.h"
#include "core/error.h"
#include "core/log.h"
#include "language/http.h"
#include "language/server_run.h"

namespace straq::language {
namespace {

constexpr const char* kDefaultKeyVariable = "OPENAI_API_KEY";
constexpr const char* kUrlHint = "the base of the API, for example http://127.0.0.1:8080/v1";

bool ends_with_path(const std::string& url, const std::string& path) {
  return url.size() >= path.size() && url.compare(url.size() - path.size(), path.size(), path) == 0;
}

// The URL without slashes at its end. What may hold a secret is not repeated in a message.
std::string checked_url(std::string url) {
  if (url.empty()) fail_input("a server needs its `url`", kUrlHint);
  const UrlParts parts = url_parts(url);
  if (!parts.valid || (parts.scheme != "http" && parts.scheme != "https")) {
    const bool plain = url.find('@') == std::string::npos;
    fail_input("the server's `url`" + (plain ? " \"" + url + "\"" : std::string()) +
                   " is no http:// or https:// URL",
               kUrlHint);
  }
  if (parts.has_credentials) {
    fail_input("the `url` of the server at " + parts.host + " holds a name or a password",
               "put the key into an environment variable and name that in `key_env`");
  }
  if (parts.has_query) {
    fail_input("the `url` of the server at " + parts.host + " goes on behind a ? or #", kUrlHint);
  }
  while (url.back() == '/') url.pop_back();
  for (const char* path : {"/chat/completions", "/completions"}) {
    if (ends_with_path(url, path)) {
      fail_input("the server's `url` ends with " + std::string(path), kUrlHint);
    }
  }
  return url;
}

void check_proxy(const std::string& proxy) {
  if (proxy.empty()) return;
  const UrlParts parts = url_parts(proxy);
  if (!parts.valid || (parts.scheme != "http" && parts.scheme != "https")) {
    fail_input("`proxy` is no http:// or https:// URL", "for example http://proxy.site:3128");
  }
  if (parts.has_credentials) {
    fail_input("`proxy` holds a name or a password, which this program does not take",
               "use a proxy that lets this host through");
  }
}

// The key with the variable that it comes from, or would come from.
ServerKey find_key(const ServerConfig& config, const UrlParts& parts) {
  ServerKey out;
  if (config.key_env == "none") return out;
  const bool named = !config.key_env.empty();
  if (!named && (parts.loopback || parts.scheme != "https")) return out;
  out.variable = named ? config.key_env : kDefaultKeyVariable;
  std::string key = environment_variable(out.variable.c_str());
  while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
  key.erase(0, std::min(key.find_first_not_of(" \t\r\n"), key.size()));
  if (key.empty() && named) {
    fail_input("the environment variable " + out.variable + ", which `key_env` names, is not set",
               "export it, or leave `key_env` out for a server without keys");
  }
  for (const char c : key) {
    if (c <= 0x20 || c > 0x7E) {
      fail_input("the environment variable " + out.variable +
                     " holds a character that no key has (a blank, a line end, a letter beyond "
                     "ASCII)",
                 "set it to the key alone");
    }
  }
  if (!key.empty() && parts.scheme == "http" && !parts.loopback) {
    log::warn("language", "the key of {} travels to {} in the clear: its URL is no https",
              out.variable, parts.host);
  }
  out.key = std::move(key);
  return out;
}

HttpOptions http_options(const ServerConfig& config, const ServerKey& key,
                         const ServerTuning& tuning) {
  HttpOptions out;
  out.timeout_seconds = config.timeout_seconds;
  out.connect_timeout_seconds = config.connect_timeout_seconds;
  out.proxy = config.proxy;
  out.key = key.key;
  out.body_limit = tuning.body_limit;
  out.connections = static_cast<int>(config.concurrency);
  return out;
}

class ServerSource : public Source {
 public:
  ServerSource(const ServerConfig& config, ServerKey key, const ServerTuning& tuning)
      : config_(config),
        tuning_(tuning),
        key_(std::move(key)),
        state_(static_cast<int>(config.concurrency)),
        http_(http_options(config, key_, tuning)) {}

  std::string name() const override { return config_.model + " at " + config_.url; }
  std::string model() const override { return config_.model; }
  bool scores() const override { return config_.scores != Scores::none; }

  void answer(const std::vector<Request>& requests, const Done& done) override {
    for (std::size_t i = 0; i < requests.size(); ++i) check(requests[i], i);
    ServerRun(config_, tuning_, key_, state_, http_, requests, done).go();
  }

 private:
  void check(const Request& request, std::size_t index) const {
    const std::string which =
        "request " +
        (request.id.empty() ? std::to_string(index) : "\"" + excerpt(request.id, 60) + "\"") +
        " to " + name() + ": ";
    if (!is_chat(request) && request.prompt.empty()) {
      fail_input(which + "it has neither messages nor a prompt");
    }
    if (is_chat(request) && config_.api == Api::completions) {
      fail_input(which + "it is a chat, and `api: completions` goes on with a text",
                 "set `api: chat`");
    }
    if (!is_chat(request) && config_.api == Api::chat) {
      fail_input(which + "it is a text to go on with, and `api: chat` takes messages",
                 "set `api: completions`");
    }
    if (!request.choices.empty() && !scores()) {
      fail_input(which + "it has choices to be scored, and the server's config says it has none",
                 "set `scores: top_logprobs` or `scores: echo` if the server gives logprobs "
                 "(docs/language.md)");
    }
  }

  ServerConfig config_;
  ServerTuning tuning_;
  ServerKey key_;
  ServerState state_;
  HttpClient http_;
};

}  // namespace

std::unique_ptr<Source> open_server(const ServerConfig& config, const ServerTuning& tuning) {
  ServerConfig checked = config;
  checked.url = checked_url(config.url);
  check_proxy(config.proxy);
  if (config.model.empty()) {
    fail_input("the server at " + checked.url + " needs a `model`",
               "the name that the server knows it by; GET " + checked.url + "/models lists them");
  }
  if (config.scores == Scores::echo && config.api != Api::completions) {
    fail_input("`scores: echo` needs `api: completions`: a chat is not echoed",
               "set `api: completions`, or `scores: top_logprobs`");
  }
  ServerKey key = find_key(checked, url_parts(checked.url));
  return std::make_unique<ServerSource>(checked, std::move(key), tuning);
}

}  // namespace straq::language
