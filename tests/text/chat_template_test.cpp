#include "text/chat_template.h"

#include <gtest/gtest.h>

#include "fixtures.h"

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

TEST(ChatTemplate, Llama3IdsOfThePublishedModel) {
  STRAQ_REQUIRE_DATA(path, "tokenizers/llama3/tokenizer.model");
  const auto tokenizer = open_tokenizer(path);
  EXPECT_EQ(encode_pieces(*tokenizer, render_chat(ChatFamily::llama3, {{"user", "Hello"}}, true)),
            (std::vector<TokenId>{128000, 128006, 882, 128007, 271, 9906, 128009, 128006, 78191,
                                  128007, 271}));
}

}  // namespace
}  // namespace straq::text
