#include "text/training/train.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "fixtures.h"
#include "text/tokenizer_config.h"

namespace straq::text {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;
using namespace testing;  // fixtures

TEST(TrainByteBpe, MergesTheMostFrequentPairFirst) {
  TrainOptions options = small(TokenizerKind::byte_bpe, 256 + 2 + 3);
  // "lo" occurs 3 times, "ow" 3 times, then "low" 3 times; of equals the smaller ids go first.
  const auto json =
      nlohmann::json::parse(train_byte_bpe({"low", "low", "low", "es", "es"}, options));
  const auto& merges = json["model"]["merges"];
  ASSERT_EQ(merges.size(), 3u);
  EXPECT_EQ(merges[0], "l o");
  EXPECT_EQ(merges[1], "lo w");
  EXPECT_EQ(merges[2], "e s");
}

// The counts that are kept up to date must be those that counting anew would give.
TEST(TrainByteBpe, EveryMergeIsTheBestOfItsMoment) {
  const std::vector<std::string> texts = {"aaaa aaab abab caca", "aaaaaaa bb abba cab",
                                          "babab aab aab aaab caca cab abc abc"};
  TrainOptions options = small(TokenizerKind::byte_bpe, 256 + 2 + 10);
  options.split = SplitStyle::gpt2;
  const auto json = nlohmann::json::parse(train_byte_bpe(texts, options));
  std::vector<std::vector<std::string>> words;
  std::vector<std::string_view> pieces;
  for (const auto& text : texts) {
    for (std::size_t i = 0; i < text.size();) {
      const std::size_t end = std::min(text.find(' ', i + 1), text.size());
      words.emplace_back();
      // A blank is written U+0120 in the file.
      for (; i < end; ++i) words.back().push_back(text[i] == ' ' ? "\xC4\xA0" : text.substr(i, 1));
    }
  }
  for (const auto& line : json["model"]["merges"]) {
    std::map<std::pair<std::string, std::string>, int> counts;
    for (const auto& w : words) {
      for (std::size_t i = 0; i + 1 < w.size(); ++i) ++counts[{w[i], w[i + 1]}];
    }
    int most = 0;
    for (const auto& [pair, n] : counts) most = std::max(most, n);
    const std::string merge = line.get<std::string>();
    const std::size_t blank = merge.find(' ');
    const std::string left = merge.substr(0, blank), right = merge.substr(blank + 1);
    EXPECT_EQ((counts[{left, right}]), most) << merge;
    for (auto& w : words) {
      for (std::size_t i = 0; i + 1 < w.size(); ++i) {
        if (w[i] == left && w[i + 1] == right) {
          w[i] += w[i + 1];
          w.erase(w.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        }
      }
    }
  }
}

TEST(TrainByteBpe, DoesNotDependOnTheOrderOfTexts) {
  auto texts = made_up_texts();
  const auto options = small(TokenizerKind::byte_bpe);
  const std::string once = train_byte_bpe(texts, options);
  EXPECT_EQ(once, train_byte_bpe(texts, options));
  std::reverse(texts.begin(), texts.end());
  EXPECT_EQ(once, train_byte_bpe(texts, options));
}

TEST(TrainByteBpe, FrequentWordsBecomeTokens) {
  const auto tokenizer = byte_bpe();
  EXPECT_EQ(tokenizer->vocab_size(), 400);
  EXPECT_EQ(tokenizer->encode(" friend").size(), 1u);
  EXPECT_GT(tokenizer->encode(" zebra").size(), 1u);
}

TEST(Train, SpecialTokensAreInTheVocabulary) {
  for (const auto kind : {TokenizerKind::byte_bpe, TokenizerKind::sentencepiece}) {
    auto options = small(kind);
    options.specials = {"<pad>", "<s>", "<|turn|>"};
    const TemporaryFolder folder;
    const std::string path = folder.path(tokenizer_file_name(kind));
    train_tokenizer(made_up_texts(), options, path);
    const auto tokenizer = open_tokenizer(path);
    EXPECT_EQ(tokenizer->vocab_size(), 400);
    EXPECT_TRUE(tokenizer->special("<pad>"));
    EXPECT_TRUE(tokenizer->special("<|turn|>"));
    EXPECT_EQ(tokenizer->decode(tokenizer->encode("a<|turn|>b")), "a<|turn|>b");
  }
}

TEST(Train, SentencePieceIsDeterministic) {
  for (const auto model : {PieceModel::bpe, PieceModel::unigram}) {
    auto options = small(TokenizerKind::sentencepiece, 330);
    options.model = model;
    EXPECT_EQ(train_sentencepiece(made_up_texts(), options),
              train_sentencepiece(made_up_texts(), options));
  }
}

TEST(Train, TooLittleTextOrRoomIsAnError) {
  for (const auto kind : {TokenizerKind::byte_bpe, TokenizerKind::sentencepiece}) {
    const TemporaryFolder folder;
    const std::string path = folder.path("t");
    for (const auto& [texts, vocab] : std::vector<std::pair<std::vector<std::string>, int>>{
             {{"a few words only"}, 4096}, {{}, 4096}, {made_up_texts(), 257}}) {
      const auto error = error_of(
          [&, &texts = texts, vocab = vocab] { train_tokenizer(texts, small(kind, vocab), path); });
      ASSERT_TRUE(error);
      EXPECT_EQ(error->kind(), ErrorKind::input) << error->what();
      EXPECT_FALSE(std::filesystem::exists(path));
    }
    const auto error = error_of([&] { train_tokenizer({"fine", "bad \xFF"}, small(kind), path); });
    ASSERT_TRUE(error);
    EXPECT_NE(std::string(error->what()).find("text 1 is not valid UTF-8 at byte 4"),
              std::string::npos);
  }
}

TokenizerConfig config_of(const std::string& yaml) {
  return config::read<TokenizerConfig>(config::parse_yaml(yaml, "test.yaml"));
}

TEST(TokenizerConfig, ReadsAndDumps) {
  const auto config = config_of("train: {kind: sentencepiece, vocab_size: 512, specials: [<pad>]}");
  ASSERT_TRUE(config.train);
  EXPECT_EQ(config.train->kind, TokenizerKind::sentencepiece);
  EXPECT_EQ(config.train->vocab_size, 512);
  EXPECT_EQ(config.train->specials, std::vector<std::string>{"<pad>"});
  const auto again = config::read<TokenizerConfig>(config::dump(config));
  ASSERT_TRUE(again.train);
  EXPECT_EQ(training_key(*again.train, {}), training_key(*config.train, {}));
  const auto named = config::read<TokenizerConfig>(config::dump(config_of("path: x/y")));
  EXPECT_EQ(named.path, "x/y");
  EXPECT_FALSE(named.train);
}

TEST(TokenizerConfig, ExactlyOneOfPathAndTrain) {
  for (const char* yaml : {"{}", "{path: a, train: {kind: byte_bpe}}"}) {
    const auto error = error_of([&] { check_tokenizer(config_of(yaml)); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->kind(), ErrorKind::input);
  }
}

TEST(PrepareTokenizer, TrainsOnceAndAgainWhenSomethingChanged) {
  const TemporaryFolder folder;
  auto config = config_of("train: {kind: byte_bpe, vocab_size: 300}");
  auto texts = made_up_texts();
  const std::string path = prepare_tokenizer(config, texts, folder.path());
  const std::string bytes = read_file(path);
  const auto written = std::filesystem::last_write_time(path);
  EXPECT_EQ(prepare_tokenizer(config, texts, folder.path()), path);
  EXPECT_EQ(std::filesystem::last_write_time(path), written);

  // A file that is not what was written is made anew.
  write_file_atomic(path, "damaged");
  EXPECT_EQ(prepare_tokenizer(config, texts, folder.path()), path);
  EXPECT_EQ(read_file(path), bytes);

  // Other texts or options go elsewhere and leave this one alone.
  texts.push_back("one more text");
  const std::string other = prepare_tokenizer(config, texts, folder.path());
  EXPECT_NE(other, path);
  config.train->vocab_size = 310;
  EXPECT_NE(prepare_tokenizer(config, texts, folder.path()), other);
  EXPECT_EQ(read_file(path), bytes);
}

TEST(PrepareTokenizer, AnExistingPathIsTakenAsItIs) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path("tokenizer.json"), "{}");
  TokenizerConfig config;
  config.path = folder.path("tokenizer.json");
  EXPECT_EQ(prepare_tokenizer(config, {}, folder.path("out")), config.path);
  EXPECT_FALSE(std::filesystem::exists(folder.path("out")));
  config.path = folder.path("missing");
  const auto error = error_of([&] { prepare_tokenizer(config, {}, folder.path("out")); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::input);
}

}  // namespace
}  // namespace straq::text
