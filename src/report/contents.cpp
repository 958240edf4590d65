#include "report/contents.h"

#include <algorithm>
#include <set>

#include "report/compare/comparison.h"
#include "report/own_report.h"
#include "report/rows/setting_names.h"
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

// Those that entries of their own draw.
bool has_own_entry(const std::string& parameter) {
  return parameter == "learn.gamma" || parameter == "model.shape" || parameter == "model.from";
}

// Each parameter that an experiment varies by itself, and one that the user asks for.
std::vector<Figure> swept_figures(const FigureMaterial& m) {
  std::vector<Figure> out;
  const auto add = [&](std::vector<Figure> figures) {
    for (auto& f : figures) out.push_back(std::move(f));
  };
  if (!m.sensitivity.empty() && !has_own_entry(m.sensitivity)) {
    add(sensitivity_figures(m.results, m.sensitivity, m.scored));
  }
  for (const auto& e : m.results.experiments) {
    for (const auto& swept : swept_parameters(e)) {
      if (swept.key == m.sensitivity || has_own_entry(swept.key)) continue;
      add(sensitivity_figures(m.results, e, swept.key, m.scored));
    }
  }
  return out;
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
    {"compare",
     nullptr,
     Section::folder,
     {},
     [](const M& m) -> Tables { return {compare_table(m.methods, m.options.compare)}; }},
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
    {"responders",
     nullptr,
     Section::folder,
     {},
     [](const M& m) -> Tables { return {responder_table(m.results)}; }},
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
     [](const M& m) -> Tables {
       if (!m.own) return findings_tables(m.results, m.paper);
       auto leak = leak_table(m.results);
       return leak ? Tables{std::move(*leak)} : Tables{};
     }},
};

