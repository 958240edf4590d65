#include "core/run_inputs.h"

#include <gtest/gtest.h>

#include "core/hash.h"

namespace straq {
namespace {

RunInputs sample(const std::string& bytes = "dialogues", const std::string& gamma = "0.85") {
  RunInputs in;
  in.add("learn.gamma", gamma);
  in.add("corpus.train", sha256_hex(bytes), "train.txt");
  return in;
}

TEST(RunInputs, EqualContentIsNoChangeWhateverItIsCalled) {
  RunInputs renamed;
  renamed.add("corpus.train", sha256_hex("dialogues"), "moved/elsewhere.txt");
  renamed.add("learn.gamma", "0.85");
  EXPECT_TRUE(renamed.changes_since(sample()).empty());
  EXPECT_EQ(renamed.hex(), sample().hex());
}

TEST(RunInputs, ChangesAreNamed) {
  EXPECT_EQ(join_changes(sample("others").changes_since(sample())), "train.txt has changed since");
  EXPECT_EQ(join_changes(sample("dialogues", "0.9").changes_since(sample())),
            "learn.gamma was 0.85 and is 0.9");
  EXPECT_NE(sample("others").hex(), sample().hex());
}

// A setting that came with a later version stood at its default before.
TEST(RunInputs, ASettingThatAnOlderVersionLacksHadItsDefault) {
  RunInputs now = sample();
  now.add("learn.kl", "0", {}, "0");
  EXPECT_TRUE(now.changes_since(sample()).empty());
  RunInputs other = sample();
  other.add("learn.kl", "0.5", {}, "0");
  EXPECT_EQ(join_changes(other.changes_since(sample())), "learn.kl was 0 and is 0.5");
  EXPECT_EQ(join_changes(sample().changes_since(other)), "learn.kl was 0.5 and is no longer there");
}

TEST(RunInputs, AreReadBackAsTheyWereWritten) {
  const auto back = RunInputs::from_json(nlohmann::json::parse(sample().to_json().dump()));
  EXPECT_TRUE(sample().changes_since(back).empty());
  EXPECT_EQ(back.hex(), sample().hex());
}

}  // namespace
}  // namespace straq
