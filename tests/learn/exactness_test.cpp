// The contract of the comb on real dialogues: Q, loss and every parameter's gradient are those of
// one separate prompt per decision, in both layouts, also where dialogues exceed the window.
#include <gtest/gtest.h>

#include <algorithm>

#include "dialogue/data_config.h"
#include "learn/learner.h"
#include "prompt/builder.h"
#include "tests/learn/learn_helpers.h"
#include "tests/testing.h"
#include "text/tokenizer.h"
#include "text/training/train.h"

namespace straq::learn {
namespace {

struct Case {
  const char* name;
  prompt::Layout layout;
  int window;
  at::ScalarType dtype;
  double tolerance;
  Terminal terminal = Terminal::mask;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.name;
}

class Exactness : public ::testing::TestWithParam<Case> {};

// Each decision as a comb of its own: a plain causal prompt for the state, and one for the next
// state, which only the target network reads.
void add_prompt(prompt::Comb& comb, const std::vector<prompt::TokenId>& ids) {
  const auto trunk = static_cast<std::int32_t>(comb.trunks.size());
  comb.trunks.push_back({{ids.begin(), ids.end() - 1}, 0});
  comb.probes.push_back({trunk, static_cast<std::int32_t>(ids.size()) - 1, {ids.back()}});
}

double relative(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max().clamp_min(1e-30)).item<double>();
}

TEST_P(Exactness, CombEqualsOnePromptPerDecision) {
  const Case c = GetParam();
  STRAQ_REQUIRE_DATA(test_file, "esconv/test.txt");
  const auto strategies =
      dialogue::StrategySet::load(straq::testing::source_path("configs/strategies/esconv.yaml"));
  dialogue::DataConfig data;
  data.test = test_file;
  data.limit = 5;
  const auto splits = dialogue::load_splits(data, strategies);
  const auto& episodes = splits.find("test")->episodes;

  prompt::PromptConfig config;
  config.template_path = straq::testing::source_path("configs/prompts/planner.yaml");
  config.layout = c.layout;
  config.window = c.window;
  std::vector<std::string> texts =
      prompt::fixed_texts(config, prompt::Template::load(config.template_path), strategies);
  for (const auto& e : episodes) {
    texts.push_back(e.situation);
    for (const auto& t : e.turns) texts.push_back(t.text);
  }
  straq::testing::TemporaryFolder folder;
  text::TrainOptions options;
  options.vocab_size = 420;
  text::train_tokenizer(texts, options, folder.path("tokenizer.json"));
  const auto tokenizer = text::open_tokenizer(folder.path("tokenizer.json"));
  const prompt::PromptBuilder builder(config, strategies, *tokenizer);

  std::vector<prompt::Comb> combs, singles;
  std::vector<std::pair<std::int32_t, std::int32_t>> origin;  // of each single: comb, decision
  std::size_t own_trunks = 0, final_states = 0;
  for (const auto& e : episodes) {
    combs.push_back(builder.build_comb(e));
    own_trunks += combs.back().trunks.size() - 1;
    const auto n = e.decisions.size();
    for (std::size_t d = 0; d < n; ++d) {
      prompt::Comb single;
      add_prompt(single, builder.full_prompt(e, e.decisions[d].turn));
      single.decisions.push_back(combs.back().decisions[d]);
      if (d + 1 < n) {
        add_prompt(single, builder.full_prompt(e, e.decisions[d + 1].turn));
        single.decisions.push_back(combs.back().decisions[d + 1]);
      } else if (combs.back().final_state == 1) {
        add_prompt(single, builder.full_prompt(e, static_cast<int>(e.turns.size())));
        single.final_state = 1;
        ++final_states;
      }
      origin.emplace_back(static_cast<std::int32_t>(combs.size()) - 1,
                          static_cast<std::int32_t>(d));
      singles.push_back(std::move(single));
    }
  }
  if (c.window < 4096) {
    EXPECT_GT(own_trunks, 0u) << "the window is too wide to test truncation";
  }
  EXPECT_GT(final_states, 0u);

  std::vector<std::int64_t> ids(builder.option_ids().begin(), builder.option_ids().end());
  const auto group = comm::make_local_collectives();
  LearnConfig learn = testing::plain_config();
  learn.micro_tokens = 4000;
  learn.terminal = c.terminal;
  const auto vocab = tokenizer->vocab_size();
  Learner by_comb(testing::random_model(vocab, c.dtype), combs, ids, planner::Readout::mean_logit,
                  learn, *group);
  Learner by_prompt(testing::random_model(vocab, c.dtype), singles, ids,
                    planner::Readout::mean_logit, learn, *group);
  // A target network that differs from the online one, or bootstrapping would not be tested.
  for (Learner* l : {&by_comb, &by_prompt}) {
    l->begin_stage(learn, 10);
    l->target()->initialise(99, 0.2);
  }
  Batch comb_batch, single_batch;
  for (std::size_t i = 0; i < combs.size(); ++i) {
    comb_batch.push_back(
        {static_cast<std::int32_t>(i), 0, static_cast<std::int32_t>(combs[i].decisions.size())});
  }
  for (std::size_t i = 0; i < singles.size(); ++i) {
    single_batch.push_back({static_cast<std::int32_t>(i), 0, 1});
  }

  // Q of every decision.
  const auto option_ids = at::tensor(ids, at::kLong).to(testing::device());
  std::size_t row = 0;
  for (std::size_t i = 0; i < combs.size(); ++i) {
    model::CombSelection all{&combs[i], {}, false};
    for (std::int32_t d = 0; d < static_cast<std::int32_t>(combs[i].decisions.size()); ++d) {
      all.probes.push_back(d);
    }
    c10::NoGradGuard no_grad;
    const auto together = planner::q_values(by_comb.online(), model::pack({all}, testing::device()),
                                            option_ids, planner::Readout::mean_logit);
    for (std::int64_t d = 0; d < together.size(0); ++d, ++row) {
      const auto alone = planner::q_values(
          by_prompt.online(), model::pack({{&singles[row], {0}, false}}, testing::device()),
          option_ids, planner::Readout::mean_logit);
      EXPECT_LT(relative(together[d], alone[0]), c.tolerance) << combs[i].id << " decision " << d;
    }
  }

  // Loss and gradients of one step over everything.
  const auto source = transitions_of(combs, learn, 8, 1);
  const TransitionSource of_singles = [&](std::int32_t comb, std::int32_t, std::int64_t epoch,
                                          std::vector<Transition>& out) {
    source(origin[static_cast<std::size_t>(comb)].first,
           origin[static_cast<std::size_t>(comb)].second, epoch, out);
  };
  const auto a = by_comb.step(comb_batch, 0, source);
  const auto b = by_prompt.step(single_batch, 0, of_singles);
  ASSERT_GT(b.loss, 0);
  EXPECT_NEAR(a.loss, b.loss, c.tolerance * b.loss);
  if (own_trunks == 0) {
    EXPECT_LT(a.tokens, b.tokens / 2);  // the point of it
  }
  auto& mine = by_comb.online().parameters();
  auto& reference = by_prompt.online().parameters();
  for (const auto& spec : mine.specs()) {
    EXPECT_LT(relative(mine.grad(spec.name), reference.grad(spec.name)), c.tolerance) << spec.name;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Layouts, Exactness,
    ::testing::Values(Case{"comb_fp32", prompt::Layout::comb, 4096, at::kFloat, 1e-5},
                      Case{"comb_fp64", prompt::Layout::comb, 4096, at::kDouble, 1e-10},
                      Case{"comb_bf16", prompt::Layout::comb, 4096, at::kBFloat16, 5e-2},
                      Case{"paper_fp32", prompt::Layout::paper, 4096, at::kFloat, 1e-5},
                      Case{"paper_fp64", prompt::Layout::paper, 4096, at::kDouble, 1e-10},
                      Case{"comb_window_fp32", prompt::Layout::comb, 700, at::kFloat, 1e-5},
                      Case{"comb_window_fp64", prompt::Layout::comb, 700, at::kDouble, 1e-10},
                      Case{"paper_window_fp64", prompt::Layout::paper, 700, at::kDouble, 1e-10},
                      Case{"comb_final_fp64", prompt::Layout::comb, 4096, at::kDouble, 1e-10,
                           Terminal::bootstrap_on_final_seeker},
                      Case{"paper_window_final_fp64", prompt::Layout::paper, 700, at::kDouble,
                           1e-10, Terminal::bootstrap_on_final_seeker}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace straq::learn
