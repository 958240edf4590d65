#include "core/tables/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "core/json/json.h"
#include "core/tables/csv.h"
#include "core/tables/markup.h"

namespace straq {
namespace {

// Code points, which for the Latin text and dashes of our tables is the display width.
std::size_t width(const std::string& s) {
  std::size_t n = 0;
  for (unsigned char c : s) n += (c & 0xC0) != 0x80;
  return n;
}

std::string pad(const std::string& s, std::size_t to, bool right) {
  const std::string space(to > width(s) ? to - width(s) : 0, ' ');
  return right ? space + s : s + space;
}

// What a program reads: foreign text must not become a formula, numbers stay numbers.
std::string csv_field(const nlohmann::ordered_json& v) {
  if (v.is_null()) return {};
  if (!v.is_string()) return csv_quoted(dump_json(v));
  const auto& text = v.get_ref<const std::string&>();
  return csv_quoted(is_plain_number(text) ? text : csv_defused(text));
}

// On one line and without what would move a terminal's cursor.
std::string one_line(std::string s) {
  for (char& c : s) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return s;
}

}  // namespace

Cell Cell::real(double x, int decimals) {
  Cell c;
  c.numeric = true;
  if (!std::isfinite(x)) {
    c.text = std::isnan(x) ? "n/a" : (x > 0 ? "inf" : "-inf");
    c.value = nullptr;
    return c;
  }
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals, x);
  c.text = buffer;
  // What rounds to zero is shown without the sign that it loses in meaning.
  if (c.text[0] == '-' && c.text.find_first_of("123456789") == std::string::npos)
    c.text.erase(0, 1);
  c.value = x;
  return c;
}

Cell Cell::missing(std::string why) {
  Cell c;
  c.text = std::move(why);
  c.value = nullptr;
  c.numeric = true;
  return c;
}

void Table::add(std::vector<Cell> row) {
  if (row.size() != columns.size()) {
    throw std::logic_error("table " + id + ": a row of " + std::to_string(row.size()) +
                           " cells in a table of " + std::to_string(columns.size()));
  }
  rows.push_back(std::move(row));
}

std::string Table::to_text() const {
  std::vector<std::size_t> w;
  std::vector<bool> right(columns.size(), false);
  for (const auto& c : columns) w.push_back(width(c));
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      w[i] = std::max(w[i], width(row[i].text));
      if (row[i].numeric) right[i] = true;
    }
  }
  std::string out = title.empty() ? "" : one_line(title) + "\n";
  auto line = [&](auto&& text_of) {
    std::string l;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      l += (i ? "  " : "") + pad(one_line(text_of(i)), w[i], right[i]);
    }
    l.erase(l.find_last_not_of(' ') + 1);
    out += l + "\n";
  };
  line([&](std::size_t i) { return columns[i]; });
  std::size_t total = columns.empty() ? 0 : 2 * (columns.size() - 1);
  for (std::size_t x : w) total += x;
  out += std::string(total, '-') + "\n";
  for (const auto& row : rows) line([&](std::size_t i) { return row[i].text; });
  for (const auto& note : notes) out += "  " + one_line(note) + "\n";
  return out;
}

std::string Table::to_markdown() const {
  return markdown_of(*this);
}

std::string Table::to_csv() const {
  std::string out;
  for (std::size_t i = 0; i < columns.size(); ++i) out += (i ? "," : "") + csv_field(columns[i]);
  out += "\n";
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += (i ? "," : "") + csv_field(row[i].value);
    }
    out += "\n";
  }
  return out;
}

nlohmann::ordered_json Table::to_json() const {
  nlohmann::ordered_json j;
  j["id"] = id;
  j["title"] = title;
  j["columns"] = columns;
  j["rows"] = nlohmann::ordered_json::array();
  for (const auto& row : rows) {
    nlohmann::ordered_json r = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < row.size(); ++i) r[columns[i]] = row[i].value;
    j["rows"].push_back(std::move(r));
  }
  if (!notes.empty()) j["notes"] = notes;
  return j;
}

}  // namespace straq
