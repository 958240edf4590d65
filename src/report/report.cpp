#include "report/report.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <optional>
#include <set>
#include <system_error>
#include <thread>

#include "core/error.h"
#include "core/files/files.h"
#include "core/tables/markup.h"
#include "metrics/baselines.h"
#include "report/compare/comparison.h"
#include "report/contents.h"
#include "report/figures/figure_style.h"
#include "report/figures/figures.h"
#include "report/figures/gnuplot.h"
#include "report/figures/pdf_date.h"
#include "report/latex/latex.h"
#include "report/name_lists.h"
#include "report/own_report.h"
#include "report/page/html.h"
#include "report/report_files.h"
#include "report/rows/method_rows.h"
#include "report/rows/reply_scores.h"
#include "report/tables/case_study.h"
#include "report/tables/estimate_cells.h"
#include "results/layout.h"
#include "results/read_files.h"
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
  void finish(const std::string& version, const results::ReadFiles& read) {
    for (const auto& name : earlier_) {
      if (written_.count(name) == 0) remove_own(fs::path(folder_), name);
    }
    write_file_atomic(path(results::kReportFile), report_manifest(written_, version, read));
  }

 private:
  std::string folder_;
  std::set<std::string> written_, earlier_;
};

void write_table(const Table& t, const LatexOptions& latex, Output& out) {
  const std::string name = "tables/" + slug(t.id);
  out.write(name + ".csv", flatten_cells(t).to_csv());
  out.write(name + ".md", to_markdown(t));
  out.write(name + ".tex", to_latex(t, slug(t.id), latex));
}

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
  if (!options.style.empty()) {
    // A copy: the scripts must find it wherever the report goes.
    out.write(kStyleFile, read_file(options.style));
  }
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
      if (std::string(ending).ends_with(".pdf")) forget_pdf_date(out.path(name));
      std::error_code ec;
      if (!fs::is_regular_file(out.path(name), ec)) continue;
      out.note(name);
      f.drawn = f.drawn || std::string(ending) == ".svg";
    }
  }
}

// report.md: what this folder holds, the paper's tables, findings, and what is not there yet.
class MarkdownReport {
 public:
  void list(const std::vector<std::string>& items) {
    for (const auto& item : items) text_ += "- " + escape_markdown(item) + "\n";
  }
  void heading(const std::string& title) { text_ += "## " + title + "\n\n"; }
  void paragraph(const std::string& text) { text_ += text + "\n\n"; }
  void end_list() { text_ += "\n"; }

  void tables(const std::vector<Table>& tables) {
    for (const auto& t : tables) {
      if (t.id == "strategies" && t.rows.size() > kMostRows) {
        paragraph("### " + escape_markdown(t.title, MarkdownPlace::within));
        paragraph("In `tables/strategies.md` (" + std::to_string(t.rows.size()) + " rows).");
      } else {
        text_ += to_markdown(t) + "\n";
      }
    }
  }

  void figures(const std::vector<Figure>& figures) {
    for (const auto& f : figures) {
      if (f.drawn) paragraph("![" + picture_text(f.title) + "](figures/" + f.id + ".svg)");
      paragraph(escape_markdown(f.caption));
    }
  }

  void absent(const std::vector<AbsentGroup>& groups) {
    if (groups.empty()) return;
    heading("Not in this folder yet");
    for (const auto& g : groups) {
      text_ += "- " + sentence_case(escape_markdown(g.why, MarkdownPlace::within)) + ".";
      if (!g.remedy.empty()) text_ += " `" + g.remedy + "` would fill";
      text_ += std::string(g.remedy.empty() ? " Not shown" : "") + ": " +
               escape_markdown(joined(g.what, "; "), MarkdownPlace::within) + ".\n";
    }
    text_ += std::string("\n") + kElsewhereNote + "\n";
  }

  const std::string& text() const { return text_; }

 private:
  static constexpr std::size_t kMostRows = 64;
  std::string text_;
};

std::string markdown(const results::Results& results, const ReportResult& report,
                     const MadeTables& tables, const std::vector<Figure>& figures,
                     const std::vector<AbsentGroup>& absent, const std::string& made_of) {
  MarkdownReport out;
  out.paragraph("# straQ* report: " + escape_markdown(results.name, MarkdownPlace::within));
  out.paragraph("Results folder: " +
                escape_markdown(results.name + made_of, MarkdownPlace::within));
  out.list(report.warnings);
  out.list(report.remarks);
  out.list(results.problems);
  for (const auto& e : results.experiments) out.list(e.problems);
  out.end_list();
  out.tables(tables.folder);
  out.figures(figures);
  if (!tables.paper.empty()) {
    out.heading(tables.own ? "Methods" : "The paper's tables");
    out.tables(tables.paper);
  }
  if (!tables.findings.empty()) {
    out.heading(tables.own ? "Findings" : "Findings about the paper");
    out.tables(tables.findings);
  }
  out.absent(absent);
  return out.text();
}

// The paper's numbers: of a named file, else of the usual one, which may have been corrected since
// the program was built, else the program's own.
PaperReference paper_of(const ReportOptions& options) {
  if (options.paper == kNoPaper) return {};
  if (!options.paper.empty()) return read_paper_reference(options.paper);
  const std::string usual = "configs/paper_reference.yaml";
  std::error_code ec;
  return fs::exists(usual, ec) ? read_paper_reference(usual) : built_in_paper_reference();
}

