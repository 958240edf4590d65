#include "results/sweep_index.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "core/environment.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "results/layout.h"
#include "results/run_folder.h"

namespace straq::results {
namespace fs = std::filesystem;
namespace {

// Looking at all folders takes at most this part of a job's time, and happens now and then anyway.
constexpr double kShare = 20;
constexpr double kNowAndThen = 60;  // seconds

bool there(const fs::path& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

const config::Value* at_dotted(const config::Value& root, const std::string& key) {
  const auto dot = key.find('.');
  const config::Value* child = root.find(key.substr(0, dot));
  if (child == nullptr || dot == std::string::npos) return child;
  return at_dotted(*child, key.substr(dot + 1));
}

std::string scalar_of(const config::Value& root, const std::string& key) {
  const config::Value* v = at_dotted(root, key);
  return v != nullptr && v->kind == config::Value::Kind::scalar ? v->scalar : "";
}

std::vector<std::string> sorted(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  return words;
}

// A name that leads nowhere else.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos;
}

std::set<std::string> plain_folders(const std::string& folder) {
  std::set<std::string> folders;
  std::error_code ec;
  for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
    std::error_code kind;
    const std::string name = it->path().filename().string();
    if (is_plain_name(name) && it->is_directory(kind)) folders.insert(name);
  }
  return folders;
}

}  // namespace

SweepIndex::SweepIndex(std::string experiment_folder, const std::vector<Point>& points)
    : folder_(std::move(experiment_folder)),
      path_((fs::path(folder_) / kIndexFile).string()),
      points_(points) {
  Definition own;
  for (const auto& [key, value] : points_.front().parameters) own.keys.push_back(key);
  for (const auto& p : points_) own.points.emplace_back(p.name, p.parameters);
  const std::string text = own.text();
  definition_ = sha256_hex(text).substr(0, 16) + ".json";
  definitions_[definition_] = std::move(own);
  written_ = text;  // until define() has put it there
}

// Leaves this job's points in the folder.
void SweepIndex::define() {
  if (std::exchange(defined_, true)) return;
  const std::string text = std::exchange(written_, std::string());
  const std::string path = (fs::path(folder_) / kIndexFolder / definition_).string();
  if (!there(path)) write_file_atomic(path, text);
}

// The points that other jobs have left since the last time.
void SweepIndex::read_definitions() {
  std::error_code ec;
  for (fs::directory_iterator it(fs::path(folder_) / kIndexFolder, ec), end; !ec && it != end;
       it.increment(ec)) {
    const std::string name = it->path().filename().string();
    if (it->path().extension() != ".json" || definitions_.contains(name)) continue;
    try {
      definitions_[name] = Definition::read(it->path().string());
    } catch (const std::exception&) {
      definitions_[name] = {};  // not this program's, or damaged: never looked at again
    }
  }
}

// What index.csv told when this job began.
void SweepIndex::read_before() {
  if (std::exchange(before_read_, true) || !there(path_)) return;
  try {
    std::vector<std::string> problems;  // the report tells of them
    IndexTable before = parse_index(path_, read_file(path_), problems);
    for (IndexRow& row : before.rows) {
      before_.points.emplace_back(std::move(row.point), std::move(row.parameters));
    }
    before_.keys = std::move(before.keys);
  } catch (const Error&) {
    // It cannot be read; it is written anew.
  }
}

// Which rows there are: of every definition, of an older index, and of run folders that none names.
void SweepIndex::find_rows() {
  read_definitions();
  read_before();
  const std::set<std::string> folders = plain_folders(folder_);

  // An order that every job finds: the largest definition first.
  std::vector<const std::pair<const std::string, Definition>*> order;
  for (const auto& d : definitions_) order.push_back(&d);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    const auto x = a->second.points.size(), y = b->second.points.size();
    return x != y ? x > y : a->first < b->first;
  });

  std::map<std::string, const Point*> own;
  for (const auto& p : points_) own[p.name] = &p;
  std::vector<Row> rows;
  std::map<std::string, std::size_t> by_name;
  keys_.clear();
  const auto add = [&](const std::string& name, const Parameters& parameters) {
    const auto [at, fresh] = by_name.emplace(name, rows.size());
    if (fresh) {
      const auto known = by_name_.find(name);
      rows.push_back(known != by_name_.end() ? std::move(rows_[known->second]) : Row{});
      rows.back().name = name;
      const auto mine = own.find(name);
      rows.back().own = mine == own.end() ? nullptr : mine->second;
      if (rows.back().own != nullptr) {
        for (const auto& [key, value] : rows.back().own->parameters) {
          rows.back().values.emplace(key, value);
        }
      }
    }
    for (const auto& [key, value] : parameters) rows[at->second].values.emplace(key, value);
  };
  const auto add_keys = [&](const std::vector<std::string>& keys) {
    for (const auto& key : keys) {
      if (std::find(keys_.begin(), keys_.end(), key) == keys_.end()) keys_.push_back(key);
    }
  };
  const auto own_keys = sorted(definitions_.at(definition_).keys);
  for (const auto* entry : order) {
    const Definition& d = entry->second;
    // Points that were never begun belong to a sweep that is to come. Where it is about the same
    // parameters, it is this one as it was before somebody changed its values.
    const bool to_come = entry->first == definition_ || sorted(d.keys) != own_keys;
    bool used = false;
    for (const auto& [name, parameters] : d.points) {
      if (!own.contains(name) && !to_come && !folders.contains(name)) continue;
      if (!is_plain_name(name)) continue;
      used = true;
      add(name, parameters);
    }
    if (used) add_keys(d.keys);
  }
  bool older = false;
  for (auto [name, parameters] : before_.points) {
    if (!folders.contains(name) || by_name.contains(name)) continue;
    older = true;
    add(name, parameters);
  }
  if (older) add_keys(before_.keys);
  for (const auto& name : folders) {
    const fs::path run = fs::path(folder_) / name;
    if (by_name.contains(name) || !there(run / kConfigFile) || there(run / kIndexFile)) continue;
    if (there(run / kDoneFile) || there(run / kFailedFile) || there(run / kLockFolder))
      add(name, {});
  }
  // "seed" is the last one of each.
  const auto seed = std::find(keys_.begin(), keys_.end(), "seed");
  if (seed != keys_.end()) std::rotate(seed, seed + 1, keys_.end());
  rows_ = std::move(rows);
  by_name_ = std::move(by_name);
}

