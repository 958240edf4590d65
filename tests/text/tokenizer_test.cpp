// What callers rely on, for every kind of tokenizer, and the errors of bad files.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "fixtures.h"
#include "text/tokenizers/byte_alphabet.h"
#include "text/tokenizers/sentencepiece_model.h"

namespace straq::text {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;
using namespace testing;  // fixtures

std::string in_base64(std::string_view bytes) {
  constexpr const char* digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (int k = 0; k < 4; ++k) {
      out +=
          i + static_cast<std::size_t>(k) <= bytes.size() ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

// All bytes and a few words, as a tiktoken file.
std::string rank_file() {
  std::string out;
  int rank = 0;
  for (int b = 0; b < 256; ++b) {
    out += in_base64(std::string(1, static_cast<char>(b))) + " " + std::to_string(rank++) + "\n";
  }
  for (const char* token : {"he", "ll", "hell", "hello", " t", "th", " th", " the"}) {
    out += in_base64(token) + " " + std::to_string(rank++) + "\n";
  }
  return out;
}

nlohmann::ordered_json trained_json() {
  return nlohmann::ordered_json::parse(
      train_byte_bpe(made_up_texts(), small(TokenizerKind::byte_bpe)));
}

TEST(Tokenizer, ByteLevelTextSurvives) {
  for (const auto split : {SplitStyle::llama3, SplitStyle::gpt2}) {
    const auto tokenizer = byte_bpe(split);
    for (const auto& text : hard_strings()) {
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
    }
  }
}

TEST(Tokenizer, SentencePieceTextSurvives) {
  for (const bool prefix : {true, false}) {
    const auto tokenizer = sentencepiece(PieceModel::bpe, prefix);
    for (const auto& text : hard_strings()) {
      if (text.find("\xE2\x96\x81") != std::string::npos) continue;  // its sign for a blank
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
    }
  }
}

TEST(Tokenizer, SpecialTokensAreNeverFoundInText) {
  for (const auto& tokenizer : {byte_bpe(), sentencepiece()}) {
    const auto bos = tokenizer->special("<s>");
    ASSERT_TRUE(bos);
    EXPECT_EQ(tokenizer->bos(), bos);
    EXPECT_EQ(tokenizer->eos(), tokenizer->special("</s>"));
    for (const TokenId id : tokenizer->encode("a <s> b</s>")) EXPECT_NE(id, *bos);
    EXPECT_EQ(tokenizer->decode({*bos}), "<s>");
    EXPECT_FALSE(tokenizer->special("<nothing>"));
    EXPECT_FALSE(tokenizer->special("a"));
  }
}

TEST(Tokenizer, InvalidBytes) {
  const auto error = error_of([] { byte_bpe()->encode("ab\xFF"); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::input);
  EXPECT_NE(std::string(error->what()).find("byte 2 is 0xFF"), std::string::npos);
  // Sentencepiece puts U+FFFD in their place.
  const auto tokenizer = sentencepiece();
  EXPECT_EQ(tokenizer->encode("ab\xFF c"), tokenizer->encode("ab\xEF\xBF\xBD c"));
}

TEST(Tokenizer, IdsOutsideTheVocabularyAreRefused) {
  for (const auto& tokenizer : {byte_bpe(), sentencepiece()}) {
    for (const TokenId id : {-1, tokenizer->vocab_size()}) {
      const auto error = error_of([&] { tokenizer->decode({id}); });
      ASSERT_TRUE(error);
      EXPECT_EQ(error->kind(), ErrorKind::input);
    }
  }
}

TEST(Tokenizer, FingerprintFollowsTheVocabulary) {
  EXPECT_EQ(byte_bpe()->fingerprint(), byte_bpe()->fingerprint());
  EXPECT_NE(byte_bpe()->fingerprint(), byte_bpe(SplitStyle::gpt2)->fingerprint());
  EXPECT_TRUE(byte_bpe()->fingerprint().starts_with("hugging_face:"));
  EXPECT_TRUE(sentencepiece()->fingerprint().starts_with("sentencepiece:"));
}

// Threads share a tokenizer and get what one of them alone would get.
TEST(Tokenizer, ManyThreads) {
  for (const auto& tokenizer : {byte_bpe(), sentencepiece(), sentencepiece(PieceModel::unigram)}) {
    const auto texts = made_up_texts();
    std::vector<std::vector<TokenId>> expected;
    for (const auto& text : texts) expected.push_back(tokenizer->encode(text));
    std::atomic<int> different = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int round = 0; round < 20; ++round) {
          for (std::size_t i = 0; i < texts.size(); ++i) {
            if (tokenizer->encode(texts[i]) != expected[i]) ++different;
          }
        }
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(different, 0);
  }
}

// Word by word with a memory or by our own unigram encoder, or the whole text by the library: the
// ids must be the same. A U+2581 somewhere in the text sends all of it to the library at once, and
// is a blank to it.
TEST(SentencePiece, FastWaysGiveTheLibrarysIds) {
  for (const auto model : {PieceModel::bpe, PieceModel::unigram}) {
    for (const bool prefix : {true, false}) {
      const auto tokenizer = sentencepiece(model, prefix);
      auto texts = hard_strings();
      for (const auto& text : made_up_texts()) {
        texts.push_back(text + "  twice " + text + " ");
        texts.push_back(" Zyx\xE4\xBD\xA0" + text + text);
      }
      for (const auto& text : texts) {
        std::string whole = text;
        const std::size_t at = whole.rfind(' ');
        if (at == std::string::npos) continue;
        whole.replace(at, 1, "\xE2\x96\x81");
        EXPECT_EQ(tokenizer->encode(text), tokenizer->encode(whole)) << text;
      }
    }
  }
}

TEST(SentencePiece, WordsAreIndependentOnlyWhenNoPieceCrossesABlank) {
  using Type = SentencePieceModel::Type;
  SentencePieceModel model;
  model.remove_extra_whitespaces = false;
  model.pieces = {{"<unk>", 0, Type::unknown}, {"\xE2\x96\x81", -1}, {"\xE2\x96\x81the", -2}};
  EXPECT_TRUE(words_are_independent(model));
  auto crossing = model;
  crossing.pieces.push_back({"of\xE2\x96\x81the", -3});
  EXPECT_FALSE(words_are_independent(crossing));
  auto user = model;
  user.pieces.push_back({"x", 0, Type::user_defined});
  EXPECT_FALSE(words_are_independent(user));
  auto squeezing = model;
  squeezing.remove_extra_whitespaces = true;
  EXPECT_FALSE(words_are_independent(squeezing));
  EXPECT_FALSE(parse_sentencepiece_model("\x0a\xff no message"));
}

// Neither the split pattern nor the special tokens are in such a file.
TEST(Tiktoken, RanksOfAnUnknownFamilyAreRefused) {
  const auto error = error_of([] { opened(rank_file(), "tokenizer.model"); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::input);
  EXPECT_NE(std::string(error->what()).find("264 ranks"), std::string::npos) << error->what();
  EXPECT_NE(error->hint().find("tokenizer.json"), std::string::npos);
}

TEST(Tiktoken, BadFilesAreNamedWithTheirLine) {
  const std::string good = rank_file();
  const std::vector<std::pair<std::string, std::string>> bad = {
      {good + "aGVsbG8h\n", "265: a token without its rank"},
      {good + "a*== 264\n", "265: the token is not base64"},
      {good + "aGVsbG8h x\n", "265: the rank is not a number"},
      {good + "aGVsbG8h 12\n", "rank 12 for the second time"},
      {good + "aGVsbG8h 300\n", "rank 264 is missing"}};
  for (const auto& [bytes, message] : bad) {
    const auto error = error_of([&, &bytes = bytes] { opened(bytes, "tokenizer.model"); });
    ASSERT_TRUE(error);
    EXPECT_NE(std::string(error->what()).find(message), std::string::npos) << error->what();
  }
}

TEST(HuggingFace, AddedTokensThatAreNotSpecialAreFoundInText) {
  auto json = trained_json();
  json["added_tokens"].push_back({{"id", 400}, {"content", "  "}, {"special", false}});
  json["added_tokens"].push_back({{"id", 401}, {"content", "    "}, {"special", false}});
  const auto tokenizer = opened(json.dump(), "tokenizer.json");
  EXPECT_EQ(tokenizer->vocab_size(), 402);
  EXPECT_EQ(tokenizer->encode("      "), (std::vector<TokenId>{401, 400}));  // longest first
}

TEST(HuggingFace, NamesOfBosAndEosFromTheConfigBeside) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path("tokenizer.json"), trained_json().dump());
  write_file_atomic(folder.path("tokenizer_config.json"),
                    R"({"bos_token": {"content": "</s>"}, "eos_token": "<s>"})");
  const auto tokenizer = open_tokenizer(folder.path());
  EXPECT_EQ(tokenizer->bos(), tokenizer->special("</s>"));
  EXPECT_EQ(tokenizer->eos(), tokenizer->special("<s>"));
}

TEST(HuggingFace, WhatIsNotSupportedIsRefusedByName) {
  const auto refused = [](const std::string& pointer, const nlohmann::ordered_json& value) {
    auto json = trained_json();
    json[nlohmann::ordered_json::json_pointer(pointer)] = value;
    const auto error = error_of([&] { opened(json.dump(), "tokenizer.json"); });
    return error ? std::string(error->what()) : std::string();
  };
  const auto holds = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos ? ::testing::AssertionSuccess()
                                                : ::testing::AssertionFailure() << text;
  };
  EXPECT_TRUE(holds(refused("/normalizer", {{"type", "NFKC"}}), "NFKC"));
  EXPECT_TRUE(holds(refused("/normalizer", {{"type", "Precompiled"}}), "Precompiled"));
  EXPECT_TRUE(holds(refused("/model/type", "Unigram"), "Unigram"));
  EXPECT_TRUE(holds(refused("/model/dropout", 0.1), "dropout"));
  EXPECT_TRUE(holds(refused("/pre_tokenizer", {{"type", "Whitespace"}}), "Whitespace"));
  EXPECT_TRUE(holds(refused("/pre_tokenizer/pretokenizers/0/behavior", "Halved"), "Halved"));
  EXPECT_TRUE(holds(refused("/post_processor", {{"type", "Other"}}), "Other"));
  EXPECT_TRUE(holds(refused("/model/merges/0", "nonsense"), "merge 0"));
  EXPECT_TRUE(holds(refused("/model/merges/0", "a qqqqq"), "qqqqq"));
  EXPECT_TRUE(holds(refused("/model/vocab/a", 5), "id 5 has two tokens"));
}

TEST(VocabMerges, ReadsTheSameAsTokenizerJson) {
  auto options = small(TokenizerKind::byte_bpe);
  options.split = SplitStyle::gpt2;
  const auto json = nlohmann::ordered_json::parse(train_byte_bpe(made_up_texts(), options));
  const TemporaryFolder folder;
  auto vocab = json["model"]["vocab"];
  vocab["<|endoftext|>"] = vocab.size();
  write_file_atomic(folder.path("vocab.json"), vocab.dump());
  std::string merges = "#version: 0.2\n";
  for (const auto& m : json["model"]["merges"]) merges += m.get<std::string>() + "\n";
  write_file_atomic(folder.path("merges.txt"), merges);
  const auto tokenizer = open_tokenizer(folder.path());
  const auto reference = byte_bpe(SplitStyle::gpt2);
  for (const auto& text : hard_strings()) {
    EXPECT_EQ(tokenizer->encode(text), reference->encode(text));
  }
  EXPECT_EQ(tokenizer->eos(), tokenizer->special("<|endoftext|>"));

  write_file_atomic(folder.path("merges.txt"), "#version: 0.2\na b c\n");
  const auto error = error_of([&] { open_tokenizer(folder.path()); });
  ASSERT_TRUE(error);
  EXPECT_NE(std::string(error->what()).find("merges.txt:2:"), std::string::npos);
}

TEST(ByteAlphabet, ThereAndBack) {
  std::string bytes;
  for (int b = 0; b < 256; ++b) bytes += static_cast<char>(b);
  EXPECT_EQ(from_byte_alphabet(to_byte_alphabet(bytes)), bytes);
  EXPECT_EQ(to_byte_alphabet(" \n"), "\xC4\xA0\xC4\x8A");  // as GPT-2's files write them
  EXPECT_FALSE(from_byte_alphabet("\xE4\xBD\xA0"));
}

TEST(OpenTokenizer, FilesThatAreNone) {
  const TemporaryFolder folder;
  for (const auto& [name, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"empty.model", ""},
           {"text.model", "just some words\n"},
           {"broken.json", "{\"model\": "},
           {"other.json", "{\"a\": 1}"},
           {"cut.model", std::string("\x0a\x0e\x0a\x05<unk>\x15", 10)}}) {
    const std::string path = folder.path(name);
    write_file_atomic(path, bytes);
    const auto error = error_of([&] { open_tokenizer(path); });
    ASSERT_TRUE(error) << name;
    EXPECT_EQ(error->kind(), ErrorKind::input);
    EXPECT_NE(std::string(error->what()).find(path), std::string::npos) << error->what();
    EXPECT_FALSE(error->hint().empty());
  }
  for (const auto& path : {folder.path("missing"), folder.path()}) {
    const auto error = error_of([&] { open_tokenizer(path); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::input);
  }
}

// Ids of the published models; tests/peer compares whole corpora with the Python libraries.
TEST(RealTokenizers, KnownIds) {
  STRAQ_REQUIRE_DATA(llama3, "tokenizers/llama3/tokenizer.model");
  STRAQ_REQUIRE_DATA(gpt2, "tokenizers/gpt2");
  STRAQ_REQUIRE_DATA(llama2, "tokenizers/llama2/tokenizer.model");
  const std::string text = "Hello, I feel better now. 12345";
  const auto l3 = open_tokenizer(llama3);
  EXPECT_EQ(l3->vocab_size(), 128256);
  EXPECT_EQ(l3->special("<|eot_id|>"), 128009);
  EXPECT_EQ(l3->special("<|eom_id|>"), 128008);  // Llama 3.1's name of a reserved token
  EXPECT_EQ(l3->special("<|reserved_special_token_250|>"), 128255);
  EXPECT_EQ(l3->bos(), 128000);
  EXPECT_EQ(l3->eos(), 128001);
  EXPECT_EQ(l3->decode({128000, 9906}), "<|begin_of_text|>Hello");
  EXPECT_EQ(l3->encode(text),
            (std::vector<TokenId>{9906, 11, 358, 2733, 2731, 1457, 13, 220, 4513, 1774}));
  EXPECT_EQ(open_tokenizer(gpt2)->encode(text),
            (std::vector<TokenId>{15496, 11, 314, 1254, 1365, 783, 13, 17031, 2231}));
  EXPECT_EQ(open_tokenizer(llama2)->encode(text),
            (std::vector<TokenId>{15043, 29892, 306, 4459, 2253, 1286, 29889, 29871, 29896, 29906,
                                  29941, 29946, 29945}));
}

}  // namespace
}  // namespace straq::text
