#include "simulate/phrases.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace straq::simulate {
namespace {

bool is_slot_name(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](unsigned char c) {
    return std::islower(c) || std::isdigit(c) || c == '_';
  });
}

PhraseList parse_all(const std::vector<std::string>& texts, const std::string& where) {
  PhraseList out;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    out.push_back(Phrase::parse(texts[i], where + "[" + std::to_string(i) + "]"));
  }
  return out;
}

PhraseList parse_some(const std::vector<std::string>& texts, const std::string& where) {
  if (texts.empty()) fail_input(where + ": the list is empty", "give it at least one entry");
  return parse_all(texts, where);
}

}  // namespace

Phrase Phrase::parse(std::string_view text, const std::string& where) {
  Phrase out;
  std::string literal;
  auto flush = [&] {
    if (!literal.empty()) out.parts_.push_back({literal, false, {}, bare_text(literal)});
    literal.clear();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '}') {
      fail_input(where + ": a } without its { in \"" + std::string(text) + "\"");
    }
    if (text[i] != '{') {
      literal += text[i];
      continue;
    }
    flush();
    std::vector<std::string_view> pieces;
    std::size_t begin = i + 1, end = begin;
    int depth = 1;
    for (; end < text.size(); ++end) {
      if (text[end] == '{') ++depth;
      if (text[end] == '}' && --depth == 0) break;
      if (text[end] == '|' && depth == 1) {
        pieces.push_back(text.substr(begin, end - begin));
        begin = end + 1;
      }
    }
    if (end == text.size()) {
      fail_input(where + ": a { without its } in \"" + std::string(text) + "\"");
    }
    pieces.push_back(text.substr(begin, end - begin));
    Part part;
    if (pieces.size() == 1) {
      if (!is_slot_name(pieces[0])) {
        fail_input(where + ": \"{" + std::string(pieces[0]) + "}\" is no slot's name",
                   "a slot is a lower-case word; alternatives are separated by |");
      }
      part.text = pieces[0];
      part.slot = true;
    } else {
      for (const auto piece : pieces) part.choices.push_back(parse(piece, where));
    }
    out.parts_.push_back(std::move(part));
    i = end;
  }
  flush();
  return out;
}

std::string Phrase::render(CounterRng& rng, const Fill& fill) const {
  std::string out;
  for (const auto& part : parts_) {
    if (part.slot) {
      out += fill(part.text);
    } else if (part.choices.empty()) {
      out += part.text;
    } else {
      out += part.choices[rng.below(part.choices.size())].render(rng, fill);
    }
  }
  return out;
}

void Phrase::each_slot(const std::function<void(const std::string&)>& visit) const {
  for (const auto& part : parts_) {
    if (part.slot) visit(part.text);
    for (const auto& choice : part.choices) choice.each_slot(visit);
  }
}

void EmotionTable::fields(config::Fields& f) {
  f.required("name", name);
  f.required("feeling", feeling);
}

void ProblemTable::fields(config::Fields& f) {
  f.required("name", name);
  f("weight", weight, config::at_least(0));
  f.required("emotions", emotions);
  f.required("topic", topic);
  f.required("my_topic", my_topic);
  f.required("facts", facts);
  f.required("situation", situation);
  f.required("hurt", hurt);
  f.required("goal", goal);
  f.required("question", question);
  f.required("disclosure", disclosure);
  f.required("cheer", cheer);
  f.required("advice", advice);
  f.required("information", information);
}

void SeekerTable::fields(config::Fields& f) {
  f.required("greeting", greeting);
  f.required("opening", opening);
  f.required("exploration", exploration);
  f.required("comforting", comforting);
  f.required("action", action);
  f.required("intensity", intensity);
  f.required("better", better);
  f.required("same", same);
  f.required("worse", worse);
  f.required("settled", settled);
  f.required("left", left);
  f.required("out_of_turns", out_of_turns);
}

void SupporterTable::fields(config::Fields& f) {
  f("any", any);
  f("exploration", exploration);
  f("comforting", comforting);
  f("action", action);
  f("opening", opening);
  f("first", first);
  f("last", last);
}

void PhraseTables::fields(config::Fields& f) {
  f("lists", lists);
  f.required("degree", degree);
  f.required("emotions", emotions);
  f.required("seeker", seeker);
  f.required("supporter", supporter);
  f.required("problems", problems);
}

