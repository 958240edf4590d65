// Chat templates: how a family of instruction-tuned models wants roles and messages written. A
// rendered chat is a list of pieces, each either text or one special token, so that special tokens
// become ids by name and nothing that a user wrote can turn into one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace straq::text {

enum class ChatFamily {
  none,    // base models: the messages' contents one after another, no special tokens
  llama2,  // [INST] … [/INST], a system message inside the first turn
  llama3,  // header tokens around the role, <|eot_id|> after each message
  chatml,  // <|im_start|>, role, line end, content, <|im_end|>, line end: SmolLM2 and many more
};

// A family with what models of it do in their own ways.
struct ChatFormat {
  ChatFamily family = ChatFamily::none;
  std::string
      default_system;  // chatml: goes before a chat that has no system message; may be empty
  std::string bos;     // chatml: the special token that begins the chat; mostly none
};

// The format that a model's Jinja template (tokenizer_config.json, GGUF) writes, told by the tokens
// in it: nothing here runs Jinja. `bos` is the spelling of the model's BOS token, `where` names the
// template's place. Throws Error(input) for any other format, and for a template of a known one
// that does more to a message (dates of Llama 3.1, trimming in ChatML).
ChatFormat recognise_chat_template(std::string_view jinja, const std::string& bos,
                                   const std::string& where);
// "chatml, with a system message of its own", for people.
std::string words_of(const ChatFormat& format);

struct ChatMessage {
  std::string role;  // system | user | assistant
  std::string content;
};

struct ChatPiece {
  std::string text;
  bool special = false;  // `text` is the spelling of a special token

  bool operator==(const ChatPiece&) const = default;
};

// The pieces of a chat, each message's content without blanks at its ends (as both Llama templates
// do; ChatML keeps them). With `reply` the text ends where the assistant starts to write. Throws
// Error(input) for a role that is not known and, for llama2, for messages that do not alternate
// user, assistant, … after an optional system message, or that end with the assistant when a reply
// is asked for.
std::vector<ChatPiece> render_chat(const ChatFormat& format,
                                   const std::vector<ChatMessage>& messages, bool reply);
inline std::vector<ChatPiece> render_chat(ChatFamily family,
                                          const std::vector<ChatMessage>& messages, bool reply) {
  return render_chat(ChatFormat{family, {}, {}}, messages, reply);
}

// Ids of pieces, each text encoded by itself. Throws Error(input) naming a special token that the
// tokenizer does not have.
std::vector<TokenId> encode_pieces(const Tokenizer& tokenizer,
                                   const std::vector<ChatPiece>& pieces);

// Ids of a chat that ends where the assistant starts to write: what a model of local weights is
// asked, and so what a responder is trained on. Throws as render_chat and encode_pieces do.
std::vector<TokenId> encode_chat(const Tokenizer& tokenizer, const ChatFormat& format,
                                 const std::vector<ChatMessage>& messages);

// The special token that ends a message of the assistant in a family's chats, beside the model's
// own end of text; empty for `none`.
std::string end_of_turn(ChatFamily family);
// The token with which the assistant ends a reply: that of its family's chats, else the end of a
// text. Throws Error(input) naming the tokenizer where there is neither.
TokenId end_of_reply(const Tokenizer& tokenizer, const ChatFormat& format);

}  // namespace straq::text
