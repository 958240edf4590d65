// tokenizer.json files of the shapes that public models have. The ids are those of Hugging Face
// tokenizers 0.23.3; tests/peer compares many more shapes with the library itself.
#include "json_shapes.h"

#include <gtest/gtest.h>

#include "text/tokenizers/normalizer.h"

namespace straq::text {
namespace {

using namespace testing;
using Ids = std::vector<TokenId>;

TEST(VocabularyWithGaps, ASymbolWithoutATokenIsLeftOutBeforeMerging) {
  // As SmolLM2's, whose trainer never saw some bytes.
  auto tree = byte_tree({{"a", "b"}}, {0x04, 0xE9});
  tree["pre_tokenizer"]["use_regex"] = false;
  EXPECT_EQ(ids_of(tree,
                   "a\x04"
                   "b"),
            (Ids{254}));
  EXPECT_EQ(ids_of(tree, "\x04"), Ids{});
  EXPECT_EQ(ids_of(tree, "\xE9\xA0\x80"), (Ids{0xA0 - 1, 0x80 - 1}));
  // A piece too long for the short way.
  std::string text;
  for (int i = 0; i < 200; ++i) text += "a\x04";
  EXPECT_EQ(ids_of(tree, text + "b").size(), 200u);
}

TEST(VocabularyWithGaps, TheUnknownTokenStandsForWhatIsMissing) {
  auto tree = byte_tree({}, {0x04, 0x05});
  tree["model"]["vocab"]["<unk>"] = 254;
  tree["model"]["unk_token"] = "<unk>";
  const TokenId a = 'a' - 2;
  EXPECT_EQ(ids_of(tree,
                   "a\x04\x05"
                   "a"),
            (Ids{a, 254, 254, a}));
  tree["model"]["fuse_unk"] = true;
  EXPECT_EQ(ids_of(tree,
                   "a\x04\x05"
                   "a"),
            (Ids{a, 254, a}));
  tree["model"]["unk_token"] = "<other>";
  const Folder folder({{"tokenizer.json", tree.dump()}});
  EXPECT_TRUE(holds(folder.refusal(), "unk_token \"<other>\" is not in the vocabulary"));
}

TEST(SentencePieceJson, BothWaysToWriteItGiveBlanksTheirSign) {
  const auto base = sign_tree({{"h", "e"}, {sign, "t"}, {std::string(sign) + "t", "he"}});
  const TokenId blank = 259, he = 286, the = 288;
  auto old_form = base;
  old_form["normalizer"] = prepend_and_replace();
  auto first = base;
  first["pre_tokenizer"] = metaspace("first", false);
  for (const auto& tree : {old_form, first}) {
    EXPECT_EQ(ids_of(tree, "the the"), (Ids{the, the}));
    EXPECT_EQ(ids_of(tree, "he"), (Ids{blank, he}));
    EXPECT_EQ(ids_of(tree, ""), Ids{});
    // What has no token is spelled as its bytes.
    EXPECT_EQ(ids_of(tree, "h\xC3\xA9"), (Ids{blank, 267, 3 + 0xC3, 3 + 0xA9}));
    EXPECT_EQ(opened(tree.dump(), "tokenizer.json")->decode({1, the, the, 3 + 0xC3, 3 + 0xA9}),
              "<s>the the\xC3\xA9");
  }
  // Prepend does so always, Metaspace only where there is no blank yet.
  EXPECT_EQ(ids_of(old_form, " the"), (Ids{blank, the}));
  EXPECT_EQ(ids_of(first, " the"), (Ids{the}));
  auto never = base;
  never["pre_tokenizer"] = metaspace("never", true);
  EXPECT_EQ(ids_of(never, "he the"), (Ids{he, the}));
  // The older spelling of "never".
  auto old_key = base;
  old_key["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", sign}, {"add_prefix_space", false}};
  EXPECT_EQ(ids_of(old_key, "he the"), (Ids{he, the}));
}

TEST(SentencePieceJson, AddedTokensAreFoundInNormalizedTextOrInTheTextAsItIs) {
  auto tree = sign_tree({{"h", "e"}});
  tree["added_tokens"].push_back(added_token(287, "[He]", false));
  auto metaspaced = tree;
  metaspaced["pre_tokenizer"] = metaspace("first", false);
  EXPECT_EQ(ids_of(metaspaced, "[He] he"), (Ids{287, 259, 286}));
  EXPECT_EQ(ids_of(metaspaced, "x[He]he"), (Ids{259, 283, 287, 286}));
  // With Prepend the token itself begins with the sign, and so is found at the start only.
  tree["normalizer"] = prepend_and_replace();
  EXPECT_EQ(ids_of(tree, "[He]"), (Ids{287}));
  EXPECT_EQ(ids_of(tree, "x[He]").size(), 6u);
  tree["added_tokens"][3]["normalized"] = false;
  EXPECT_EQ(ids_of(tree, "x[He]he"), (Ids{259, 283, 287, 259, 286}));
}

TEST(AddedTokens, TakeTheWhiteSpaceThatTheirFlagsName) {
  auto tree = byte_tree({});
  tree["added_tokens"].push_back(added_token(256, "[A]", false));
  tree["added_tokens"].push_back(added_token(257, "[B]", false));
  tree["added_tokens"][0]["lstrip"] = true;
  tree["added_tokens"][1]["rstrip"] = true;
  EXPECT_EQ(ids_of(tree, "x \xE3\x80\x80[A] y"), (Ids{'x', 256, ' ', 'y'}));
  EXPECT_EQ(ids_of(tree, "x [B] \n y"), (Ids{'x', ' ', 257, 'y'}));
  EXPECT_EQ(ids_of(tree, "[B]  [A]"), (Ids{257, 256}));
  // White space that a token took is not another token too.
  auto blanks = byte_tree({});
  blanks["added_tokens"].push_back(added_token(256, "  ", false));
  blanks["added_tokens"][0]["lstrip"] = blanks["added_tokens"][0]["rstrip"] = true;
  EXPECT_EQ(ids_of(blanks, "x  \n  y"), (Ids{'x', 256, 'y'}));
  tree["added_tokens"][0]["single_word"] = true;
  const Folder folder({{"tokenizer.json", tree.dump()}});
  EXPECT_TRUE(holds(folder.refusal(), "\"[A]\" with single_word is not supported"));
}

TEST(AddedTokens, ASpecialOneThatMergesMakeAnywayIsFoundAsTheReferenceFindsIt) {
  // A pad token "!" is a byte like any other: "!!" must not merge across it.
  auto tree = byte_tree({{"!", "!"}, {"h", "e"}});
  EXPECT_EQ(ids_of(tree, "!!"), (Ids{256}));
  tree["added_tokens"].push_back(added_token('!', "!", true));
  EXPECT_EQ(ids_of(tree, "a!!"), (Ids{'a', '!', '!'}));
  // A token that only the vocabulary has stays out of reach of text.
  tree["added_tokens"].push_back(added_token(258, "<end>", true));
  tree["added_tokens"].push_back(added_token(257, "he", true));
  EXPECT_EQ(ids_of(tree, "<end>").size(), 5u);
  EXPECT_EQ(ids_of(tree, "she"), (Ids{'s', 257}));
}

TEST(AddedTokens, IdsThatTheReferenceWouldNotGiveAreRefused) {
  auto tree = byte_tree({});
  tree["added_tokens"].push_back(added_token(300, "[A]", false));
  EXPECT_TRUE(holds(Folder({{"tokenizer.json", tree.dump()}}).refusal(), "has id 300"));
  tree["added_tokens"][0] = added_token('b', "a", false);
  EXPECT_TRUE(holds(Folder({{"tokenizer.json", tree.dump()}}).refusal(), "gives it 97"));
}

TEST(Normalizer, NoStepsAreNone) {
  auto tree = byte_tree({{"h", "e"}});
  const auto without = ids_of(tree, "he h\xC3\xA9!");
  tree["normalizer"] = {{"type", "Sequence"}, {"normalizers", Tree::array()}};
  EXPECT_EQ(ids_of(tree, "he h\xC3\xA9!"), without);
  tree["normalizer"]["normalizers"].push_back(tree["normalizer"]);
  EXPECT_EQ(ids_of(tree, "he h\xC3\xA9!"), without);
}

TEST(Normalizer, ComposesAndDecomposes) {
  // Unicode standard, annex 15, and the Hangul example of section 3.12.
  EXPECT_EQ(to_nfc("e\xCC\x81"), "\xC3\xA9");
  EXPECT_EQ(to_nfd("\xC3\xA9"), "e\xCC\x81");
  EXPECT_EQ(to_nfc("\xE1\xB8\x8B\xCC\xA3"), "\xE1\xB8\x8D\xCC\x87");  // d with dots above and below
  EXPECT_EQ(to_nfd("\xED\x93\x9B"), "\xE1\x84\x91\xE1\x85\xB1\xE1\x86\xB6");
  EXPECT_EQ(to_nfc("\xE1\x84\x91\xE1\x85\xB1\xE1\x86\xB6"), "\xED\x93\x9B");
  EXPECT_EQ(to_nfc("\xE2\x84\xAB"), "\xC3\x85");                  // Angstrom sign
  EXPECT_EQ(to_nfc("\xE0\xA5\x98"), "\xE0\xA4\x95\xE0\xA4\xBC");  // excluded from composition
  auto tree = byte_tree({});
  tree["normalizer"] = {{"type", "NFC"}};
  EXPECT_EQ(ids_of(tree, "e\xCC\x81"), (Ids{0xC3, 0xA9}));
}

TEST(SplitStep, BehavesByItsName) {
  const auto pieces = [](const std::string& behavior, bool invert) {
    // One token a piece: the whole pieces are tokens.
    Merges merges = {{"a", "-"}, {"-", "-"}, {"-", "b"}, {"a-", "-"}, {"--", "b"}};
    auto tree = byte_tree(merges);
    const Tree split = {{"type", "Split"},
                        {"pattern", {{"String", "-"}}},
                        {"behavior", behavior},
                        {"invert", invert}};
    tree["pre_tokenizer"]["use_regex"] = false;
    tree["pre_tokenizer"] = {{"type", "Sequence"},
                             {"pretokenizers", Tree::array({split, tree["pre_tokenizer"]})}};
    const auto tokenizer = opened(tree.dump(), "tokenizer.json");
    std::string out;
    for (const TokenId id : tokenizer->encode("a--b")) out += tokenizer->decode({id}) + "|";
    return out;
  };
  EXPECT_EQ(pieces("Isolated", false), "a|-|-|b|");
  EXPECT_EQ(pieces("Removed", false), "a|b|");
  EXPECT_EQ(pieces("Removed", true), "-|-|");
  EXPECT_EQ(pieces("MergedWithPrevious", false), "a-|-|b|");
  EXPECT_EQ(pieces("MergedWithNext", false), "a|-|-b|");
  EXPECT_EQ(pieces("Contiguous", false), "a|--|b|");
}

// Every place in a tree, of the long vocabulary only a few.
std::vector<Tree::json_pointer> places(const Tree& tree,
                                       const Tree::json_pointer& at = Tree::json_pointer()) {
  std::vector<Tree::json_pointer> out;
  if (!at.empty()) out.push_back(at);
  const bool is_long = tree.size() > 50;
  if (tree.is_object()) {
    int count = 0;
    for (const auto& [key, value] : tree.items()) {
      if (is_long && ++count % 80 != 1) continue;
      const auto below = places(value, at / key);
      out.insert(out.end(), below.begin(), below.end());
    }
  } else if (tree.is_array()) {
    for (std::size_t i = 0; i < tree.size(); ++i) {
      const auto below = places(tree[i], at / i);
      out.insert(out.end(), below.begin(), below.end());
    }
  }
  return out;
}

// Whatever stands in a file, opening it works or says what is wrong; the value at every place is
// replaced by one of each type, and the file is cut at many places.
TEST(ForeignFiles, EndInAnErrorThatNamesThem) {
  auto tree = sign_tree({{"h", "e"}});
  tree["normalizer"] = prepend_and_replace();
  tree["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers", Tree::array({{{"type", "Split"},
                                      {"pattern", {{"Regex", "a"}}},
                                      {"behavior", "Isolated"},
                                      {"invert", false}},
                                     {{"type", "Digits"}, {"individual_digits", true}}})}};
  tree["post_processor"] = template_with("<s>", 1);
  const Tree config = {{"bos_token", {{"content", "<s>"}}},
                       {"add_bos_token", true},
                       {"add_prefix_space", true},
                       {"tokenizer_class", "LlamaTokenizer"},
                       {"additional_special_tokens", {"<s>"}},
                       {"added_tokens_decoder",
                        {{"287", {{"content", "[A]"}, {"special", false}, {"lstrip", false}}}}}};
  const Tree special_map = {{"bos_token", "<s>"}, {"pad_token", nullptr}};
  const std::vector<std::pair<std::string, Tree>> files = {
      {"tokenizer.json", tree},
      {"tokenizer_config.json", config},
      {"special_tokens_map.json", special_map},
      {"added_tokens.json", {{"[A]", 287}}},
      {"generation_config.json", {{"bos_token_id", 1}}}};
  Folder folder({});
  for (const auto& [name, content] : files) folder.put(name, content.dump());
  ASSERT_EQ(folder.refusal(), "");
  for (const auto& [name, content] : files) {
    const auto check = [&, &name = name](const std::string& bytes) {
      folder.put(name, bytes);
      try {
        folder.open();
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::input) << e.what();
        EXPECT_TRUE(holds(e.what(), folder.path())) << bytes.substr(0, 80);
      }
    };
    for (const auto& place : places(content)) {
      for (const char* wrong : {"null", "7", "-1", "1.5", "18446744073709551615", "\"x\"", "\"\"",
                                "true", "[]", "[1]", "{}", "{\"a\": 1}"}) {
        Tree changed = content;
        changed[place] = Tree::parse(wrong);
        check(changed.dump());
      }
    }
    const std::string whole = content.dump();
    for (std::size_t cut = 0; cut < whole.size(); cut += 1 + whole.size() / 40) {
      check(whole.substr(0, cut));
    }
    check(std::string(300, '[') + std::string(300, ']'));
    check("{\"model\": " + std::string(100000, '['));
    check("{\"model\": 1e999}");
    check("{\"model\": \"\xFF\"}");
    folder.put(name, whole);
  }
  EXPECT_EQ(folder.refusal(), "");
}

TEST(ForeignFiles, AGitLfsPointerIsNamedAsOne) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 17209920\n";
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    try {
      Folder({{name, pointer}}).open();
      ADD_FAILURE() << name;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::input);
      EXPECT_TRUE(holds(e.what(), "Git LFS pointer"));
      EXPECT_TRUE(holds(e.hint(), "git lfs pull"));
    }
  }
  const Folder beside({{"tokenizer.json", byte_tree({}).dump()}, {"added_tokens.json", pointer}});
  EXPECT_TRUE(holds(beside.refusal(), "added_tokens.json: it is a Git LFS pointer"));
}

}  // namespace
}  // namespace straq::text
