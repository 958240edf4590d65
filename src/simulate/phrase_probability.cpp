// How likely a text is under a template: the templates are a grammar without recursion, so the sum
// over all ways of saying a text goes forward through it once, place by place.
#include <cctype>
#include <stdexcept>

#include "simulate/phrases.h"

namespace straq::simulate {
namespace {

void add_end(Phrase::Ends& ends, std::size_t at, double p) {
  for (auto& [place, sum] : ends) {
    if (place == at) {
      sum += p;
      return;
    }
  }
  ends.emplace_back(at, p);
}

}  // namespace

std::string bare_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ') out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

Phrase::Ends Phrase::match(std::string_view bare, const Ends& from, const FillEnds& fill) const {
  Ends at = from;
  for (const auto& part : parts_) {
    Ends next;
    if (part.slot) {
      for (const auto& [place, p] : at) {
        for (const auto& [end, q] : fill(part.text, place)) add_end(next, end, p * q);
      }
    } else if (part.choices.empty()) {
      for (const auto& [place, p] : at) {
        if (bare.substr(place).starts_with(part.bare)) add_end(next, place + part.bare.size(), p);
      }
    } else {
      const double share = 1.0 / static_cast<double>(part.choices.size());
      for (const auto& choice : part.choices) {
        for (const auto& [end, p] : choice.match(bare, at, fill)) add_end(next, end, p * share);
      }
    }
    at = std::move(next);
    if (at.empty()) break;
  }
  return at;
}

Phrase::Ends PhraseBook::fill_ends(const std::string& slot, const Scene& scene,
                                   std::string_view bare, std::size_t from) const {
  const Phrase::FillEnds inner = [&](const std::string& s, std::size_t place) {
    return fill_ends(s, scene, bare, place);
  };
  Phrase::Ends out;
  const auto add = [&](const Phrase& phrase, double share) {
    for (const auto& [end, p] : phrase.match(bare, {{from, share}}, inner)) add_end(out, end, p);
  };
  if (slot == "fact" || slot == "your_fact") {
    const auto& facts = by_problem_[static_cast<std::size_t>(scene.problem)].facts;
    const double share = scene.fact < 0 ? 1.0 / static_cast<double>(facts.size()) : 1.0;
    for (std::size_t i = 0; i < facts.size(); ++i) {
      if (scene.fact >= 0 && scene.fact != static_cast<int>(i)) continue;
      add(slot == "fact" ? facts[i].first : facts[i].second, share);
    }
    return out;
  }
  const PhraseList& list = *find(slot, scene);
  for (const auto& phrase : list) add(phrase, 1.0 / static_cast<double>(list.size()));
  return out;
}

double PhraseBook::chance_of(const PhraseList& list, const Scene& scene,
                             std::string_view bare) const {
  const Phrase::FillEnds fill = [&](const std::string& slot, std::size_t place) {
    return fill_ends(slot, scene, bare, place);
  };
  double sum = 0;
  for (const auto& phrase : list) {
    for (const auto& [end, p] : phrase.match(bare, {{0, 1.0}}, fill)) {
      if (end == bare.size()) sum += p;
    }
  }
  return sum / static_cast<double>(list.size());
}

double PhraseBook::probability(const std::string& list, const Scene& scene,
                               std::string_view bare) const {
  const PhraseList* phrases = find(list, scene);
  if (phrases == nullptr) throw std::logic_error("phrases: no list " + list);
  return chance_of(*phrases, scene, bare);
}

bool PhraseBook::tells_degree(const std::string& list, const Scene& scene) const {
  bool found = false;
  const std::function<void(const std::string&)> visit = [&](const std::string& slot) {
    if (slot == "degree") found = true;
    if (found || slot == "fact" || slot == "your_fact") return;
    for (const auto& phrase : *find(slot, scene)) phrase.each_slot(visit);
  };
  visit(list);
  for (const auto& [mine, yours] : by_problem_[static_cast<std::size_t>(scene.problem)].facts) {
    mine.each_slot(visit);
    yours.each_slot(visit);
  }
  return found;
}

double PhraseBook::support_probability(int strategy, Stage stage, Supporting place,
                                       const Scene& scene, std::string_view bare) const {
  return chance_of(supporting(strategy, stage, place), scene, bare);
}

}  // namespace straq::simulate
