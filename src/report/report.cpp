#include "report/report.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "core/error.h"
#include "core/files.h"
#include "report/figures.h"
#include "report/gnuplot.h"
#include "report/html.h"
#include "report/results.h"
#include "report/tables.h"

namespace straq::report {
namespace fs = std::filesystem;
namespace {

const char* const kManifest = "report.json";

// Writes files below the output folder and remembers their names.
class Output {
 public:
  explicit Output(std::string folder) : folder_(std::move(folder)) {
    require_writable_folder(folder_);
    make_folders(path("tables"));
    make_folders(path("figures"));
    read_manifest();
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
      std::error_code ec;
      if (written_.count(name) == 0) fs::remove(path(name), ec);
    }
    nlohmann::ordered_json j;
    j["format"] = 1;
    j["files"] = written_;
    write_file_atomic(path(kManifest), j.dump(1) + "\n");
  }

 private:
  void read_manifest() {
    std::error_code ec;
    if (!fs::exists(path(kManifest), ec)) return;
    const auto j = nlohmann::json::parse(read_file(path(kManifest)), nullptr, false);
    if (!j.is_object() || !j.contains("files") || !j["files"].is_array()) return;
    for (const auto& name : j["files"]) {
      if (!name.is_string()) continue;
      // Only names such as this program writes: a manifest must not be able to remove others.
      const fs::path p = name.get<std::string>();
      const fs::path parent = p.parent_path();
      const bool ours = p.is_relative() && p.filename() != ".." &&
                        (parent.empty() || parent == "tables" || parent == "figures");
      if (ours) earlier_.insert(p.string());
    }
  }

  std::string folder_;
  std::set<std::string> written_, earlier_;
};

// Markdown renderers pass HTML through: a name with markup must stay text.
Table without_markup(Table t) {
  const auto clean = [](std::string& s) {
    std::string out;
    for (char c : s) out += c == '<' ? "&lt;" : c == '&' ? "&amp;" : std::string(1, c);
    s = std::move(out);
  };
  clean(t.title);
  for (auto& row : t.rows) {
    for (auto& cell : row) clean(cell.text);
  }
  for (auto& note : t.notes) clean(note);
  return t;
}

std::string plain(const std::string& text) {
  Table t;
  t.title = text;
  return without_markup(std::move(t)).title;
}

void draw(std::vector<Figure>& figures, const ReportOptions& options, Output& out,
          std::vector<std::string>& warnings) {
  for (const Figure& f : figures) {
    out.write("figures/" + f.id + ".dat", f.data);
    out.write("figures/" + f.id + ".gp", f.script);
    // A picture of an earlier report must not pass for this one's.
    for (const char* ending : {".svg", ".png"}) {
      std::error_code ec;
      fs::remove(out.path("figures/" + f.id + ending), ec);
    }
  }
  if (figures.empty()) return;
  if (!gnuplot_version(options.gnuplot)) {
    warnings.push_back("The figures are missing: " + options.gnuplot +
                       " is not installed here. Install gnuplot (Debian and Ubuntu: gnuplot-nox) "
                       "and report again; tables are complete.");
    return;
  }
  for (Figure& f : figures) {
    try {
      run_gnuplot(options.gnuplot, out.path("figures"), f.id + ".gp");
    } catch (const Error& e) {
      warnings.push_back("The figure " + f.id + " is missing: " + e.what());
      // What gnuplot left of it may be half a picture.
      for (const char* ending : {".svg", ".png"}) {
        std::error_code ec;
        fs::remove(out.path("figures/" + f.id + ending), ec);
      }
    }
    for (const char* ending : {".svg", ".png"}) {
      const std::string name = "figures/" + f.id + ending;
      if (!fs::exists(out.path(name))) continue;
      out.note(name);
      f.drawn = f.drawn || std::string(ending) == ".svg";
    }
  }
}

std::vector<Figure> all_figures(const Results& results, const ReportOptions& options,
                                std::vector<std::string>& warnings) {
  std::vector<Figure> figures = sensitivity_figures(results, options.sensitivity);
  int with_figures = 0;
  std::size_t left_out = 0;
  std::string first_left_out;
  for (const Run* run : results.runs()) {
    std::vector<Figure> own = loss_figures(*run);
    for (auto& f : strategy_figures(*run)) own.push_back(std::move(f));
    if (own.empty()) continue;
    if (++with_figures > options.most_run_figures) {
      if (left_out++ == 0) first_left_out = run->name();
      continue;
    }
    for (auto& f : own) figures.push_back(std::move(f));
  }
  if (left_out > 0) {
    warnings.push_back("The own figures of " + std::to_string(left_out) + " runs, from " +
                       first_left_out + " on, are not drawn (--run-figures sets how many are).");
  }
  make_ids_unique(figures);
  return figures;
}

std::string markdown(const Results& results, const std::vector<std::string>& warnings,
                     const std::vector<Table>& tables, const std::vector<Figure>& figures) {
  std::string out = "# straQ* report: " + plain(results.name) + "\n\n";
  for (const auto& w : warnings) out += "- " + plain(w) + "\n";
  for (const auto& e : results.experiments) {
    for (const auto& p : e.problems) out += "- " + plain(p) + "\n";
  }
  out += "\n";
  for (const auto& t : tables) {
    if (t.id == "strategies" && t.rows.size() > 64) {
      out += "### " + plain(t.title) + "\n\nIn `tables/strategies.md` (" +
             std::to_string(t.rows.size()) + " rows).\n\n";
      continue;
    }
    out += without_markup(t).to_markdown() + "\n";
  }
  for (const auto& f : figures) {
    if (f.drawn) out += "![" + plain(f.title) + "](figures/" + f.id + ".svg)\n\n";
    out += plain(f.caption) + "\n\n";
  }
  return out;
}

}  // namespace

ReportResult write_report(const std::string& path, const ReportOptions& options) {
  const Results results = read_results(path);
  const std::string folder =
      options.out.empty() ? (fs::path(path) / "report").string() : options.out;
  Output out(folder);

  ReportResult report;
  report.runs = static_cast<int>(results.runs().size());
  std::vector<Figure> figures = all_figures(results, options, report.warnings);
  draw(figures, options, out, report.warnings);

  HtmlReport page;
  page.results = &results;
  page.overview = overview_table(results);
  report.results = results_tables(results);
  if (Table t = seeds_table(results); !t.rows.empty()) report.results.push_back(std::move(t));
  page.results_tables = report.results;
  for (Table t : {value_table(results), training_table(results)}) {
    if (!t.rows.empty()) page.other_tables.push_back(std::move(t));
  }
  report.tables.push_back(page.overview);
  for (const auto& t : report.results) report.tables.push_back(t);
  if (Table t = strategies_table(results.runs()); !t.rows.empty()) {
    report.tables.push_back(std::move(t));
  }
  for (const auto& t : page.other_tables) report.tables.push_back(t);

  for (const auto& t : report.tables) {
    out.write("tables/" + slug(t.id) + ".csv", flatten_intervals(t).to_csv());
    out.write("tables/" + slug(t.id) + ".md", without_markup(t).to_markdown());
  }
  for (const Figure& f : figures) {
    page.figures.push_back(
        {&f, f.drawn ? read_file(out.path("figures/" + f.id + ".svg")) : std::string()});
    report.figures += f.drawn;
  }
  page.warnings = report.warnings;
  out.write("report.md", markdown(results, report.warnings, report.tables, figures));
  out.write("report.html", render_html(page));
  out.finish();
  report.html = out.path("report.html");
  return report;
}

}  // namespace straq::report