PhraseBook::PhraseBook(const PhraseTables& t, const dialogue::StrategySet& strategies) {
  for (const auto& [key, texts] : t.lists) general_[key] = parse_some(texts, "lists." + key);
  add_seeker(t.seeker, t.degree);
  for (const auto& e : t.emotions) {
    emotions_.push_back({e.name});
    by_emotion_.emplace_back();
    by_emotion_.back()["feeling"] = parse_some(e.feeling, "emotions." + e.name + ".feeling");
  }
  if (t.problems.empty()) fail_input("problems: the list is empty", "describe at least one");
  double weight = 0;
  for (const auto& p : t.problems) {
    weight += p.weight;
    add_problem(p);
  }
  if (!(weight > 0)) fail_input("problems: all weights are zero");
  add_supporters(t, strategies);
  check_all_slots(strategies);
}

void PhraseBook::add_seeker(const SeekerTable& s,
                            const std::vector<std::vector<std::string>>& degree) {
  const std::pair<const char*, const std::vector<std::string>*> seeker_lists[] = {
      {"greeting", &s.greeting},
      {"opening", &s.opening},
      {"exploration", &s.exploration},
      {"comforting", &s.comforting},
      {"action", &s.action},
      {"better", &s.better},
      {"same", &s.same},
      {"worse", &s.worse},
      {"settled", &s.settled},
      {"left", &s.left},
      {"out_of_turns", &s.out_of_turns}};
  for (const auto& [key, texts] : seeker_lists) {
    general_["seeker." + std::string(key)] = parse_some(*texts, "seeker." + std::string(key));
  }
  if (s.intensity.size() != intensity_levels || degree.size() != intensity_levels) {
    fail_input("seeker.intensity and degree: expected five lists each, for intensities 1..5");
  }
  for (int i = 0; i < intensity_levels; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::string key = "seeker.intensity." + std::to_string(i + 1);
    general_[key] = parse_some(s.intensity[at], key);
    degree_.emplace_back();
    degree_.back()["degree"] = parse_some(degree[at], "degree");
  }
}

void PhraseBook::add_problem(const ProblemTable& p) {
  const std::string where = "problems." + p.name;
  Problem problem{p.name, p.weight, {}, static_cast<int>(p.facts.size())};
  for (const auto& e : p.emotions) {
    const auto it = std::find_if(emotions_.begin(), emotions_.end(),
                                 [&](const Emotion& known) { return known.name == e; });
    if (it == emotions_.end()) fail_input(where + ".emotions: unknown emotion \"" + e + "\"");
    problem.emotions.push_back(static_cast<int>(it - emotions_.begin()));
  }
  if (problem.emotions.empty()) fail_input(where + ".emotions: the list is empty");
  problems_.push_back(problem);
  Resolved r;
  const std::pair<const char*, const std::vector<std::string>*> lists[] = {
      {"topic", &p.topic},
      {"my_topic", &p.my_topic},
      {"situation", &p.situation},
      {"hurt", &p.hurt},
      {"goal", &p.goal},
      {"question", &p.question},
      {"disclosure", &p.disclosure},
      {"cheer", &p.cheer},
      {"advice", &p.advice},
      {"information", &p.information}};
  for (const auto& [key, texts] : lists) r.lists[key] = parse_some(*texts, where + "." + key);
  if (p.facts.empty()) fail_input(where + ".facts: the list is empty");
  for (const auto& fact : p.facts) {
    if (fact.size() != 2) {
      fail_input(where + ".facts: each entry has two texts",
                 "write it as the seeker says it (\"my boss …\") and as the supporter does "
                 "(\"your boss …\")");
    }
    r.facts.emplace_back(Phrase::parse(fact[0], where), Phrase::parse(fact[1], where));
  }
  by_problem_.push_back(std::move(r));
}

void PhraseBook::add_supporters(const PhraseTables& t, const dialogue::StrategySet& strategies) {
  const std::vector<int> at = rows_by_strategy(t.supporter, strategies, "supporter");
  for (int a = 0; a < strategies.size(); ++a) {
    const std::string where = "supporter." + strategies[a].name;
    const int row_index = at[static_cast<std::size_t>(a)];
    if (row_index < 0) fail_input(where + ": the strategy has no phrases");
    const SupporterTable& row = t.supporter[static_cast<std::size_t>(row_index)].second;
    Supporter out;
    const std::vector<std::string>* extra[] = {&row.exploration, &row.comforting, &row.action};
    for (int g = 0; g < stage_count; ++g) {
      std::vector<std::string> texts = row.any;
      texts.insert(texts.end(), extra[g]->begin(), extra[g]->end());
      out.stage[g] = parse_some(texts, where + "." + name(static_cast<Stage>(g)));
    }
    out.opening = parse_all(row.opening, where + ".opening");
    out.first = parse_all(row.first, where + ".first");
    out.last = parse_all(row.last, where + ".last");
    supporters_.push_back(std::move(out));
  }
}

