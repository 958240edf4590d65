#include "report/page/html.h"

#include <algorithm>
#include <map>

#include "core/json/json.h"
#include "metrics/metric.h"
#include "report/name_lists.h"
#include "report/page/html_assets.h"
#include "report/rows/method_rows.h"
#include "report/tables/estimate_cells.h"
#include "report/tables/tables.h"
#include "results/layout.h"

namespace straq::report {
namespace {

// The value a column sorts by: numbers in full, intervals by their lower end, text as it is.
std::string sort_value(const Cell& cell) {
  const auto& v = cell.value;
  if (v.is_null()) return cell.numeric ? "" : cell.text;
  if (v.is_array() && !v.empty()) return dump_json(v[0]);
  if (v.is_object()) {
    if (!v.contains("value")) return "";
    return v["value"].is_string() ? v["value"].get<std::string>() : dump_json(v["value"]);
  }
  return v.is_string() ? v.get<std::string>() : dump_json(v);
}

std::string anchor_of(const results::Run& run) {
  return "run-" + slug(run.name());
}

std::string figure_html(const HtmlFigure& f) {
  const std::string caption = escape_html(f.figure->caption);
  std::string out = "<figure>";
  if (f.svg.empty()) {
    out +=
        "<p class=\"absent\">This figure could not be drawn; its data and script are in the "
        "report's figures folder as " +
        escape_html(f.figure->id) + ".dat and .gp.</p>";
  } else {
    out += "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
           escape_html(f.figure->title) + "\"><img alt=\"" + caption +
           "\" src=\"data:image/svg+xml;base64," + base64(f.svg) + "\"></div>";
  }
  return out + "<figcaption>" + caption + "</figcaption></figure>\n";
}

std::string list_html(const std::vector<std::string>& items, const char* css) {
  if (items.empty()) return {};
  std::string out = std::string("<ul class=\"") + css + "\">";
  for (const auto& item : items) out += "<li>" + escape_html(item) + "</li>";
  return out + "</ul>\n";
}

std::string block(const char* title, const std::string& text) {
  if (text.empty()) return {};
  return std::string("<details><summary>") + title + "</summary><pre tabindex=\"0\">" +
         escape_html(text) + "</pre></details>\n";
}

std::string run_html(const results::Run& run, const std::vector<HtmlFigure>& figures) {
  const std::string state = to_word(run.state);
  std::string css = state;
  std::replace(css.begin(), css.end(), ' ', '-');
  std::string out = "<details class=\"run\" id=\"" + escape_html(anchor_of(run)) + "\"><summary>" +
                    "<h3>" + escape_html(run.name()) + "</h3> <span class=\"state " + css + "\">" +
                    state + "</span></summary>\n";
  if (!run.reason.empty()) {
    out += "<p>Why it failed:</p><pre class=\"reason\">" + escape_html(run.reason) + "</pre>\n";
  }
  if (!run.parameters.empty()) {
    std::string text;
    for (const auto& [key, value] : run.parameters) {
      text += (text.empty() ? "" : ", ") + key + " = " + value;
    }
    out += "<p>Parameters: " + escape_html(text) + "</p>\n";
  }
  if (run.state == results::PointState::missing) {
    out += "<p>Planned in index.csv; it has no folder yet.</p>\n";
  } else if (!run.missing.empty()) {
    out += "<p>Missing: " + escape_html(joined(run.missing)) + "</p>\n";
  }
  out += list_html(run.problems, "problems");
  for (const auto& f : figures) {
    if (f.figure->run == &run) out += figure_html(f);
  }
  if (run.evaluation && !run.evaluation->splits.empty()) {
    Table t = strategies_table({&run});
    out += html_table(t);
  }
  std::vector<std::string> files;
  const auto list = [&](const char* folder, const auto& of) {
    for (const auto& f : of) {
      files.push_back(
          std::string(folder) + "/" + f.name + ": " + method_title(f.info.method) +
          (f.info.responder.empty() ? "" : " (" + responder_title(f.info.responder) + ")") + ", " +
          std::to_string(f.rows.size()) + " rows");
    }
  };
  list(results::kRepliesFolder, run.replies);
  list(results::kJudgeFolder, run.judged);
  list(results::kHumanFolder, run.rated);
  out += list_html(files, "files");
  for (const auto& f : run.replies) {
    if (!f.info.about.is_null()) {
      out += block(("About responses/" + escape_html(f.name)).c_str(), dump_json(f.info.about, 2));
    }
  }
  out += block("Configuration", run.config);
  out += block("Provenance", run.provenance);
  return out + "</details>\n";
}

// The column of a table of methods that names its rows' runs.
constexpr const char* kRunsColumn = "Runs";

// Tables of more columns are set smaller on paper.
constexpr std::size_t kWide = 16;

// Columns of the bias, however their heading goes on.
bool is_bias(const std::string& column) {
  const std::string title = metrics::strategy_metric("bias").title;
  return column == title || column.rfind(title + " ", 0) == 0;
}

std::string class_of(bool numeric, const Cell& cell) {
  std::string classes = numeric ? "number" : "";
  const auto add = [&](const char* name) {
    classes += (classes.empty() ? "" : " ") + std::string(name);
  };
  if (cell.value.is_object()) add("estimate");
  if (without_value(cell) && cell.text == "missing") add("absent");
  if (cell.text.size() > 60) add("long");
  return classes.empty() ? "" : " class=\"" + classes + "\"";
}

// A number stays on one line with its interval; its spread over seeds may go to the next.
std::string unbroken(std::string text) {
  for (std::size_t at = 0; (at = text.find(" ±", at)) != std::string::npos;) {
    text.replace(at, 1, "&nbsp;");
  }
  return text;
}

std::string content_of(const Cell& cell) {
  std::string text = escape_html(cell.text);
  if (cell.value.is_object()) text = unbroken(std::move(text));
  const Emphasis e = emphasis_of(cell);
  if (e == Emphasis::best) text = "<strong>" + text + "</strong>";
  if (e == Emphasis::second) text = "<u>" + text + "</u>";
  const std::string theirs = paper_text(cell);
  return theirs.empty() ? text : text + " <small>" + escape_html(theirs) + "</small>";
}

// The case study to be read from top to bottom, as it was said.
std::string conversation_html(const CaseStudy& study) {
  std::string out = "<p>Dialogue <code>" + escape_html(study.dialogue) +
                    "</code>. Value: reward-to-go "
                    "at a discount of " +
                    Cell::real(study.gamma, 3).text + ".</p>\n<ol class=\"talk\">\n";
  const auto say = [&](const char* css, const std::string& who, const std::string& about,
                       const std::string& text) {
    out += std::string("<li class=\"") + css + "\"><span class=\"who\">" + escape_html(who) +
           "</span>" +
           (about.empty() ? "" : " <span class=\"about\">" + escape_html(about) + "</span>") +
           "<p>" + (text.empty() ? "<em>no reply</em>" : escape_html(text)) + "</p></li>\n";
  };
  for (const auto& turn : study.turns) {
    if (!turn.query.empty()) say("seeker", "Seeker", "", turn.query);
    for (const auto& r : turn.replies) {
      std::string about = r.strategy;
      const auto add = [&](const std::string& s) { about += (about.empty() ? "" : " · ") + s; };
      if (r.reward) add("reward " + Cell::real(*r.reward, 0).text);
      if (r.value) add("value " + Cell::real(*r.value, 2).text);
      say(r.human ? "supporter human" : "supporter", r.human ? "Human supporter" : r.method, about,
          r.text);
    }
  }
  return out + "</ol>\n";
}

std::string counts_html(const results::Results& results) {
  std::map<results::PointState, std::size_t> counts;
  for (const results::Run* run : results.runs()) ++counts[run->state];
  std::string out = "<ul class=\"counts\">";
  using results::PointState;
  for (const PointState s :
       {PointState::done, PointState::failed, PointState::unfinished, PointState::missing}) {
    const std::size_t n = counts[s];
    if (n == 0 && s != PointState::done) continue;
    out += "<li><strong>" + std::to_string(n) + "</strong> " + to_word(s) + "</li>";
  }
  return out + "</ul>\n";
}

std::vector<bool> numeric_columns(const Table& table) {
  std::vector<bool> out(table.columns.size(), false);
  for (const auto& row : table.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      out[c] = out[c] || (row[c].numeric && !without_value(row[c]));
    }
  }
  return out;
}

std::string head_html(const Table& table) {
  const auto numeric = numeric_columns(table);
  std::string out = "<thead><tr>";
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const std::string name = escape_html(table.columns[c]);
    out += std::string("<th scope=\"col\"") + (numeric[c] ? " class=\"number\"" : "") + ">" +
           (is_bias(table.columns[c]) ? "<span title=\"B alone ranks nothing\">" + name + "</span>"
                                      : "<button type=\"button\">" + name + "</button>") +
           "</th>";
  }
  return out + "</tr></thead>";
}

