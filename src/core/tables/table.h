// A table of results, once, for every way it is shown: aligned text, Markdown, CSV, JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace straq {

struct Cell {
  std::string text;              // as people read it
  nlohmann::ordered_json value;  // as programs read it (number, string, null)
  bool numeric = false;          // right-aligned

  Cell() = default;
  Cell(std::string s) : text(s), value(std::move(s)) {}  // NOLINT: implicit on purpose
  Cell(const char* s) : Cell(std::string(s)) {}          // NOLINT
  Cell(long long n) : text(std::to_string(n)), value(n), numeric(true) {}  // NOLINT
  Cell(int n) : Cell(static_cast<long long>(n)) {}                         // NOLINT
  Cell(long n) : Cell(static_cast<long long>(n)) {}                        // NOLINT
  Cell(std::size_t n) : Cell(static_cast<long long>(n)) {}                 // NOLINT
  // A real number shown with `decimals` places and stored in full.
  static Cell real(double x, int decimals);
  static Cell missing(std::string why = "–");
};

struct Table {
  std::string id;  // "table8": file names and JSON keys
  std::string title;
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;
  std::vector<std::string> notes;

  void add(std::vector<Cell> row);  // throws std::logic_error when the width differs
  std::string to_text() const;      // aligned columns, UTF-8 aware
  std::string to_markdown() const;
  std::string to_csv() const;  // RFC 4180; full-precision values
  nlohmann::ordered_json to_json() const;
};

}  // namespace straq
