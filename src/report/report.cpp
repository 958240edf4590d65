#include "report/report.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <set>
#include <system_error>
#include <thread>

#include "core/error.h"
#include "core/files/files.h"
#include "core/tables/markup.h"
#include "report/figures/figure_style.h"
#include "report/figures/figures.h"
#include "report/figures/gnuplot.h"
#include "report/page/html.h"
#include "report/report_files.h"
#include "report/rows/methods.h"
#include "report/tables/case_study.h"
#include "report/tables/cells.h"
#include "report/tables/findings.h"
#include "report/tables/paper_tables.h"
#include "report/tables/tables.h"
#include "results/layout.h"
#include "results/results.h"
#include "results/results_files.h"
#include "results/rows/report_manifest.h"
#include "results/run_folder.h"

namespace straq::report {
namespace fs = std::filesystem;
namespace {

// A picture's words stand in brackets of Markdown's own.
std::string picture_text(std::string title) {
  std::replace(title.begin(), title.end(), '[', '(');
  std::replace(title.begin(), title.end(), ']', ')');
  return escape_markdown(title, MarkdownPlace::within);
}

// Writes files below the output folder and remembers their names.
class Output {
 public:
  explicit Output(std::string folder) : folder_(std::move(folder)) {
    require_writable_folder(folder_);
    make_folders(path("tables"));
    make_folders(path("figures"));
    earlier_ = earlier_report(folder_);
  }
  std::string path(const std::string& name) const { return (fs::path(folder_) / name).string(); }
  void write(const std::string& name, const std::string& text) {
    write_file_atomic(path(name), text);
    note(name);
  }
  void note(const std::string& name) { written_.insert(name); }

  // Removes what an earlier report wrote here and this one did not, then records this one.
  void finish() {
    for (const auto& name : earlier_) {
      if (written_.count(name) == 0) remove_own(fs::path(folder_), name);
    }
    write_file_atomic(path(results::kReportFile), report_manifest(written_));
  }

