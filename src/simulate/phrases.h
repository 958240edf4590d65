// Varied wording from tables: templates with alternatives and named slots, filled at random.
//
//   "I {just |}heard that {fact}."      {a|b|} picks one alternative (the last one is empty here)
//                                       {name} picks one entry of the list called `name`
//
// Alternatives nest. Tables are YAML (configs/simulate/phrases.yaml, problems.yaml): what is said
// is data, which anybody can extend without touching the program.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/fields.h"
#include "core/rng.h"
#include "dialogue/strategy.h"
#include "simulate/dynamics.h"

namespace straq::simulate {

// One parsed template.
class Phrase {
 public:
  // Throws Error(input), its message starting with `where`, for unbalanced braces and for names
  // that are no lower-case words.
  static Phrase parse(std::string_view text, const std::string& where);

  // Finds the text of a slot; it may draw from the same generator.
  using Fill = std::function<std::string(const std::string& slot)>;
  std::string render(CounterRng& rng, const Fill& fill) const;
  // Where in a text a template may end, and how likely it is to be what was said up to there.
  using Ends = std::vector<std::pair<std::size_t, double>>;
  // The ends of a slot's filling that begins at `from`.
  using FillEnds = std::function<Ends(const std::string& slot, std::size_t from)>;
  // `bare` is a text without blanks and capitals (bare_text); `from`: where the template may begin.
  Ends match(std::string_view bare, const Ends& from, const FillEnds& fill) const;
  // Calls `visit` with every slot name, of all alternatives.
  void each_slot(const std::function<void(const std::string&)>& visit) const;

 private:
  struct Part {
    std::string text;  // literal, or the slot's name
    bool slot = false;
    std::vector<Phrase> choices;  // alternatives; then `text` is unused
    std::string bare;             // of a literal
  };
  std::vector<Part> parts_;
};

using PhraseList = std::vector<Phrase>;

// What the tables hold, as their files have it.
struct EmotionTable {
  std::string name;
  std::vector<std::string> feeling;  // adjectives: "I feel …"
  void fields(config::Fields& f);
};

struct ProblemTable {
  std::string name;
  double weight = 1;
  std::vector<std::string> emotions;
  std::vector<std::string> topic, my_topic;     // noun phrases, to and by the seeker
  std::vector<std::vector<std::string>> facts;  // [by the seeker, to the seeker] clauses
  std::vector<std::string> situation;           // first person, the description of a session
  std::vector<std::string> hurt, goal;          // seeker: why it hurts; what they want
  std::vector<std::string> question, disclosure, cheer, advice, information;  // supporter
  void fields(config::Fields& f);
};

struct SeekerTable {
  std::vector<std::string> greeting, opening, exploration, comforting, action;
  std::vector<std::vector<std::string>> intensity;       // five lists: sentences by intensity
  std::vector<std::string> better, same, worse;          // reactions to the turn before
  std::vector<std::string> settled, left, out_of_turns;  // last words by how it ended
  void fields(config::Fields& f);
};

// One strategy's utterances; those of a place are used there in addition to `any`, except that
// `opening`, `first` and `last` stand alone where they are given.
struct SupporterTable {
  std::vector<std::string> any, exploration, comforting, action;
  std::vector<std::string> opening;  // opens a dialogue
  std::vector<std::string> first;    // at the first decision
  std::vector<std::string> last;     // when the seeker is settled after it
  void fields(config::Fields& f);
};

struct PhraseTables {
  std::vector<std::pair<std::string, std::vector<std::string>>> lists;  // slots for every template
  std::vector<std::vector<std::string>> degree;  // five lists for the slot {degree}
  std::vector<EmotionTable> emotions;
  SeekerTable seeker;
  std::vector<std::pair<std::string, SupporterTable>> supporter;  // by strategy name
  std::vector<ProblemTable> problems;
  void fields(config::Fields& f);
};

// The tables parsed and checked: every slot of every template has a filling in every problem.
class PhraseBook {
 public:
  struct Emotion {
    std::string name;
  };
  struct Problem {
    std::string name;
    double weight;
    std::vector<int> emotions;
    int facts;
  };
  enum class Supporting { any, opening, first, last };

  PhraseBook(const PhraseTables& tables, const dialogue::StrategySet& strategies);

  const std::vector<Problem>& problems() const { return problems_; }
  const std::vector<Emotion>& emotions() const { return emotions_; }

  // What is being talked about when a template is filled.
  struct Scene {
    int problem = 0, emotion = 0, intensity = 3, fact = 0;
  };
  // One sentence group from a list ("seeker.exploration", "problem.situation", …).
  std::string say(const std::string& list, const Scene& scene, CounterRng& rng) const;
  // A supporter's utterance of a strategy.
  std::string support(int strategy, Stage stage, Supporting place, const Scene& scene,
                      CounterRng& rng) const;

  // The probability that say() or support() gives a text, which is given without blanks and
  // capitals (bare_text). Where the scene's fact is -1 every fact of its problem is as likely.
  double probability(const std::string& list, const Scene& scene, std::string_view bare) const;
  // Whether a list's texts depend on the scene's intensity: whether {degree} is in any of them.
  bool tells_degree(const std::string& list, const Scene& scene) const;
  double support_probability(int strategy, Stage stage, Supporting place, const Scene& scene,
                             std::string_view bare) const;

 private:
  using Lists = std::map<std::string, PhraseList, std::less<>>;
  struct Resolved {
    Lists lists;
    std::vector<std::pair<Phrase, Phrase>> facts;
  };
  void add_seeker(const SeekerTable& table, const std::vector<std::vector<std::string>>& degree);
  void add_problem(const ProblemTable& table);
  void add_supporters(const PhraseTables& tables, const dialogue::StrategySet& strategies);
  // A slot that nobody fills would otherwise show up in the middle of a corpus.
  void check_all_slots(const dialogue::StrategySet& strategies) const;
  const PhraseList* find(std::string_view slot, const Scene& scene) const;
  const PhraseList& supporting(int strategy, Stage stage, Supporting place) const;
  double chance_of(const PhraseList& list, const Scene& scene, std::string_view bare) const;
  Phrase::Ends fill_ends(const std::string& slot, const Scene& scene, std::string_view bare,
                         std::size_t from) const;
  std::string fill(const std::string& slot, const Scene& scene, CounterRng& rng) const;
  std::string render(const Phrase& phrase, const Scene& scene, CounterRng& rng) const;
  void check_slots(const Phrase& phrase, const Scene& scene, const std::string& where,
                   std::vector<std::string>& open) const;

  std::vector<Problem> problems_;
  std::vector<Emotion> emotions_;
  Lists general_;                           // "seeker.better", "lists" by their names, …
  std::vector<Lists> by_emotion_, degree_;  // slots {feeling}; {degree}
  std::vector<Resolved> by_problem_;
  struct Supporter {
    PhraseList stage[stage_count], opening, first, last;
  };
  std::vector<Supporter> supporters_;
};

// Capitals at sentence starts, single blanks, none before punctuation.
std::string tidy(std::string_view text);
// Without blanks and ASCII capitals: two texts that tidy() makes the same are the same here.
std::string bare_text(std::string_view text);

}  // namespace straq::simulate