const std::vector<FigureEntry> kFigures = {
    {"swept", nullptr, {}, swept_figures},
    {"validation",
     "scores during training",
     {Need::validations},
     [](const FigureMaterial& m) { return validation_overlays(m.results); },
     [](const Run& r, const Rows*) { return validation_figures(r); }},
    {.id = "loss",
     .title = "training loss",
     .needs = {Need::losses},
     .of_run = [](const Run& r, const Rows*) { return loss_figures(r); },
     .as_paper = "Figure 3"},
    {.id = "td_error",
     .title = "TD error",
     .needs = {Need::td_errors},
     .of_run = [](const Run& r, const Rows*) { return training_figures(r); },
     .as_paper = "Figure 3"},
    {.id = "max_q", .title = "drift of max Q", .needs = {Need::max_q}, .as_paper = "Figure 3"},
    {.id = "gradient_norm",
     .title = "gradient norm",
     .needs = {Need::gradient_norms},
     .as_paper = "Figure 3"},
    {.id = "throughput",
     .title = "learning throughput",
     .needs = {Need::timings},
     .of_run = [](const Run& r, const Rows*) { return throughput_figures(r); }},
    {.id = "confusion",
     .title = "confusion",
     .needs = {Need::evaluations},
     .of_run = [](const Run& r, const Rows*) { return strategy_figures(r); },
     .as_paper = "Figure 4"},
    {.id = "transition",
     .title = "transitions",
     .needs = {Need::evaluations},
     .as_paper = "Figure 4"},
    {.id = "discounts",
     .title = "sensitivity to discount (γ)",
     .needs = {Need::discounts_swept, Need::discounts_evaluated},
     .of_folder =
         [](const FigureMaterial& m) {
           return sensitivity_figures(m.results, "learn.gamma", m.scored);
         },
     .as_paper = "Figure 5",
     .paper_alone = true},
    {.id = "discounts_replies",
     .title = "sensitivity to discount (γ), B-2 and R-L",
     .needs = {Need::sweep_replies},
     .part_of = "discounts",
     .as_paper = "Figure 5",
     .paper_alone = true},
    {.id = "sizes",
     .title = "sensitivity to model size",
     .needs = {Need::sizes_swept, Need::sizes_evaluated},
     .of_folder = size_figures,
     .as_paper = "Figure 5",
     .paper_alone = true},
    {.id = "sizes_replies",
     .title = "sensitivity to model size, B-2 and R-L",
     .needs = {Need::sweep_replies},
     .part_of = "sizes",
     .as_paper = "Figure 5",
     .paper_alone = true},
    {.id = "calibration",
     .title = "Q against the return",
     .needs = {Need::predictions},
     .of_run =
         [](const Run& r, const Rows* test) {
           return test == nullptr ? std::vector<Figure>() : decision_figures(r, "test", *test);
         }},
    {.id = "q_exact",
     .title = "Q against Q*",
     .needs = {Need::played},
     .of_run = [](const Run& r, const Rows*) { return planning_figures(r); }},
    {.id = "stages", .title = "strategies by progress", .needs = {Need::predictions}},
    {.id = "reliability", .title = "reliability of each choice", .needs = {Need::predictions}},
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
                     const std::set<const results::Run*>& drawn, bool paper) {
  std::string title = entry.title;
  if (paper && entry.as_paper != nullptr) {
    title += std::string(" (as the paper's ") + entry.as_paper + ")";
  }
  if (const auto need = lacking(results, entry.needs)) {
    return {title, absence(*need), remedy(*need)};
  }
  const auto runs = results.runs();
  const bool own = entry.of_folder == nullptr && entry.part_of == nullptr;
  const bool left_out = own && std::none_of(runs.begin(), runs.end(), [&](const results::Run* r) {
                          return drawn.count(r) > 0 && has(*r, entry.needs.back());
                        });
  if (left_out) {
    return {title, "only runs whose own figures are not drawn have it (--run-figures)", ""};
  }
  return {title, "what the runs have of it cannot be drawn (too little, or unreadable)", ""};
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
  out.own = material.own;
  for (const TableEntry& e : table_entries()) {
    auto& section = e.section == Section::folder  ? out.folder
                    : e.section == Section::paper ? out.paper
                                                  : out.findings;
    bool any = false;
    std::string what = e.title == nullptr ? "" : e.title;
    for (Table& t : e.make(material)) {
      if (!t.rows.empty()) {
        any = true;
        section.push_back(material.own ? without_paper(std::move(t)) : std::move(t));
      } else if (t.id == e.id) {
        for (const auto& note : t.notes) what += " (" + note + ")";
      }
    }
    // What the paper has is missed by those alone who set their results beside it.
    const bool missed = e.title != nullptr && !(material.own && e.section == Section::paper);
    if (any || !missed) continue;
    const Need need = lacking(material.results, e.needs).value_or(e.needs.back());
    out.absent.push_back({what, absence(need), remedy(need)});
  }
  return out;
}

std::vector<Figure> make_figures(const FigureMaterial& material, std::vector<std::string>& warnings,
                                 std::vector<std::string>& remarks) {
  std::vector<Figure> figures;
  for (const FigureEntry& e : figure_entries()) {
    if (e.of_folder == nullptr) continue;
    for (auto& f : e.of_folder(material)) figures.push_back(std::move(f));
  }
  int with_figures = 0;
  std::size_t left_out = 0;
  std::string first_left_out;
  for (const results::Run* run : material.results.runs()) {
    if (run->steps.empty() && !run->evaluation && run->validations.empty()) continue;
    if (with_figures >= material.most_run_figures) {
      if (left_out++ == 0) first_left_out = run->name();
      continue;
    }
    std::vector<Figure> own = figures_of_run(*run, warnings);
    with_figures += !own.empty();
    for (auto& f : own) figures.push_back(std::move(f));
  }
  if (left_out > 0) {
    remarks.push_back("The own figures of " + std::to_string(left_out) + " runs, from " +
                      first_left_out + " on, are not drawn (--run-figures sets how many are).");
  }
  for (auto& f : figures) {
    if (material.paper && !f.as_paper.empty()) f.caption += " As the paper's " + f.as_paper + ".";
  }
  make_ids_unique(figures);
  return figures;
}

std::vector<Absent> absent_figures(const results::Results& results,
                                   const std::vector<Figure>& figures, bool paper) {
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
    if (!paper && e.paper_alone) continue;
    out.push_back(absent_figure(results, e, drawn, paper));
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
