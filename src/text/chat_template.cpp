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

}  // namespace

std::vector<ChatPiece> render_chat(ChatFamily family, const std::vector<ChatMessage>& messages,
                                   bool reply) {
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

}  // namespace straq::text
