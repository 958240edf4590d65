// The JSON of OpenAI's chat and text completions, which vLLM, llama.cpp and others speak too:
// bodies of requests made, bodies of replies read and made. A server and batch files share it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "language/source.h"

namespace straq::language {

// A request with messages is a chat, one with a prompt alone a text to go on with.
inline bool is_chat(const Request& request) {
  return !request.messages.empty();
}
// Behind a server's base URL: "chat/completions" or "completions".
const char* endpoint_of(const Request& request);

// What asks `model` to write. `limit_key` is what the most tokens of a reply are called. Filters
// that OpenAI does not know (top_k, min_p, repetition_penalty) are in it only where they do
// something; a seed only where tokens are drawn.
nlohmann::ordered_json completion_body(const std::string& model, const Request& request,
                                       const std::string& limit_key = "max_tokens");

// What a body says, or why it says nothing.
struct CompletionRead {
  Reply reply;                      // without attempts and seconds; Finish::failed never
  std::string reason;               // empty: `reply` holds it
  bool again = true;                // of a reason: asked again, it may be well
  bool counted = false;             // the server says how many tokens it wrote
  nlohmann::ordered_json logprobs;  // as the first choice has them, else null
};
// Never throws for anything that the body holds. `reason` may hold any amount of the server's
// words.
CompletionRead parse_completion(std::string_view body, bool chat);
CompletionRead read_completion(const nlohmann::ordered_json& body, bool chat);

// The body of a reply as a server makes it; `id` and `created` are the caller's.
nlohmann::ordered_json completion_reply_body(const Request& request, const Reply& reply,
                                             const std::string& id, std::int64_t created);

// A message's content: a text, or a list of {"type": "text", "text": …}, which are joined. False
// where it is neither; `wrong` then says what stands there ("a part of type \"image_url\"").
bool read_content(const nlohmann::ordered_json& content, std::string& text, std::string& wrong);

// The words of an "error", which servers write as a text or as an object with a "message"; empty
// where it is null or absent.
std::string error_words(const nlohmann::ordered_json& error);
// The same object's "code" or "type"; empty without.
std::string error_code(const nlohmann::ordered_json& error);

// The first characters of what a server or a file said, on one line, for a message.
std::string excerpt(std::string_view text, std::size_t most = 200);

}  // namespace straq::language
