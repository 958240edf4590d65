// The `prompt:` section of a config: how a state is written down for the planner and which token
// stands for an option. Every key changes what the model reads, so all of them are part of the
// template fingerprint (the window is kept beside it).
#pragma once

#include <optional>
#include <string>

#include "config/fields.h"
#include "text/chat_template.h"

namespace straq::prompt {

// comb: options and question before the history, so a probe is the few tokens of the answer's lead.
// paper: options after the history, as the paper orders them; the probe repeats the options.
enum class Layout { comb, paper };

enum class OptionTokens { digit, letter, full_option, strategy_text };

struct OptionsConfig {
  OptionTokens tokens = OptionTokens::digit;
  bool leading_space = false;  // the option's token begins with a blank (" B")
  bool definitions = false;    // show each strategy's definition beside its name
  bool shuffle = false;        // each dialogue has an order of its own; labels go with the place

  void fields(config::Fields& f) {
    f.choice<OptionTokens>("tokens", tokens,
                           {{"digit", OptionTokens::digit},
                            {"letter", OptionTokens::letter},
                            {"full_option", OptionTokens::full_option, false},
                            {"strategy_text", OptionTokens::strategy_text, false}});
    f("leading_space", leading_space);
    f("definitions", definitions);
    f("shuffle", shuffle);
  }
};

struct PromptConfig {
  std::string template_path = "configs/prompts/planner.yaml";
  Layout layout = Layout::comb;
  int window = 2048;          // tokens of a state with its question, at most
  bool show_strategy = true;  // supporter turns of the history show their strategy
  bool problem_type = false;  // the situation names the problem's type
  // Begin with the tokenizer's BOS token; when left out, as the tokenizer's own files say.
  std::optional<bool> bos;
  text::ChatFamily chat = text::ChatFamily::none;
  OptionsConfig options;

  void fields(config::Fields& f) {
    f("template", template_path);
    f.choice<Layout>("layout", layout, {{"comb", Layout::comb}, {"paper", Layout::paper}});
    f("window", window, config::between(16, 1 << 24));
    f("show_strategy", show_strategy);
    f("problem_type", problem_type);
    f("bos", bos);
    f.choice<text::ChatFamily>("chat", chat,
                               {{"none", text::ChatFamily::none},
                                {"llama2", text::ChatFamily::llama2, false},
                                {"llama3", text::ChatFamily::llama3, false}});
    f("options", options);
  }
};

}  // namespace straq::prompt
