// What files beside a tokenizer say: added tokens, special tokens, and how texts begin.
#include "text/beside.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "json_shapes.h"
#include "text/tokenizers/sentencepiece.h"

namespace straq::text {
namespace {

using namespace testing;
using Ids = std::vector<TokenId>;

std::string llama_like_model() {
  return train_sentencepiece(made_up_texts(), small(TokenizerKind::sentencepiece));
}

// "<end>" is BOS and EOS by its name, as in GPT-2's family.
Tree tree_with_end() {
  auto tree = byte_tree({{"h", "e"}});
  tree["added_tokens"].push_back(added_token(257, "<|endoftext|>", true));
  tree["added_tokens"].push_back(added_token(258, "<role>", true));
  return tree;
}

struct Begin {
  std::optional<TokenId> bos;
  bool adds;
  bool operator==(const Begin&) const = default;
};
void PrintTo(const Begin& b, std::ostream* out) {
  *out << "bos " << b.bos.value_or(-1) << (b.adds ? " added" : " not added");
}
Begin begin_of(const Folder& folder) {
  const auto tokenizer = folder.open();
  return {tokenizer->bos(), tokenizer->adds_bos()};
}

TEST(Bos, IsAddedWhereTheTokenizersFilesSaySo) {
  const auto with = [](const Tree& tree, const char* config) {
    Folder folder({{"tokenizer.json", tree.dump()}});
    if (config != nullptr) folder.put("tokenizer_config.json", config);
    return begin_of(folder);
  };
  const auto plain = tree_with_end();
  EXPECT_EQ(with(plain, nullptr), (Begin{257, false}));
  EXPECT_EQ(with(plain, R"({"bos_token": "<role>"})"), (Begin{258, false}));
  EXPECT_EQ(with(plain, R"({"bos_token": "<role>", "add_bos_token": false})"), (Begin{258, false}));
  EXPECT_EQ(with(plain, R"({"bos_token": "<role>", "add_bos_token": true})"), (Begin{258, true}));
  EXPECT_EQ(with(plain, R"({"bos_token": null})"), (Begin{std::nullopt, false}));
  EXPECT_EQ(with(plain, R"({"tokenizer_class": "LlamaTokenizerFast"})"), (Begin{257, true}));
  // A post-processor that puts a token before every text, alone or among others.
  auto templated = plain;
  templated["post_processor"] = template_with("<role>", 258);
  EXPECT_EQ(with(templated, nullptr), (Begin{258, true}));
  EXPECT_EQ(with(templated, R"({"bos_token": null})"), (Begin{258, true}));
  EXPECT_EQ(with(templated, R"({"add_bos_token": false})"), (Begin{258, false}));
  auto sequence = plain;
  sequence["post_processor"] = {
      {"type", "Sequence"},
      {"processors", Tree::array({{{"type", "ByteLevel"}}, template_with("<role>", 258)})}};
  EXPECT_EQ(with(sequence, nullptr), (Begin{258, true}));
  auto roberta = plain;
  roberta["post_processor"] = {
      {"type", "RobertaProcessing"}, {"sep", {"<|endoftext|>", 257}}, {"cls", {"<role>", 258}}};
  EXPECT_EQ(with(roberta, nullptr), (Begin{258, true}));
}

TEST(Bos, WhatCanNotBeDoneIsRefused) {
  const auto refusal = [](const char* config, const char* map = "{}") {
    return Folder({{"tokenizer.json", tree_with_end().dump()},
                   {"tokenizer_config.json", config},
                   {"special_tokens_map.json", map}})
        .refusal();
  };
  EXPECT_TRUE(holds(refusal(R"({"bos_token": "<none>"})"), "bos_token \"<none>\" is no token"));
  EXPECT_TRUE(
      holds(refusal(R"({"bos_token": null, "add_bos_token": true})"), "there is no bos_token"));
  EXPECT_TRUE(holds(refusal(R"({"bos_token": "<role>"})", R"({"bos_token": "<|endoftext|>"})"),
                    "special_tokens_map.json: bos_token is \"<|endoftext|>\", but"));
  auto two = tree_with_end();
  two["post_processor"] = {
      {"type", "Sequence"},
      {"processors", Tree::array({template_with("<role>", 258), template_with("<role>", 258)})}};
  EXPECT_TRUE(holds(Folder({{"tokenizer.json", two.dump()}}).refusal(), "2 tokens before a text"));
}

TEST(Bos, OtherFilesNameItWhereTheConfigDoesNot) {
  auto tree = byte_tree({});
  tree["added_tokens"].push_back(added_token(256, "<start>", true));
  Folder folder({{"tokenizer.json", tree.dump()}});
  EXPECT_EQ(begin_of(folder), (Begin{std::nullopt, false}));
  folder.put("generation_config.json", R"({"bos_token_id": 256})");
  EXPECT_EQ(begin_of(folder), (Begin{256, false}));
  folder.put("generation_config.json", R"({"bos_token_id": 300})");
  EXPECT_TRUE(holds(folder.refusal(), "generation_config.json: bos_token_id 300 is outside"));
  folder.put("generation_config.json", "{}");
  folder.put("special_tokens_map.json", R"({"bos_token": {"content": "<start>"}})");
  EXPECT_EQ(begin_of(folder), (Begin{256, false}));
}

TEST(Bos, SentencepieceAndTrainedOnesBeginWithTheirs) {
  Folder folder({{"tokenizer.model", llama_like_model()}});
  EXPECT_EQ(begin_of(folder), (Begin{1, true}));
  folder.put("tokenizer_config.json", R"({"add_bos_token": false, "bos_token": "<s>"})");
  EXPECT_EQ(begin_of(folder), (Begin{1, false}));
  const auto trained = train_byte_bpe(made_up_texts(), small(TokenizerKind::byte_bpe));
  EXPECT_EQ(begin_of(Folder({{"tokenizer.json", trained}})), (Begin{398, true}));
  // Files of before the post-processor was written say nothing, and mean the same.
  auto tree = Tree::parse(trained);
  tree["post_processor"] = nullptr;
  EXPECT_EQ(begin_of(Folder({{"tokenizer.json", tree.dump(1) + "\n"}})), (Begin{398, true}));
}

TEST(BesideSentencepiece, AddedTokensAreFoundInText) {
  const auto model = llama_like_model();
  Folder folder({{"tokenizer.model", model}});
  const auto alone = folder.open();
  const auto of = [&](const std::string& text) { return alone->encode(text); };
  folder.put("added_tokens.json", R"({"[Question]": 400, "[Others]": 401, "<s>": 1})");
  const auto tokenizer = folder.open();
  EXPECT_EQ(tokenizer->vocab_size(), 402);
  EXPECT_EQ(tokenizer->encode("I felt tired"), of("I felt tired"));
  // The blank behind a token is its own; no other is put before the text there.
  auto expected = of("felt tired");
  expected.insert(expected.begin(), 400);
  EXPECT_EQ(tokenizer->encode("[Question] felt tired"), expected);
  expected = of("x");
  ASSERT_EQ(expected.size(), 2u);
  EXPECT_EQ(tokenizer->encode("[Others]x"), (Ids{401, expected[1]}));
  const std::string text = "I [Question] felt[Others]tired <s> ";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  const auto ids = tokenizer->encode(text);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), 1), 0);  // a control symbol stays one

  // Named as special they have ids and names, but no text turns into them.
  folder.put("special_tokens_map.json", R"({"additional_special_tokens": ["[Others]"]})");
  const auto special = folder.open();
  EXPECT_EQ(special->special("[Others]"), 401);
  EXPECT_FALSE(special->special("[Question]"));
  const auto found = special->encode("[Others] [Question]");
  EXPECT_EQ(std::count(found.begin(), found.end(), 401), 0);
  EXPECT_EQ(found.back(), 400);
}

