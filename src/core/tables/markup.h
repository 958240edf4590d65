// Foreign text in Markdown: it stays text, whatever links, pictures, HTML or table bars it holds.
// The one escaper for tables, sheets and reports.
#pragma once

#include <functional>
#include <string>

#include "core/tables/table.h"

namespace straq {

enum class MarkdownPlace {
  line,    // the text begins a paragraph or a list's item
  within,  // something of the program's own stands before it: a bar, a mark of emphasis
};

// Text on one line: HTML, emphasis, code, links, pictures, bars, and addresses that would become
// links by themselves are defused; control characters become blanks. At the beginning of a line so
// is what would make a heading, a list, a quotation, a rule or a link's definition. Brackets that
// make no link stay as they are.
std::string escape_markdown(const std::string& text, MarkdownPlace place = MarkdownPlace::line);

// A table as Markdown. `decorate` may wrap a cell's escaped text in markup of the program's own.
using DecorateCell = std::function<std::string(const Cell& cell, std::string escaped)>;
std::string markdown_of(const Table& table, const DecorateCell& decorate = {});

}  // namespace straq
