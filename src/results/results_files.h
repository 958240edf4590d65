// Readers of the single files of a results folder, for results/results.cpp, which knows the
// folder's layout. None of them throws: what cannot be read is a problem with file and line, for a
// report shows what there is.
#pragma once

#include <algorithm>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "results/layout.h"
#include "results/results.h"

namespace straq::results {

bool present(const std::filesystem::path& path);

// Text of an optional file; a file that is there and cannot be read is a problem.
std::optional<std::string> text_of(const std::filesystem::path& path,
                                   std::vector<std::string>& problems);

// dataset.json, which Table::to_json wrote: a list of tables
void read_dataset(const std::filesystem::path& path, Results& results);

// What a failure says with the file's name, which errors of other libraries lack.
std::string failure_words(const std::string& path, const std::exception& failure);

// The *.jsonl of a folder by name, each with `read`, which may throw.
template <class File>
std::vector<File> read_folder(const std::filesystem::path& folder, File (*read)(const std::string&),
                              std::vector<std::string>& problems) {
  std::vector<std::string> paths;
  std::error_code ec;
  for (std::filesystem::directory_iterator it(folder, ec), end; !ec && it != end;
       it.increment(ec)) {
    if (it->path().extension() == kRows) paths.push_back(it->path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<File> out;
  for (const auto& path : paths) {
    try {
      out.push_back(read(path));
    } catch (const std::exception& e) {
      problems.push_back(failure_words(path, e));
    }
  }
  return out;
}

}  // namespace straq::results