TEST(BesideSentencepiece, TheConfigsTokensComeWithTheirFlags) {
  Folder folder({{"tokenizer.model", llama_like_model()},
                 {"tokenizer_config.json",
                  R"({"added_tokens_decoder": {"400": {"content": "[A]", "rstrip": true},
                      "401": {"content": "<pad>", "special": true}}})"}});
  const auto tokenizer = folder.open();
  EXPECT_EQ(tokenizer->encode("[A] \n[A]"), (Ids{400, 400}));
  EXPECT_EQ(tokenizer->special("<pad>"), 401);
  folder.put("added_tokens.json", R"({"[A]": 401})");
  EXPECT_TRUE(holds(folder.refusal(), "added_tokens.json: token \"[A]\" has id 401"));
  folder.put("added_tokens.json", R"({"[A]": 400})");
  EXPECT_EQ(folder.open()->encode("[A] \n[A]"), (Ids{400, 400}));
}

TEST(BesideSentencepiece, WhatContradictsTheModelIsRefused) {
  const auto model = llama_like_model();
  const auto refusal = [&](const char* name, const char* bytes) {
    return Folder({{"tokenizer.model", model}, {name, bytes}}).refusal();
  };
  EXPECT_TRUE(holds(refusal("added_tokens.json", R"({"[A]": 5})"), "has id 5, which is"));
  EXPECT_TRUE(holds(refusal("added_tokens.json", R"({"<s>": 400})"), "but 1 in"));
  EXPECT_TRUE(holds(refusal("tokenizer_config.json", R"({"add_prefix_space": false})"),
                    "add_prefix_space is false"));
  EXPECT_TRUE(holds(refusal("special_tokens_map.json", R"({"additional_special_tokens": ["[A]"]})"),
                    "\"[A]\" has no id"));
  EXPECT_TRUE(holds(refusal("tokenizer_config.json", R"({"sp_model_kwargs": {"alpha": 1}})"),
                    "sp_model_kwargs"));
  EXPECT_EQ(refusal("special_tokens_map.json", R"({"pad_token": "<pad>", "unk_token": "<unk>"})"),
            "");
}

