// A planner's folder alone answers, in the prompts and with the numbers of what it was made from.
#include "planner/planner.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files/files.h"
#include "core/json/json.h"
#include "dialogue/turns.h"
#include "model/weights/huggingface.h"
#include "planner/in_step.h"
#include "prompt/render.h"
#include "tests/planner/combs.h"
#include "tests/testing.h"
#include "text/training/train.h"

namespace straq::planner {
namespace {

namespace fs = std::filesystem;
using straq::testing::error_of;

dialogue::Dialogue dialogue_of(int number, int exchanges) {
  dialogue::Dialogue d;
  d.id = "made/" + std::to_string(number);
  d.emotion = "anxiety";
  d.situation = "My exams begin in " + std::to_string(number + 2) + " weeks.";
  for (int i = 0; i < exchanges; ++i) {
    d.utterances.push_back({dialogue::Speaker::seeker,
                            "I worry about part " + std::to_string(i) + " of them.", -1, 0});
    d.utterances.push_back({dialogue::Speaker::supporter,
                            "What about it? " + std::to_string(number), (number + i) % 8, 0});
  }
  return d;
}

std::vector<dialogue::Episode> episodes_of(int count, int exchanges) {
  std::vector<dialogue::Episode> out;
  for (int i = 0; i < count; ++i) {
    out.push_back(dialogue::build_episode(dialogue_of(i, exchanges), dialogue::MergeLabel::first));
  }
  return out;
}

enum class Source { byte_bpe_file, sentencepiece_file, folder_without_bos };

// A planner as a run makes it, with its sources in folders of their own.
class Made {
 public:
  explicit Made(Source source = Source::byte_bpe_file, int window = 2048) {
    fs::create_directories(place_.path("sources/tokenizer"));
    const std::string templates = place_.path("sources/prompt.yaml");
    fs::copy_file(straq::testing::source_path("configs/prompts/compact.yaml"), templates);
    card_.strategies =
        dialogue::StrategySet::load(straq::testing::source_path("configs/strategies/esconv.yaml"))
            .items();
    card_.prompt.template_path = templates;
    card_.prompt.window = window;
    card_.gamma = 0.85;
    card_.inputs_sha256 = std::string(64, 'a');
    const std::string tokenizer = train(source);
    const auto companions = Companions::gather(card_, tokenizer);
    strategies_ = dialogue::StrategySet::of(card_.strategies, "test");
    tokenizer_ = text::open_tokenizer(tokenizer);
    builder_ = std::make_unique<prompt::PromptBuilder>(card_.prompt, strategies_, *tokenizer_);
    auto shape = testing::small_shape(tokenizer_->vocab_size());
    model_ = std::make_unique<model::Llama>(shape, at::kFloat, at::kCPU, false);
    model_->initialise(7, 0.2);
    model::save_huggingface(*model_, folder());
    companions.write(folder());
  }

  // Nothing but the folder is left, and it lies elsewhere.
  std::string alone() {
    fs::remove_all(place_.path("sources"));
    fs::rename(folder(), place_.path("elsewhere"));
    return place_.path("elsewhere");
  }
  std::string folder() const { return place_.path("run/planner"); }
  std::string run() const { return place_.path("run"); }
  const prompt::PromptBuilder& builder() const { return *builder_; }
  at::Tensor q(const std::vector<dialogue::Episode>& episodes) const {
    std::vector<prompt::Comb> combs;
    for (const auto& e : episodes) combs.push_back(builder_->build_comb(e));
    const std::vector<std::int64_t> ids(builder_->option_ids().begin(),
                                        builder_->option_ids().end());
    return ask({*model_, at::tensor(ids, at::kLong), Readout::mean_logit, 8192}, combs);
  }