// The rows that --methods names, in its order, as tables show them.
std::vector<std::pair<std::string, std::string>> latex_rows_of(
    const Methods& methods, const std::vector<std::string>& words) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& word : words) {
    const std::size_t before = out.size();
    for (const auto& r : methods.rows) {
      if (is_called(r, word)) out.emplace_back(r.title(), responder_title(r.responder));
    }
    for (const auto b : metrics::kBaselines) {
      const std::string title = metrics::title_of(b);
      if (word == metrics::to_word(b) || word == title) out.emplace_back("[" + title + "]", "");
    }
    if (out.size() > before) continue;
    fail_input("--methods: there is no method \"" + word + "\" here",
               "there is: " + listed(side_names(methods), 40) +
                   "; and the trivial planners majority, repeat_last, markov1");
  }
  return out;
}

// Names that the user gave must be of something, or a table without it would look as if it were.
void check_names(const Methods& methods, const ReportOptions& options) {
  for (const auto& [a, b] : options.compare) {
    find_side(methods, a, "--compare");
    find_side(methods, b, "--compare");
  }
  const auto& wanted = options.proposed;
  if (wanted.empty() || std::any_of(methods.rows.begin(), methods.rows.end(),
                                    [&](const MethodRow& r) { return is_called(r, wanted); })) {
    return;
  }
  fail_input("--proposed: there is no method \"" + wanted + "\" here",
             "there is: " + listed(side_names(methods), 40));
}

// What can be checked before anything is read.
void check_words(const ReportOptions& options, std::vector<std::string>& warnings) {
  if (!options.rank_by.empty()) {
    const std::string key = rankable_metric(options.rank_by).key;
    if (key != options.rank_by) {
      warnings.push_back("ranked by " + key + ": it was called " + options.rank_by +
                         " before, a word that will go");
    }
  }
  check_latex_columns(options.latex.columns);
  if (!options.style.empty()) read_file(options.style);
}

void write_tables(const MadeTables& tables, const LatexOptions& latex, Output& out,
                  ReportResult& report) {
  for (const auto* section : {&tables.folder, &tables.paper, &tables.findings}) {
    for (const auto& t : *section) {
      write_table(t, latex, out);
      report.tables.push_back(t);
      if (t.id.starts_with("results_") || t.id == "seeds" || t.id == "compare" ||
          t.id.starts_with("planning")) {
        report.results.push_back(t);
      }
    }
  }
}

}  // namespace

ReportResult write_report(const std::string& path, const ReportOptions& options) {
  ReportResult report;
  check_words(options, report.warnings);
  const results::Results results = results::read_results(path, {options.reproduced});
  for (const auto& again : results.left_out) {
    report.remarks.push_back(again +
                             " holds runs that were made again; they are left out "
                             "(--reproduced shows them).");
  }
  const PaperReference paper = paper_of(options);
  const bool own = options.paper == kNoPaper;
  const CaseStudy study = case_study(results, options.case_dialogue);
  const std::string folder =
      options.out.empty() ? (fs::path(path) / "report").string() : options.out;
  report.runs = static_cast<int>(results.runs().size());
  // Reads and resamples while the figures are drawn: neither waits for the other's work.
  const ScoredReplies scored = score_replies(results);
  auto hashing = std::async(std::launch::async, [&] { return results::files_read(results); });
  auto gathering = std::async(std::launch::async, [&] { return gather_methods(results, scored); });
  // Nothing is written for a name that is none.
  std::optional<Methods> gathered;
  LatexOptions latex = options.latex;
  if (!options.proposed.empty() || !options.compare.empty() || !options.methods.empty()) {
    gathered = gathering.get();
    check_names(*gathered, options);
    latex.rows = latex_rows_of(*gathered, options.methods);
  }
  Output out(folder);
  std::vector<Figure> figures =
      make_figures({results, scored, options.sensitivity, options.most_run_figures, !own},
                   report.warnings, report.remarks);
  draw(figures, options, out, report.warnings);
  const Methods methods = gathered ? std::move(*gathered) : gathering.get();
  for (const auto& p : methods.problems) report.warnings.push_back(p);
  for (auto& w : report.warnings) w = results.shortened(std::move(w));

  MadeTables tables = make_tables(
      {results, methods, paper, study, {options.rank_by, options.proposed, options.compare}, own});
  std::vector<Absent> absent = tables.absent;
  for (const auto& a : absent) report.missing_tables.push_back(a.line());
  for (auto& a : absent_figures(results, figures, !own)) {
    report.missing_figures.push_back(a.line());
    absent.push_back(std::move(a));
  }
  const auto missing = grouped(absent);
  write_tables(tables, latex, out, report);
  const results::ReadFiles read = hashing.get();
  report.inputs_sha256 = read.sha256;
  const std::string made_of = ". Made by " + options.program + " of " +
                              std::to_string(read.names.size()) + " files, SHA-256 " + read.sha256 +
                              ".";
  HtmlReport page;
  page.made_of = made_of;
  page.results = &results;
  page.study = &study;
  page.warnings = report.warnings;
  page.remarks = report.remarks;
  page.tables = &tables;
  page.absent = &missing;
  for (const Figure& f : figures) {
    page.figures.push_back(
        {&f, f.drawn ? read_file(out.path("figures/" + f.id + ".svg")) : std::string()});
    report.figures += f.drawn;
  }
  out.write("report.md", markdown(results, report, tables, figures, missing, made_of));
  out.write("report.html", render_html(page));
  out.finish(options.program, read);
  report.html = out.path("report.html");
  return report;
}

}  // namespace straq::report