std::string anchor_called(const std::string& run) {
  return "run-" + slug(run);
}

// The runs that a row of a table of methods is of, from its last column.
std::vector<std::string> runs_of(const Table& table, const std::vector<Cell>& row) {
  std::vector<std::string> out;
  if (table.columns.empty() || table.columns.back() != kRunsColumn) return out;
  const std::string& names = row.back().text;
  if (row.back().value.is_null() || names == "–") return out;
  for (std::size_t at = 0; at <= names.size();) {
    const std::size_t end = std::min(names.find(", ", at), names.size());
    out.push_back(names.substr(at, end - at));
    at = end + 2;
  }
  return out;
}

// A number leads to its (first) run, the names of runs each to its own.
std::string linked(const Table& table, std::size_t c, const Cell& cell,
                   const std::vector<std::string>& runs, const std::string& content) {
  if (runs.empty()) return content;
  if (c + 1 == table.columns.size()) {
    std::string out;
    for (const auto& run : runs) {
      out += (out.empty() ? "<a href=\"#" : ", <a href=\"#") + escape_html(anchor_called(run)) +
             "\">" + escape_html(run) + "</a>";
    }
    return out;
  }
  if (without_value(cell) || !cell.value.is_object()) return content;
  return "<a class=\"cell\" href=\"#" + escape_html(anchor_called(runs.front())) + "\">" + content +
         "</a>";
}

