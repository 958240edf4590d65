#include "learn/rewards/reward_config.h"

#include <algorithm>

#include "core/error.h"
#include "learn/rewards/registry.h"

namespace straq::learn {
namespace {

config::Value dumped(const Reward& reward, void (Reward::*keys)(config::Fields&)) {
  config::Fields f = config::Fields::dumper();
  (*reward.clone().*keys)(f);
  return f.dumped();
}

// An outcome in words, the datasets that hold it, whether a comb's shard kept it and whether there
// is one at all.
struct OutcomeWords {
  const char* what;
  const char* datasets;
  bool (*kept)(const prompt::Comb&);
  bool (*given)(const prompt::Comb&);
};

template <class F>
bool any_decision(const prompt::Comb& comb, F&& f) {
  return std::any_of(comb.decisions.begin(), comb.decisions.end(), f);
}

OutcomeWords words_of(Outcome outcome) {
  using prompt::Comb;
  using prompt::CombDecision;
  switch (outcome) {
    case Outcome::rating:
      return {"the seeker's ratings", "decision/rating",
              [](const Comb& c) {
                return !any_decision(
                    c, [](const CombDecision& d) { return d.rating == prompt::kNotCarried; });
              },
              [](const Comb& c) {
                return any_decision(c, [](const CombDecision& d) { return d.rating > 0; });
              }};
    case Outcome::judge:
      return {"a judge's scores", "decision/judge", [](const Comb&) { return true; },
              [](const Comb& c) {
                return any_decision(c, [](const CombDecision& d) { return d.judge.has_value(); });
              }};
    case Outcome::reward:
      return {"recorded rewards", "decision/reward", [](const Comb&) { return true; },
              [](const Comb& c) {
                return any_decision(c, [](const CombDecision& d) { return d.reward.has_value(); });
              }};
    case Outcome::intensity:
      break;
  }
  return {"the seeker's intensities", "dialogue/initial_intensity and dialogue/final_intensity",
          [](const Comb& c) {
            return c.initial_intensity != prompt::kNotCarried &&
                   c.final_intensity != prompt::kNotCarried;
          },
          [](const Comb& c) { return c.initial_intensity > 0 && c.final_intensity > 0; }};
}

}  // namespace

RewardConfig::RewardConfig() {
  for (const auto& r : registered_rewards()) rewards_.push_back(r->clone());
  kind_ = rewards_.front()->facts().kind;
}

RewardConfig::RewardConfig(const RewardConfig& other) : kind_(other.kind_), map_(other.map_) {
  for (const auto& r : other.rewards_) rewards_.push_back(r->clone());
}

RewardConfig& RewardConfig::operator=(const RewardConfig& other) {
  return *this = RewardConfig(other);
}

const Reward& RewardConfig::chosen() const {
  for (const auto& r : rewards_) {
    if (r->facts().kind == kind_) return *r;
  }
  throw std::logic_error("no reward of the name " + kind_);
}

void RewardConfig::choose(const std::string& kind) {
  config::Value section = config::Value::make_map();
  section.set("kind", config::Value::make_scalar(kind));
  config::Fields f = config::Fields::reader(section, "learn.reward.");
  f.word("kind", kind_, reward_names());
}

void RewardConfig::fields(config::Fields& f) {
  f.word("kind", kind_, reward_names());
  for (const auto& r : rewards_) {
    if (f.reading() || r.get() == &chosen()) r->fields(f);
  }
  f.choice("map", map_,
           {{"raw", RewardMap::raw},
            {"r/5", RewardMap::fifth},
            {"(r-3)/2", RewardMap::centred},
            {"zscore", RewardMap::zscore}});
  if (!f.reading()) return;
  for (const auto& r : rewards_) {
    if (ScoreMap* scores = r->scores()) scores->kind = map_;
  }
}

void RewardConfig::sections(config::Fields& f) {
  for (const auto& r : rewards_) {
    if (f.reading() || r.get() == &chosen()) r->sections(f);
  }
}

std::vector<std::string> rewards_with(const std::string& key) {
  const std::size_t dot = key.find('.');
  const std::string section = key.substr(0, dot);
  const std::string rest = dot == std::string::npos ? "" : key.substr(dot + 1);
  std::vector<std::string> out;
  for (const auto& r : registered_rewards()) {
    config::Value own;
    if (section == "reward") {
      own = dumped(*r, &Reward::fields);
    } else {
      const config::Value sections = dumped(*r, &Reward::sections);
      if (const config::Value* found = sections.find(section)) own = *found;
    }
    if (own.kind == config::Value::Kind::map && own.find(rest.substr(0, rest.find('.')))) {
      out.push_back(r->facts().kind);
    }
  }
  return out;
}

std::vector<std::string> reward_sections() {
  std::vector<std::string> out;
  for (const auto& r : registered_rewards()) {
    const config::Value sections = dumped(*r, &Reward::sections);
    for (const auto& [name, value] : sections.map) {
      if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
    }
  }
  return out;
}

void require_outcomes(const Reward& reward, const prompt::EachComb& combs,
                      const std::string& split) {
  const std::string who = "learn.reward.kind: the reward " + reward.facts().kind + " needs ";
  for (const Outcome outcome : reward.needs()) {
    const OutcomeWords words = words_of(outcome);
    bool given = false;
    combs([&](const prompt::Comb& comb) {
      if (!words.kept(comb)) {
        fail_input(who + words.what + ", which the shards of " + split + " do not hold (" +
                       words.datasets + "; the first that lacks it is of dialogue " + comb.id + ")",
                   "they are of an older version: remove the data set's folder under "
                   "shards.folder and run straq preprocess again");
      }
      given = given || words.given(comb);
    });
    if (!given) {
      fail_input(
          who + words.what + ", and no dialogue of " + split + " has any (" + words.datasets + ")",
          "train with a corpus that has them, or choose another reward");
    }
  }
}

}  // namespace straq::learn