void SweepIndex::look(Row& row, double now) {
  ++looks_;
  const Point point{row.name, {}, {}};
  row.state = state_of(folder_, point, now);
  const auto failure = row.state == PointState::failed
                           ? RunFolder((fs::path(folder_) / row.name).string()).failure()
                           : std::nullopt;
  row.kind = failure ? name(failure->kind) : "";
  row.reason = failure ? failure->first_line() : "";
}

void SweepIndex::look_at_all() {
  const double begin = monotonic_seconds();
  find_rows();
  const double now = server_clock(folder_);
  for (Row& row : rows_) look(row, now);
  last_pass_ = monotonic_seconds();
  next_pass_ = last_pass_ + kShare * (last_pass_ - begin);
}

// What a point's own definition does not say, its config does: all of it, with every default.
std::string SweepIndex::value(Row& row, const std::string& key) {
  const auto known = row.values.find(key);
  if (known != row.values.end()) return known->second;
  if (row.own != nullptr) return scalar_of(row.own->config, key);
  const std::string path = (fs::path(folder_) / row.name / kConfigFile).string();
  if (row.config_read || !there(path)) return {};
  row.config_read = true;
  try {
    const config::Value config = config::load_yaml(path);
    for (const auto& k : keys_) row.values.emplace(k, scalar_of(config, k));
  } catch (const std::exception&) {
    return {};  // nothing can be said
  }
  return row.values[key];
}

std::string SweepIndex::csv(const std::vector<std::string>& running) {
  const std::set<std::string> now(running.begin(), running.end());
  IndexTable table{keys_, {}};
  for (Row& row : rows_) {
    const bool begun = row.state != PointState::done && now.contains(row.name);
    IndexRow out{.point = row.name,
                 .state = name(begun ? PointState::running : row.state),
                 .parameters = {},
                 .kind = {},
                 .reason = {}};
    for (const auto& key : keys_) out.parameters.emplace_back(key, value(row, key));
    if (!begun) {
      out.kind = row.kind;
      out.reason = row.reason;
    }
    table.rows.push_back(std::move(out));
  }
  return index_text(table);
}

std::optional<SweepIndex::Identity> SweepIndex::identity() const {
  struct stat s {};
  if (::stat(path_.c_str(), &s) != 0) return std::nullopt;
  return Identity{s.st_ino, static_cast<std::uint64_t>(s.st_size), s.st_mtim.tv_sec,
                  s.st_mtim.tv_nsec};
}

void SweepIndex::put(const std::string& text) {
  if (text == written_ && identity_) {
    const auto now = identity();
    if (now == identity_) return;
    // Another job has written; mostly the same.
    if (now && now->size == text.size() && read_file(path_) == text) {
      identity_ = now;
      return;
    }
  }
  write_file_atomic(path_, text);
  written_ = text;
  identity_ = identity();
}

// Another job has written, so other folders have changed.
bool SweepIndex::due() const {
  if (!identity_) return true;
  const double now = monotonic_seconds();
  if (now < next_pass_) return false;
  return now - last_pass_ > kNowAndThen || identity() != identity_;
}

void SweepIndex::write(const std::vector<std::string>& running,
                       const std::vector<std::string>& changed, bool all) {
  define();
  if (!all && !due()) {
    const double now = server_clock(folder_);
    std::set<std::string> names(changed.begin(), changed.end());
    names.insert(running.begin(), running.end());
    for (const auto& name : names) {
      const auto at = by_name_.find(name);
      if (at != by_name_.end()) look(rows_[at->second], now);
    }
    put(csv(running));
    return;
  }
  look_at_all();
  std::string text = csv(running);
  // A write is followed by a look: whoever has seen less and writes later looks later, too. Every
  // turn beyond the first is another job's progress, so this ends; the bound is for a clock or a
  // filesystem that misbehaves.
  for (int turn = 0; turn < 20; ++turn) {
    put(text);
    if (!all) return;
    look_at_all();
    std::string now = csv(running);
    if (now == text) return;
    text = std::move(now);
  }
}

void write_index(const std::string& experiment_folder, const std::vector<Point>& points,
                 const std::vector<std::string>& running) {
  SweepIndex(experiment_folder, points).write(running, {}, /*all=*/true);
}

}  // namespace straq::results
