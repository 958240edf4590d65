#include "report/tables/case_study.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "report/name_lists.h"
#include "report/rows/method_rows.h"
#include "report/rows/reply_scores.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/paper_rows.h"

namespace straq::report {
namespace {

struct Voice {
  std::string key, title;
  const results::Run* run = nullptr;
  const results::ReplyFile* file = nullptr;    // null for the corpus's own replies without a file
  const results::JudgeFile* judged = nullptr;  // of the same name in the same run
};

// One file a method and responder, so that a voice is one planner's: the first that was judged,
// else the first. Files of other splits go to `left_out`.
std::vector<Voice> voices_of(const results::Results& results, const results::JudgeFile*& human,
                             std::vector<std::string>& left_out) {
  std::vector<Voice> out;
  const auto usable = [&](const results::Run& run, const char* kind, const auto& file) {
    if (corpus_of(file.info.corpus) == "empathetic" || file.rows.empty()) return false;
    if (of_test_split(file.info)) return true;
    left_out.push_back(named_with_split(run, kind, file));
    return false;
  };
  for (const results::Run* run : results.runs()) {
    std::vector<const results::JudgeFile*> judged;
    for (const auto& j : run->judged) {
      if (!usable(*run, "judge", j)) continue;
      judged.push_back(&j);
      if (j.info.method == "human" && human == nullptr) human = &j;
    }
    for (const auto& f : run->replies) {
      if (f.info.method == "human" || !usable(*run, "responses", f)) continue;
      Voice v;
      v.key = f.info.responder + "/" + f.info.method;
      const auto same =
          std::find_if(out.begin(), out.end(), [&](const Voice& o) { return o.key == v.key; });
      if (same != out.end() && same->judged != nullptr) continue;
      v.title = method_title(f.info.method);
      if (!f.info.responder.empty()) v.title += " (" + responder_title(f.info.responder) + ")";
      v.run = run;
      v.file = &f;
      for (const results::JudgeFile* j : judged) {
        if (j->name == f.name) v.judged = j;
      }
      if (same == out.end()) {
        out.push_back(std::move(v));
      } else if (v.judged != nullptr) {
        *same = std::move(v);
      }
    }
  }
  return out;
}

std::map<std::string, double> rewards_of(const results::JudgeFile* file) {
  std::map<std::string, double> out;
  if (file == nullptr) return out;
  for (const auto& j : file->rows) {
    if (j.overall) out[j.id] = *j.overall;
  }
  return out;
}

struct Coverage {
  std::size_t replies = 0, rewards = 0;
  std::set<std::string> decisions;
};

// By dialogue; `rewards` are the voices'.
std::map<std::string, Coverage> coverage_of(
    const std::vector<Voice>& voices, const std::vector<std::map<std::string, double>>& rewards) {
  std::map<std::string, Coverage> out;
  for (std::size_t v = 0; v < voices.size(); ++v) {
    for (const auto& r : voices[v].file->rows) {
      Coverage& c = out[r.dialogue];
      ++c.replies;
      c.rewards += rewards[v].count(r.id);
      c.decisions.insert(r.id);
    }
  }
  return out;
}

std::string best_covered(const std::map<std::string, Coverage>& coverage) {
  // Per decision, so that long dialogues are not preferred.
  const auto merit = [](const Coverage& c) {
    const auto n = static_cast<double>(c.decisions.size());
    return std::make_tuple(c.decisions.size() > 1, c.replies / n, c.rewards / n, -n);
  };
  auto best = coverage.begin();
  for (auto it = coverage.begin(); it != coverage.end(); ++it) {
    if (merit(it->second) > merit(best->second)) best = it;
  }
  return best->first;
}

// The dialogue's decisions in the order of the first voice that has them, each with the corpus's
// own reply. Returns where each decision is.
std::map<std::string, std::size_t> add_turns(CaseStudy& study, const std::vector<Voice>& voices,
                                             const std::map<std::string, double>& human_rewards) {
  std::map<std::string, std::size_t> at;
  for (const auto& v : voices) {
    for (const auto& r : v.file->rows) {
      if (r.dialogue != study.dialogue || at.count(r.id) > 0) continue;
      at[r.id] = study.turns.size();
      CaseTurn turn;
      turn.id = r.id;
      turn.query = r.query;
      CaseReply own;
      own.method = method_title("human");
      own.human = true;
      own.strategy = r.strategy;
      own.text = r.reference;
      const auto reward = human_rewards.find(r.id);
      if (reward != human_rewards.end()) own.reward = reward->second;
      turn.replies.push_back(std::move(own));
      study.turns.push_back(std::move(turn));
    }
  }
  return at;
}

void add_replies(CaseStudy& study, const Voice& voice, const std::map<std::string, double>& rewards,
                 const std::map<std::string, std::size_t>& at) {
  bool spoke = false;
  for (const auto& r : voice.file->rows) {
    if (r.dialogue != study.dialogue) continue;
    CaseReply reply;
    reply.method = voice.title;
    reply.strategy = r.chosen.value_or("");
    reply.text = r.hypothesis;
    const auto it = rewards.find(r.id);
    if (it != rewards.end()) reply.reward = it->second;
    study.turns[at.at(r.id)].replies.push_back(std::move(reply));
    spoke = true;
  }
  if (spoke) study.sources.push_back(voice.title + ": " + voice.run->name());
}

// Backwards: a hole in the rewards ends the sum for everything before it.
void add_values(CaseStudy& study) {
  std::map<std::string, std::optional<double>> next;
  for (auto turn = study.turns.rbegin(); turn != study.turns.rend(); ++turn) {
    std::set<std::string> here;
    for (auto& reply : turn->replies) {
      here.insert(reply.method);
      const auto after = next.count(reply.method) ? next[reply.method] : std::optional(0.0);
      if (reply.reward && after) reply.value = *reply.reward + study.gamma * *after;
      next[reply.method] = reply.value;
    }
    for (auto& [method, value] : next) {
      if (here.count(method) == 0) value.reset();
    }
  }
}

}  // namespace

CaseStudy case_study(const results::Results& results, const std::string& wanted) {
  const results::JudgeFile* human = nullptr;
  CaseStudy study;
  const auto voices = voices_of(results, human, study.left_out);
  std::vector<std::map<std::string, double>> rewards;
  for (const auto& v : voices) rewards.push_back(rewards_of(v.judged));
  const auto coverage = coverage_of(voices, rewards);
  study.dialogue = wanted;
  if (!wanted.empty() && coverage.count(wanted) == 0) {
    fail_input(
        "there is no reply to the dialogue \"" + wanted + "\" of the test split in " + results.name,
        coverage.empty() ? "the results folder has no replies to the test split at all"
                         : "one that has replies is " + coverage.begin()->first);
  }
  if (coverage.empty()) return study;
  if (wanted.empty()) study.dialogue = best_covered(coverage);
  for (const auto& v : voices) {
    if (const auto g = v.run->parameter("learn.gamma")) {
      study.gamma = std::strtod(g->c_str(), nullptr);
      break;
    }
  }
  const auto at = add_turns(study, voices, rewards_of(human));
  for (std::size_t v = 0; v < voices.size(); ++v) add_replies(study, voices[v], rewards[v], at);
  add_values(study);
  return study;
}

Table case_table(const CaseStudy& study, const PaperReference& paper) {
  const ReferenceTable& reference = paper.table("table6");
  Table t;
  t.id = "table6";
  t.title = kTable6Title;
  t.columns = {"Decision", "Who", "Strategy", "Text", "Reward", "Value"};
  for (const auto& turn : study.turns) {
    if (!turn.query.empty())
      t.add({turn.id, "seeker", "–", turn.query, Cell::missing(), Cell::missing()});
    for (const auto& r : turn.replies) {
      t.add({turn.id, r.method, r.strategy.empty() ? "–" : r.strategy, r.text,
             r.reward ? Cell::real(*r.reward, 0) : Cell::missing(),
             r.value ? Cell::real(*r.value, 2) : Cell::missing()});
    }
  }
  if (!study.empty()) {
    t.notes.push_back("Dialogue " + study.dialogue + ". " + joined(study.sources) + ".");
    t.notes.push_back("Value: reward-to-go at a discount of " + Cell::real(study.gamma, 3).text +
                      ", nothing after the last decision.");
  }
  if (!study.left_out.empty()) {
    t.notes.push_back(
        "Left out, because they are not of the test split alone: " + listed(study.left_out) + ".");
  }
  if (study.empty()) return t;
  if (!reference.rows.empty()) {
    std::string cells;
    for (const auto& row : reference.rows) {
      cells += (cells.empty() ? "" : "; ") + row.key + " " + row.values[0] + ", reward " +
               row.values[1] + ", value " + row.values[2];
    }
    t.notes.push_back("The paper's case (decision/who): " + cells + ".");
  }
  add_reference_notes(t, reference, paper.paper);
  return t;
}

}  // namespace straq::report
