// An HTTP server on this host that fails on purpose: every request is answered by a script, which
// may be slow, cut itself off, say nonsense or hang up.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace straq::testing {

// What a client has sent.
struct SeenRequest {
  std::string method, path, body;
  std::map<std::string, std::string> headers;  // names in lower case
  std::size_t number = 0;                      // from 0, in the order of their coming
  nlohmann::json json() const { return nlohmann::json::parse(body); }
};

struct Script {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  double delay = 0;                // seconds before the reply
  std::optional<std::size_t> cut;  // the connection ends behind so many bytes of the body
  bool drop = false;               // the connection ends without a reply
};

class FaultServer {
 public:
  using Handler = std::function<Script(const SeenRequest&)>;

  explicit FaultServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("no server on this host");
    }
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~FaultServer() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    wake_.notify_all();
    accepting_.join();
    for (auto& t : threads_) t.join();
    ::close(listener_);
  }
  FaultServer(const FaultServer&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }
  std::vector<SeenRequest> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  std::size_t count() const { return seen().size(); }
  int most_at_once() const { return most_; }
  int connections() const { return connections_; }

 private:
  void accept_all() {
    for (;;) {
      pollfd p{listener_, POLLIN, 0};
      const int ready = ::poll(&p, 1, 20);
      std::lock_guard lock(mutex_);
      if (stopping_) return;
      if (ready <= 0) continue;
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) continue;
      ++connections_;
      open_.push_back(fd);
      threads_.emplace_back([this, fd] { serve(fd); });
    }
  }

  void serve(int fd) {
    std::string buffer;
    while (auto request = receive(fd, buffer)) {
      {
        std::lock_guard lock(mutex_);
        request->number = seen_.size();
        seen_.push_back(*request);
      }
      most_ = std::max<int>(most_, ++at_once_);
      const Script script = handler_(*request);
      if (script.delay > 0) {
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, std::chrono::duration<double>(script.delay),
                       [this] { return stopping_; });
      }
      --at_once_;
      if (script.drop || !send_reply(fd, script)) break;
    }
    std::lock_guard lock(mutex_);
    std::erase(open_, fd);
    ::close(fd);
  }

  static std::optional<SeenRequest> receive(int fd, std::string& buffer) {
    const auto more = [&] {
      char piece[4096];
      const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
      if (n > 0) buffer.append(piece, static_cast<std::size_t>(n));
      return n > 0;
    };
    std::size_t end;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return {};
    }
    SeenRequest out;
    std::size_t at = buffer.find("\r\n");
    const std::string first = buffer.substr(0, at);
    out.method = first.substr(0, first.find(' '));
    out.path = first.substr(out.method.size() + 1, first.rfind(' ') - out.method.size() - 1);
    while (at < end) {
      const std::size_t next = buffer.find("\r\n", at + 2);
      const std::string line = buffer.substr(at + 2, next - at - 2);
      std::string name = line.substr(0, line.find(':'));
      std::transform(name.begin(), name.end(), name.begin(),
                     [](unsigned char c) { return std::tolower(c); });
      const std::size_t value = line.find_first_not_of(' ', name.size() + 1);
      out.headers[name] = value == std::string::npos ? "" : line.substr(value);
      at = next;
    }
    const auto size = static_cast<std::size_t>(std::atol(out.headers["content-length"].c_str()));
    while (buffer.size() < end + 4 + size) {
      if (!more()) return {};
    }
    out.body = buffer.substr(end + 4, size);
    buffer.erase(0, end + 4 + size);
    return out;
  }

  static bool send_reply(int fd, const Script& script) {
    std::string text = "HTTP/1.1 " + std::to_string(script.status) + " Scripted\r\n";
    for (const auto& [name, value] : script.headers) text += name + ": " + value + "\r\n";
    text += "Content-Length: " + std::to_string(script.body.size()) + "\r\n\r\n";
    text += script.body.substr(0, script.cut.value_or(script.body.size()));
    std::size_t done = 0;
    while (done < text.size()) {
      const ssize_t n = ::send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (n <= 0) return false;
      done += static_cast<std::size_t>(n);
    }
    return !script.cut;
  }

  Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  std::thread accepting_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::vector<SeenRequest> seen_;
  std::atomic<int> at_once_{0}, most_{0}, connections_{0};
};

// A good reply of each API.
inline std::string chat_reply(const std::string& text, const std::string& finish = "stop") {
  return nlohmann::json{
      {"id", "chatcmpl-1"},
      {"object", "chat.completion"},
      {"model", "served-model"},
      {"choices",
       {{{"index", 0},
         {"message", {{"role", "assistant"}, {"content", text}}},
         {"logprobs", nullptr},
         {"finish_reason", finish}}}},
      {"usage", {{"prompt_tokens", 11}, {"completion_tokens", 7}, {"total_tokens", 18}}}}
      .dump();
}
inline std::string text_reply(const std::string& text, const nlohmann::json& logprobs = nullptr) {
  return nlohmann::json{
      {"id", "cmpl-1"},
      {"object", "text_completion"},
      {"model", "served-model"},
      {"choices",
       {{{"index", 0}, {"text", text}, {"logprobs", logprobs}, {"finish_reason", "length"}}}},
      {"usage", {{"prompt_tokens", 3}, {"completion_tokens", 1}, {"total_tokens", 4}}}}
      .dump();
}

}  // namespace straq::testing
