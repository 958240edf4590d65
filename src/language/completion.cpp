#include "language/completion.h"

#include "core/json/json.h"
#include "core/json/json_number.h"
#include "core/utf8.h"

namespace straq::language {
namespace {

using Json = nlohmann::ordered_json;

// The value of a key; null where there is none or `object` is no object.
const Json& member(const Json& object, const char* key) {
  static const Json nothing;
  if (!object.is_object()) return nothing;
  const auto it = object.find(key);
  return it == object.end() ? nothing : *it;
}

std::int64_t tokens_of(const Json& usage, const char* key) {
  return whole_number(member(usage, key), 0, INT64_MAX).value_or(0);
}

CompletionRead refuse(std::string reason, bool again = true) {
  CompletionRead out;
  out.reason = std::move(reason);
  out.again = again;
  return out;
}

// The text of a choice; a reason where it has none.
std::string read_text(const Json& choice, bool chat, std::string& text) {
  const Json* value = &member(choice, "text");
  if (chat) {
    const Json& message = member(choice, "message");
    if (!message.is_object()) return "its first choice has no message";
    value = &member(message, "content");
    const Json& refusal = member(message, "refusal");
    if (value->is_null() && refusal.is_string()) {
      return "the model refused: " + refusal.get<std::string>();
    }
  }
  if (value->is_null()) return "its first choice has no text";
  std::string wrong;
  if (!read_content(*value, text, wrong)) return "its first choice's text is " + wrong;
  return {};
}

}  // namespace

const char* endpoint_of(const Request& request) {
  return is_chat(request) ? "chat/completions" : "completions";
}

Json completion_body(const std::string& model, const Request& request,
                     const std::string& limit_key) {
  Json body;
  body["model"] = model;
  if (is_chat(request)) {
    Json messages = Json::array();
    for (const auto& m : request.messages) {
      Json message;
      message["role"] = m.role;
      message["content"] = m.content;
      messages.push_back(std::move(message));
    }
    body["messages"] = std::move(messages);
  } else {
    body["prompt"] = request.prompt;
  }
  const Sampling& s = request.sampling;
  body[limit_key] = s.max_tokens;
  body["temperature"] = s.temperature;
  if (s.top_p < 1) body["top_p"] = s.top_p;
  if (s.top_k > 0) body["top_k"] = s.top_k;
  if (s.min_p > 0) body["min_p"] = s.min_p;
  if (s.repetition_penalty != 1) body["repetition_penalty"] = s.repetition_penalty;
  if (!s.stop.empty()) body["stop"] = s.stop;
  if (s.temperature > 0) body["seed"] = seed_of(request);
  return body;
}

CompletionRead parse_completion(std::string_view text, bool chat) {
  Json body;
  const std::string reason = try_parse_json(text, body);
  if (!reason.empty()) return refuse("it is no JSON (" + reason + ")");
  return read_completion(body, chat);
}

CompletionRead read_completion(const Json& body, bool chat) {
  if (!body.is_object()) return refuse("it is no JSON object");
  if (const std::string words = error_words(member(body, "error")); !words.empty()) {
    return refuse("it is an error: " + words);
  }
  const Json& choices = member(body, "choices");
  if (!choices.is_array()) return refuse("it has no list of choices");
  if (choices.empty()) return refuse("its list of choices is empty");
  const Json& choice = choices[0];
  if (!choice.is_object()) return refuse("its first choice is no object");

  CompletionRead out;
  const Json& finish = member(choice, "finish_reason");
  const std::string word = finish.is_string() ? finish.get<std::string>() : "";
  if (word == "length") {
    out.reply.finish = Finish::length;
  } else if (!word.empty() && word != "stop") {
    // A content filter, a call of a tool, an abort: the words are not the model's whole reply.
    return refuse("it ended with finish_reason \"" + word + "\"", /*again=*/false);
  }
  out.reason = read_text(choice, chat, out.reply.text);
  if (!out.reason.empty()) {
    out.again = out.reason.rfind("the model refused", 0) != 0;
    return out;
  }
  if (word.empty()) return refuse("its first choice has no finish_reason");
  if (const Json& model = member(body, "model"); model.is_string()) {
    out.reply.model = model.get<std::string>();
  }
  const Json& usage = member(body, "usage");
  out.reply.prompt_tokens = tokens_of(usage, "prompt_tokens");
  out.reply.reply_tokens = tokens_of(usage, "completion_tokens");
  out.counted = whole_number(member(usage, "completion_tokens")).has_value();
  out.logprobs = member(choice, "logprobs");
  return out;
}

Json completion_reply_body(const Request& request, const Reply& reply, const std::string& id,
                           std::int64_t created) {
  Json choice;
  choice["index"] = 0;
  if (is_chat(request)) {
    choice["message"]["role"] = "assistant";
    choice["message"]["content"] = reply.text;
  } else {
    choice["text"] = reply.text;
  }
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = reply.finish == Finish::length ? "length" : "stop";
  Json body;
  body["id"] = id;
  body["object"] = is_chat(request) ? "chat.completion" : "text_completion";
  body["created"] = created;
  body["model"] = reply.model;
  body["choices"] = Json::array({choice});
  body["usage"]["prompt_tokens"] = reply.prompt_tokens;
  body["usage"]["completion_tokens"] = reply.reply_tokens;
  body["usage"]["total_tokens"] = reply.prompt_tokens + reply.reply_tokens;
  return body;
}

bool read_content(const Json& content, std::string& text, std::string& wrong) {
  text.clear();
  if (content.is_string()) {
    text = content.get<std::string>();
    return true;
  }
  if (!content.is_array()) {
    wrong = content.is_null() ? "null" : "neither a text nor a list of parts";
    return false;
  }
  for (const Json& part : content) {
    const Json& type = member(part, "type");
    const Json& words = member(part, "text");
    if (!type.is_string()) {
      wrong = "a list with a part that has no type";
      return false;
    }
    if (type != "text" || !words.is_string()) {
      wrong = "a list with a part of type \"" + type.get<std::string>() + "\"";
      return false;
    }
    text += words.get<std::string>();
  }
  return true;
}

std::string error_words(const Json& error) {
  if (error.is_null()) return {};
  if (error.is_string()) return error.get<std::string>();
  if (const Json& message = member(error, "message"); message.is_string()) {
    return message.get<std::string>();
  }
  return dump_json(error);
}

std::string error_code(const Json& error) {
  for (const char* key : {"code", "type"}) {
    if (const Json& code = member(error, key); code.is_string()) return code.get<std::string>();
  }
  return {};
}

std::string excerpt(std::string_view text, std::size_t most) {
  // A character takes four bytes at most: what is behind is not decoded.
  std::u32string characters = decode_utf8(text.substr(0, 4 * (most + 1)));
  const bool goes_on = characters.size() > most;
  if (goes_on) characters.resize(most);
  for (char32_t& c : characters) {
    const bool control = c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x2028 && c <= 0x202E) ||
                         (c >= 0x2066 && c <= 0x2069);
    if (control) c = U' ';
  }
  return encode_utf8(characters) + (goes_on ? "…" : "");
}

}  // namespace straq::language