 private:
  std::string folder_;
  std::set<std::string> written_, earlier_;
};

// Draws with as many gnuplot processes as there are cores (four at most): each figure is a process
// of its own, and most of its time is start-up.
std::vector<std::string> run_all(const std::vector<Figure>& figures, const std::string& program,
                                 const std::string& folder) {
  std::vector<std::string> errors(figures.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i; (i = next++) < figures.size();) {
      try {
        run_gnuplot(program, folder, figures[i].id + ".gp");
      } catch (const std::exception& e) {
        errors[i] = e.what();
      }
    }
  };
  {
    std::vector<std::jthread> others;
    const unsigned cores = std::min(4u, std::max(1u, std::thread::hardware_concurrency()));
    try {
      for (unsigned t = 1; t < cores; ++t) others.emplace_back(work);
    } catch (const std::system_error&) {
      // No more threads here: those that there are do all of it.
    }
    work();
  }
  return errors;
}

void draw(std::vector<Figure>& figures, const ReportOptions& options, Output& out,
          std::vector<std::string>& warnings) {
  const auto remove_pictures = [&](const Figure& f) {
    for (const char* ending : kPictures) {
      std::error_code ec;
      fs::remove(out.path("figures/" + f.id + ending), ec);
    }
  };
  for (const Figure& f : figures) {
    out.write("figures/" + f.id + ".dat", f.data);
    out.write("figures/" + f.id + ".gp", f.script);
    // A picture of an earlier report must not pass for this one's.
    remove_pictures(f);
  }
  if (figures.empty()) return;
  if (!gnuplot_version(options.gnuplot)) {
    warnings.push_back("The figures are missing: " + options.gnuplot +
                       " is not installed here. Install gnuplot (Debian and Ubuntu: gnuplot-nox) "
                       "and report again; tables are complete.");
    return;
  }
  const auto errors = run_all(figures, options.gnuplot, out.path("figures"));
  for (std::size_t i = 0; i < figures.size(); ++i) {
    Figure& f = figures[i];
    if (!errors[i].empty()) {
      warnings.push_back("The figure " + f.id + " is missing: " + errors[i]);
      // What gnuplot left of it may be half a picture.
      remove_pictures(f);
    }
    for (const char* ending : kPictures) {
      const std::string name = "figures/" + f.id + ending;
      std::error_code ec;
      if (!fs::is_regular_file(out.path(name), ec)) continue;
      out.note(name);
      f.drawn = f.drawn || std::string(ending) == ".svg";
    }
  }
}

std::vector<Figure> all_figures(const results::Results& results, const ScoredReplies& scored,
                                const ReportOptions& options, std::vector<std::string>& warnings) {
  std::vector<Figure> figures = sensitivity_figures(results, options.sensitivity, scored);
  // The paper's Figure 5 in any case: discounts and model sizes, wherever a sweep varied them.
  for (const char* other : {"learn.gamma", "model.shape", "model.from"}) {
    if (options.sensitivity == other) continue;
    for (auto& f : sensitivity_figures(results, other, scored)) figures.push_back(std::move(f));
  }
  int with_figures = 0;
  std::size_t left_out = 0;
  std::string first_left_out;
  for (const results::Run* run : results.runs()) {
    if (run->steps.empty() && !run->evaluation) continue;
    if (with_figures >= options.most_run_figures) {
      if (left_out++ == 0) first_left_out = run->name();
      continue;
    }
    std::vector<Figure> own = loss_figures(*run);
    for (auto& f : training_figures(*run)) own.push_back(std::move(f));
    for (auto& f : strategy_figures(*run)) own.push_back(std::move(f));
    try {
      if (const auto rows = results::read_predictions_of(*run, "test")) {
        for (auto& f : decision_figures(*run, "test", *rows)) own.push_back(std::move(f));
      }
    } catch (const std::exception& e) {
      warnings.push_back(
          results::failure_words(results::RunFolder(run->path).predictions("test"), e));
    }
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

std::string markdown(const results::Results& results, const ReportResult& report,
                     const std::vector<Figure>& figures) {
  std::string out =
      "# straQ* report: " + escape_markdown(results.name, MarkdownPlace::within) + "\n\n";
  for (const auto& w : report.warnings) out += "- " + escape_markdown(w) + "\n";
  for (const auto& p : results.problems) out += "- " + escape_markdown(p) + "\n";
  for (const auto& e : results.experiments) {
    for (const auto& p : e.problems) out += "- " + escape_markdown(p) + "\n";
  }
  out += "\n";
  if (!report.missing_figures.empty()) {
    out += "Figures that are missing:\n\n";
    for (const auto& m : report.missing_figures) out += "- " + escape_markdown(m) + "\n";
    out += "\n";
  }
  for (const auto& t : report.tables) {
    if (t.id == "strategies" && t.rows.size() > 64) {
      out += "### " + escape_markdown(t.title, MarkdownPlace::within) +
             "\n\nIn `tables/strategies.md` (" + std::to_string(t.rows.size()) + " rows).\n\n";
      continue;
    }
    out += to_markdown(t) + "\n";
  }
  for (const auto& f : figures) {
    if (f.drawn) out += "![" + picture_text(f.title) + "](figures/" + f.id + ".svg)\n\n";
    out += escape_markdown(f.caption) + "\n\n";
  }
  return out;
}

// The paper's numbers: of a named file, else of the usual one, which may have been corrected since
// the program was built, else the program's own.
PaperReference paper_of(const ReportOptions& options) {
  if (!options.paper.empty()) return read_paper_reference(options.paper);
  const std::string usual = "configs/paper_reference.yaml";
  std::error_code ec;
  return fs::exists(usual, ec) ? read_paper_reference(usual) : built_in_paper_reference();
}

}  // namespace

ReportResult write_report(const std::string& path, const ReportOptions& options) {
  if (!options.rank_by.empty()) require_rankable(options.rank_by);
  const results::Results results = results::read_results(path);
  ReportResult report;
  const PaperReference paper = paper_of(options);
  const CaseStudy study = case_study(results, options.case_dialogue);
  const std::string folder =
      options.out.empty() ? (fs::path(path) / "report").string() : options.out;
  Output out(folder);

  report.runs = static_cast<int>(results.runs().size());
  // Reads and resamples while the figures are drawn: neither waits for the other's work.
  const ScoredReplies scored = score_replies(results);
  auto gathering = std::async(std::launch::async, [&] { return gather_methods(results, scored); });
  std::vector<Figure> figures = all_figures(results, scored, options, report.warnings);
  draw(figures, options, out, report.warnings);
  report.missing_figures = missing_figures(results, figures);

  HtmlReport page;
  page.results = &results;
  page.study = &study;
  page.overview = overview_table(results);
  report.results = results_tables(results);
  if (Table t = seeds_table(results); !t.rows.empty()) report.results.push_back(std::move(t));
  page.results_tables = report.results;
  for (Table t : {value_table(results), training_table(results)}) {
    if (!t.rows.empty()) page.other_tables.push_back(std::move(t));
  }
  const Methods methods = gathering.get();
  for (const auto& p : methods.problems) report.warnings.push_back(p);
  for (auto& w : report.warnings) w = results.shortened(std::move(w));
  page.paper_tables = method_tables(methods, paper, {options.rank_by, options.proposed});
  for (auto& t : judge_tables(results, methods, paper)) page.paper_tables.push_back(std::move(t));
  page.paper_tables.push_back(case_table(study, paper));
  for (auto& t : dataset_tables(results, paper)) page.paper_tables.push_back(std::move(t));
  // By the paper's numbers: table2 before table10.
  const auto number_of = [](const Table& t) {
    return std::strtol(t.id.c_str() + std::string("table").size(), nullptr, 10);
  };
  std::stable_sort(page.paper_tables.begin(), page.paper_tables.end(),
                   [&](const auto& x, const auto& y) { return number_of(x) < number_of(y); });
  page.findings = findings_tables(results, paper);
  report.tables.push_back(page.overview);
  for (const auto& t : page.paper_tables) report.tables.push_back(t);
  for (const auto& t : report.results) report.tables.push_back(t);
  if (Table t = strategies_table(results.runs()); !t.rows.empty()) {
    report.tables.push_back(std::move(t));
  }
  for (const auto& t : page.other_tables) report.tables.push_back(t);
  for (const auto& t : page.findings) report.tables.push_back(t);

  for (const auto& t : report.tables) {
    out.write("tables/" + slug(t.id) + ".csv", flatten_cells(t).to_csv());
    out.write("tables/" + slug(t.id) + ".md", to_markdown(t));
    out.write("tables/" + slug(t.id) + ".tex", to_latex(t, slug(t.id)));
  }
  for (const Figure& f : figures) {
    page.figures.push_back(
        {&f, f.drawn ? read_file(out.path("figures/" + f.id + ".svg")) : std::string()});
    report.figures += f.drawn;
  }
  page.warnings = report.warnings;
  page.missing_figures = report.missing_figures;
  out.write("report.md", markdown(results, report, figures));
  out.write("report.html", render_html(page));
  out.finish();
  report.html = out.path("report.html");
  return report;
}

}  // namespace straq::report
