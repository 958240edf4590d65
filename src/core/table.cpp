#include "core/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

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

std::string csv_field(const std::string& s) {
  if (s.find_first_of(",\"\r\n") == std::string::npos) return s;
  std::string out = "\"";
  for (char c : s) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string markdown_field(const std::string& s) {
  std::string out;
  for (char c : s) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
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
  std::string out = title.empty() ? "" : title + "\n";
  auto line = [&](auto&& text_of) {
    std::string l;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      l += (i ? "  " : "") + pad(text_of(i), w[i], right[i]);
    }
    l.erase(l.find_last_not_of(' ') + 1);
    out += l + "\n";
  };
  line([&](std::size_t i) { return columns[i]; });
  std::size_t total = columns.empty() ? 0 : 2 * (columns.size() - 1);
  for (std::size_t x : w) total += x;
  out += std::string(total, '-') + "\n";
  for (const auto& row : rows) line([&](std::size_t i) { return row[i].text; });
  for (const auto& note : notes) out += "  " + note + "\n";
  return out;
}

std::string Table::to_markdown() const {
  std::string out = title.empty() ? "" : "### " + title + "\n\n";
  std::string head = "|", rule = "|";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    bool right = false;
    for (const auto& row : rows) right = right || row[i].numeric;
    head += " " + markdown_field(columns[i]) + " |";
    rule += right ? "---:|" : "---|";
  }
  out += head + "\n" + rule + "\n";
  for (const auto& row : rows) {
    out += "|";
    for (const auto& c : row) out += " " + markdown_field(c.text) + " |";
    out += "\n";
  }
  if (!notes.empty()) out += "\n";
  for (const auto& note : notes) out += "*" + note + "*\n\n";
  return out;
}

std::string Table::to_csv() const {
  std::string out;
  for (std::size_t i = 0; i < columns.size(); ++i) out += (i ? "," : "") + csv_field(columns[i]);
  out += "\n";
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const auto& v = row[i].value;
      const std::string field = v.is_null() ? "" : v.is_string() ? v.get<std::string>() : v.dump();
      out += (i ? "," : "") + csv_field(field);
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
