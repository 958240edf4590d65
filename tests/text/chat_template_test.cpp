#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <fstream>

#include "fixtures.h"
#include "tests/testing.h"
#include "text/model_chat_template.h"

namespace straq::text {
namespace {

using straq::testing::error_of;

const std::vector<ChatMessage> chat = {
    {"system", "Be kind."}, {"user", " Hi <|eot_id|> "}, {"assistant", "Hello!"}, {"user", "Bye"}};

TEST(ChatTemplate, Llama3) {
  const auto pieces = render_chat(ChatFamily::llama3, {chat[0], chat[1]}, true);
  const ChatPiece start{"<|start_header_id|>", true}, end{"<|end_header_id|>", true},
      eot{"<|eot_id|>", true};
  EXPECT_EQ(pieces, (std::vector<ChatPiece>{{"<|begin_of_text|>", true},
                                            start,
                                            {"system", false},
                                            end,
                                            {"\n\nBe kind.", false},
                                            eot,
                                            start,
                                            {"user", false},
                                            end,
                                            {"\n\nHi <|eot_id|>", false},  // text stays text
                                            eot,
                                            start,
                                            {"assistant", false},
                                            end,
                                            {"\n\n", false}}));
}

TEST(ChatTemplate, Llama2) {
  EXPECT_EQ(render_chat(ChatFamily::llama2, chat, true),
            (std::vector<ChatPiece>{
                {"<s>", true},
                {"[INST] <<SYS>>\nBe kind.\n<</SYS>>\n\n Hi <|eot_id|> [/INST] Hello! ", false},
                {"</s>", true},
                {"<s>", true},
                {"[INST] Bye [/INST]", false}}));
}

TEST(ChatTemplate, ChatmlKeepsBlanksAndMayBringASystemMessage) {
  const ChatPiece start{"<|im_start|>", true}, end{"<|im_end|>", true}, line{"\n", false};
  EXPECT_EQ(render_chat(ChatFamily::chatml, {chat[0], chat[1]}, true),
            (std::vector<ChatPiece>{start,
                                    {"system\nBe kind.", false},
                                    end,
                                    line,
                                    start,
                                    {"user\n Hi <|eot_id|> ", false},
                                    end,
                                    line,
                                    start,
                                    {"assistant\n", false}}));
  const ChatFormat format{ChatFamily::chatml, "You are a helper.", "<s>"};
  EXPECT_EQ(render_chat(format, {chat[3]}, false),
            (std::vector<ChatPiece>{{"<s>", true},
                                    start,
                                    {"system\nYou are a helper.", false},
                                    end,
                                    line,
                                    start,
                                    {"user\nBye", false},
                                    end,
                                    line}));
  EXPECT_EQ(render_chat(format, {chat[0]}, false).size(), 5u);  // its own stays away
}

TEST(ChatTemplate, FormatsAreToldByTheirTokens) {
  const auto of = [](const std::string& jinja) {
    return recognise_chat_template(jinja, "<s>", "m.gguf");
  };
  const std::string messages =
      "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}";
  const auto plain = of("{% for message in messages %}" + messages + "{% endfor %}");
  EXPECT_EQ(plain.family, ChatFamily::chatml);
  EXPECT_EQ(plain.default_system, "");
  EXPECT_EQ(plain.bos, "");
  // Line ends may be escaped or not.
  for (const std::string line : {"\n", "\\n"}) {
    const auto own =
        of("{{bos_token}}{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system" + line +
           "You are kind, and brief.<|im_end|>" + line + "' }}{% endif %}" + messages);
    EXPECT_EQ(own.default_system, "You are kind, and brief.");
    EXPECT_EQ(own.bos, "<s>");
    EXPECT_EQ(words_of(own), "chatml, with a system message of its own");
  }
  EXPECT_EQ(of("<|start_header_id|> <|end_header_id|> <|eot_id|>").family, ChatFamily::llama3);
  EXPECT_EQ(of("[INST] <<SYS>> [/INST]").family, ChatFamily::llama2);
  for (const std::string& other : std::vector<std::string>{
           std::string("<|user|> {{ message }}"), std::string("[INST] [/INST]"), std::string(),
           "<|start_header_id|><|eot_id|> Cutting Knowledge Date: December 2023",
           messages + "{{ message['content'] | trim }}",
           "{% if messages[0]['role'] != 'system' %}{{ system }}{% endif %}" + messages}) {
    const auto error = error_of([&] { of(other); });
    ASSERT_TRUE(error);
    EXPECT_NE(error->full().find("m.gguf"), std::string::npos);
    EXPECT_NE(error->full().find("ChatML"), std::string::npos);
  }
}

TEST(ChatTemplate, NoneIsTheTextAlone) {
  EXPECT_EQ(render_chat(ChatFamily::none, {chat[0], chat[3]}, true),
            (std::vector<ChatPiece>{{"Be kind.", false}, {"Bye", false}}));
}

TEST(ChatTemplate, BadRolesAndOrders) {
  const std::vector<std::vector<ChatMessage>> bad = {
      {},
      {chat[0]},
      {{"user", "a"}, {"user", "b"}},
      {{"assistant", "a"}},
      {{"user", "a"}, {"assistant", "b"}},  // nothing to reply to
      {{"supporter", "a"}}};
  for (const auto& messages : bad) {
    const auto error = error_of([&] { render_chat(ChatFamily::llama2, messages, true); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::input);
  }
  EXPECT_EQ(render_chat(ChatFamily::llama2, bad[4], false).back(), (ChatPiece{"</s>", true}));
}

TEST(ChatTemplate, PiecesBecomeIdsAndTextNeverASpecialToken) {
  const auto tokenizer = testing::byte_bpe();
  const auto ids = encode_pieces(*tokenizer, {{"<s>", true}, {"</s>", false}});
  ASSERT_FALSE(ids.empty());
  EXPECT_EQ(ids[0], *tokenizer->special("<s>"));
  EXPECT_EQ(std::vector<TokenId>(ids.begin() + 1, ids.end()), tokenizer->encode("</s>"));
  const auto error = error_of([&] { encode_pieces(*tokenizer, {{"<|eot_id|>", true}}); });
  ASSERT_TRUE(error);
  EXPECT_NE(std::string(error->what()).find("<|eot_id|>"), std::string::npos);
}

TEST(ChatTemplate, AReplyEndsAsItsFamilysDoOrAsATextDoes) {
  const auto tokenizer = testing::byte_bpe();
  const auto end = *tokenizer->special("</s>");
  EXPECT_EQ(end_of_reply(*tokenizer, {ChatFamily::llama2, {}, {}}), end);
  EXPECT_EQ(end_of_reply(*tokenizer, {}), *tokenizer->eos());
  // A family whose token the tokenizer does not know.
  EXPECT_EQ(end_of_reply(*tokenizer, {ChatFamily::chatml, {}, {}}), *tokenizer->eos());
}

TEST(ChatTemplate, OfAModelAsTextAndAsFormat) {
  const straq::testing::TemporaryFolder folder;
  EXPECT_FALSE(chat_of_model(folder.path()));
  const std::string jinja = "{{ bos_token }}<|im_start|>{{ m }}<|im_end|>";
  std::ofstream(folder.path(kChatTemplateFile)) << jinja;
  std::ofstream(folder.path("tokenizer_config.json")) << R"({"bos_token": "<s>"})";
  const auto chat = chat_of_model(folder.path());
  ASSERT_TRUE(chat);
  EXPECT_EQ(chat->jinja, jinja);
  EXPECT_EQ(chat->format.family, ChatFamily::chatml);
  EXPECT_EQ(chat->format.bos, "<s>");
}

TEST(ChatTemplate, Llama3IdsOfThePublishedModel) {
  STRAQ_REQUIRE_DATA(path, "tokenizers/llama3/tokenizer.model");
  const auto tokenizer = open_tokenizer(path);
  EXPECT_EQ(encode_pieces(*tokenizer, render_chat(ChatFamily::llama3, {{"user", "Hello"}}, true)),
            (std::vector<TokenId>{128000, 128006, 882, 128007, 271, 9906, 128009, 128006, 78191,
                                  128007, 271}));
}

}  // namespace
}  // namespace straq::text
