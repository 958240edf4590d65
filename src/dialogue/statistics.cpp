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

Cell ratio(std::int64_t part, std::int64_t whole, int decimals) {
  if (whole == 0) return Cell::missing();
  return Cell::real(static_cast<double>(part) / static_cast<double>(whole), decimals);
}

std::string label_of(const SplitStatistics& s, bool one_corpus) {
  return one_corpus ? s.split : s.corpus + " " + s.split;
}

std::vector<std::string> corpora_of(const std::vector<SplitStatistics>& splits) {
  std::vector<std::string> names;
  for (const SplitStatistics& s : splits) {
    if (std::find(names.begin(), names.end(), s.corpus) == names.end()) names.push_back(s.corpus);
  }
  return names;
}

// How many dialogues name each value: a row per value, a column per split and one for all. Nameless
// values come last.
Table count_table(const std::vector<SplitStatistics>& splits, const std::string& what,
                  std::map<std::string, long> SplitStatistics::*counted) {
  std::map<std::string, std::vector<long>> counts;
  for (std::size_t s = 0; s < splits.size(); ++s) {
    for (const auto& [value, n] : splits[s].*counted) {
      auto& row = counts[value];
      row.resize(splits.size());
      row[s] = n;
    }
  }
  Table table;
  const bool one = corpora_of(splits).size() == 1;
  table.columns = {what};
  for (const SplitStatistics& s : splits) table.columns.push_back(label_of(s, one));
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

void SizeStatistics::add(const Dialogue& d) {
  ++dialogues;
  if (!d.emotion.empty()) emotions.insert(d.emotion);
  for (std::size_t i = 0; i < d.utterances.size(); ++i) {
    const Utterance& u = d.utterances[i];
    if (u.strategy >= 0) strategies.insert(u.strategy);
    if (u.speaker == Speaker::seeker) {
      ++seeker_utterances;
      seeker_words += word_count(u.text);
    } else if (i == 0) {
      ++opening_utterances;
    } else {
      ++supporter_utterances;
      supporter_words += word_count(u.text);
    }
  }
}

void SizeStatistics::add(const SizeStatistics& part) {
  dialogues += part.dialogues;
  seeker_utterances += part.seeker_utterances;
  supporter_utterances += part.supporter_utterances;
  seeker_words += part.seeker_words;
  supporter_words += part.supporter_words;
  opening_utterances += part.opening_utterances;
  emotions.insert(part.emotions.begin(), part.emotions.end());
  strategies.insert(part.strategies.begin(), part.strategies.end());
}

void DecisionStatistics::add(const Episode& e) {
  const auto n = static_cast<std::int64_t>(e.decisions.size());
  least = dialogues == 0 ? n : std::min(least, n);
  most = std::max(most, n);
  decisions += n;
  ++dialogues;
  for (const Decision& d : e.decisions) {
    if (d.gold >= 0) {
      const auto gold = static_cast<std::size_t>(d.gold);
      if (per_strategy.size() <= gold) per_strategy.resize(gold + 1);
      ++per_strategy[gold];
    }
    terminal += d.terminal;
    const auto& labels = e.turns[static_cast<std::size_t>(d.turn)].strategies;
    merged += labels.size() > 1;
    mixed += std::set<int>(labels.begin(), labels.end()).size() > 1;
  }
  if (e.turns.empty()) return;
  openers += e.turns.front().speaker == Speaker::supporter;
  supporter_ends += e.turns.back().speaker == Speaker::supporter;
}

void DecisionStatistics::add(const DecisionStatistics& part) {
  if (part.dialogues == 0) return;
  least = dialogues == 0 ? part.least : std::min(least, part.least);
  most = std::max(most, part.most);
  decisions += part.decisions;
  dialogues += part.dialogues;
  per_strategy.resize(std::max(per_strategy.size(), part.per_strategy.size()));
  for (std::size_t i = 0; i < part.per_strategy.size(); ++i) {
    per_strategy[i] += part.per_strategy[i];
  }
  terminal += part.terminal;
  merged += part.merged;
  mixed += part.mixed;
  openers += part.openers;
  supporter_ends += part.supporter_ends;
}

void SplitStatistics::add(const Dialogue& dialogue, const Episode& episode) {
  sizes.add(dialogue);
  decisions.add(episode);
  ++emotions[dialogue.emotion];
  ++problems[dialogue.problem];
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

Table emotion_table(const std::vector<SplitStatistics>& splits) {
  Table table = count_table(splits, "emotion", &SplitStatistics::emotions);
  table.id = "table8";
  table.title = "Table 8: dialogues by emotion";
  return table;
}

Table problem_table(const std::vector<SplitStatistics>& splits) {
  Table table = count_table(splits, "problem", &SplitStatistics::problems);
  table.id = "problems";
  table.title = "Dialogues by problem type";
  return table;
}

Table size_table(const std::vector<SplitStatistics>& splits) {
  Table table;
  table.id = "table10";
  table.title = "Table 10: sizes";
  table.columns = {"category"};
  std::vector<SizeStatistics> columns;
  std::int64_t left_out = 0;
  for (const std::string& corpus : corpora_of(splits)) {
    SizeStatistics& column = columns.emplace_back();
    for (const SplitStatistics& s : splits) {
      if (s.corpus == corpus) column.add(s.sizes);
    }
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
  row("seeker: emotions",
      [](const S& s) -> Cell { return static_cast<std::int64_t>(s.emotions.size()); });
  row("supporter: utterances", [](const S& s) -> Cell { return s.supporter_utterances; });
  row("supporter: utterances per session",
      [](const S& s) { return ratio(s.supporter_utterances, s.dialogues, 2); });
  row("supporter: words per utterance",
      [](const S& s) { return ratio(s.supporter_words, s.supporter_utterances, 2); });
  row("supporter: strategies", [](const S& s) {
    return s.strategies.empty() ? Cell::missing()
                                : Cell(static_cast<std::int64_t>(s.strategies.size()));
  });
  table.notes = {"Utterances as the files have them, without " + std::to_string(left_out) +
                 " of supporters that open a dialogue; words by Treebank rules."};
  return table;
}

Table decision_table(const std::vector<SplitStatistics>& splits, const StrategySet& strategies,
                     MergeLabel merge) {
  Table table;
  table.id = "decisions";
  table.title = std::string("Decisions (merge_label ") + config::word_of(kMergeLabels, merge) + ")";
  table.columns = {"strategy"};
  const bool one = corpora_of(splits).size() == 1;
  std::vector<DecisionStatistics> columns;
  DecisionStatistics all;
  for (const SplitStatistics& s : splits) {
    table.columns.push_back(label_of(s, one));
    columns.push_back(s.decisions);
    all.add(s.decisions);
  }
  table.columns.push_back("all");
  columns.push_back(std::move(all));
  for (auto& c : columns) c.per_strategy.resize(static_cast<std::size_t>(strategies.size()));

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

std::vector<Table> corpus_tables(const std::vector<SplitStatistics>& splits,
                                 const StrategySet& strategies, MergeLabel merge) {
  const auto named = [&](std::map<std::string, long> SplitStatistics::*counted) {
    return std::any_of(splits.begin(), splits.end(), [&](const SplitStatistics& s) {
      return (s.*counted).size() > (s.*counted).count("");
    });
  };
  std::vector<SplitStatistics> labelled;
  for (const SplitStatistics& s : splits) {
    if (s.decisions.decisions > 0) labelled.push_back(s);
  }
  std::vector<Table> out;
  if (!labelled.empty()) out.push_back(strategy_table(strategies));
  if (named(&SplitStatistics::emotions)) out.push_back(emotion_table(splits));
  if (named(&SplitStatistics::problems)) out.push_back(problem_table(splits));
  out.push_back(size_table(splits));
  if (!labelled.empty()) out.push_back(decision_table(labelled, strategies, merge));
  return out;
}

}  // namespace straq::dialogue