 private:
  std::string train(Source source) {
    auto texts =
        prompt::fixed_texts(card_.prompt, prompt::Template::load(card_.prompt.template_path),
                            dialogue::StrategySet::of(card_.strategies, "test"));
    for (const auto& e : episodes_of(20, 6)) {
      for (const auto& turn : e.turns) texts.push_back(turn.text);
    }
    text::TrainOptions options;
    options.vocab_size = 330;
    const bool pieces = source == Source::sentencepiece_file;
    if (pieces) options.kind = text::TokenizerKind::sentencepiece;
    const std::string name = pieces ? "odd name.spm" : "tokenizer.json";
    const std::string folder = place_.path("sources/tokenizer");
    text::train_tokenizer(texts, options, folder + "/" + name);
    if (source != Source::folder_without_bos) return folder + "/" + name;
    write_file_atomic(folder + "/tokenizer_config.json", R"({"add_bos_token": false})");
    return folder;
  }

  straq::testing::TemporaryFolder place_;
  Card card_;
  dialogue::StrategySet strategies_;
  std::unique_ptr<text::Tokenizer> tokenizer_;
  std::unique_ptr<prompt::PromptBuilder> builder_;
  std::unique_ptr<model::Llama> model_;
};

class EveryTokenizer : public ::testing::TestWithParam<Source> {};

TEST_P(EveryTokenizer, ItsFolderAloneAnswersToTheBit) {
  Made made(GetParam());
  const auto episodes = episodes_of(5, 4);
  const at::Tensor wanted = made.q(episodes);
  const auto planner = Planner::open(made.alone());
  EXPECT_EQ(planner.card().prompt.bos, GetParam() != Source::folder_without_bos);
  EXPECT_EQ(planner.prompts().option_ids(), made.builder().option_ids());
  for (const auto& e : episodes) {
    const auto comb = planner.prompts().build_comb(e), other = made.builder().build_comb(e);
    EXPECT_EQ(comb.trunks[0].tokens, other.trunks[0].tokens);
    EXPECT_EQ(comb.probes[0].tokens, other.probes[0].tokens);
  }
  EXPECT_TRUE(at::equal(planner.q(episodes), wanted));
}

INSTANTIATE_TEST_SUITE_P(Planner, EveryTokenizer,
                         ::testing::Values(Source::byte_bpe_file, Source::sentencepiece_file,
                                           Source::folder_without_bos));

TEST(Planner, ADialogueInProgressIsTheStateOfTheWholeOne) {
  const Made made;
  const auto planner = Planner::open(made.run());  // a run stands for its planner
  const auto whole = episodes_of(1, 5)[0];
  const at::Tensor q = planner.q(whole);
  for (std::size_t i = 0; i < whole.decisions.size(); ++i) {
    dialogue::Episode history = whole;
    history.turns.resize(static_cast<std::size_t>(whole.decisions[i].turn));
    history.decisions.clear();
    const at::Tensor next = planner.q_next(history);
    EXPECT_TRUE(at::allclose(next, q[static_cast<std::int64_t>(i)], 1e-4, 1e-5));
    EXPECT_EQ(planner.choose(history), next.argmax().item<std::int64_t>());
    const auto asked = with_next(history).decisions.back();
    EXPECT_EQ(asked.previous, whole.decisions[i].previous);
    EXPECT_EQ(planner.prompts().full_prompt(history, asked.turn),
              made.builder().full_prompt(whole, whole.decisions[i].turn));
  }
  const auto spoken = error_of([&] { planner.q_next(whole); });
  EXPECT_NE(std::string(spoken->what()).find("made/0: the supporter is to speak next"),
            std::string::npos);
  EXPECT_EQ(error_of([&] { planner.q_next({}); })->exit_code(), 2);
}

TEST(Planner, DialoguesBeyondTheWindowAreCutAsInPreprocessing) {
  Made made(Source::byte_bpe_file, 700);
  const auto episodes = episodes_of(3, 60);
  ASSERT_GT(made.builder().build_comb(episodes[0]).trunks.size(), 1u);
  const at::Tensor wanted = made.q(episodes);
  const auto planner = Planner::open(made.alone());
  EXPECT_TRUE(at::equal(planner.q(episodes), wanted));
  auto long_turn = dialogue_of(0, 1);
  for (int i = 0; i < 600; ++i) long_turn.utterances[0].text += " and more";
  const auto e =
      error_of([&] { planner.q(dialogue::build_episode(long_turn, dialogue::MergeLabel::first)); });
  EXPECT_NE(std::string(e->what()).find("prompt.window"), std::string::npos);
}

// Turn by turn over a cache, several dialogues at a time, some of them beyond the window: the
// numbers are those of whole dialogues, and what was read is not read again.
TEST(InStep, DialoguesInStepHaveTheQOfWholeOnes) {
  for (const auto& [window, exchanges] : {std::pair{2048, 12}, std::pair{700, 60}}) {
    const Made made(Source::byte_bpe_file, window);
    const auto planner = Planner::open(made.folder());
    const auto whole = episodes_of(3, exchanges);
    InStep asked(planner, 3);
    std::int64_t alone = 0;
    const auto stride = static_cast<std::size_t>(exchanges / 6);
    for (std::size_t turn = 0; turn < 6 * stride; turn += stride) {
      std::vector<dialogue::Episode> histories;
      for (const auto& e : whole) {
        histories.push_back(e);
        histories.back().turns.resize(static_cast<std::size_t>(e.decisions[turn].turn));
        histories.back().decisions.clear();
        alone += static_cast<std::int64_t>(
            planner.prompts().full_prompt(e, e.decisions[turn].turn).size());
      }
      // The second one is over after three turns, and its number is used again by another.
      std::vector<std::pair<int, const dialogue::Episode*>> going;
      for (int i : {2, 0, 1}) {
        if (turn == 3 * stride && i == 1) asked.forget(1);
        going.emplace_back(i, &histories[static_cast<std::size_t>(i)]);
      }
      const at::Tensor q = asked.q_next(going);
      ASSERT_EQ(q.size(0), 3);
      for (std::int64_t row = 0; row < 3; ++row) {
        const auto& e = *going[static_cast<std::size_t>(row)].second;
        EXPECT_TRUE(at::allclose(q[row], planner.q_next(e), 1e-3, 1e-4))
            << window << " " << turn << " " << row;
      }
    }
    EXPECT_LT(asked.tokens_read(), window > 1000 ? alone / 2 : alone);
    EXPECT_EQ(asked.q_next({}).size(0), 0);
  }
}

TEST(InStep, AsksOnlyWhereTheSeekerSpokeLast) {
  const Made made;
  const auto planner = Planner::open(made.folder());
  InStep asked(planner, 1);
  const auto whole = episodes_of(1, 2)[0];  // ends with the supporter
  EXPECT_THROW(asked.q_next({{0, &whole}}), Error);
}

TEST(Planner, OpensInThePrecisionOfItsFilesOrAnother) {
  const Made made;
  EXPECT_EQ(Planner::open(made.folder()).model().parameters().flat().scalar_type(), at::kFloat);
  OpenOptions options;
  options.dtype = at::kBFloat16;
  const auto narrow = Planner::open(made.folder(), options);
  EXPECT_EQ(narrow.model().parameters().flat().scalar_type(), at::kBFloat16);
  EXPECT_EQ(narrow.q(episodes_of(1, 2)).scalar_type(), at::kFloat);
  EXPECT_FALSE(narrow.model().parameters().flat_grad().defined());
}

// planner.json with one thing changed.
void edit(const std::string& folder, const std::function<void(nlohmann::ordered_json&)>& change) {
  auto json = read_ordered_json_file(folder + "/planner.json");
  change(json);
  write_file_atomic(folder + "/planner.json", json.dump(2));
}

TEST(Planner, WhatIsNotAsItWasTrainedIsRefusedByName) {
  using Json = nlohmann::ordered_json;
  struct Case {
    std::function<void(const std::string&)> damage;
    std::vector<std::string> words;
  };
  const auto with = [](std::function<void(Json&)> change) {
    return [change](const std::string& folder) { edit(folder, change); };
  };
  const std::vector<Case> cases = {
      {[](auto& f) { fs::remove(f + "/planner.json"); }, {"holds no planner", "planner.json"}},
      {[](auto& f) { write_file_atomic(f + "/planner.json", "{"); }, {"planner.json"}},
      {[](auto& f) {
         write_file_atomic(f + "/planner.json",
                           "version https://git-lfs.github.com/spec/v1\noid sha256:" +
                               std::string(64, '1') + "\nsize 100\n");
       },
       {"planner.json", "Git LFS"}},
      {with([](Json& j) { j.erase("format"); }), {"planner.json", "format"}},
      {with([](Json& j) { j["format"] = 1; }), {"planner.json has format 1", "does not hold"}},
      {with([](Json& j) { j["format"] = 3; }), {"has format 3", "reads format 2"}},
      {with([](Json& j) { j.erase("template"); }), {"planner.json", "template"}},
      {with([](Json& j) { j["prompt"]["layout"] = "combs"; }), {"planner.json", "prompt.layout"}},
      {with([](Json& j) { j["template"]["instruction"] = "Answer at once.\n"; }),
       {"planner.json", "prompt"}},
      {with([](Json& j) { j["prompt"]["show_strategy"] = false; }), {"planner.json", "prompt"}},
      {with([](Json& j) { j["strategies"][0]["name"] = "Ask"; }), {"planner.json", "prompt"}},
      {with([](Json& j) { j["strategies"][0]["name"] = "Others"; }), {"planner.json", "Others"}},
      {with([](Json& j) { std::swap(j["option_ids"][0], j["option_ids"][1]); }),
       {"planner.json", "option_ids"}},
      {with([](Json& j) { j["prompt"]["window"] = 5000; }), {"prompt.window", "4096"}},
      {with([](Json& j) { j["readout"] = "value_head"; }), {"planner.json", "value_head"}},
      {with([](Json& j) { j["readout"] = "state_head"; }), {"planner.json", "no such head"}},
      {with([](Json& j) {
         j["option_shift"] = {0.5, -0.5};
       }),
       {"planner.json", "option_shift"}},
      {[](auto& f) { fs::remove(f + "/tokenizer.json"); }, {"holds no tokenizer"}},
      {[](auto& f) {
         write_file_atomic(f + "/tokenizer_config.json", R"({"add_bos_token": false})");
       },
       {"its tokenizer gives", "trained with hugging_face:"}},
      {[](auto& f) { fs::remove(f + "/model.safetensors"); }, {"model.safetensors"}},
      {[](auto& f) {
         model::Llama small(testing::small_shape(100), at::kFloat, at::kCPU, false);
         model::save_huggingface(small, f);
       },
       {"330 tokens", "100"}},
  };
  const Made made;
  Planner::open(made.folder());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    straq::testing::TemporaryFolder folder;
    fs::copy(made.folder(), folder.path("planner"), fs::copy_options::recursive);
    cases[i].damage(folder.path("planner"));
    const auto e = error_of([&] { Planner::open(folder.path("planner")); });
    ASSERT_TRUE(e) << i;
    EXPECT_EQ(e->exit_code(), 2) << i;
    for (const auto& word : cases[i].words) {
      EXPECT_NE(e->full().find(word), std::string::npos) << i << ": " << e->full();
    }
  }
}

TEST(Card, IsReadBackAsItWasWritten) {
  const Made made;
  const auto card = Card::read(made.folder());
  straq::testing::TemporaryFolder folder;
  card.write(folder.path());
  EXPECT_EQ(read_file(folder.path("planner.json")), read_file(made.folder() + "/planner.json"));
  EXPECT_EQ(card.strategies.size(), 8u);
  EXPECT_FALSE(card.strategies[0].definition.empty());
  EXPECT_EQ(card.gamma, 0.85);
}

// A folder that is written again may have had another tokenizer.
TEST(Companions, LeaveNoTokenizerOfAnotherPlanner) {
  const Made bytes, pieces(Source::sentencepiece_file);
  fs::copy_file(bytes.folder() + "/tokenizer.json", pieces.folder() + "/tokenizer.json");
  EXPECT_THROW(Planner::open(pieces.folder()), Error);
  straq::testing::TemporaryFolder folder;
  Companions companions{Card::read(pieces.folder()), {}};
  companions.tokenizer.emplace_back("tokenizer.model",
                                    read_file(pieces.folder() + "/tokenizer.model"));
  companions.write(pieces.folder());
  EXPECT_FALSE(fs::exists(pieces.folder() + "/tokenizer.json"));
  Planner::open(pieces.folder());
}

}  // namespace
}  // namespace straq::planner
