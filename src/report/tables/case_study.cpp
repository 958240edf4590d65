#include "report/tables/case_study.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/error.h"
#include "report/rows/methods.h"
#include "report/rows/reply_scores.h"
#include "report/tables/cells.h"
#include "report/tables/paper_tables.h"
#include "report/tables/words.h"

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

}  // namespace

CaseStudy case_study(const results::Results& results, const std::string& wanted) {
  const results::JudgeFile* human = nullptr;
  CaseStudy study;
  const auto voices = voices_of(results, human, study.left_out);
  std::map<std::string, Coverage> coverage;
  std::vector<std::map<std::string, double>> rewards;
  for (const auto& v : voices) {
    rewards.push_back(rewards_of(v.judged));
    for (const auto& r : v.file->rows) {
      Coverage& c = coverage[r.dialogue];
      ++c.replies;
      c.rewards += rewards.back().count(r.id);
      c.decisions.insert(r.id);
    }
  }
  study.dialogue = wanted;
  if (!wanted.empty() && coverage.count(wanted) == 0) {
    fail_input(
        "there is no reply to the dialogue \"" + wanted + "\" of the test split in " + results.name,
        coverage.empty() ? "the results folder has no replies to the test split at all"
                         : "one that has replies is " + coverage.begin()->first);
  }
  if (coverage.empty()) return study;
  if (wanted.empty()) {
    // Per decision, so that long dialogues are not preferred.
    const auto merit = [](const Coverage& c) {
      const auto n = static_cast<double>(c.decisions.size());
      return std::make_tuple(c.decisions.size() > 1, c.replies / n, c.rewards / n, -n);
    };
    auto best = coverage.begin();
    for (auto it = coverage.begin(); it != coverage.end(); ++it) {
      if (merit(it->second) > merit(best->second)) best = it;
    }
    study.dialogue = best->first;
  }
  for (const auto& v : voices) {
    if (const auto g = v.run->parameter("learn.gamma")) {
      study.gamma = std::strtod(g->c_str(), nullptr);
      break;
    }
  }
  // Decisions in the order of the first voice that has them.
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
      turn.replies.push_back(std::move(own));
      study.turns.push_back(std::move(turn));
    }
  }
  const auto human_rewards = rewards_of(human);
  for (auto& turn : study.turns) {
    const auto it = human_rewards.find(turn.id);
    if (it != human_rewards.end()) turn.replies[0].reward = it->second;
  }
  for (std::size_t v = 0; v < voices.size(); ++v) {
    bool spoke = false;
    for (const auto& r : voices[v].file->rows) {
      if (r.dialogue != study.dialogue) continue;
      CaseReply reply;
      reply.method = voices[v].title;
      reply.strategy = r.chosen.value_or("");
      reply.text = r.hypothesis;
      const auto it = rewards[v].find(r.id);
      if (it != rewards[v].end()) reply.reward = it->second;
      study.turns[at[r.id]].replies.push_back(std::move(reply));
      spoke = true;
    }
    if (spoke) study.sources.push_back(voices[v].title + ": " + voices[v].run->name());
  }
  // Backwards: a hole in the rewards ends the sum for everything before it.
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
  return study;
}

Table case_table(const CaseStudy& study, const PaperReference& paper) {
  const ReferenceTable& reference = paper.table("table6");
  Table t;
  t.id = "table6";
  t.title = "Table 6: case study";
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
  if (study.empty()) {
    t.notes.push_back(
        "Missing in the results folder: replies to the test split (responses/<method>.jsonl); "
        "without them there is no case to show.");
  } else {
    t.notes.push_back("Dialogue " + study.dialogue + ". " + joined(study.sources) + ".");
    t.notes.push_back("Value: reward-to-go at a discount of " + Cell::real(study.gamma, 3).text +
                      ", nothing after the last decision.");
  }
  if (!study.left_out.empty()) {
    t.notes.push_back(
        "Left out, because they are not of the test split alone: " + listed(study.left_out) + ".");
  }
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
