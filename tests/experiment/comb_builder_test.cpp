#include "experiment/comb_builder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/testing.h"

namespace straq::experiment {
namespace {

TEST(ResponderChat, IsTheModelsElseTheTokenizers) {
  const straq::testing::TemporaryFolder folder;
  for (const char* name : {"model", "words", "plain"}) {
    std::filesystem::create_directory(folder.path(name));
  }
  std::ofstream(folder.path("model/chat_template.jinja")) << "<|im_start|>{{ m }}<|im_end|>";
  std::ofstream(folder.path("words/chat_template.jinja")) << "[INST] <<SYS>> [/INST]";
  std::ofstream(folder.path("words/tokenizer.json")) << "{}";
  const auto of = [&](const std::string& from, const std::string& tokenizer) {
    ExperimentConfig config;
    if (!from.empty()) config.model.from = folder.path(from);
    if (!tokenizer.empty()) config.tokenizer.path = folder.path(tokenizer);
    const auto chat = responder_chat(config);
    return chat ? text::words_of(chat->format) : "nothing";
  };
  EXPECT_EQ(of("model", "words"), "chatml");
  EXPECT_EQ(of("plain", "words"), "llama2");
  EXPECT_EQ(of("", "words/tokenizer.json"), "llama2") << "a tokenizer's file speaks for its folder";
  EXPECT_EQ(of("plain", "plain"), "nothing");
  EXPECT_EQ(of("", ""), "nothing");
}

}  // namespace
}  // namespace straq::experiment
