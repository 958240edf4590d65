#include "report/page/html.h"

#include <algorithm>
#include <map>

#include "core/json/json.h"
#include "report/page/html_assets.h"
#include "report/rows/methods.h"
#include "report/tables/cells.h"
#include "report/tables/tables.h"
#include "report/tables/words.h"
#include "results/layout.h"

namespace straq::report {
namespace {

// The value a column sorts by: numbers in full, intervals by their lower end, text as it is.
std::string sort_value(const Cell& cell) {
  const auto& v = cell.value;
  if (v.is_null()) return cell.numeric ? "" : cell.text;
  if (v.is_array() && !v.empty()) return dump_json(v[0]);
  if (v.is_object()) return v.contains("value") ? dump_json(v["value"]) : "";
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

// Tables of more columns are set smaller on paper.
constexpr std::size_t kWide = 16;

// Columns of the bias, however their heading goes on.
bool is_bias(const std::string& column) {
  return column == "B" || column.rfind("B ", 0) == 0;
}

std::string class_of(const std::string& column, bool numeric, const Cell& cell) {
  std::string classes = numeric ? "number" : "";
  const auto add = [&](const char* name) {
    classes += (classes.empty() ? "" : " ") + std::string(name);
  };
  if (column.size() > 6 && column.ends_with(" paper")) add("paper");
  if (cell.value.is_null() && cell.text == "missing") add("absent");
  if (cell.text.size() > 60) add("long");
  return classes.empty() ? "" : " class=\"" + classes + "\"";
}

std::string content_of(const Cell& cell) {
  const std::string text = escape_html(cell.text);
  switch (emphasis_of(cell)) {
    case Emphasis::best:
      return "<strong>" + text + "</strong>";
    case Emphasis::second:
      return "<u>" + text + "</u>";
    default:
      return text;
  }
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
  std::vector<bool> numeric(table.columns.size(), false);
  for (const auto& row : table.rows) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      numeric[c] = numeric[c] || (row[c].numeric && !row[c].value.is_null());
    }
  }
  std::string out = "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" +
                    escape_html(table.title) + "\"><table" +
                    (table.columns.size() > kWide ? " class=\"wide\"" : "") + "><caption>" +
                    escape_html(table.title) + "</caption><thead><tr>";
  for (std::size_t c = 0; c < table.columns.size(); ++c) {
    const std::string name = escape_html(table.columns[c]);
    out += std::string("<th scope=\"col\"") + (numeric[c] ? " class=\"number\"" : "") + ">" +
           (is_bias(table.columns[c]) ? "<span title=\"B alone ranks nothing\">" + name + "</span>"
                                      : "<button type=\"button\">" + name + "</button>") +
           "</th>";
  }
  out += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    const auto& row = table.rows[r];
    // A first cell in brackets marks a trivial baseline.
    const bool baseline = !row.empty() && row[0].text.rfind('[', 0) == 0;
    out += baseline ? "<tr class=\"baseline\">" : "<tr>";
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string sort = sort_value(row[c]);
      out += std::string(c == 0 ? "<th scope=\"row\"" : "<td") +
             class_of(table.columns[c], numeric[c], row[c]) +
             (sort == row[c].text ? "" : " data-v=\"" + escape_html(sort) + "\"") + ">" +
             (c == 1 && r < links.size()
                  ? "<a href=\"#" + escape_html(links[r]) + "\">" + content_of(row[c]) + "</a>"
                  : content_of(row[c])) +
             (c == 0 ? "</th>" : "</td>");
    }
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  for (const auto& note : table.notes) out += "<p class=\"note\">" + escape_html(note) + "</p>\n";
  return out;
}

std::string render_html(const HtmlReport& report) {
  const results::Results& results = *report.results;
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      // The browser itself then refuses anything that is not in this file.
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n"
      "<title>straQ* report: " +
      escape_html(results.name) + "</title>\n<style>\n" + kStyle +
      "</style>\n</head>\n<body>\n<header><h1>straQ* report</h1><p>Results folder: <code>" +
      escape_html(results.name) +
      "</code></p>\n"
      "<nav aria-label=\"Sections\"><a href=\"#overview\">Overview</a> "
      "<a href=\"#paper\">Paper's tables</a> <a href=\"#case\">Case study</a> "
      "<a href=\"#results\">Results</a> <a href=\"#training\">Values and training</a> "
      "<a href=\"#findings\">Findings</a> <a href=\"#runs\">Runs</a> <a "
      "href=\"#terms\">Terms</a></nav></header>\n<main>\n";

  out += "<section id=\"overview\"><h2>Overview</h2>\n" + counts_html(results);
  std::vector<std::string> problems = results.problems;
  for (const auto& e : results.experiments) {
    for (const auto& p : e.problems) problems.push_back(p);
  }
  out += list_html(report.warnings, "problems") + list_html(problems, "problems");
  std::vector<std::string> anchors;
  for (const results::Run* run : results.runs()) anchors.push_back(anchor_of(*run));
  if (!report.missing_figures.empty()) {
    out += "<p>Figures that are missing:</p>\n" + list_html(report.missing_figures, "gaps");
  }
  out += html_table(report.overview, anchors) + "</section>\n";

  out += "<section id=\"paper\"><h2>The paper's tables</h2>\n<ul class=\"index\">";
  for (const auto& t : report.paper_tables) {
    out += "<li><a href=\"#" + escape_html(slug(t.id)) + "\">" + escape_html(t.title) + "</a></li>";
  }
  out += "</ul>\n";
  for (const auto& t : report.paper_tables) {
    out += "<div class=\"table\" id=\"" + escape_html(slug(t.id)) + "\">\n" + html_table(t) +
           "</div>\n";
  }
  out += "</section>\n<section id=\"case\"><h2>Case study</h2>\n";
  out += report.study != nullptr && !report.study->empty()
             ? conversation_html(*report.study)
             : "<p class=\"absent\">There are no replies in the results folder, so there is no "
               "conversation to show.</p>\n";
  out += "</section>\n<section id=\"results\"><h2>Results</h2>\n";
  if (report.results_tables.empty()) {
    out +=
        "<p class=\"absent\">No run has been evaluated yet: there is no readable "
        "evaluation.json.</p>\n";
  }
  for (const auto& t : report.results_tables) out += html_table(t);
  for (const auto& f : report.figures) {
    if (f.figure->run == nullptr) out += figure_html(f);
  }
  out += "</section>\n<section id=\"training\"><h2>Values and training</h2>\n";
  for (const auto& t : report.other_tables) out += html_table(t);
  if (!report.findings.empty()) {
    out += "</section>\n<section id=\"findings\"><h2>Findings about the paper</h2>\n";
    for (const auto& t : report.findings) out += html_table(t);
  }
  out += "</section>\n<section id=\"runs\"><h2>Runs</h2>\n";
  const auto runs = results.runs();
  for (const results::Run* run : runs) {
    std::string html = run_html(*run, report.figures);
    // A single run has nothing to be folded away for.
    if (runs.size() == 1) html.replace(0, std::string("<details").size(), "<details open");
    out += html;
  }
  out += std::string("</section>\n") + kTerms + "</main>\n<script>\n" + kScript +
         "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace straq::report
