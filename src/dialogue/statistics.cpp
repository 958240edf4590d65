#include "dialogue/statistics.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "config/choices.h"
#include "dialogue/data_config.h"
#include "dialogue/word_tokenizer.h"

namespace straq::dialogue {
namespace {

std::int64_t word_count(const std::string& text) {
  return static_cast<std::int64_t>(word_tokenize(text).size());
}

Cell ratio(std::int64_t part, std::int64_t whole, int decimals) {
  if (whole == 0) return Cell::missing();
  return Cell::real(static_cast<double>(part) / static_cast<double>(whole), decimals);
}

std::string label_of(const SplitView& s, bool one_corpus) {
  return one_corpus ? s.split : s.corpus + " " + s.split;
}

std::vector<std::string> corpora_of(const std::vector<SplitView>& splits) {
  std::vector<std::string> names;
  for (const SplitView& s : splits) {
    if (std::find(names.begin(), names.end(), s.corpus) == names.end()) names.push_back(s.corpus);
  }
  return names;
}

// How often each value of a dialogue's property occurs: a row per value, a column per split and one
// for all. Nameless values come last.
Table count_table(const std::vector<SplitView>& splits, const std::string& what,
                  const std::function<const std::string&(const Dialogue&)>& property) {
  std::map<std::string, std::vector<long>> counts;
  for (std::size_t s = 0; s < splits.size(); ++s) {
    for (const Dialogue& d : *splits[s].dialogues) {
      auto& row = counts[property(d)];
      row.resize(splits.size());
      ++row[s];
    }
  }
  Table table;
  const bool one = corpora_of(splits).size() == 1;
  table.columns = {what};
  for (const SplitView& s : splits) table.columns.push_back(label_of(s, one));
  table.columns.push_back("all");
  std::vector<long> sum(splits.size() + 1);
  const auto add = [&](const std::string& name, const std::vector<long>& row) {
    std::vector<Cell> cells = {name};
    long all = 0;
    for (std::size_t s = 0; s < row.size(); ++s) {
      cells.push_back(row[s]);
      sum[s] += row[s];
      all += row[s];
    }
    sum.back() += all;
    cells.push_back(all);
    table.add(std::move(cells));
  };
  for (const auto& [name, row] : counts) {
    if (!name.empty()) add(name, row);
  }
  if (const auto it = counts.find(""); it != counts.end()) add("(none)", it->second);
  std::vector<Cell> last = {"total"};
  for (long n : sum) last.push_back(n);
  table.add(std::move(last));
  return table;
}

}  // namespace

SizeStatistics size_statistics(const std::vector<const std::vector<Dialogue>*>& parts) {
  SizeStatistics out;
  std::set<std::string> emotions;
  std::set<int> strategies;
  for (const auto* part : parts) {
    for (const Dialogue& d : *part) {
      ++out.dialogues;
      if (!d.emotion.empty()) emotions.insert(d.emotion);
      for (std::size_t i = 0; i < d.utterances.size(); ++i) {
        const Utterance& u = d.utterances[i];
        if (u.strategy >= 0) strategies.insert(u.strategy);
        if (u.speaker == Speaker::seeker) {
          ++out.seeker_utterances;
          out.seeker_words += word_count(u.text);
        } else if (i == 0) {
          ++out.opening_utterances;
        } else {
          ++out.supporter_utterances;
          out.supporter_words += word_count(u.text);
        }
      }
    }
  }
  out.emotions = static_cast<std::int64_t>(emotions.size());
  out.strategies = static_cast<std::int64_t>(strategies.size());
  return out;
}

DecisionStatistics decision_statistics(const std::vector<const std::vector<Episode>*>& parts,
                                       int strategies) {
  DecisionStatistics out;
  out.per_strategy.resize(static_cast<std::size_t>(strategies));
  for (const auto* part : parts) {
    for (const Episode& e : *part) {
      const auto n = static_cast<std::int64_t>(e.decisions.size());
      out.least = out.dialogues == 0 ? n : std::min(out.least, n);
      out.most = std::max(out.most, n);
      out.decisions += n;
      ++out.dialogues;
      for (const Decision& d : e.decisions) {
        if (d.gold >= 0) ++out.per_strategy.at(static_cast<std::size_t>(d.gold));
        out.terminal += d.terminal;
        const auto& labels = e.turns[static_cast<std::size_t>(d.turn)].strategies;
        out.merged += labels.size() > 1;
        out.mixed += std::set<int>(labels.begin(), labels.end()).size() > 1;
      }
      if (e.turns.empty()) continue;
      out.openers += e.turns.front().speaker == Speaker::supporter;
      out.supporter_ends += e.turns.back().speaker == Speaker::supporter;
    }
  }
  return out;
}

Table strategy_table(const StrategySet& strategies) {
  Table table;
  table.id = "table7";
  table.title = "Table 7: strategies, abbreviations and definitions";
  table.columns = {"option", "strategy", "abbreviation", "definition"};
  for (int i = 0; i < strategies.size(); ++i) {
    const Strategy& s = strategies[i];
    table.add({i + 1, s.name, s.abbreviation, s.definition});
  }
  return table;
}

Table emotion_table(const std::vector<SplitView>& splits) {
  Table table = count_table(splits, "emotion",
                            [](const Dialogue& d) -> const std::string& { return d.emotion; });
  table.id = "table8";
  table.title = "Table 8: dialogues by emotion";
  return table;
}

Table problem_table(const std::vector<SplitView>& splits) {
  Table table = count_table(splits, "problem",
                            [](const Dialogue& d) -> const std::string& { return d.problem; });
  table.id = "problems";
  table.title = "Dialogues by problem type";
  return table;
}

Table size_table(const std::vector<SplitView>& splits) {
  Table table;
  table.id = "table10";
  table.title = "Table 10: sizes";
  table.columns = {"category"};
  std::vector<SizeStatistics> columns;
  std::int64_t left_out = 0;
  for (const std::string& corpus : corpora_of(splits)) {
    std::vector<const std::vector<Dialogue>*> parts;
    for (const SplitView& s : splits) {
      if (s.corpus == corpus) parts.push_back(s.dialogues);
    }
    columns.push_back(size_statistics(parts));
    left_out += columns.back().opening_utterances;
    table.columns.push_back(corpus);
  }
  const auto row = [&](const char* name, const std::function<Cell(const SizeStatistics&)>& cell) {
    std::vector<Cell> cells = {name};
    for (const SizeStatistics& c : columns) cells.push_back(cell(c));
    table.add(std::move(cells));
  };
  using S = SizeStatistics;
  row("sessions", [](const S& s) -> Cell { return s.dialogues; });
  row("utterances", [](const S& s) -> Cell { return s.utterances(); });
  row("utterances per session", [](const S& s) { return ratio(s.utterances(), s.dialogues, 2); });
  row("words per utterance", [](const S& s) { return ratio(s.words(), s.utterances(), 2); });
  row("seeker: utterances", [](const S& s) -> Cell { return s.seeker_utterances; });
  row("seeker: utterances per session",
      [](const S& s) { return ratio(s.seeker_utterances, s.dialogues, 2); });
  row("seeker: words per utterance",
      [](const S& s) { return ratio(s.seeker_words, s.seeker_utterances, 2); });
  row("seeker: emotions", [](const S& s) -> Cell { return s.emotions; });
  row("supporter: utterances", [](const S& s) -> Cell { return s.supporter_utterances; });
  row("supporter: utterances per session",
      [](const S& s) { return ratio(s.supporter_utterances, s.dialogues, 2); });
  row("supporter: words per utterance",
      [](const S& s) { return ratio(s.supporter_words, s.supporter_utterances, 2); });
  row("supporter: strategies",
      [](const S& s) { return s.strategies > 0 ? Cell(s.strategies) : Cell::missing(); });
  table.notes = {"Utterances as the files have them, without " + std::to_string(left_out) +
                 " of supporters that open a dialogue; words by Treebank rules."};
  return table;
}

Table decision_table(const std::vector<SplitView>& splits, const StrategySet& strategies,
                     MergeLabel merge) {
  Table table;
  table.id = "decisions";
  table.title = std::string("Decisions (merge_label ") + config::word_of(kMergeLabels, merge) + ")";
  table.columns = {"strategy"};
  const bool one = corpora_of(splits).size() == 1;
  std::vector<DecisionStatistics> columns;
  std::vector<const std::vector<Episode>*> all;
  for (const SplitView& s : splits) {
    table.columns.push_back(label_of(s, one));
    columns.push_back(decision_statistics({s.episodes}, strategies.size()));
    all.push_back(s.episodes);
  }
  table.columns.push_back("all");
  columns.push_back(decision_statistics(all, strategies.size()));

  const auto row = [&](const std::string& name,
                       const std::function<Cell(const DecisionStatistics&)>& cell) {
    std::vector<Cell> cells = {name};
    for (const DecisionStatistics& c : columns) cells.push_back(cell(c));
    table.add(std::move(cells));
  };
  using D = DecisionStatistics;
  for (int i = 0; i < strategies.size(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    row(strategies[i].name, [k](const D& d) -> Cell { return d.per_strategy[k]; });
  }
  row("decisions", [](const D& d) -> Cell { return d.decisions; });
  row("dialogues", [](const D& d) -> Cell { return d.dialogues; });
  row("decisions per dialogue", [](const D& d) { return ratio(d.decisions, d.dialogues, 2); });
  row("fewest in a dialogue", [](const D& d) -> Cell { return d.least; });
  row("most in a dialogue", [](const D& d) -> Cell { return d.most; });
  row("terminal", [](const D& d) -> Cell { return d.terminal; });
  row("with a next state", [](const D& d) -> Cell { return d.decisions - d.terminal; });
  row("opened by the supporter", [](const D& d) -> Cell { return d.openers; });
  row("ended by the supporter", [](const D& d) -> Cell { return d.supporter_ends; });
  row("of several utterances", [](const D& d) -> Cell { return d.merged; });
  row("of several strategies", [](const D& d) -> Cell { return d.mixed; });
  return table;
}

std::vector<Table> corpus_tables(const std::vector<SplitView>& splits,
                                 const StrategySet& strategies, MergeLabel merge) {
  const auto any = [&](const std::function<bool(const Dialogue&)>& holds) {
    return std::any_of(splits.begin(), splits.end(), [&](const SplitView& s) {
      return std::any_of(s.dialogues->begin(), s.dialogues->end(), holds);
    });
  };
  std::vector<SplitView> labelled;
  for (const SplitView& s : splits) {
    if (std::any_of(s.episodes->begin(), s.episodes->end(),
                    [](const Episode& e) { return !e.decisions.empty(); })) {
      labelled.push_back(s);
    }
  }
  std::vector<Table> out;
  if (!labelled.empty()) out.push_back(strategy_table(strategies));
  const bool emotions = any([](const Dialogue& d) { return !d.emotion.empty(); });
  const bool problems = any([](const Dialogue& d) { return !d.problem.empty(); });
  if (emotions) out.push_back(emotion_table(splits));
  if (problems) out.push_back(problem_table(splits));
  out.push_back(size_table(splits));
  if (!labelled.empty()) out.push_back(decision_table(labelled, strategies, merge));
  return out;
}

}  // namespace straq::dialogue
