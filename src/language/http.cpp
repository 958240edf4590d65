#include "language/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <map>
#include <mutex>

#include "core/environment.h"
#include "core/error.h"

namespace straq::language {

// One transfer; its easy handle is used again for the next.
struct HttpTransfer {
  CURL* easy = nullptr;
  std::size_t tag = 0;
  std::size_t limit = 0;
  bool over_limit = false;
  std::string body;  // what is sent
  HttpReply reply;
  char words[CURL_ERROR_SIZE] = {};
};

namespace {

// Where Linux distributions keep the certificates that they trust. libcurl knows one place, that of
// the machine that it was built on; a packed program runs on another.
constexpr const char* kCertificateFiles[] = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Red Hat, Fedora
    "/etc/pki/tls/certs/ca-bundle.crt",                   // older of them
    "/etc/ssl/ca-bundle.pem",                             // SUSE
    "/etc/ssl/cert.pem",                                  // Alpine
};

std::string certificate_file() {
  if (std::string file = environment_variable("SSL_CERT_FILE"); !file.empty()) return file;
  for (const char* file : kCertificateFiles) {
    std::error_code ec;
    if (std::filesystem::exists(file, ec)) return file;
  }
  return {};
}

void begin_curl() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) fail_runtime("libcurl cannot start");
  });
}

std::size_t take_body(char* data, std::size_t, std::size_t bytes, void* user) {
  auto& t = *static_cast<HttpTransfer*>(user);
  if (bytes > t.limit - t.reply.body.size()) {
    t.over_limit = true;
    return bytes == 0 ? 1 : 0;  // another number than came ends the transfer
  }
  t.reply.body.append(data, bytes);
  return bytes;
}

std::size_t take_header(char* data, std::size_t, std::size_t bytes, void* user) {
  auto& t = *static_cast<HttpTransfer*>(user);
  const std::string line(data, bytes);
  const auto colon = line.find(':');
  if (colon == std::string::npos) return bytes;
  std::string name = line.substr(0, colon);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  const auto first = line.find_first_not_of(" \t\r\n", colon + 1);
  const auto last = line.find_last_not_of(" \t\r\n");
  const std::string value =
      first == std::string::npos ? std::string() : line.substr(first, last - first + 1);
  if (name == "retry-after") t.reply.retry_after = value;
  if (name == "retry-after-ms") t.reply.retry_after_ms = value;
  if (name == "location") t.reply.location = value;
  return bytes;
}

Fault fault_of(CURLcode code, bool connected) {
  switch (code) {
    case CURLE_OK:
      return Fault::none;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:  // no https there, or none that both sides speak
      return Fault::unreachable;
    case CURLE_OPERATION_TIMEDOUT:
      return connected ? Fault::timeout : Fault::unreachable;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      return Fault::untrusted;
    default:
      return Fault::broken;
  }
}

// A connection that the server has closed may answer a write with SIGPIPE, which would end the
// program (OpenSSL writes without MSG_NOSIGNAL). It comes to the thread that writes; there it is
// held back and taken away.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoPipeSignal() {
    sigset_t pending;
    sigpending(&pending);
    if (!was_pending_ && sigismember(&pending, SIGPIPE) == 1) {
      const timespec now{};
      sigtimedwait(&pipe_, nullptr, &now);
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t pipe_, before_;
  bool was_pending_ = false;
};

long milliseconds(double seconds) {
  return static_cast<long>(std::clamp(std::ceil(seconds * 1000), 1.0, 2e9));
}

}  // namespace

struct HttpClient::Impl {
  HttpOptions options;
  CURLM* multi = nullptr;
  curl_slist* headers = nullptr;
  std::string certificates;
  std::map<CURL*, std::unique_ptr<HttpTransfer>> busy;
  std::vector<std::unique_ptr<HttpTransfer>> idle;

  void prepare(HttpTransfer& t, const std::string& url);
  HttpReply finish(HttpTransfer& t, CURLcode code);
};

HttpClient::HttpClient(HttpOptions options) : impl_(std::make_unique<Impl>()) {
  begin_curl();
  Impl& m = *impl_;
  m.options = std::move(options);
  m.certificates = certificate_file();
  m.multi = curl_multi_init();
  if (m.multi == nullptr) fail_runtime("libcurl cannot start");
  curl_multi_setopt(m.multi, CURLMOPT_MAXCONNECTS, static_cast<long>(m.options.connections));
  std::vector<std::string> lines = {"Content-Type: application/json", "Accept: application/json",
                                    "Expect:"};
  if (!m.options.key.empty()) lines.push_back("Authorization: Bearer " + m.options.key);
  for (const auto& line : lines) m.headers = curl_slist_append(m.headers, line.c_str());
}

HttpClient::~HttpClient() {
  const NoPipeSignal guard;  // closing a connection says goodbye on it
  cancel();
  for (auto& t : impl_->idle) curl_easy_cleanup(t->easy);
  curl_slist_free_all(impl_->headers);
  curl_multi_cleanup(impl_->multi);
}