TEST(BesideJson, TokensThatTheFilesBesideAddFollowTheVocabulary) {
  Folder folder({{"tokenizer.json", tree_with_end().dump()},
                 {"added_tokens.json", R"({"[A]": 259, "<role>": 258})"}});
  EXPECT_EQ(folder.open()->encode("x[A]"), (Ids{'x', 259}));
  folder.put("added_tokens.json", R"({"[A]": 300})");
  EXPECT_TRUE(holds(folder.refusal(), "would get 259"));
  folder.put("added_tokens.json", R"({"<role>": 257})");
  EXPECT_TRUE(holds(folder.refusal(), "has id 257, but 258 in"));
  folder.put("added_tokens.json", "{}");
  folder.put("tokenizer_config.json", R"({"additional_special_tokens": ["[B]"]})");
  EXPECT_TRUE(holds(folder.refusal(), "\"[B]\" has no id"));
  folder.put("tokenizer_config.json", R"({"pad_token": "h"})");
  EXPECT_EQ(folder.open()->encode("he"), (Ids{'h', 'e'}));  // a token by itself now
  folder.put("tokenizer_config.json", R"({"add_prefix_space": true})");
  EXPECT_TRUE(holds(folder.refusal(), "add_prefix_space is true"));
}

// One list for all that decides on ids: each change gives another fingerprint, and what changes
// nothing gives the same.
TEST(Fingerprint, FollowsAllThatDecidesOnIds) {
  const auto tree = tree_with_end();
  const auto model = llama_like_model();
  std::vector<std::string> prints;
  const auto print = [&](const std::vector<std::pair<std::string, std::string>>& files) {
    return Folder(files).open()->fingerprint();
  };
  const std::string base = print({{"tokenizer.json", tree.dump()}});
  EXPECT_EQ(base, print({{"tokenizer.json", tree.dump()},
                         {"tokenizer_config.json", R"({"model_max_length": 5})"}}));
  EXPECT_EQ(base, print({{"tokenizer.json", tree.dump()},
                         {"tokenizer_config.json",
                          R"({"bos_token": "<|endoftext|>", "add_bos_token": false})"}}));
  prints.push_back(base);
  for (const char* config :
       {R"({"bos_token": "<role>"})", R"({"eos_token": "<role>"})", R"({"bos_token": null})",
        R"({"add_bos_token": true})", R"({"pad_token": "h"})",
        R"({"added_tokens_decoder": {"259": {"content": "[A]"}}})",
        R"({"added_tokens_decoder": {"259": {"content": "[A]", "lstrip": true}}})",
        R"({"added_tokens_decoder": {"259": {"content": "[A]", "special": true}}})"}) {
    prints.push_back(print({{"tokenizer.json", tree.dump()}, {"tokenizer_config.json", config}}));
  }
  const auto change = [&](const char* pointer, const Tree& value) {
    auto changed = tree;
    changed[Tree::json_pointer(pointer)] = value;
    prints.push_back(print({{"tokenizer.json", changed.dump()}}));
  };
  change("/normalizer", {{"type", "NFC"}});
  change("/pre_tokenizer/use_regex", false);
  change("/model/merges", Tree::array());
  change("/post_processor", template_with("<role>", 258));
  prints.push_back(print({{"tokenizer.model", model}}));
  for (const auto& [name, bytes] : std::vector<std::pair<std::string, std::string>>{
           {"added_tokens.json", R"({"[A]": 400})"},
           {"added_tokens.json", R"({"[B]": 400})"},
           {"tokenizer_config.json", R"({"add_bos_token": false})"},
           {"tokenizer_config.json", R"({"bos_token": "</s>"})"}}) {
    prints.push_back(print({{"tokenizer.model", model}, {name, bytes}}));
  }
  // Where one file ends and the other begins counts too.
  auto vocab = tree["model"]["vocab"];
  const std::string merges = "h e\n";
  prints.push_back(print({{"vocab.json", vocab.dump()}, {"merges.txt", merges}}));
  prints.push_back(print({{"vocab.json", vocab.dump() + "\n"}, {"merges.txt", merges}}));
  prints.push_back(print({{"vocab.json", vocab.dump()}, {"merges.txt", "\n" + merges}}));
  prints.push_back(print({{"vocab.json", vocab.dump()},
                          {"merges.txt", merges},
                          {"tokenizer_config.json", R"({"add_prefix_space": true})"}}));
  std::sort(prints.begin(), prints.end());
  EXPECT_EQ(std::adjacent_find(prints.begin(), prints.end()), prints.end());
}

