#include "report/contents.h"

#include <algorithm>
#include <set>

#include "report/tables/findings.h"
#include "report/tables/tables.h"
#include "results/results_files.h"
#include "results/run_folder.h"

namespace straq::report {
namespace {

using M = TableMaterial;
using Tables = std::vector<Table>;
using Rows = std::vector<metrics::Prediction>;
using results::Run;

// The first need that the folder lacks.
std::optional<Need> lacking(const results::Results& results, const std::vector<Need>& needs) {
  for (const Need need : needs) {
    if (!has(results, need)) return need;
  }
  return std::nullopt;
}

std::vector<Figure> size_figures(const FigureMaterial& m) {
  auto out = sensitivity_figures(m.results, "model.shape", m.scored);
  for (auto& f : sensitivity_figures(m.results, "model.from", m.scored)) {
    out.push_back(std::move(f));
  }
  return out;
}

// A parameter that the user asks for and the entries below do not draw anyway.
std::vector<Figure> asked_figures(const FigureMaterial& m) {
  for (const char* drawn : {"learn.gamma", "model.shape", "model.from"}) {
    if (m.sensitivity == drawn) return {};
  }
  return sensitivity_figures(m.results, m.sensitivity, m.scored);
}

const std::vector<TableEntry> kTables = {
    {"overview",
     nullptr,
     Section::folder,
     {},
     [](const M& m) -> Tables { return {overview_table(m.results)}; }},
    {"results_test",
     "Strategy choice by split",
     Section::folder,
     {Need::evaluations},
     [](const M& m) { return results_tables(m.results); }},
    {"seeds",
     "Spread over training seeds",
     Section::folder,
     {Need::evaluations, Need::seeds},
     [](const M& m) -> Tables { return {seeds_table(m.results)}; }},
    {"strategies",
     "Per strategy",
     Section::folder,
     {Need::evaluations},
     [](const M& m) -> Tables { return {strategies_table(m.results.runs())}; }},
    {"value",
     "Values",
     Section::folder,
     {Need::evaluations, Need::q_values},
     [](const M& m) -> Tables { return {value_table(m.results)}; }},
    {"ranking",
     "Order of the strategies",
     Section::folder,
     {Need::evaluations, Need::rankings},
     [](const M& m) -> Tables { return {ranking_table(m.results)}; }},
    {"foresight",
     "What foresees the seekers' ratings",
     Section::folder,
     {Need::evaluations, Need::seekers_ratings},
     [](const M& m) -> Tables { return {foresight_table(m.results)}; }},
    {"planning",
     "Does it plan?",
     Section::folder,
     {Need::played},
     [](const M& m) { return planning_tables(m.results); }},
    {"training",
     "Training",
     Section::folder,
     {Need::losses},
     [](const M& m) -> Tables { return {training_table(m.results)}; }},
    {"judges",
     "The judge: its scores, and people's",
     Section::folder,
     {Need::judgements},
     [](const M& m) { return judge_tables(m.results); }},

    {"table1",
     kTable1Title,
     Section::paper,
     {Need::methods},
     [](const M& m) { return table1(m.methods, m.paper, m.options); }},
    {"table1_elsewhere",
     nullptr,
     Section::paper,
     {},
     [](const M& m) { return table1_elsewhere(m.methods, m.paper, m.options); }},
    {"table2",
     kTable2Title,
     Section::paper,
     {Need::zero_shot_replies},
     [](const M& m) { return table2(m.methods, m.paper, m.options); }},
    {"table3",
     kTable3Title,
     Section::paper,
     {Need::ratings},
     [](const M& m) { return human_tables(m.results, m.paper); }},
    {"table4",
     kTable4Title,
     Section::paper,
     {Need::rewards},
     [](const M& m) -> Tables { return {table4(m.methods, m.paper)}; }},
    {"table5",
     kTable5Title,
     Section::paper,
     {Need::methods, Need::ablations},
     [](const M& m) -> Tables { return {table5(m.methods, m.paper)}; }},
    {"table6",
     kTable6Title,
     Section::paper,
     {Need::replies},
     [](const M& m) -> Tables { return {case_table(m.study, m.paper)}; }},
    {"table7",
     kTable7Title,
     Section::paper,
     {Need::strategies_listed},
     [](const M& m) -> Tables { return {table7(m.results, m.paper)}; }},
    {"table8",
     kTable8Title,
     Section::paper,
     {Need::emotions_counted},
     [](const M& m) -> Tables { return {table8(m.results, m.paper)}; }},
    {"table9",
     kTable9Title,
     Section::paper,
     {Need::methods},
     [](const M& m) -> Tables { return {table9(m.methods, m.paper)}; }},
    {"table10",
     kTable10Title,
     Section::paper,
     {Need::corpora_measured},
     [](const M& m) -> Tables { return {table10(m.results, m.paper)}; }},
    {"table11",
     kTable11Title,
     Section::paper,
     {Need::corpus_scores},
     [](const M& m) -> Tables { return {table11(m.results, m.paper)}; }},

    {"findings",
     nullptr,
     Section::findings,
     {},
     [](const M& m) { return findings_tables(m.results, m.paper); }},
};

const std::vector<FigureEntry> kFigures = {
    {"asked", nullptr, {}, asked_figures},
    {"loss",
     "Figure 3 (paper), loss",
     {Need::losses},
     nullptr,
     [](const Run& r, const Rows*) { return loss_figures(r); }},
    {"td_error",
     "Figure 3 (paper), TD error",
     {Need::td_errors},
     nullptr,
     [](const Run& r, const Rows*) { return training_figures(r); }},
    {"max_q", "Figure 3 (paper), drift of max Q", {Need::max_q}},
    {"gradient_norm", "Figure 3 (paper), gradient norm", {Need::gradient_norms}},
    {"throughput",
     "learning throughput",
     {Need::timings},
     nullptr,
     [](const Run& r, const Rows*) { return throughput_figures(r); }},
    {"confusion",
     "Figure 4 (paper), confusion",
     {Need::evaluations},
     nullptr,
     [](const Run& r, const Rows*) { return strategy_figures(r); }},
    {"transition", "Figure 4 (paper), transitions", {Need::evaluations}},
    {"discounts",
     "Figure 5 (paper), sensitivity to discount (γ)",
     {Need::discounts_swept, Need::discounts_evaluated},
     [](const FigureMaterial& m) {
       return sensitivity_figures(m.results, "learn.gamma", m.scored);
     }},
    {"discounts_replies",
     "Figure 5 (paper), sensitivity to discount (γ), B-2 and R-L",
     {Need::sweep_replies},
     nullptr,
     nullptr,
     "discounts"},
    {"sizes",
     "Figure 5 (paper), sensitivity to model size",
     {Need::sizes_swept, Need::sizes_evaluated},
     size_figures},
    {"sizes_replies",
     "Figure 5 (paper), sensitivity to model size, B-2 and R-L",
     {Need::sweep_replies},
     nullptr,
     nullptr,
     "sizes"},
    {"calibration",
     "Q against the return",
     {Need::predictions},
     nullptr,
     [](const Run& r, const Rows* test) {
       return test == nullptr ? std::vector<Figure>() : decision_figures(r, "test", *test);
     }},
    {"q_exact",
     "Q against Q*",
     {Need::played},
     nullptr,
     [](const Run& r, const Rows*) { return planning_figures(r); }},
    {"stages", "strategies by progress", {Need::predictions}},
    {"reliability", "reliability of each choice", {Need::predictions}},
};

std::vector<Figure> figures_of_run(const results::Run& run, std::vector<std::string>& warnings) {
  std::optional<std::vector<metrics::Prediction>> rows;
  try {
    rows = results::read_predictions_of(run, "test");
  } catch (const std::exception& e) {
    warnings.push_back(results::failure_words(results::RunFolder(run.path).predictions("test"), e));
  }
  std::vector<Figure> out;
  for (const FigureEntry& e : figure_entries()) {
    if (e.of_run == nullptr) continue;
    for (auto& f : e.of_run(run, rows ? &*rows : nullptr)) out.push_back(std::move(f));
  }
  return out;
}

// Why no figure shows an entry.
Absent absent_figure(const results::Results& results, const FigureEntry& entry,
                     const std::set<const results::Run*>& drawn) {
  if (const auto need = lacking(results, entry.needs)) {
    return {entry.title, absence(*need), remedy(*need)};
  }
  const auto runs = results.runs();
  const bool own = entry.of_folder == nullptr && entry.part_of == nullptr;
  const bool left_out = own && std::none_of(runs.begin(), runs.end(), [&](const results::Run* r) {
                          return drawn.count(r) > 0 && has(*r, entry.needs.back());
                        });
  if (left_out) {
    return {entry.title, "only runs whose own figures are not drawn have it (--run-figures)", ""};
  }
  return {entry.title, "what the runs have of it cannot be drawn (too little, or unreadable)", ""};
}

}  // namespace

const std::vector<TableEntry>& table_entries() {
  return kTables;
}

const std::vector<FigureEntry>& figure_entries() {
  return kFigures;
}

MadeTables make_tables(const TableMaterial& material) {
  MadeTables out;
  for (const TableEntry& e : table_entries()) {
    auto& section = e.section == Section::folder  ? out.folder
                    : e.section == Section::paper ? out.paper
                                                  : out.findings;
    bool any = false;
    std::string what = e.title == nullptr ? "" : e.title;
    for (Table& t : e.make(material)) {
      if (!t.rows.empty()) {
        any = true;
        section.push_back(std::move(t));
      } else if (t.id == e.id) {
        for (const auto& note : t.notes) what += " (" + note + ")";
      }
    }
    if (any || e.title == nullptr) continue;
    const Need need = lacking(material.results, e.needs).value_or(e.needs.back());
    out.absent.push_back({what, absence(need), remedy(need)});
  }
  return out;
}

std::vector<Figure> make_figures(const FigureMaterial& material,
                                 std::vector<std::string>& warnings) {
  std::vector<Figure> figures;
  for (const FigureEntry& e : figure_entries()) {
    if (e.of_folder == nullptr) continue;
    for (auto& f : e.of_folder(material)) figures.push_back(std::move(f));
  }
  int with_figures = 0;
  std::size_t left_out = 0;
  std::string first_left_out;
  for (const results::Run* run : material.results.runs()) {
    if (run->steps.empty() && !run->evaluation) continue;
    if (with_figures >= material.most_run_figures) {
      if (left_out++ == 0) first_left_out = run->name();
      continue;
    }
    std::vector<Figure> own = figures_of_run(*run, warnings);
    with_figures += !own.empty();
    for (auto& f : own) figures.push_back(std::move(f));
  }
  if (left_out > 0) {
    warnings.push_back("The own figures of " + std::to_string(left_out) + " runs, from " +
                       first_left_out + " on, are not drawn (--run-figures sets how many are).");
  }
  make_ids_unique(figures);
  return figures;
}

std::vector<Absent> absent_figures(const results::Results& results,
                                   const std::vector<Figure>& figures) {
  std::set<std::string> shown;
  std::set<const results::Run*> drawn;
  for (const Figure& f : figures) {
    shown.insert(f.shows.begin(), f.shows.end());
    if (f.run != nullptr) drawn.insert(f.run);
  }
  std::vector<Absent> out;
  for (const FigureEntry& e : figure_entries()) {
    if (e.title == nullptr || shown.count(e.id) > 0) continue;
    if (e.part_of != nullptr && shown.count(e.part_of) == 0) continue;
    out.push_back(absent_figure(results, e, drawn));
  }
  return out;
}

std::vector<AbsentGroup> grouped(const std::vector<Absent>& absent) {
  std::vector<AbsentGroup> out;
  for (const Absent& a : absent) {
    auto at = std::find_if(out.begin(), out.end(), [&](const AbsentGroup& g) {
      return g.why == a.why && g.remedy == a.remedy;
    });
    if (at == out.end()) at = out.insert(out.end(), {a.why, a.remedy, {}});
    at->what.push_back(a.what);
  }
  return out;
}

}  // namespace straq::report
