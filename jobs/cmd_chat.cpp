// straq chat: a planner and a responder in a terminal.
#include <ATen/Parallel.h>

#include <iostream>

#include "command.h"
#include "core/error.h"
#include "core/processors.h"
#include "language_options.h"
#include "local/local_model.h"
#include "planner/planner.h"
#include "respond/reply_prompt.h"
#include "train/learner_group.h"

namespace straq::jobs {
namespace {

struct ChatOptions {
  std::string planner, prompt = "configs/replies/planned.yaml", situation;
  local::LocalConfig model;
  language::Sampling sampling;
  int threads = 0;
};

// Q of each strategy in one line, the chosen one marked.
std::string q_line(const dialogue::StrategySet& strategies, std::span<const float> q, int chosen) {
  std::string out;
  for (int s = 0; s < strategies.size(); ++s) {
    char value[32];
    std::snprintf(value, sizeof value, "%.3f", static_cast<double>(q[static_cast<std::size_t>(s)]));
    out += (s > 0 ? "  " : "") + std::string(s == chosen ? "*" : "") + strategies[s].abbreviation +
           " " + value;
  }
  return out;
}

int chat(const ChatOptions& o, const Common& common) {
  at::set_num_threads(compute_threads(o.threads));
  const auto planner = planner::Planner::open(o.planner);
  const auto prompt = respond::ReplyPrompt::load(o.prompt);
  local::LocalModel model(o.model);
  const auto& strategies = planner.strategies();
  dialogue::Episode episode;
  episode.id = "chat";
  episode.situation = o.situation;
  if (!common.quiet) {
    std::cerr << "planner " << planner.folder() << ", responder " << model.name()
              << "; an empty line or Ctrl-D ends\n";
  }
  std::string line;
  const auto ask = [&] {
    if (!common.quiet) std::cerr << "you: " << std::flush;
    return static_cast<bool>(std::getline(std::cin, line)) && !line.empty();
  };
  while (ask()) {
    episode.turns.push_back({dialogue::Speaker::seeker, line, -1, {}});
    const at::Tensor values = planner.q_next(episode).contiguous();
    const std::span<const float> q(values.const_data_ptr<float>(),
                                   static_cast<std::size_t>(values.numel()));
    const int chosen = planner::choice(q);
    if (chosen < 0) fail_runtime("the planner gives no finite Q", "its weights are damaged");
    language::Request request;
    request.messages =
        prompt.messages(episode, static_cast<int>(episode.turns.size()), &strategies[chosen]);
    request.sampling = o.sampling;
    request.sample = static_cast<std::int64_t>(episode.turns.size());
    language::Reply reply;
    model.answer({request}, [&](std::size_t, language::Reply r) { reply = std::move(r); });
    if (reply.finish == language::Finish::failed) fail_runtime(reply.error, "begin a new chat");
    if (common.json()) {
      print_json({{"strategy", strategies[chosen].name},
                  {"q", std::vector<double>(q.begin(), q.end())},
                  {"reply", reply.text},
                  {"seconds", reply.seconds}});
    } else {
      std::cout << "Q: " << q_line(strategies, q, chosen) << "\n[" << strategies[chosen].name
                << "] " << reply.text << "\n\n"
                << std::flush;
    }
    episode.turns.push_back({dialogue::Speaker::supporter, reply.text, chosen, {chosen}});
  }
  return 0;
}

}  // namespace

Command make_chat(CLI::App& app, Common& common) {
  auto o = std::make_shared<ChatOptions>();
  o->model.precision = model::WeightPrecision::int8;
  o->sampling.max_tokens = 80;
  auto* c = app.add_subcommand("chat", "talk with a planner and a responder in the terminal");
  c->add_option("planner", o->planner, "a planner's folder, or a run's")->required();
  add_model_options(*c, o->model);
  add_sampling_options(*c, o->sampling);
  c->add_option("--prompt", o->prompt, "the wording of what the responder is asked");
  c->add_option("--situation", o->situation, "what the seeker said before the chat");
  c->add_option("--threads", o->threads, "0: a core each")->check(CLI::NonNegativeNumber);
  c->footer(
      "Each line of yours is answered; before it stands Q of every strategy, * at the one chosen.\n"
      "Example: straq chat results/quickstart/seed-1 --model "
      "models/SmolLM2-135M-Instruct.Q4_1.gguf");
  return {c, [=, &common] { return chat(*o, common); }};
}

}  // namespace straq::jobs
