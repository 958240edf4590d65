// Small dialogues of our own for tests of the dialogue module.
#pragma once

#include <string>

#include "dialogue/readers/readers.h"
#include "tests/testing.h"

namespace straq::dialogue {

inline StrategySet esconv_strategies() {
  return StrategySet::load(testing::source_path("configs/strategies/esconv.yaml"));
}

// A supporter opens, two runs of two utterances, labels that differ in a run.
inline const char* kLine =
    R"({"emotion_type": "anxiety", "problem_type": "job crisis", "situation": " My  team\tshrinks. ", )"
    R"("survey_score": {"seeker": {"initial_emotion_intensity": "4", "final_emotion_intensity": "2"}}, )"
    R"("dialog": [)"
    R"({"text": "Hi there.", "speaker": "sys", "strategy": "Others"}, )"
    R"({"text": "Hi. I might lose my job.", "speaker": "usr"}, )"
    R"({"text": "It keeps me awake.", "speaker": "usr"}, )"
    R"({"text": "That sounds frightening.", "speaker": "sys", "strategy": "Reflection of feelings"}, )"
    R"({"text": "Who told you?", "speaker": "sys", "strategy": "Question"}, )"
    R"({"text": "My boss did.", "speaker": "usr"}, )"
    R"({"text": "I went through that once.", "speaker": "sys", "strategy": "Self-disclosure"}, )"
    R"({"text": "Thanks, bye.", "speaker": "usr"}]})";

inline Corpus parse(const std::string& bytes, Format format = Format::automatic,
                    const OnProblem& on_problem = {}) {
  return parse_corpus(bytes, "folder/made.txt", format, esconv_strategies(), on_problem);
}

}  // namespace straq::dialogue