void PhraseBook::check_all_slots(const dialogue::StrategySet& strategies) const {
  for (std::size_t p = 0; p < problems_.size(); ++p) {
    for (int e : problems_[p].emotions) {
      const Scene scene{static_cast<int>(p), e, 3, 0};
      std::vector<std::string> open;
      auto check = [&](const PhraseList& list, const std::string& where) {
        for (const auto& phrase : list) check_slots(phrase, scene, where, open);
      };
      for (const auto& [key, list] : general_) check(list, key);
      for (const auto& [key, list] : by_problem_[p].lists) {
        check(list, problems_[p].name + "." + key);
      }
      for (std::size_t a = 0; a < supporters_.size(); ++a) {
        const std::string where = "supporter." + strategies[static_cast<int>(a)].name;
        for (const auto& list : supporters_[a].stage) check(list, where);
        for (const auto* list :
             {&supporters_[a].opening, &supporters_[a].first, &supporters_[a].last}) {
          check(*list, where);
        }
      }
    }
  }
}

const PhraseList* PhraseBook::find(std::string_view slot, const Scene& scene) const {
  for (const Lists* lists : {&by_problem_[static_cast<std::size_t>(scene.problem)].lists,
                             &by_emotion_[static_cast<std::size_t>(scene.emotion)],
                             &degree_[static_cast<std::size_t>(scene.intensity - 1)], &general_}) {
    if (const auto it = lists->find(slot); it != lists->end()) return &it->second;
  }
  return nullptr;
}

void PhraseBook::check_slots(const Phrase& phrase, const Scene& scene, const std::string& where,
                             std::vector<std::string>& open) const {
  phrase.each_slot([&](const std::string& slot) {
    const bool fact = slot == "fact" || slot == "your_fact";
    const PhraseList* list = fact ? nullptr : find(slot, scene);
    if (!fact && list == nullptr) {
      fail_input(where + ": nothing fills the slot {" + slot + "}",
                 "add it under lists:, or correct its name");
    }
    if (std::find(open.begin(), open.end(), slot) != open.end()) {
      fail_input(where + ": the slot {" + slot + "} contains itself");
    }
    open.push_back(slot);
    if (fact) {
      for (const auto& [mine, yours] : by_problem_[static_cast<std::size_t>(scene.problem)].facts) {
        check_slots(slot == "fact" ? mine : yours, scene, slot, open);
      }
    } else {
      for (const auto& inner : *list) check_slots(inner, scene, slot, open);
    }
    open.pop_back();
  });
}

std::string PhraseBook::fill(const std::string& slot, const Scene& scene, CounterRng& rng) const {
  const Phrase::Fill inner = [&](const std::string& s) { return fill(s, scene, rng); };
  if (slot == "fact" || slot == "your_fact") {
    const auto& fact = by_problem_[static_cast<std::size_t>(scene.problem)]
                           .facts[static_cast<std::size_t>(scene.fact)];
    return (slot == "fact" ? fact.first : fact.second).render(rng, inner);
  }
  const PhraseList& list = *find(slot, scene);
  return list[rng.below(list.size())].render(rng, inner);
}

std::string PhraseBook::render(const Phrase& phrase, const Scene& scene, CounterRng& rng) const {
  return tidy(phrase.render(rng, [&](const std::string& s) { return fill(s, scene, rng); }));
}

std::string PhraseBook::say(const std::string& list, const Scene& scene, CounterRng& rng) const {
  const PhraseList* phrases = find(list, scene);
  if (phrases == nullptr) throw std::logic_error("phrases: no list " + list);
  return render((*phrases)[rng.below(phrases->size())], scene, rng);
}

std::string PhraseBook::support(int strategy, Stage stage, Supporting place, const Scene& scene,
                                CounterRng& rng) const {
  const PhraseList& list = supporting(strategy, stage, place);
  return render(list[rng.below(list.size())], scene, rng);
}

const PhraseList& PhraseBook::supporting(int strategy, Stage stage, Supporting place) const {
  const Supporter& s = supporters_[static_cast<std::size_t>(strategy)];
  if (place == Supporting::opening && !s.opening.empty()) return s.opening;
  if (place == Supporting::first && !s.first.empty()) return s.first;
  if (place == Supporting::last && !s.last.empty()) return s.last;
  return s.stage[static_cast<int>(stage)];
}

std::string tidy(std::string_view text) {
  std::string out;
  bool start = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    if ((c == '.' || c == ',' || c == '?' || c == '!') && !out.empty() && out.back() == ' ') {
      out.pop_back();
    }
    if (std::isalpha(static_cast<unsigned char>(c)) && start) {
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      start = false;
    } else if (std::isdigit(static_cast<unsigned char>(c))) {
      start = false;
    }
    const bool ends_sentence =
        (c == '.' || c == '?' || c == '!') && (i + 1 == text.size() || text[i + 1] == ' ');
    if (ends_sentence) start = true;
    out += c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace straq::simulate
