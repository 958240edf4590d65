#include "shard/dataset.h"

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "core/error.h"

namespace straq::shard {
namespace {

std::string names(const SplitSizes& splits) {
  std::string out;
  for (const auto& s : splits) out += (out.empty() ? "" : ", ") + s.first;
  return out;
}

void need_same(const std::string& folder, const char* what, const std::string& has,
               const std::string& wanted) {
  if (wanted.empty() || has == wanted) return;
  fail_input("shards in " + folder + " are refused: they were made with another " + what +
                 ": they have " + has + ", this run has " + wanted,
             "rerun straq preprocess with this run's config");
}

}  // namespace

SplitReader::SplitReader(std::string folder, const Manifest& manifest, const std::string& split) {
  for (const auto& entry : manifest.shards) {
    if (entry.item.split != split) continue;
    files_.push_back({(std::filesystem::path(folder) / entry.item.file()).string(), entry.item,
                      manifest.expected(entry)});
  }
}

std::vector<prompt::Comb> SplitReader::read(std::size_t shard) const {
  const File& file = files_.at(shard);
  return std::move(read_shard(file.path, file.expected).combs);
}

bool DatasetView::is_streamed(const std::string& name) const {
  return std::find(streamed.begin(), streamed.end(), name) != streamed.end();
}

bool DatasetView::has(const std::string& name) const {
  return is_streamed(name) ||
         std::any_of(splits.begin(), splits.end(), [&](const auto& s) { return s.first == name; });
}

prompt::EachComb DatasetView::each(const std::string& name) const {
  if (!is_streamed(name)) return split(name);
  return prompt::EachComb([this, name](const prompt::EachComb::Visit& visit) {
    const SplitReader shards = reader(name);
    for (std::size_t s = 0; s < shards.shards(); ++s) {
      for (const auto& comb : shards.read(s)) visit(comb);
    }
  });
}

const std::vector<prompt::Comb>& DatasetView::split(const std::string& name) const {
  std::string opened;
  for (const auto& s : splits) {
    if (s.first == name) return s.second;
    opened += (opened.empty() ? "" : ", ") + s.first;
  }
  fail_input("data set " + manifest.corpus + ": split " + name + " is not open",
             "opened: " + opened);
}

std::int64_t DatasetView::decision_count(const std::string& name) const {
  std::int64_t n = 0;
  if (!is_streamed(name)) {
    for (const auto& comb : split(name)) n += static_cast<std::int64_t>(comb.decisions.size());
    return n;
  }
  for (const auto& entry : manifest.shards) {
    if (entry.item.split == name && entry.record) n += entry.record->decisions;
  }
  return n;
}

DatasetView open_dataset(const std::string& folder, const DatasetNeeds& needs,
                         const std::vector<std::string>& wanted,
                         const std::vector<std::string>& streamed) {
  DatasetView view;
  view.manifest = Manifest::read(folder);
  view.folder = folder;
  view.streamed = streamed;
  const Manifest& m = view.manifest;
  need_same(folder, "tokenizer", m.parts.tokenizer, needs.tokenizer);
  need_same(folder, "prompt template", m.parts.prompt, needs.prompt);
  need_same(folder, "preprocessing key", m.key, needs.key);
  for (const auto& name : wanted) {
    if (std::none_of(m.splits.begin(), m.splits.end(), [&](auto& s) { return s.first == name; })) {
      fail_input("shards in " + folder + ": there is no split " + name,
                 "this data set has: " + names(m.splits));
    }
  }
  std::vector<std::string> refused;
  for (const auto& split : m.splits) {
    const std::string& name = split.first;
    if (view.is_streamed(name)) continue;
    if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    std::vector<prompt::Comb> combs;  // grows with what is read; the size is the manifest's claim
    for (const auto& entry : m.shards) {
      if (entry.item.split != name) continue;
      const std::string path = (std::filesystem::path(folder) / entry.item.file()).string();
      if (!entry.record) {
        refused.push_back("shard " + path + " is refused: it has no record in the manifest");
        continue;
      }
      try {
        Shard shard = read_shard(path, m.expected(entry));
        std::move(shard.combs.begin(), shard.combs.end(), std::back_inserter(combs));
      } catch (const Error& e) {
        refused.emplace_back(e.what());
      }
    }
    view.splits.emplace_back(name, std::move(combs));
  }
  if (!refused.empty()) {
    std::string message = refused.front();
    for (std::size_t i = 1; i < std::min<std::size_t>(refused.size(), 8); ++i) {
      message += "\n" + refused[i];
    }
    if (refused.size() > 8) {
      message += "\nand " + std::to_string(refused.size() - 8) + " shards more";
    }
    fail_input(
        message,
        "rerun straq preprocess with this config; it writes again what is missing or invalid");
  }
  return view;
}

}  // namespace straq::shard