TEST(Folder, WithSeveralTokenizersMustHoldTheSameOne) {
  const auto model = llama_like_model();
  Tree vocab = Tree::object();
  {
    const Folder folder({{"tokenizer.model", model}});
    const auto pieces = pieces_of_sentencepiece(folder.path("tokenizer.model"));
    for (std::size_t id = 0; id < pieces.size(); ++id) vocab[pieces[id]] = id;
  }
  auto json = bpe_tree(vocab, {});
  Folder folder({{"tokenizer.model", model}, {"tokenizer.json", json.dump()}});
  EXPECT_TRUE(folder.open()->fingerprint().starts_with("sentencepiece:"));
  // Tokens that tokenizer.json alone has would be missing.
  json["added_tokens"].push_back(added_token(400, "[A]", false));
  folder.put("tokenizer.json", json.dump());
  EXPECT_TRUE(holds(folder.refusal(), "\"[A]\" is not the same token in both"));
  EXPECT_EQ(folder.refusal("tokenizer.model"), "");  // unless the file is named
  folder.put("added_tokens.json", R"({"[A]": 400})");
  EXPECT_EQ(folder.open()->encode("[A]"), (Ids{400}));
  json["model"]["vocab"]["[A]"] = 400;
  json["model"]["vocab"]["<s>"] = 401;
  folder.put("tokenizer.json", json.dump());
  EXPECT_TRUE(holds(folder.refusal(), "\"<s>\""));

  const auto tree = tree_with_end();
  Folder pair({{"tokenizer.json", tree.dump()},
               {"vocab.json", tree["model"]["vocab"].dump()},
               {"merges.txt", "h e\n"}});
  EXPECT_TRUE(pair.open()->fingerprint().starts_with("hugging_face:"));
  pair.put("vocab.json", R"({"h": 1, "e": 2, "he": 3})");
  EXPECT_TRUE(holds(pair.refusal(), "of different tokenizers"));
}

TEST(Folder, FilesThatBelongToATokenizerAreNamed) {
  const Folder folder(
      {{"vocab.json", "{}"}, {"merges.txt", ""}, {"added_tokens.json", "{}"}, {"x", ""}});
  EXPECT_EQ(files_of_tokenizer(folder.path("vocab.json")),
            (std::vector<std::string>{folder.path("vocab.json"), folder.path("merges.txt"),
                                      folder.path("added_tokens.json")}));
  EXPECT_EQ(files_of_tokenizer(folder.path()).size(), 3u);
}

// Named by itself a file may be called anything; a folder is searched for certain names.
TEST(Folder, CopiesMakeTheSameTokenizer) {
  const Folder original({{"a.json", tree_with_end().dump()},
                         {"tokenizer.model", "another"},
                         {"tokenizer_config.json", R"({"add_bos_token": true})"}});
  std::vector<std::string> paths = {original.path("a.json")};
  for (const char* name : {"gpt2/vocab.json", "gpt2", "llama2/tokenizer.model", "llama3"}) {
    if (const auto path = straq::testing::data_path(std::string("tokenizers/") + name)) {
      paths.push_back(*path);
    }
  }
  for (const auto& path : paths) {
    Folder copy({std::pair<std::string, std::string>{"x", ""}});
    for (const auto& file : copies_of_tokenizer(path)) {
      const auto names = names_of_copies();
      EXPECT_NE(std::find(names.begin(), names.end(), file.name), names.end()) << file.name;
      copy.put(file.name, read_file(file.path));
    }
    EXPECT_EQ(copy.open()->fingerprint(), open_tokenizer(path)->fingerprint()) << path;
  }
}

TEST(RealTokenizers, TokensAddedBesideLlama2) {
  STRAQ_REQUIRE_DATA(llama2, "tokenizers/llama2/tokenizer.model");
  const Folder folder({{"tokenizer.model", read_file(llama2)},
                       {"added_tokens.json", R"({"[Question]": 32000, "[Others]": 32001})"}});
  // As transformers gives them.
  EXPECT_EQ(folder.open()->encode("[Question] How are you?"), (Ids{32000, 1128, 526, 366, 29973}));
  EXPECT_EQ(begin_of(folder), (Begin{1, true}));
}

}  // namespace
}  // namespace straq::text
