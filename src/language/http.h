// POST requests of JSON to one server, several at a time over connections that are kept: libcurl's
// multi interface with what a client of a language model needs of it, and every way in which a
// transfer can fail sorted by what one does about it. Redirects are not followed, the environment's
// proxies are not used, and the key goes nowhere but into the header.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace straq::language {

enum class Fault {
  none,         // an HTTP reply is there, whatever its status
  unreachable,  // no connection: no such host, refused, no answer to the attempt, no https
  untrusted,    // the server's certificate, or none of our own to check it with
  timeout,      // connected, but the reply did not come in time
  broken,       // the connection ended before the reply did
  too_large,    // the reply is longer than is read
};

struct HttpReply {
  Fault fault = Fault::none;
  std::string words;  // of a fault
  long status = 0;
  std::string body;
  std::string retry_after, retry_after_ms, location;  // headers; empty: not there
  double seconds = 0;
};

struct HttpOptions {
  double timeout_seconds = 300;
  double connect_timeout_seconds = 5;
  std::string proxy;  // empty: none
  std::string key;    // for "Authorization: Bearer …"; empty: no such header
  std::size_t body_limit = std::size_t{64} << 20;
  int connections = 8;  // kept for later
};

class HttpClient {
 public:
  explicit HttpClient(HttpOptions options);
  ~HttpClient();  // drops what is under way
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Starts a request; `tag` comes back with its reply.
  void post(std::size_t tag, const std::string& url, std::string body);
  std::size_t under_way() const;
  // Waits until a reply is there, at most so many seconds; with nothing under way it sleeps.
  std::vector<std::pair<std::size_t, HttpReply>> wait(double seconds);
  // Drops what is under way; connections that are idle stay.
  void cancel();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The parts of a URL as libcurl reads it.
struct UrlParts {
  bool valid = false;
  std::string scheme, host;  // in lower case
  bool has_credentials = false, has_query = false;
  bool loopback = false;  // localhost, 127.0.0.0/8, ::1
};
UrlParts url_parts(const std::string& url);

}  // namespace straq::language
