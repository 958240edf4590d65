// Batch files: requests for a model that is asked somewhere else, at another time, and its replies,
// in the JSON lines of OpenAI's batch API, which vLLM's offline runner (`vllm run-batch`) reads and
// writes too.
//
//   request: {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {…}}
//   reply:   {"id": …, "custom_id": "a", "response": {"status_code": 200, "body": {…}}, "error":
//   null}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/files/files.h"
#include "language/source.h"

namespace straq::language {

// Writes all requests, each under its id. Throws Error(input) for an id that is empty or comes
// twice and for requests with choices, which batch files have no form for.
void write_batch_requests(const std::string& path, const std::string& model,
                          const std::vector<Request>& requests,
                          const std::string& limit_key = "max_tokens");

struct BatchRequest {
  Request request;    // its id is the custom_id
  std::string model;  // as the body names it
  long line = 0;
};

// Requests as anybody's program wrote them. What a body leaves out has the value that the API gives
// it: temperature 1, 16 tokens for a text; for a chat, which has no limit there, `chat_tokens`.
// Throws Error(input) naming file and line for what is no such request, for an id that comes twice,
// and for a key of the body that would change the reply and is not built here (n above 1, tools,
// streams, penalties, answers in a JSON form, any key that is not known).
std::vector<BatchRequest> read_batch_requests(const std::string& path,
                                              std::int64_t chat_tokens = 1024);

// Appends the reply to a request as one line: a failed one under "error", with no response.
void write_batch_reply(LineWriter& file, const Request& request, const Reply& reply);

struct BatchReplies {
  // One for each request; none: the file has no reply to it. Lines that tell of a failure, and
  // bodies that hold no reply, are failed replies.
  std::vector<std::optional<Reply>> replies;
  std::int64_t missing = 0;
  std::int64_t unknown = 0;   // lines whose custom_id no request has
  std::int64_t repeated = 0;  // lines beyond the first of an id
};

// Replies in any order, matched by custom_id alone; of several to one request the last that did not
// fail counts. Unknown ids and a last line that is cut off are passed over with a warning. Throws
// Error(input) naming file and line for every other line that is no reply.
BatchReplies read_batch_replies(const std::string& path, const std::vector<Request>& requests);

}  // namespace straq::language