void HttpClient::Impl::prepare(HttpTransfer& t, const std::string& url) {
  CURL* e = t.easy;
  curl_easy_reset(e);  // keeps connections
  t.reply = {};
  t.over_limit = false;
  t.limit = options.body_limit;
  t.words[0] = '\0';
  curl_easy_setopt(e, CURLOPT_URL, url.c_str());
  curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t.body.size()));
  curl_easy_setopt(e, CURLOPT_POSTFIELDS, t.body.c_str());
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
  // With a proxy the headers are the server's, never the proxy's of a tunnel.
  curl_easy_setopt(e, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
  curl_easy_setopt(e, CURLOPT_USERAGENT, "straq");
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, &t);
  curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(e, CURLOPT_HEADERDATA, &t);
  curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t.words);
  curl_easy_setopt(e, CURLOPT_PRIVATE, &t);
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, milliseconds(options.timeout_seconds));
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(options.connect_timeout_seconds));
  curl_easy_setopt(e, CURLOPT_PROXY, options.proxy.c_str());  // "" also shuts out the environment's
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(e, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
  if (!certificates.empty()) curl_easy_setopt(e, CURLOPT_CAINFO, certificates.c_str());
}

HttpReply HttpClient::Impl::finish(HttpTransfer& t, CURLcode code) {
  curl_off_t sent_at = 0, took = 0;
  curl_easy_getinfo(t.easy, CURLINFO_PRETRANSFER_TIME_T, &sent_at);
  curl_easy_getinfo(t.easy, CURLINFO_TOTAL_TIME_T, &took);
  HttpReply reply = std::move(t.reply);
  curl_easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &reply.status);
  reply.seconds = static_cast<double>(took) * 1e-6;
  reply.fault = t.over_limit ? Fault::too_large : fault_of(code, sent_at > 0);
  if (t.over_limit) {
    reply.words = "the reply is longer than " + std::to_string(options.body_limit >> 20) + " MiB";
  } else if (code != CURLE_OK) {
    reply.words = t.words[0] != '\0' ? t.words : curl_easy_strerror(code);
  }
  return reply;
}

void HttpClient::post(std::size_t tag, const std::string& url, std::string body) {
  Impl& m = *impl_;
  std::unique_ptr<HttpTransfer> t;
  if (m.idle.empty()) {
    t = std::make_unique<HttpTransfer>();
    t->easy = curl_easy_init();
    if (t->easy == nullptr) fail_runtime("libcurl cannot make a handle");
  } else {
    t = std::move(m.idle.back());
    m.idle.pop_back();
  }
  t->tag = tag;
  t->body = std::move(body);
  m.prepare(*t, url);
  CURL* easy = t->easy;
  m.busy[easy] = std::move(t);
  if (const CURLMcode code = curl_multi_add_handle(m.multi, easy); code != CURLM_OK) {
    fail_runtime(std::string("libcurl takes no request: ") + curl_multi_strerror(code));
  }
}

std::size_t HttpClient::under_way() const {
  return impl_->busy.size();
}

std::vector<std::pair<std::size_t, HttpReply>> HttpClient::wait(double seconds) {
  Impl& m = *impl_;
  const NoPipeSignal guard;
  std::vector<std::pair<std::size_t, HttpReply>> out;
  const double end = monotonic_seconds() + seconds;
  for (;;) {
    int running = 0, left = 0;
    CURLMcode code = curl_multi_perform(m.multi, &running);
    while (CURLMsg* message = curl_multi_info_read(m.multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      const CURLcode result = message->data.result;  // gone with the handle
      const auto it = m.busy.find(easy);
      out.emplace_back(it->second->tag, m.finish(*it->second, result));
      curl_multi_remove_handle(m.multi, easy);
      m.idle.push_back(std::move(it->second));
      m.busy.erase(it);
    }
    const double rest = end - monotonic_seconds();
    if (!out.empty() || rest <= 0) return out;
    if (code == CURLM_OK) {
      code = curl_multi_poll(m.multi, nullptr, 0, static_cast<int>(milliseconds(rest)), nullptr);
    }
    if (code != CURLM_OK) {
      fail_runtime(std::string("libcurl cannot wait: ") + curl_multi_strerror(code));
    }
  }
}

void HttpClient::cancel() {
  Impl& m = *impl_;
  const NoPipeSignal guard;
  for (auto& [easy, t] : m.busy) {
    curl_multi_remove_handle(m.multi, easy);
    m.idle.push_back(std::move(t));
  }
  m.busy.clear();
}

UrlParts url_parts(const std::string& url) {
  UrlParts out;
  begin_curl();
  CURLU* u = curl_url();
  if (u == nullptr) return out;
  const auto part = [u](CURLUPart which) {
    char* text = nullptr;
    std::string value;
    if (curl_url_get(u, which, &text, 0) == CURLUE_OK && text != nullptr) value = text;
    curl_free(text);
    return value;
  };
  if (curl_url_set(u, CURLUPART_URL, url.c_str(), 0) == CURLUE_OK) {
    out.valid = true;
    out.scheme = part(CURLUPART_SCHEME);
    out.host = part(CURLUPART_HOST);
    std::transform(out.host.begin(), out.host.end(), out.host.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    out.has_credentials = !part(CURLUPART_USER).empty() || !part(CURLUPART_PASSWORD).empty();
    out.has_query = url.find_first_of("?#") != std::string::npos;
    const bool numeric = out.host.find_first_not_of("0123456789.") == std::string::npos;
    out.loopback = out.host == "localhost" || out.host == "[::1]" ||
                   (numeric && out.host.rfind("127.", 0) == 0);
  }
  curl_url_cleanup(u);
  return out;
}

}  // namespace straq::language
