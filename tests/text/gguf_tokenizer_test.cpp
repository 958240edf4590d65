// Tokenizers in GGUF files: the ids of the files that they came from, in every form; what would
// have to be guessed is refused by name.
#include "text/tokenizers/gguf_tokenizer.h"

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/files/files.h"
#include "fixtures.h"
#include "tests/gguf_writer.h"
#include "text/tokenizers/sentencepiece_model.h"

namespace straq::text {
namespace {

using straq::testing::error_of;
using straq::testing::GgufWriter;
using straq::testing::TemporaryFolder;

constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUser = 4, kUnused = 5;

const std::vector<std::string> kTexts = {"",
                                         " ",
                                         "I felt tired yesterday.",
                                         "wrote 27 letters at 10 o'clock",
                                         "1234567 x٣٤",
                                         "a  b\n\n c\t",
                                         "naïve — 中文 😀",
                                         "<s></s> in users' text",
                                         "I'm you'RE",
                                         "    four"};

struct Tokens {
  std::vector<std::string> tokens, merges;
  std::vector<std::int32_t> types;
  std::vector<float> scores;
};

// The tokens of a tokenizer.json.
Tokens of_json(const std::string& bytes) {
  const auto json = nlohmann::json::parse(bytes);
  Tokens out;
  const auto put = [&](std::size_t id, const std::string& token, std::int32_t type) {
    if (id >= out.tokens.size()) {
      out.tokens.resize(id + 1);
      out.types.resize(id + 1, kUnused);
    }
    out.tokens[id] = token;
    out.types[id] = type;
  };
  for (const auto& [token, id] : json["model"]["vocab"].items()) put(id, token, kNormal);
  for (const auto& added : json["added_tokens"]) {
    put(added["id"], added["content"], added["special"] ? kControl : kUser);
  }
  for (const auto& merge : json["model"]["merges"]) {
    out.merges.push_back(merge.is_string()
                             ? merge.get<std::string>()
                             : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  }
  return out;
}

GgufWriter byte_level(const Tokens& t, const std::string& pre) {
  GgufWriter w;
  w.put("tokenizer.ggml.model", "gpt2");
  w.put("tokenizer.ggml.pre", pre);
  w.put("tokenizer.ggml.tokens", t.tokens);
  w.put("tokenizer.ggml.token_type", t.types);
  w.put("tokenizer.ggml.merges", t.merges);
  return w;
}

class GgufTokenizer : public ::testing::Test {
 protected:
  std::unique_ptr<Tokenizer> open(const GgufWriter& w) {
    write_file_atomic(folder.path("t.gguf"), w.bytes());
    return open_tokenizer(folder.path("t.gguf"));
  }
  void refused(const GgufWriter& w, const std::vector<std::string>& words) {
    const auto error = error_of([&] { open(w); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::input);
    for (const auto& word : words) {
      EXPECT_NE(error->full().find(word), std::string::npos) << error->full();
    }
    EXPECT_FALSE(error->hint().empty());
  }
  // What import writes beside the weights gives the same tokenizer, with the same fingerprint.
  void expect_same_as_files(const Tokenizer& tokenizer) {
    TemporaryFolder out;
    for (const auto& file : tokenizer_files_of_gguf(GgufFile(folder.path("t.gguf")))) {
      write_file_atomic(out.path(file.name), file.bytes);
    }
    const auto again = open_tokenizer(out.path());
    EXPECT_EQ(again->fingerprint(), tokenizer.fingerprint());
    EXPECT_EQ(again->adds_bos(), tokenizer.adds_bos());
    EXPECT_EQ(again->bos(), tokenizer.bos());
    EXPECT_EQ(again->eos(), tokenizer.eos());
    for (const auto& text : kTexts) EXPECT_EQ(again->encode(text), tokenizer.encode(text)) << text;
  }

  TemporaryFolder folder;
};

std::string trained(SplitStyle split) {
  auto options = testing::small(TokenizerKind::byte_bpe);
  options.split = split;
  return train_byte_bpe(testing::made_up_texts(), options);
}

TEST_F(GgufTokenizer, ByteLevelTokensGiveTheIdsOfTheirTokenizerJson) {
  const std::string bytes = trained(SplitStyle::gpt2);
  const auto original = testing::opened(bytes, "tokenizer.json");
  auto w = byte_level(of_json(bytes), "gpt-2");
  w.put("tokenizer.ggml.bos_token_id", static_cast<int>(*original->special("<s>")));
  w.put("tokenizer.ggml.eos_token_id", static_cast<int>(*original->special("</s>")));
  const auto tokenizer = open(w);
  EXPECT_EQ(tokenizer->vocab_size(), original->vocab_size());
  EXPECT_EQ(tokenizer->bos(), original->bos());
  EXPECT_EQ(tokenizer->eos(), original->eos());
  EXPECT_FALSE(tokenizer->adds_bos());
  for (const auto& text : kTexts) {
    EXPECT_EQ(tokenizer->encode(text), original->encode(text)) << text;
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
  expect_same_as_files(*tokenizer);
  EXPECT_EQ(files_of_tokenizer(folder.path("t.gguf")),
            std::vector<std::string>{folder.path("t.gguf")});
  w.put("tokenizer.ggml.add_bos_token", true);
  const auto leading = open(w);
  EXPECT_TRUE(leading->adds_bos());
  expect_same_as_files(*leading);
}

TEST_F(GgufTokenizer, Llama3sPatternKeepsWholePiecesAndAddsBos) {
  const std::string bytes = trained(SplitStyle::llama3);
  auto json = nlohmann::json::parse(bytes);
  json["model"]["ignore_merges"] = true;
  const auto original = testing::opened(json.dump(), "tokenizer.json");
  auto w = byte_level(of_json(bytes), "llama-bpe");
  w.put("tokenizer.ggml.bos_token_id", static_cast<int>(*original->special("<s>")));
  const auto tokenizer = open(w);
  EXPECT_TRUE(tokenizer->adds_bos());
  for (const auto& text : kTexts)
    EXPECT_EQ(tokenizer->encode(text), original->encode(text)) << text;
  expect_same_as_files(*tokenizer);
}

// Single digits first, then GPT-2's pattern; a byte that no token has is left out before merging.
TEST_F(GgufTokenizer, SmollmCutsDigitsAndLeavesOutBytesWithoutToken) {
  Tokens t;
  for (const char* token : {"<|im_start|>", "1", "2", "a", "b", "Ġ", "ab", "12", "Ġ1"}) {
    t.tokens.push_back(token);
    t.types.push_back(t.tokens.size() == 1 ? kControl : kNormal);
  }
  t.merges = {"1 2", "a b", "Ġ 1"};
  auto w = byte_level(t, "smollm");
  w.put("tokenizer.ggml.bos_token_id", 0);
  const auto tokenizer = open(w);
  EXPECT_EQ(tokenizer->encode("12"), (std::vector<TokenId>{1, 2}));
  EXPECT_EQ(tokenizer->encode(" 1"), (std::vector<TokenId>{5, 1}));
  EXPECT_EQ(tokenizer->encode("a\x04"
                              "b"),
            (std::vector<TokenId>{3, 4}));  // three pieces: the pattern has cut before merging
  EXPECT_EQ(tokenizer->encode("acb"), (std::vector<TokenId>{6}));
  EXPECT_EQ(tokenizer->encode("c"), std::vector<TokenId>{});
  EXPECT_EQ(tokenizer->special("<|im_start|>"), 0);
  EXPECT_EQ(tokenizer->encode("<|im_start|>").size(), 1u);  // "a" of its text, not the token
  EXPECT_EQ(tokenizer->encode("<|im_start|>")[0], 3);
  EXPECT_EQ(tokenizer->bos(), 0);
  EXPECT_FALSE(tokenizer->adds_bos());
  expect_same_as_files(*tokenizer);
}

TEST_F(GgufTokenizer, SentencepieceTokensGiveTheIdsOfTheirModel) {
  for (const bool dummy_prefix : {true, false}) {
    auto options = testing::small(TokenizerKind::sentencepiece);
    options.dummy_prefix = dummy_prefix;
    const std::string bytes = train_sentencepiece(testing::made_up_texts(), options);
    const auto original = testing::opened(bytes, "tokenizer.model");
    const auto model = parse_sentencepiece_model(bytes);
    ASSERT_TRUE(model);
    Tokens t;
    for (const auto& piece : model->pieces) {
      t.tokens.push_back(piece.text);
      t.scores.push_back(piece.score);
      t.types.push_back(static_cast<std::int32_t>(piece.type));
    }
    GgufWriter w;
    w.put("tokenizer.ggml.model", "llama");
    w.put("tokenizer.ggml.tokens", t.tokens);
    w.put("tokenizer.ggml.token_type", t.types);
    w.put("tokenizer.ggml.scores", t.scores);
    w.put("tokenizer.ggml.bos_token_id", static_cast<int>(*original->bos()));
    w.put("tokenizer.ggml.eos_token_id", static_cast<int>(*original->eos()));
    w.put("tokenizer.ggml.unknown_token_id", 0);
    w.put("tokenizer.ggml.padding_token_id", -1);
    w.put("tokenizer.ggml.add_space_prefix", dummy_prefix);
    const auto tokenizer = open(w);
    EXPECT_EQ(tokenizer->vocab_size(), original->vocab_size());
    EXPECT_EQ(tokenizer->bos(), original->bos());
    EXPECT_EQ(tokenizer->eos(), original->eos());
    EXPECT_TRUE(tokenizer->adds_bos());
    for (const auto& text : kTexts) {
      EXPECT_EQ(tokenizer->encode(text), original->encode(text)) << text;
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)),
                original->decode(original->encode(text)));
    }
    expect_same_as_files(*tokenizer);
    w.put("tokenizer.ggml.add_bos_token", false);
    EXPECT_FALSE(open(w)->adds_bos());
  }
}

TEST_F(GgufTokenizer, WhatWouldHaveToBeGuessedIsRefusedByName) {
  Tokens t;
  t.tokens = {"a", "b", "ab"};
  t.types = {kNormal, kNormal, kNormal};
  t.merges = {"a b"};
  EXPECT_EQ(open(byte_level(t, "gpt-2"))->encode("ab"), std::vector<TokenId>{2});
  refused(byte_level(t, "qwen2"), {"tokenizer.ggml.pre", "qwen2", "smollm"});
  GgufWriter none;
  none.put("general.architecture", "llama");
  refused(none, {"no tokenizer"});
  GgufWriter no_pre;
  no_pre.put("tokenizer.ggml.model", "gpt2");
  no_pre.put("tokenizer.ggml.tokens", t.tokens);
  refused(no_pre, {"tokenizer.ggml.pre", "missing"});
  GgufWriter other;
  other.put("tokenizer.ggml.model", "bert");
  other.put("tokenizer.ggml.tokens", t.tokens);
  refused(other, {"bert"});
  const auto with = [&](const std::function<void(Tokens&)>& change,
                        const std::vector<std::string>& words) {
    Tokens changed = t;
    change(changed);
    refused(byte_level(changed, "gpt-2"), words);
  };
  with([](Tokens& x) { x.types.pop_back(); }, {"token_type", "2"});
  with([](Tokens& x) { x.types[1] = 9; }, {"token 1", "kind 9"});
  with([](Tokens& x) { x.tokens[1] = "a"; }, {"token 1", "twice"});
  with([](Tokens& x) { x.tokens[1] = ""; }, {"token 1", "no text"});
  with([](Tokens& x) { x.tokens[1] = "\xFF"; }, {"token 1", "UTF-8"});
  with([](Tokens& x) { x.merges[0] = "ab"; }, {"merge 0"});
  with([](Tokens& x) { x.merges[0] = "a b c"; }, {"merge 0"});
  with([](Tokens& x) { x.merges[0] = "b a"; }, {"merge 0", "ba"});
  auto outside = byte_level(t, "gpt-2");
  outside.put("tokenizer.ggml.eos_token_id", 3);
  refused(outside, {"eos_token_id", "outside"});
  auto no_bos = byte_level(t, "gpt-2");
  no_bos.put("tokenizer.ggml.add_bos_token", true);
  refused(no_bos, {"add_bos_token"});
  GgufWriter flat;
  flat.put("tokenizer.ggml.model", "llama");
  flat.put("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "a", "b", "ab"});
  flat.put("tokenizer.ggml.token_type",
           std::vector<std::int32_t>{kUnknown, kNormal, kNormal, kNormal});
  flat.put("tokenizer.ggml.scores", std::vector<float>{0, -1000, -1000, -1000});
  refused(flat, {"scores", "all the same"});
}

}  // namespace
}  // namespace straq::text
