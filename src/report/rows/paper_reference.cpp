#include "report/rows/paper_reference.h"

#include <algorithm>
#include <initializer_list>

#include "config/value.h"
#include "core/error.h"
#include "metrics/metric.h"

namespace straq::report {

extern const char* const kPaperReferenceText;  // made by cmake/EmbedText.cmake

namespace {

using config::Value;

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

[[noreturn]] void fail(const Value& at, const std::string& message) {
  fail_input(at.where() + ": " + message, "the file's head describes its form");
}

void expect_map(const Value& v, const std::string& what, std::initializer_list<const char*> keys) {
  if (v.kind != Value::Kind::map) fail(v, what + " must be a map");
  for (const auto& [key, child] : v.map) {
    const bool known = std::any_of(keys.begin(), keys.end(), [&](auto* k) { return key == k; });
    if (!known) fail(child, "unknown key \"" + key + "\" of " + what);
  }
}

std::vector<std::string> strings(const Value* v, const std::string& what) {
  std::vector<std::string> out;
  if (v == nullptr) return out;
  if (v->kind != Value::Kind::list) fail(*v, what + " must be a list");
  for (const auto& item : v->list) {
    if (item.kind == Value::Kind::map || item.kind == Value::Kind::list) {
      fail(item, what + " must be a list of single values");
    }
    out.push_back(item.scalar);
  }
  return out;
}

const Value& required(const Value& v, const char* key) {
  const Value* child = v.find(key);
  if (child == nullptr) fail(v, std::string("\"") + key + "\" is missing");
  return *child;
}

ReferenceTable read_table(const std::string& id, const Value& v) {
  expect_map(v, id, {"columns", "rows", "doubts", "remarks"});
  ReferenceTable t;
  t.id = id;
  t.columns = strings(&required(v, "columns"), "columns");
  const Value& rows = required(v, "rows");
  if (rows.kind != Value::Kind::list) fail(rows, "rows must be a list");
  for (const auto& row : rows.list) {
    expect_map(row, "a row", {"key", "values"});
    ReferenceRow r;
    r.key = required(row, "key").scalar;
    r.values = strings(&required(row, "values"), "values");
    if (r.values.size() != t.columns.size()) {
      fail(row, "the row " + r.key + " has " + std::to_string(r.values.size()) +
                    " values, expected " + std::to_string(t.columns.size()));
    }
    if (t.row(r.key) != nullptr) fail(row, "the row " + r.key + " comes twice");
    t.rows.push_back(std::move(r));
  }
  if (const Value* doubts = v.find("doubts")) {
    if (doubts->kind != Value::Kind::list) fail(*doubts, "doubts must be a list");
    for (const auto& doubt : doubts->list) {
      expect_map(doubt, "a doubt", {"rows", "columns", "reason"});
      Doubt d;
      d.rows = strings(doubt.find("rows"), "rows");
      d.columns = strings(doubt.find("columns"), "columns");
      d.reason = required(doubt, "reason").scalar;
      for (const auto& key : d.rows) {
        if (t.row(key) == nullptr) fail(doubt, "there is no row " + key + " to doubt");
      }
      for (const auto& column : d.columns) {
        if (!contains(t.columns, column)) fail(doubt, "there is no column " + column);
      }
      t.doubts.push_back(std::move(d));
    }
  }
  t.remarks = strings(v.find("remarks"), "remarks");
  return t;
}

// Format 1 has the keys that metrics had before.
void rename_columns(ReferenceTable& t) {
  for (auto& column : t.columns) column = metrics::current_key(column);
  for (auto& doubt : t.doubts) {
    for (auto& column : doubt.columns) column = metrics::current_key(column);
  }
}

PaperReference read_root(const Value& root) {
  expect_map(root, "the file", {"format", "paper", "tables"});
  const Value& format = required(root, "format");
  if (format.scalar != "1" && format.scalar != "2") {
    fail(format, "its format is " + format.scalar + ", this program reads 1 and 2");
  }
  PaperReference out;
  out.paper = required(root, "paper").scalar;
  const Value& tables = required(root, "tables");
  if (tables.kind != Value::Kind::map) fail(tables, "tables must be a map");
  for (const auto& [id, table] : tables.map) {
    out.tables.push_back(read_table(id, table));
    if (format.scalar == "1") rename_columns(out.tables.back());
  }
  return out;
}

}  // namespace

const ReferenceRow* ReferenceTable::row(const std::string& key) const {
  for (const auto& r : rows) {
    if (r.key == key) return &r;
  }
  return nullptr;
}

std::optional<std::string> ReferenceTable::value(const std::string& key,
                                                 const std::string& column) const {
  const auto at = std::find(columns.begin(), columns.end(), column);
  const ReferenceRow* r = row(key);
  if (r == nullptr || at == columns.end()) return std::nullopt;
  const std::string& text = r->values[static_cast<std::size_t>(at - columns.begin())];
  return text.empty() ? std::nullopt : std::optional<std::string>(text);
}

bool ReferenceTable::doubtful(const std::string& key, const std::string& column) const {
  return std::any_of(doubts.begin(), doubts.end(), [&](const Doubt& d) {
    return (d.rows.empty() || contains(d.rows, key)) &&
           (d.columns.empty() || contains(d.columns, column));
  });
}

std::vector<std::string> ReferenceTable::reasons() const {
  std::vector<std::string> out;
  for (const auto& d : doubts) out.push_back(d.reason);
  return out;
}

const ReferenceTable& PaperReference::table(const std::string& id) const {
  static const ReferenceTable none;
  for (const auto& t : tables) {
    if (t.id == id) return t;
  }
  return none;
}

PaperReference read_paper_reference(const std::string& path) {
  return read_root(config::load_yaml(path));
}

PaperReference built_in_paper_reference() {
  return read_root(config::parse_yaml(kPaperReferenceText, "the built-in paper_reference.yaml"));
}

}  // namespace straq::report
