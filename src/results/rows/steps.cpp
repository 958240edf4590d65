#include "results/rows/steps.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "metrics/metric.h"

namespace straq::results {
namespace {

constexpr std::int64_t kTail = 64 * 1024;  // bytes of a file's end that hold its last lines

// A row of a line; nothing where it is no object with a whole number as its "step".
template <class Row>
std::optional<Row> row_of(std::string_view line, bool* parsed = nullptr) {
  nlohmann::ordered_json object;
  const bool read = try_parse_json(line, object).empty();
  if (parsed != nullptr) *parsed = read;
  if (!read || !object.is_object()) return std::nullopt;
  const auto step = object.find("step");
  if (step == object.end() || !whole_number(*step)) return std::nullopt;
  Row row;
  JsonFields fields = JsonFields::skimmer(object);
  row.fields(fields);
  return row;
}

// Rows of a text; lines that are none are told of.
template <class Row>
std::vector<Row> read_rows(const std::string& path, std::string_view text,
                           std::vector<std::string>& problems) {
  std::vector<Row> rows;
  long bad = 0;
  for (const TextLine& line : lines_of(text)) {
    if (is_blank_line(line.text)) continue;
    bool parsed = false;
    auto row = row_of<Row>(line.text, &parsed);
    if (row) {
      rows.push_back(std::move(*row));
    } else if (!line.ended && !parsed) {
      problems.push_back(at_line(path, line.number, "the last line is half-written and left out"));
    } else if (++bad == 1) {
      problems.push_back(at_line(path, line.number, "no JSON object with a \"step\"; left out"));
    }
  }
  if (bad > 1) {
    problems.push_back(path + ": " + std::to_string(bad) + " lines in all are no such objects");
  }
  return rows;
}

template <class Row>
std::vector<Row> last_rows(const std::string& path, std::size_t count) {
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return {};
  const auto size = static_cast<std::int64_t>(in.tellg());
  const std::int64_t from = std::max<std::int64_t>(0, size - kTail);
  in.seekg(from);
  std::string text(static_cast<std::size_t>(std::max<std::int64_t>(0, size - from)), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  std::vector<Row> rows;
  for (const TextLine& line : lines_of(text)) {
    if (auto row = row_of<Row>(line.text)) rows.push_back(std::move(*row));  // the first may be cut
  }
  if (rows.size() > count) {
    rows.erase(rows.begin(), rows.end() - static_cast<std::ptrdiff_t>(count));
  }
  return rows;
}

}  // namespace

void MetricsRow::fields(JsonFields& f) {
  f("step", step);
  f("stage", stage);
  f("epoch", epoch);
  f("loss", loss);
  f("td_loss", td_loss);
  f("td_abs", td_abs);
  f("q_mean", q_mean);
  f("target_mean", target_mean);
  f("ce_loss", ce_loss);
  f("lm_loss", lm_loss);
  f("cql_loss", cql_loss);
  f("kl_loss", kl_loss);
  f("max_q", max_q);
  f("grad_norm", grad_norm);
  f("lr", lr);
  f.count("decisions", decisions);
  f.count("tokens", tokens);
  f("skipped", skipped);
}

void TimingsRow::fields(JsonFields& f) {
  f("step", step);
  f("seconds", seconds);
  f("plan", plan);
  f("target", target);
  f("forward", forward);
  f("backward", backward);
  f("reduce", reduce);
  f("optimizer", optimizer);
}

void ValidationRow::fields(JsonFields& f) {
  f("step", step);
  f("stage", stage);
  f("split", split);
  f("decisions", decisions);
  f("replies", replies);
  if (f.reading() || !replies) {
    for (const auto& m : metrics::strategy_metrics()) f(m.key, scores.*m.score);
  }
  f("best", best);
}

std::string line_of(const MetricsRow& row) {
  return dump_json(write_json(row));
}
std::string line_of(const TimingsRow& row) {
  return dump_json(write_json(row));
}
std::string line_of(const ValidationRow& row) {
  return dump_json(write_json(row));
}

std::vector<Step> read_steps(const std::string& path, std::string_view text,
                             std::vector<std::string>& problems) {
  return read_rows<Step>(path, text, problems);
}

void add_timings(std::string_view text, std::vector<Step>& steps) {
  std::map<std::int64_t, double> seconds;
  for (const TextLine& line : lines_of(text)) {
    const auto row = row_of<TimingsRow>(line.text);
    if (row && row->seconds) seconds[row->step] = *row->seconds;
  }
  // Steps count through the stages, so a number names one line of metrics.jsonl.
  for (Step& s : steps) {
    if (const auto it = seconds.find(s.step); it != seconds.end()) s.seconds = it->second;
  }
}

std::vector<ValidationRow> read_validations(const std::string& path, std::string_view text,
                                            std::vector<std::string>& problems) {
  return read_rows<ValidationRow>(path, text, problems);
}

std::vector<MetricsRow> last_metrics(const std::string& path, std::size_t count) {
  return last_rows<MetricsRow>(path, count);
}

std::vector<TimingsRow> last_timings(const std::string& path, std::size_t count) {
  return last_rows<TimingsRow>(path, count);
}

std::int64_t cut_after(const std::string& path, std::int64_t step) {
  if (!std::filesystem::exists(path)) return 0;
  const std::string text = read_file(path);
  std::int64_t last = 0;
  std::size_t kept = 0;
  while (kept < text.size()) {
    const std::size_t end = text.find('\n', kept);
    if (end == std::string::npos) break;  // a half-written line
    const auto line = nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(kept),
                                            text.begin() + static_cast<std::ptrdiff_t>(end),
                                            nullptr, /*allow_exceptions=*/false);
    if (!line.is_object() || !line.contains("step") || !line["step"].is_number_integer()) break;
    const auto at = line["step"].get<std::int64_t>();
    if (at > step) break;
    last = at;
    kept = end + 1;
  }
  if (kept < text.size()) write_file_atomic(path, std::string_view(text).substr(0, kept));
  return last;
}

}  // namespace straq::results
