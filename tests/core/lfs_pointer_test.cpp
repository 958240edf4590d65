#include "core/files/lfs_pointer.h"

#include <gtest/gtest.h>

#include "core/files/files.h"
#include "core/json/json.h"
#include "core/json/json_number.h"
#include "tests/testing.h"

namespace straq {
namespace {

using testing::error_of;
using testing::TemporaryFolder;

const std::string kPointer =
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 4976698672\n";

TEST(LfsPointer, IsToldWithTheSizeOfWhatItStandsFor) {
  EXPECT_TRUE(is_lfs_pointer(kPointer));
  EXPECT_NE(lfs_pointer_words(kPointer).find("4976698672 bytes"), std::string::npos);
  EXPECT_FALSE(is_lfs_pointer("version 2\n"));
  EXPECT_FALSE(is_lfs_pointer(""));
  // The beginning alone is enough.
  EXPECT_TRUE(is_lfs_pointer(kPointer.substr(0, 64)));
  EXPECT_NE(lfs_pointer_words(kPointer.substr(0, 64)).find("pointer to a file"), std::string::npos);
}

TEST(LfsPointer, AFileIsRefusedWithWhatToDoAndOthersAreLeftToTheirReaders) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("corpus.txt"), kPointer);
  const auto e = error_of([&] { require_no_lfs_pointer(folder.path("corpus.txt")); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(std::string(e->what()).find("corpus.txt: it is a Git LFS pointer"), std::string::npos);
  EXPECT_NE(e->hint().find("git lfs pull"), std::string::npos);
  write_file_atomic(folder.path("other.txt"), "words");
  EXPECT_NO_THROW(require_no_lfs_pointer(folder.path("other.txt")));
  EXPECT_NO_THROW(require_no_lfs_pointer(folder.path("absent.txt")));
}

TEST(LfsPointer, InPlaceOfJsonIsNoMalformedJson) {
  const auto e = error_of([&] { parse_json(kPointer, "tokenizer.json", "make it again"); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("tokenizer.json: it is a Git LFS pointer"),
            std::string::npos);
  EXPECT_NE(e->hint().find("git lfs pull"), std::string::npos);
}

TEST(WholeNumber, IsOneOfAllThatIsWrittenAsANumber) {
  const auto of = [](const char* text) { return whole_number(nlohmann::json::parse(text)); };
  EXPECT_EQ(of("4"), 4);
  EXPECT_EQ(of("-4"), -4);
  EXPECT_EQ(of("4.0"), 4);
  EXPECT_EQ(of("1e3"), 1000);
  EXPECT_EQ(of("9223372036854775807"), 9223372036854775807);
  for (const char* text : {"4.5", "9223372036854775808", "18446744073709551615", "1e300", "-1e300",
                           "1e19", "true", "null", "\"4\"", "[4]", "{}"}) {
    EXPECT_EQ(of(text), std::nullopt) << text;
  }
  EXPECT_EQ(whole_number(nlohmann::ordered_json(5), 0, 5), 5);
  EXPECT_EQ(whole_number(nlohmann::ordered_json(6), 0, 5), std::nullopt);
  EXPECT_EQ(whole_number(nlohmann::ordered_json(-1), 0, 5), std::nullopt);
}

}  // namespace
}  // namespace straq
