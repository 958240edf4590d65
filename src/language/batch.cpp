#include "language/batch.h"

#include <ctime>
#include <unordered_map>
#include <unordered_set>

#include "core/error.h"
#include "core/files/atomic_file.h"
#include "core/files/text_file.h"
#include "core/hash.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "core/json/json_records.h"
#include "core/log.h"
#include "language/batch_body.h"
#include "language/completion.h"

namespace straq::language {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kReplyHint =
    "is this the file of replies, and not of requests? docs/language.md shows both";

// One line, parsed; nothing for a last one that is cut off.
std::optional<Json> parse_batch_line(const JsonRecord& line, const std::string& where) {
  Json json;
  const std::string reason = try_parse_json(line.text, json);
  if (reason.empty()) return json;
  if (line.ended)
    fail_input(where + ": " + reason, "every line of a batch file is one JSON object");
  log::warn("language", "{}: the last line is cut off and is passed over", where);
  return {};
}

// A body's reply, or a failed one that says why there is none.
Reply reply_of(const JsonFields& f, bool chat) {
  Reply reply;
  reply.finish = Finish::failed;
  const Json nothing;
  if (const Json& error = f.has("error") ? f.at("error") : nothing; !error.is_null()) {
    reply.error = excerpt(error_words(error));
    return reply;
  }
  if (!f.has("response")) f.place().fail("it has neither a \"response\" nor an \"error\"");
  const Json& response = f.at("response");
  JsonFields inside(response, f.place().below("response"));
  std::int64_t status = 200;
  inside.maybe("status_code", status);
  const Json& body = inside.has("body") ? inside.at("body") : nothing;
  if (status != 200) {
    const bool told = body.is_object() && body.contains("error");
    reply.error = "HTTP status " + std::to_string(status) + ": " +
                  excerpt(told ? error_words(body["error"]) : dump_json(body));
    return reply;
  }
  CompletionRead read = read_completion(body, chat);
  if (read.reason.empty()) return read.reply;
  reply.error = "the reply cannot be used: " + excerpt(read.reason);
  return reply;
}

}  // namespace

void write_batch_requests(const std::string& path, const std::string& model,
                          const std::vector<Request>& requests, const std::string& limit_key) {
  std::unordered_set<std::string> ids;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Request& request = requests[i];
    if (request.id.empty()) {
      fail_input("request " + std::to_string(i) + " for " + path + " has no id",
                 "replies of a batch are matched by it");
    }
    const std::string which = "request \"" + excerpt(request.id, 60) + "\" for " + path;
    if (!ids.insert(request.id).second) {
      fail_input(which + " comes twice", "replies of a batch are matched by the id");
    }
    if (!request.choices.empty()) {
      fail_input(which + " has choices to be scored, which batch files have no form for",
                 "ask a server with `scores: echo` or local weights");
    }
  }
  AtomicFile file(path);
  for (const Request& request : requests) {
    Json line;
    line["custom_id"] = request.id;
    line["method"] = "POST";
    line["url"] = std::string("/v1/") + endpoint_of(request);
    line["body"] = completion_body(model, request, limit_key);
    const std::string text = dump_json(line) + "\n";
    file.write(text.data(), text.size());
  }
  file.publish();
}

std::vector<BatchRequest> read_batch_requests(const std::string& path, std::int64_t chat_tokens) {
  const std::string text = read_text_file(path);
  std::vector<BatchRequest> out;
  std::unordered_map<std::string, long> ids;
  for (const JsonRecord& line : cut_json_lines(text)) {
    const std::string where = path + ":" + std::to_string(line.line);
    // A request that was cut off is missed by nobody but its writer: no reason to go on.
    const Json json =
        parse_ordered_json(line.text, where, "every line of a batch file is one JSON object");
    out.push_back(read_batch_request(json, where, chat_tokens));
    out.back().line = line.line;
    const auto [it, is_new] = ids.try_emplace(out.back().request.id, line.line);
    if (!is_new) {
      fail_input(where + ": the custom_id \"" + excerpt(it->first, 60) + "\" is that of line " +
                     std::to_string(it->second),
                 "replies are matched by it: give every request its own");
    }
  }
  return out;
}

void write_batch_reply(LineWriter& file, const Request& request, const Reply& reply) {
  const std::string mark = sha256_hex(request.id).substr(0, 24);
  Json line;
  line["id"] = "batch_req_" + mark;
  line["custom_id"] = request.id;
  if (reply.finish == Finish::failed) {
    line["response"] = nullptr;
    line["error"]["code"] = "failed";
    line["error"]["message"] = reply.error;
  } else {
    Json response;
    response["status_code"] = 200;
    response["request_id"] = "req_" + mark;
    response["body"] = completion_reply_body(request, reply, "cmpl-" + mark, std::time(nullptr));
    line["response"] = std::move(response);
    line["error"] = nullptr;
  }
  file.write(dump_json(line));
}

BatchReplies read_batch_replies(const std::string& path, const std::vector<Request>& requests) {
  BatchReplies out;
  out.replies.resize(requests.size());
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!places.try_emplace(requests[i].id, i).second) {
      fail_input("two requests have the id \"" + excerpt(requests[i].id, 60) + "\"",
                 "replies of a batch are matched by it");
    }
  }
  const std::string text = read_text_file(path);
  std::string an_unknown;
  for (const JsonRecord& line : cut_json_lines(text)) {
    const std::string where = path + ":" + std::to_string(line.line);
    const std::optional<Json> json = parse_batch_line(line, where);
    if (!json) continue;
    JsonFields f(*json, {where, kReplyHint});
    std::string id;
    f("custom_id", id);
    const auto it = places.find(id);
    if (it == places.end()) {
      ++out.unknown;
      an_unknown = id;
      continue;
    }
    Reply reply = reply_of(f, is_chat(requests[it->second]));
    std::optional<Reply>& place = out.replies[it->second];
    out.repeated += place.has_value();
    if (!place || reply.finish != Finish::failed) place = std::move(reply);
  }
  for (const auto& reply : out.replies) out.missing += !reply;
  if (out.unknown > 0) {
    log::warn("language", "{}: {} replies are to no request, for example to \"{}\"", path,
              out.unknown, excerpt(an_unknown, 60));
  }
  return out;
}

}  // namespace straq::language
