// Small tokenizer.json files in the shapes that public models have.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fixtures.h"
#include "text/tokenizers/byte_alphabet.h"

namespace straq::text::testing {

using Tree = nlohmann::ordered_json;
using Merges = std::vector<std::pair<std::string, std::string>>;

inline constexpr const char* sign = "\xE2\x96\x81";

inline Tree added_token(int id, const std::string& text, bool special) {
  return {{"id", id},        {"content", text},        {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", !special}, {"special", special}};
}

inline Tree bpe_tree(const Tree& vocab, const Merges& merges) {
  auto list = Tree::array();
  for (const auto& [left, right] : merges) list.push_back(left + " " + right);
  return {{"version", "1.0"},
          {"added_tokens", Tree::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"decoder", nullptr},
          {"model",
           {{"type", "BPE"},
            {"unk_token", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"vocab", vocab},
            {"merges", list}}}};
}

// Bytes in their order without `missing`, then what the merges make, as GPT-2's kind has it. The
// merges are in bytes.
inline Tree byte_tree(const Merges& merges, const std::set<int>& missing = {}) {
  auto vocab = Tree::object();
  for (int b = 0; b < 256; ++b) {
    if (missing.count(b)) continue;
    vocab[to_byte_alphabet(std::string(1, static_cast<char>(b)))] = vocab.size();
  }
  Merges spelled;
  for (const auto& [left, right] : merges) {
    spelled.emplace_back(to_byte_alphabet(left), to_byte_alphabet(right));
    vocab[spelled.back().first + spelled.back().second] = vocab.size();
  }
  Tree tree = bpe_tree(vocab, spelled);
  tree["pre_tokenizer"] = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  return tree;
}

// "<unk>" 0, "<s>" 1, "</s>" 2, the bytes from 3 on, then the sign for a blank (259) and a to z
// (260 to 285), then what the merges make (286 …), as Llama 2's kind has it.
inline Tree sign_tree(const Merges& merges) {
  Tree vocab = {{"<unk>", 0}, {"<s>", 1}, {"</s>", 2}};
  char name[8];
  for (int b = 0; b < 256; ++b) {
    std::snprintf(name, sizeof name, "<0x%02X>", b);
    vocab[name] = vocab.size();
  }
  vocab[sign] = vocab.size();
  for (char c = 'a'; c <= 'z'; ++c) vocab[std::string(1, c)] = vocab.size();
  for (const auto& [left, right] : merges) vocab[left + right] = vocab.size();
  Tree tree = bpe_tree(vocab, merges);
  tree["model"]["unk_token"] = "<unk>";
  tree["model"]["fuse_unk"] = true;
  tree["model"]["byte_fallback"] = true;
  for (int i = 0; i < 3; ++i) {
    const char* names[] = {"<unk>", "<s>", "</s>"};
    tree["added_tokens"].push_back(added_token(i, names[i], true));
  }
  return tree;
}

inline Tree metaspace(const std::string& scheme, bool split) {
  return {
      {"type", "Metaspace"}, {"replacement", sign}, {"prepend_scheme", scheme}, {"split", split}};
}

inline Tree prepend_and_replace() {
  return {
      {"type", "Sequence"},
      {"normalizers",
       Tree::array({{{"type", "Prepend"}, {"prepend", sign}},
                    {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", sign}}})}};
}

inline std::vector<TokenId> ids_of(const Tree& tree, const std::string& text) {
  return opened(tree.dump(), "tokenizer.json")->encode(text);
}

// A template that puts `name` before every text.
inline Tree template_with(const std::string& name, int id) {
  return {{"type", "TemplateProcessing"},
          {"single", Tree::array({{{"SpecialToken", {{"id", name}, {"type_id", 0}}}},
                                  {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}})},
          {"special_tokens", {{name, {{"id", name}, {"ids", {id}}, {"tokens", {name}}}}}}};
}

// A folder with files; `files` are names and contents.
class Folder {
 public:
  explicit Folder(const std::vector<std::pair<std::string, std::string>>& files) {
    for (const auto& [name, bytes] : files) put(name, bytes);
  }
  void put(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_.path(name), std::ios::binary) << bytes;  // thousands of them: no fsync
  }
  std::string path(const std::string& name = {}) const { return folder_.path(name); }
  std::unique_ptr<Tokenizer> open(const std::string& name = {}) const {
    return open_tokenizer(folder_.path(name));
  }
  // What opening fails with; empty when it does not fail.
  std::string refusal(const std::string& name = {}) const {
    try {
      open_tokenizer(folder_.path(name));
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::input) << e.what();
      EXPECT_FALSE(e.hint().empty()) << e.what();
      return e.what();
    }
    return {};
  }

 private:
  straq::testing::TemporaryFolder folder_;
};

inline ::testing::AssertionResult holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos
             ? ::testing::AssertionSuccess()
             : ::testing::AssertionFailure() << "\"" << text << "\"";
}

}  // namespace straq::text::testing
