#include "respond/responder.h"

namespace straq::respond {

Outcomes respond_to(language::Source& source, const Stage& stage,
                    const std::vector<Method>& methods, const std::vector<std::vector<Task>>& tasks,
                    const RespondCalls& calls) {
  Outcomes out(methods.size());
  std::vector<language::Talk> talks;
  std::vector<std::optional<Outcome>*> places;
  for (std::size_t m = 0; m < methods.size(); ++m) out[m].resize(tasks[m].size());
  for (std::size_t m = 0; m < methods.size(); ++m) {
    for (std::size_t t = 0; t < tasks[m].size(); ++t) {
      places.push_back(&out[m][t]);
      talks.emplace_back([&stage, &method = methods[m], &task = tasks[m][t],
                          place = places.back()](language::Inquiry& inquiry) {
        Scene scene(inquiry, stage, task);
        method.reply(scene);
        *place = scene.outcome();
      });
    }
  }
  language::TalkCalls talk_calls;
  talk_calls.over = [&](std::size_t i, const language::TalkEnd& end) {
    if (!end.error.empty()) *places[i] = Outcome{};
    Outcome& outcome = **places[i];
    outcome.error = end.error;
    outcome.usage = end.usage;
  };
  talk_calls.answered = calls.answered;
  talk_calls.stop = calls.stop;
  language::run_talks(source, talks, talk_calls);
  return out;
}

std::vector<Task> tasks_of(const std::vector<dialogue::Episode>& episodes) {
  std::vector<Task> out;
  for (const auto& e : episodes) {
    for (const auto& d : e.decisions) out.push_back({&e, d.turn, std::nullopt});
  }
  return out;
}

}  // namespace straq::respond
