#include "text/chat_template.h"

#include "core/error.h"

namespace straq::text {
namespace {

std::string trimmed(const std::string& s) {
  constexpr const char* blanks = " \t\r\n\f\v";
  const std::size_t first = s.find_first_not_of(blanks);
  if (first == std::string::npos) return {};
  return s.substr(first, s.find_last_not_of(blanks) - first + 1);
}

void require_role(const ChatMessage& message, std::size_t index, const std::string& expected) {
  if (message.role == expected) return;
  fail_input("message " + std::to_string(index) + " of the chat has the role \"" + message.role +
                 "\" where \"" + expected + "\" was expected",
             "Llama 2 chats are [system,] user, assistant, user, …");
}

std::vector<ChatPiece> render_llama3(const std::vector<ChatMessage>& messages, bool reply) {
  std::vector<ChatPiece> out{{"<|begin_of_text|>", true}};
  const auto header = [&](const std::string& role) {
    out.push_back({"<|start_header_id|>", true});
    out.push_back({role, false});
    out.push_back({"<|end_header_id|>", true});
  };
  for (const auto& m : messages) {
    header(m.role);
    out.push_back({"\n\n" + trimmed(m.content), false});
    out.push_back({"<|eot_id|>", true});
  }
  if (reply) {
    header("assistant");
    out.push_back({"\n\n", false});
  }
  return out;
}

std::vector<ChatPiece> render_llama2(const std::vector<ChatMessage>& messages, bool reply) {
  std::vector<ChatPiece> out;
  std::string system;
  std::size_t i = 0;
  if (!messages.empty() && messages[0].role == "system") {
    system = "<<SYS>>\n" + trimmed(messages[0].content) + "\n<</SYS>>\n\n";
    i = 1;
  }
  if (i == messages.size()) fail_input("the chat has no user message");
  while (i < messages.size()) {
    require_role(messages[i], i, "user");
    // The system text is part of the first user message and is trimmed together with it.
    const std::string user = "[INST] " + trimmed(system + messages[i].content) + " [/INST]";
    system.clear();
    ++i;
    out.push_back({"<s>", true});
    if (i == messages.size()) {
      out.push_back({user, false});
      return out;
    }
    require_role(messages[i], i, "assistant");
    out.push_back({user + " " + trimmed(messages[i].content) + " ", false});
    out.push_back({"</s>", true});
    ++i;
  }
  if (reply) {
    fail_input("the chat ends with an assistant message: nothing is left to reply to",
               "end it with a user message");
  }
  return out;
}

std::vector<ChatPiece> render_chatml(const ChatFormat& format,
                                     const std::vector<ChatMessage>& messages, bool reply) {
  std::vector<ChatPiece> out;
  if (!format.bos.empty()) out.push_back({format.bos, true});
  const auto message = [&](const std::string& role, const std::string& content) {
    out.push_back({"<|im_start|>", true});
    out.push_back({role + "\n" + content, false});
    out.push_back({"<|im_end|>", true});
    out.push_back({"\n", false});
  };
  if (!format.default_system.empty() && !messages.empty() && messages[0].role != "system") {
    message("system", format.default_system);
  }
  for (const auto& m : messages) message(m.role, m.content);
  if (reply) {
    out.push_back({"<|im_start|>", true});
    out.push_back({"assistant\n", false});
  }
  return out;
}

// A text of a Jinja template with its escaped line ends as line ends.
std::string unescaped(std::string text) {
  for (std::size_t at = text.find("\\n"); at != std::string::npos; at = text.find("\\n", at)) {
    text.replace(at, 2, "\n");
  }
  return text;
}

// The system message that a ChatML template brings itself: literal text between the tokens.
std::string default_system_of(const std::string& jinja) {
  constexpr std::string_view begin = "<|im_start|>system\n", end = "<|im_end|>";
  for (std::size_t at = jinja.find(begin); at != std::string::npos; at = jinja.find(begin, at)) {
    at += begin.size();
    const std::size_t stop = jinja.find(end, at);
    if (stop == std::string::npos) break;
    const std::string text = jinja.substr(at, stop - at);
    // A quote or brace: what is written there is put together from variables.
    if (!text.empty() && text.find_first_of("'\"{}") == std::string::npos) return text;
  }
  return {};
}

}  // namespace

ChatFormat recognise_chat_template(std::string_view jinja, const std::string& bos,
                                   const std::string& where) {
  const std::string text = unescaped(std::string(jinja));
  const auto has = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  const auto refuse = [&](const std::string& what) {
    fail_input(where + ": the chat template " + what,
               "known are those of Llama 2 ([INST], <<SYS>>), Llama 3 (<|start_header_id|>) and "
               "ChatML (<|im_start|>)");
  };
  ChatFormat out;
  if (has("<|start_header_id|>") && has("<|eot_id|>")) {
    if (has("Cutting Knowledge") || has("strftime_now")) {
      refuse("is Llama 3's with dates in the system message, which is not supported");
    }
    out.family = ChatFamily::llama3;
  } else if (has("[INST]") && has("<<SYS>>")) {
    out.family = ChatFamily::llama2;
  } else if (has("<|im_start|>") && has("<|im_end|>")) {
    if (has("| trim") || has("|trim") || has(".strip()")) {
      refuse("is ChatML that trims its messages, which is not supported");
    }
    out.family = ChatFamily::chatml;
    out.default_system = default_system_of(text);
    if (out.default_system.empty() && (has("!= 'system'") || has("!= \"system\""))) {
      refuse("is ChatML with a system message of its own that cannot be told");
    }
    if (has("bos_token")) out.bos = bos;
  } else {
    refuse("is of no known format");
  }
  return out;
}

std::string words_of(const ChatFormat& format) {
  switch (format.family) {
    case ChatFamily::llama2:
      return "llama2";
    case ChatFamily::llama3:
      return "llama3";
    case ChatFamily::chatml:
      return format.default_system.empty() ? "chatml" : "chatml, with a system message of its own";
    case ChatFamily::none:
      break;
  }
  return "none";
}

std::vector<ChatPiece> render_chat(const ChatFormat& format,
                                   const std::vector<ChatMessage>& messages, bool reply) {
  const ChatFamily family = format.family;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string& role = messages[i].role;
    if (role != "system" && role != "user" && role != "assistant") {
      fail_input(
          "message " + std::to_string(i) + " of the chat has the unknown role \"" + role + "\"",
          "roles are system, user and assistant");
    }
  }
  if (family == ChatFamily::llama3) return render_llama3(messages, reply);
  if (family == ChatFamily::llama2) return render_llama2(messages, reply);
  if (family == ChatFamily::chatml) return render_chatml(format, messages, reply);
  std::vector<ChatPiece> out;
  for (const auto& m : messages) out.push_back({m.content, false});
  return out;
}