std::string body_html(const Table& table, const std::vector<std::string>& links) {
  const auto numeric = numeric_columns(table);
  std::string out = "<tbody>\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    // A first cell in brackets marks a trivial baseline.
    const auto runs = runs_of(table, row);
    const bool baseline = !row.empty() && row[0].text.rfind('[', 0) == 0;
    out += baseline ? "<tr class=\"baseline\">" : "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string sort = sort_value(row[c]);
      const bool as_shown = sort == row[c].text && paper_text(row[c]).empty();
      const std::string content = linked(table, c, row[c], runs, content_of(row[c]));
      out += std::string(c == 0 ? "<th scope=\"row\"" : "<td") + class_of(numeric[c], row[c]) +
             (as_shown ? "" : " data-v=\"" + escape_html(sort) + "\"") + ">" +
             (c == 1 && r < links.size()
                  ? "<a href=\"#" + escape_html(links[r]) + "\">" + content + "</a>"
                  : content) +
             (c == 0 ? "</th>" : "</td>");
    }
    out += "</tr>\n";
  }
  return out + "</tbody>";
}

std::string notes_html(const Table& table) {
  std::string out;
  const auto paper = paper_columns(table);
  if (std::find(paper.begin(), paper.end(), true) != paper.end()) {
    out += "<p class=\"note\">Small, below ours: the paper's number.</p>\n";
  }
  for (const auto& note : table.notes) out += "<p class=\"note\">" + escape_html(note) + "</p>\n";
  return out;
}

// The page section by section: what this folder holds first, then the paper's tables.
class Page {
 public:
  explicit Page(const HtmlReport& report) : report_(report), results_(*report.results) {}

  std::string render() {
    head();
    overview();
    results();
    training();
    runs();
    paper();
    if (!report_.tables->findings.empty()) {
      open("findings", report_.tables->own ? "Findings" : "Findings about the paper");
      for (const auto& t : report_.tables->findings) out_ += html_table(t);
      close();
    }
    absent();
    return out_ + kTerms + (report_.tables->own ? "" : kPaperTerms) + kTermsEnd +
           "</main>\n<script>\n" + kScript + "</script>\n</body>\n</html>\n";
  }

 private:
  void open(const char* id, const char* title) {
    out_ += std::string("<section id=\"") + id + "\"><h2>" + title + "</h2>\n";
  }
  void close() { out_ += "</section>\n"; }

  const char* methods_id() const { return report_.tables->own ? "methods" : "paper"; }

  bool has_study() const { return report_.study != nullptr && !report_.study->empty(); }

  void head() {
    out_ =
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
        "<meta name=\"color-scheme\" content=\"light dark\">\n"
        // The browser itself then refuses anything that is not in this file.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
        "<title>straQ* report: " +
        escape_html(results_.name) + "</title>\n<style>\n" + kStyle +
        "</style>\n</head>\n<body>\n<header><h1>straQ* report</h1><p>Results folder: <code>" +
        escape_html(results_.name) + "</code>" + escape_html(report_.made_of) +
        "</p>\n<nav aria-label=\"Sections\">";
    const auto link = [&](const char* id, const char* title, bool there) {
      if (there) out_ += std::string("<a href=\"#") + id + "\">" + title + "</a> ";
    };
    link("overview", "Overview", true);
    link("results", "Results", true);
    link("training", "Values and training", has_training());
    link("runs", "Runs", true);
    link(methods_id(), report_.tables->own ? "Methods" : "Paper's tables",
         !report_.tables->paper.empty());
    link("case", "Case study", has_study());
    link("findings", "Findings", !report_.tables->findings.empty());
    link("absent", "Not there yet", !report_.absent->empty());
    out_ += "<a href=\"#terms\">Terms</a></nav></header>\n<main>\n";
  }

