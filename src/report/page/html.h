// The report as one HTML file that needs nothing else: styles and script inside, figures as data
// URLs, no address of another machine. It opens from disk, on a phone and in print, in ten years.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/tables/table.h"
#include "report/contents.h"
#include "report/figures/figures.h"
#include "report/tables/case_study.h"
#include "results/results.h"

namespace straq::report {

// Text for HTML content and for quoted attributes: & < > " ' are escaped.
std::string escape_html(std::string_view text);

std::string base64(std::string_view bytes);

// A figure with the bytes of its SVG; empty bytes: it could not be drawn, its place says so.
struct HtmlFigure {
  const Figure* figure = nullptr;
  std::string svg;
};

struct HtmlReport {
  const results::Results* results = nullptr;
  std::vector<std::string> warnings;  // of the report itself (gnuplot absent, …)
  std::vector<std::string> remarks;   // what it leaves out on purpose
  std::string made_of;                // program and hash of what was read, behind the folder's name
  const MadeTables* tables = nullptr;
  const CaseStudy* study = nullptr;  // shown as a conversation
  std::vector<HtmlFigure> figures;
  const std::vector<AbsentGroup>* absent = nullptr;  // what is not in the folder yet
};

// The whole page. The same input gives the same bytes.
std::string render_html(const HtmlReport& report);

// One table as HTML: sortable by its column buttons, numbers by their full value. A column of B has
// no button: B alone ranks nothing. The paper's number stands small below ours. `links`: an anchor
// a row, for the second column.
std::string html_table(const Table& table, const std::vector<std::string>& links = {});

}  // namespace straq::report