std::vector<TokenId> encode_pieces(const Tokenizer& tokenizer,
                                   const std::vector<ChatPiece>& pieces) {
  std::vector<TokenId> out;
  for (const auto& piece : pieces) {
    if (piece.special) {
      const auto id = tokenizer.special(piece.text);
      if (!id) {
        fail_input("the tokenizer has no special token \"" + piece.text + "\"",
                   "choose the chat template of the model's own family");
      }
      out.push_back(*id);
      continue;
    }
    const auto ids = tokenizer.encode(piece.text);
    out.insert(out.end(), ids.begin(), ids.end());
  }
  return out;
}

std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, const ChatFormat& format,
                                 const std::vector<ChatMessage>& messages) {
  return encode_pieces(tokenizer, render_chat(format, messages, /*reply=*/true));
}

std::string end_of_turn(ChatFamily family) {
  switch (family) {
    case ChatFamily::llama2:
      return "</s>";
    case ChatFamily::llama3:
      return "<|eot_id|>";
    case ChatFamily::chatml:
      return "<|im_end|>";
    default:
      return {};
  }
}

TokenId end_of_reply(const Tokenizer& tokenizer, const ChatFormat& format) {
  if (const auto end = end_of_turn(format.family); !end.empty()) {
    if (const auto id = tokenizer.special(end)) return *id;
  }
  if (const auto id = tokenizer.eos()) return *id;
  fail_input("tokenizer " + tokenizer.fingerprint() + " has no token that could end a reply",
             "use the tokenizer of a model that chats, or name eos_token in its "
             "tokenizer_config.json");
}

}  // namespace straq::text
