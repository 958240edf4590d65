#include "experiment/sweep.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "core/error.h"
#include "experiment/experiment.h"
#include "results/point_name.h"

namespace straq::experiment {
using config::Value;
using results::folder_word;
using results::last_part;
namespace {

constexpr std::size_t kLongestName = 200;  // filesystems take 255 bytes, and files add to it

struct Setting {
  std::string key;
  const Value* value;
  bool named = true;  // part of the folder's name
};
// One combination of settings, with the name that its author gave it, if any.
struct Row {
  std::vector<Setting> settings;
  std::string name;
};

// What a point cannot have of its own: the experiment's name and place, the corpus that is made
// once for all, and who works.
void check_key(const Value& at, const std::string& section, const std::string& key) {
  const std::string head = key.substr(0, key.find('.'));
  const std::string where = at.where() + ": sweep." + section + "." + key;
  if (head == "seed") fail_input(where + ": seeds have a list of their own", "use sweep.seeds");
  for (const char* fixed : {"name", "results", "base", "sweep", "simulate", "roles", "watchdog"}) {
    if (head == fixed) {
      fail_input(where + ": " + head + " is the same for all points of a sweep",
                 "set it beside `sweep`, or write another config");
    }
  }
}

void check_plain(const Value& v, const std::string& section, const std::string& key) {
  if (v.kind == Value::Kind::scalar) return;
  fail_input(v.where() + ": sweep." + section + "." + key + ": a sweep takes plain values",
             "for example " + key + ": [0.5, 0.85]");
}

// {key: [values]} of `grid` and `lists`.
std::vector<std::pair<std::string, const std::vector<Value>*>> read_axes(const Value& sweep,
                                                                         const char* section) {
  std::vector<std::pair<std::string, const std::vector<Value>*>> axes;
  const Value* map = sweep.find(section);
  if (map == nullptr || map->kind == Value::Kind::null) return axes;
  if (map->kind != Value::Kind::map) {
    fail_input(map->where() + ": sweep." + section + ": expected a map of keys and their values",
               "for example {learn.gamma: [0.5, 0.85]}");
  }
  for (const auto& [key, values] : map->map) {
    check_key(values, section, key);
    if (values.kind != Value::Kind::list || values.list.empty()) {
      fail_input(values.where() + ": sweep." + section + "." + key + ": expected a list of values",
                 "for example " + key + ": [0.5, 0.85]");
    }
    for (const auto& v : values.list) check_plain(v, section, key);
    axes.emplace_back(key, &values.list);
  }
  return axes;
}

// More points than anybody runs, and fewer than fill the memory of a login node.
constexpr std::size_t kMostPoints = 100'000;
void check_count(const Value& sweep, std::size_t a, std::size_t b) {
  if (a == 0 || b == 0 || b <= kMostPoints / a) return;
  fail_input(sweep.where() + ": the sweep has more than " + std::to_string(kMostPoints) + " points",
             "every value of the grid meets every other: leave some out, or use sweep.lists");
}

std::vector<Row> grid_rows(const Value& sweep) {
  std::vector<Row> rows(1);
  for (const auto& [key, values] : read_axes(sweep, "grid")) {
    check_count(sweep, rows.size(), values->size());
    std::vector<Row> longer;
    for (const Row& row : rows) {
      for (const Value& v : *values) {
        longer.push_back(row);
        longer.back().settings.push_back({key, &v});
      }
    }
    rows = std::move(longer);
  }
  return rows;
}

std::vector<Row> list_rows(const Value& sweep) {
  const auto axes = read_axes(sweep, "lists");
  std::vector<Row> rows(axes.empty() ? 1 : axes.front().second->size());
  for (const auto& [key, values] : axes) {
    if (values->size() != rows.size()) {
      fail_input(values->front().where() + ": sweep.lists." + key + " has " +
                     std::to_string(values->size()) + " values, and " + axes.front().first +
                     " has " + std::to_string(rows.size()),
                 "lists go in step: give each the same number of values, or use sweep.grid");
    }
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].settings.push_back({key, &(*values)[i]});
  }
  // Where the first key tells the rows apart, the others only go with it.
  std::set<std::string> words;
  for (const Row& row : rows) {
    if (!row.settings.empty()) words.insert(folder_word(row.settings.front().value->scalar));
  }
  if (words.size() == rows.size()) {
    for (Row& row : rows) {
      for (std::size_t k = 1; k < row.settings.size(); ++k) row.settings[k].named = false;
    }
  }
  return rows;
}

std::vector<Row> explicit_rows(const Value& sweep) {
  std::vector<Row> rows;
  const Value* list = sweep.find("points");
  if (list == nullptr || list->kind == Value::Kind::null) return rows;
  if (list->kind != Value::Kind::list) {
    fail_input(list->where() + ": sweep.points: expected a list of points",
               "for example [{learn.gamma: 0.5, learn.lr: 1.0e-4}]");
  }
  for (const Value& point : list->list) {
    if (point.kind != Value::Kind::map || point.map.empty()) {
      fail_input(point.where() + ": sweep.points: a point is a map of keys and values",
                 "for example {learn.gamma: 0.5, learn.lr: 1.0e-4}");
    }
    Row row;
    for (const auto& [key, value] : point.map) {
      check_plain(value, "points", key);
      if (key == "name") {
        row.name = folder_word(value.scalar);
        continue;
      }
      check_key(value, "points", key);
      row.settings.push_back({key, &value});
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

// The combinations and the points that are named one by one, without seeds.
std::vector<Row> all_rows(const Value& sweep) {
  const auto points = explicit_rows(sweep);
  const bool combines = sweep.find("grid") != nullptr || sweep.find("lists") != nullptr;
  std::vector<Row> rows;
  if (combines || points.empty()) {
    const auto lists = list_rows(sweep);
    const auto grid = grid_rows(sweep);
    check_count(sweep, grid.size(), lists.size());
    for (const Row& row : grid) {
      for (const Row& more : lists) {
        rows.push_back(row);
        auto& to = rows.back().settings;
        to.insert(to.end(), more.settings.begin(), more.settings.end());
      }
    }
  }
  rows.insert(rows.end(), points.begin(), points.end());
  for (const Row& row : rows) {
    std::set<std::string> seen;
    for (const auto& s : row.settings) {
      if (!seen.insert(s.key).second) {
        fail_input(s.value->where() + ": sweep sets " + s.key + " in the grid and in the lists",
                   "keep one of the two");
      }
    }
  }
  return rows;
}

// The key's last word, or all of it where two keys of the sweep end alike.
std::map<std::string, std::string> short_names(const std::vector<std::string>& keys) {
  std::map<std::string, int> ends;
  for (const auto& key : keys) ++ends[last_part(key)];
  std::map<std::string, std::string> out;
  for (const auto& key : keys) out[key] = ends[last_part(key)] == 1 ? last_part(key) : key;
  return out;
}

const Value* find_dotted(const Value& root, const std::string& key) {
  const auto dot = key.find('.');
  const Value* child = root.find(key.substr(0, dot));
  if (child == nullptr || dot == std::string::npos) return child;
  return find_dotted(*child, key.substr(dot + 1));
}

// Keeps the value's own place, so that a mistake in it is found where it stands.
void set_dotted(Value& root, const std::string& key, const Value& value) {
  const auto dot = key.find('.');
  const std::string head = key.substr(0, dot);
  if (dot == std::string::npos) {
    root.set(head, value);
    return;
  }
  Value* child = root.find(head);
  if (child == nullptr) child = &root.set(head, Value::make_map());
  if (child->kind != Value::Kind::map && child->kind != Value::Kind::null) {
    fail_input(value.where() + ": sweep: \"" + head + "\" of " + key + " holds a value, not keys");
  }
  set_dotted(*child, key.substr(dot + 1), value);
}

// Equal for values that mean the same: 0.5 and 0.50.
std::string canonical(const std::string& text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto r = std::from_chars(text.data(), end, number);
  if (r.ec != std::errc() || r.ptr != end) return text;
  char buffer[64];
  const auto w = std::to_chars(buffer, buffer + sizeof buffer, number);
  return {buffer, w.ptr};
}

std::vector<Value> read_seeds(const Value& root, const Value& sweep) {
  std::vector<Value> seeds;
  const Value* list = sweep.find("seeds");
  if (list != nullptr && list->kind != Value::Kind::null) {
    if (list->kind != Value::Kind::list) {
      fail_input(list->where() + ": sweep.seeds: expected a list of whole numbers",
                 "for example seeds: [1, 2, 3]");
    }
    for (const auto& v : list->list) {
      check_plain(v, "seeds", "seed");
      seeds.push_back(v);
    }
  }
  if (seeds.empty()) {
    const Value* seed = root.find("seed");
    seeds.push_back(seed ? *seed : Value::make_scalar("1"));
  }
  return seeds;
}

class Expansion {
 public:
  explicit Expansion(const Value& root) : root_(root), base_(root) {
    std::erase_if(base_.map, [](const auto& kv) { return kv.first == "sweep"; });
    if (const Value* sweep = root.find("sweep")) sweep_ = *sweep;
    rows_ = all_rows(sweep_);
    for (const Row& row : rows_) {
      for (const auto& s : row.settings) {
        if (std::find(keys_.begin(), keys_.end(), s.key) == keys_.end()) keys_.push_back(s.key);
      }
    }
    words_ = short_names(keys_);
  }

  std::vector<results::Point> points() {
    const auto seeds = read_seeds(root_, sweep_);
    check_count(sweep_, rows_.size(), seeds.size());
    for (const Row& row : rows_) {
      for (const auto& seed : seeds) add(row, seed);
    }
    return std::move(points_);
  }

 private:
  void add(const Row& row, const Value& seed) {
    results::Point p;
    p.config = base_;
    p.name = row.name;
    for (const auto& s : row.settings) {
      set_dotted(p.config, s.key, *s.value);
      if (!row.name.empty() || !s.named) continue;
      if (!p.name.empty()) p.name += '_';
      p.name += words_.at(s.key) + "-" + folder_word(s.value->scalar);
    }
    p.name.append(p.name.empty() ? "seed-" : "_seed-").append(folder_word(seed.scalar));
    p.config.set("seed", seed);
    for (const auto& key : keys_) p.parameters.emplace_back(key, value_of(p.config, key));
    p.parameters.emplace_back("seed", seed.scalar);

    if (p.name.size() > kLongestName || p.name.front() == '.') {
      fail_input(root_.where() + ": " + p.name + " is no folder name",
                 "give the points names: sweep.points: [{name: a, …}, …]");
    }
    std::string same;
    for (const auto& [key, value] : p.parameters) same += key + "=" + canonical(value) + "\n";
    const auto [earlier, fresh] = settings_.emplace(same, p.name);
    if (!fresh) {
      fail_input(root_.where() + ": two points of the sweep, " + earlier->second + " and " +
                     p.name + ", have the same settings",
                 "remove the value that appears twice");
    }
    if (!names_.insert(p.name).second) {
      fail_input(root_.where() + ": two points of the sweep would share the folder " + p.name,
                 "give one of them another name: sweep.points: [{name: a, …}, …]");
    }
    points_.push_back(std::move(p));
  }

  // Of a key that this point may not set: the config's value, else the default.
  std::string value_of(const Value& config, const std::string& key) {
    const Value* v = find_dotted(config, key);
    if (v == nullptr) {
      if (defaults_.map.empty()) defaults_ = config::dump(ExperimentConfig{});
      v = find_dotted(defaults_, key);
    }
    return v != nullptr && v->kind == Value::Kind::scalar ? v->scalar : "";
  }

  const Value& root_;
  Value base_, sweep_ = Value::make_map(), defaults_;
  std::vector<Row> rows_;
  std::vector<std::string> keys_;  // of all rows, in the order of their first appearance
  std::map<std::string, std::string> words_;
  std::map<std::string, std::string> settings_;  // canonical → name
  std::set<std::string> names_;
  std::vector<results::Point> points_;
};

}  // namespace

std::vector<results::Point> expand_points(const Value& root) {
  return Expansion(root).points();
}

std::vector<std::size_t> parse_indices(const std::string& text, std::size_t count,
                                       const std::string& option) {
  const auto refuse = [&](const std::string& why) {
    fail_input(option + " " + text + ": " + why,
               "points are numbered from 0 to " + std::to_string(count - 1) +
                   ", for example 0,4-7; `straq sweep CONFIG --list` shows them");
  };
  std::set<std::size_t> out;
  const char* at = text.data();
  const char* end = at + text.size();
  const auto number = [&] {
    std::size_t n = 0;
    const auto r = std::from_chars(at, end, n);
    if (r.ec != std::errc()) refuse("expected indices and ranges, separated by commas");
    at = r.ptr;
    if (n >= count) refuse("there is no point " + std::to_string(n));
    return n;
  };
  while (true) {
    const std::size_t first = number();
    std::size_t last = first;
    if (at != end && *at == '-') {
      ++at;
      last = number();
    }
    if (last < first) refuse("a range goes upwards");
    for (std::size_t i = first; i <= last; ++i) out.insert(i);
    if (at == end) break;
    if (*at++ != ',') refuse("expected indices and ranges, separated by commas");
  }
  return {out.begin(), out.end()};
}

}  // namespace straq::experiment
