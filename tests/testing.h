// What tests share: where the real data is, and folders that clean up after themselves.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "core/error.h"

// That a text holds a part; the text is shown where it does not.
#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

namespace straq::testing {

// A file or folder of the real data: $STRAQ_DATA, else ../shared/data beside the repository.
// Empty when it is not there: the test then skips with a reason.
inline std::optional<std::string> data_path(const std::string& name) {
  const char* env = std::getenv("STRAQ_DATA");
  const std::filesystem::path root =
      env ? std::filesystem::path(env)
          : std::filesystem::path(STRAQ_SOURCE_DIR).parent_path() / "shared" / "data";
  const auto path = root / name;
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path.string();
}

// A file of the repository: below $STRAQ_SOURCE, else where the tests were built.
inline std::string source_path(const std::string& name) {
  const char* env = std::getenv("STRAQ_SOURCE");
  return (std::filesystem::path(env ? env : STRAQ_SOURCE_DIR) / name).string();
}

// A folder that lives as long as the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "straq-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  std::string path(const std::string& name = {}) const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

// Runs `f` and returns the Error it throws; the test fails when it throws none.
template <class F>
std::optional<Error> error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no Error was thrown";
  return std::nullopt;
}

}  // namespace straq::testing

// Skips the test with a reason when a file of the real data is absent; else defines `variable`.
#define STRAQ_REQUIRE_DATA(variable, name)                           \
  const auto variable##_opt = ::straq::testing::data_path(name);     \
  if (!variable##_opt)                                               \
    GTEST_SKIP() << "real data absent: " << (name)                   \
                 << " (set STRAQ_DATA to the folder that holds it)"; \
  const std::string variable = *variable##_opt