  void overview() {
    open("overview", "Overview");
    out_ += counts_html(results_) + list_html(report_.warnings, "problems") +
            list_html(report_.remarks, "gaps");
    std::vector<std::string> problems = results_.problems;
    for (const auto& e : results_.experiments) {
      for (const auto& p : e.problems) problems.push_back(p);
    }
    out_ += list_html(problems, "problems");
    std::vector<std::string> anchors;
    for (const results::Run* run : results_.runs()) anchors.push_back(anchor_of(*run));
    for (const auto& t : report_.tables->folder) {
      if (t.id == "overview") out_ += html_table(t, anchors);
    }
    close();
  }

  // Tables of results, as against those of values and training and of single strategies, which
  // every run shows by itself.
  static bool of_results(const Table& t) {
    return t.id.rfind("results_", 0) == 0 || t.id == "seeds";
  }
  // Others of this folder, but those that stand elsewhere: the overview, and of single strategies,
  // which every run shows by itself.
  static bool beside_results(const Table& t) {
    return !of_results(t) && !of_training(t) && t.id != "overview" && t.id != "strategies";
  }
  static bool of_training(const Table& t) { return t.id == "value" || t.id == "training"; }

  bool has_training() const {
    const auto& tables = report_.tables->folder;
    return std::any_of(tables.begin(), tables.end(), of_training);
  }

  void results() {
    open("results", "Results");
    const auto& tables = report_.tables->folder;
    if (std::none_of(tables.begin(), tables.end(), of_results)) {
      out_ += "<p>No run has been evaluated yet: there is no readable evaluation.json.</p>\n";
    }
    for (const auto& t : tables) {
      if (of_results(t) || beside_results(t)) out_ += html_table(t);
    }
    for (const auto& f : report_.figures) {
      if (f.figure->run == nullptr) out_ += figure_html(f);
    }
    close();
  }

  void training() {
    if (!has_training()) return;
    open("training", "Values and training");
    for (const auto& t : report_.tables->folder) {
      if (of_training(t)) out_ += html_table(t);
    }
    close();
  }

  void runs() {
    open("runs", "Runs");
    const auto runs = results_.runs();
    for (const results::Run* run : runs) {
      std::string html = run_html(*run, report_.figures);
      // A single run has nothing to be folded away for.
      if (runs.size() == 1) html.replace(0, std::string("<details").size(), "<details open");
      out_ += html;
    }
    close();
  }

  void paper() {
    const auto& tables = report_.tables->paper;
    if (!tables.empty()) {
      open(methods_id(), report_.tables->own ? "Methods" : "The paper's tables");
      out_ += "<ul class=\"index\">";
      for (const auto& t : tables) {
        out_ += "<li><a href=\"#" + escape_html(slug(t.id)) + "\">" + escape_html(t.title) +
                "</a></li>";
      }
      out_ += "</ul>\n";
      for (const auto& t : tables) {
        out_ += "<div class=\"table\" id=\"" + escape_html(slug(t.id)) + "\">\n" + html_table(t) +
                "</div>\n";
      }
      close();
    }
    if (!has_study()) return;
    open("case", "Case study");
    out_ += conversation_html(*report_.study);
    close();
  }

  void absent() {
    if (report_.absent->empty()) return;
    open("absent", "Not in this folder yet");
    out_ += "<ul class=\"gaps\">";
    for (const auto& g : *report_.absent) {
      out_ += "<li>" + escape_html(sentence_case(g.why)) + ".";
      if (!g.remedy.empty()) out_ += " <code>" + escape_html(g.remedy) + "</code> would fill";
      out_ += std::string(g.remedy.empty() ? " Not shown" : "") + ": " +
              escape_html(joined(g.what, "; ")) + ".</li>\n";
    }
    out_ += std::string("</ul>\n<p class=\"note\">") + kElsewhereNote + "</p>\n";
    close();
  }

  const HtmlReport& report_;
  const results::Results& results_;
  std::string out_;
};

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t have = std::min<std::size_t>(3, bytes.size() - i);
    unsigned word = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      word = word << 8 | (j < have ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= have ? kDigits[word >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

std::string html_table(const Table& table, const std::vector<std::string>& links) {
  return "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
         escape_html(table.title) + "\"><table" +
         (table.columns.size() > kWide ? " class=\"wide\"" : "") + "><caption>" +
         escape_html(table.title) + "</caption>" + head_html(table) + body_html(table, links) +
         "</table></div>\n" + notes_html(table);
}

std::string render_html(const HtmlReport& report) {
  Page page(report);
  return page.render();
}

}  // namespace straq::report
