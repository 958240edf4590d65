#include "respond/reply_prompt.h"

#include <algorithm>

#include "config/fields.h"
#include "core/error.h"
#include "prompt/template.h"
#include "respond/wording.h"

namespace straq::respond {

ReplyPrompt ReplyPrompt::load(const std::string& path) {
  auto out = config::read<ReplyPrompt>(config::load_config(path));
  const auto check = [&](const char* key, std::string& piece, const prompt::Values& values) {
    piece = without_line_end(std::move(piece));
    try {
      static_cast<void>(prompt::fill(piece, values));
    } catch (const Error& e) {
      fail_input(path + ": " + key + ": " + e.what(), e.hint());
    }
  };
  check("system", out.system, {{"situation", ""}, {"emotion", ""}, {"problem", ""}});
  check("note", out.note, {{"strategy", ""}, {"definition", ""}});
  check("no_note", out.no_note, {});
  check("opening", out.opening, {});
  if (out.note.find("{strategy}") == std::string::npos) {
    fail_input(path + ": note lacks the placeholder {strategy}", "add it where the name belongs");
  }
  return out;
}

std::vector<language::Message> ReplyPrompt::messages(const dialogue::Episode& episode, int turn,
                                                     const dialogue::Strategy* strategy) const {
  const auto known = [&](const std::string& value) -> std::string_view {
    return value.empty() ? unknown : value;
  };
  std::vector<language::Message> out;
  out.push_back({"system", prompt::fill(system, {{"situation", known(episode.situation)},
                                                 {"emotion", known(episode.emotion)},
                                                 {"problem", known(episode.problem)}})});
  const auto add = [&](const std::string& role, const std::string& text) {
    if (out.back().role == role) {
      out.back().content += "\n" + text;
    } else {
      out.push_back({role, text});
    }
  };
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(turn), episode.turns.size());
  for (std::size_t i = 0; i < count; ++i) {
    const auto& t = episode.turns[i];
    const bool seeker = t.speaker == dialogue::Speaker::seeker;
    if (!seeker && out.size() == 1) add("user", opening);
    add(seeker ? "user" : "assistant", t.text);
  }
  if (out.size() == 1) add("user", opening);
  const std::string last =
      strategy
          ? prompt::fill(note, {{"strategy", strategy->name}, {"definition", strategy->definition}})
          : no_note;
  if (out.back().role == "user") {
    if (!last.empty()) out.back().content += "\n\n" + last;
  } else {
    add("user", last.empty() ? opening : last);
  }
  return out;
}

}  // namespace straq::respond
