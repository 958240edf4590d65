// Text read in pieces is the text, whatever it is packed in and wherever a piece ends; and places
// in it are found again.
#include "core/files/text_stream.h"

#include "core/files/files.h"
#include "core/json/json_records.h"
#include "tests/packed.h"
#include "tests/testing.h"

namespace straq {
namespace {

using testing::error_of;
using testing::gzipped;
using testing::TemporaryFolder;
using testing::zstd_packed;

// Two megabytes and a half of lines with characters of one to four bytes, so that pieces end within
// some of them.
std::string long_text() {
  std::string out;
  for (int i = 0; out.size() < 2'500'000; ++i) {
    out += "line " + std::to_string(i) + " \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 " +
           std::string(static_cast<std::size_t>(i % 7), 'x') + "\n";
  }
  return out;
}

std::string all_of(TextStream& text) {
  std::string out;
  do {
    // A part stays, as it does where a record goes on.
    const std::size_t taken = text.window().size() / 2;
    out += text.window().substr(0, taken);
    text.drop(taken);
  } while (text.more());
  return out + std::string(text.window());
}

class TextStreams : public ::testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& bytes) {
    write_file_atomic(folder.path(name), bytes);
    return folder.path(name);
  }
  TemporaryFolder folder;
};

TEST_F(TextStreams, GiveTheWholeTextInPiecesPackedOrNot) {
  const std::string text = long_text();
  const std::string half = text.substr(0, text.size() / 2), rest = text.substr(text.size() / 2);
  for (const std::string& path :
       {file("a.txt", text), file("a.txt.gz", gzipped(text)), file("a.txt.zst", zstd_packed(text)),
        // Archives one after another are one text, as gunzip and zstd have it.
        file("b.gz", gzipped(half) + gzipped(rest)),
        file("b.zst", zstd_packed(half) + zstd_packed(rest))}) {
    TextStream stream(path);
    EXPECT_TRUE(all_of(stream) == text) << path;
    EXPECT_EQ(stream.fault(), nullptr) << path;
    EXPECT_EQ(stream.sha256(), sha256_hex(text)) << path;
    EXPECT_EQ(stream.packed(), path.find("txt") + 3 != path.size()) << path;
  }
  EXPECT_EQ(content_stem("x/a.txt.gz"), "a");
  EXPECT_EQ(content_stem("x/a.txt"), "a");
  EXPECT_EQ(content_stem("x/a.b.zst"), "a");
}

TEST_F(TextStreams, AHashOfAPartlyReadTextIsTheWholeTexts) {
  TextStream stream(file("a.txt", long_text()));
  stream.more();
  Sha256 both;
  stream.add_to(both);
  EXPECT_EQ(stream.sha256(), sha256_hex(long_text()));
}

TEST_F(TextStreams, PlacesAreFoundAgain) {
  const std::string text = "\xEF\xBB\xBF" + long_text();
  for (const std::string& path : {file("a.txt", text), file("a.gz", gzipped(text))}) {
    std::vector<JsonRecord> places;
    std::vector<std::string> lines;
    TextStream stream(path);
    JsonRecordStream records(stream, JsonForm::lines);
    while (const auto r = records.next()) {
      if (r->index % 9973 != 5) continue;
      places.push_back(*r);
      lines.emplace_back(r->text);
    }
    ASSERT_GT(places.size(), 5u);
    TextStream again(path);
    for (std::size_t i = places.size(); i-- > 0;) {
      again.seek(places[i].offset, places[i].line);
      while (again.window().size() < lines[i].size() && again.more()) {
      }
      EXPECT_EQ(again.window().substr(0, lines[i].size()), lines[i]);
      EXPECT_EQ(again.line(), places[i].line);
      EXPECT_EQ(lines[i].substr(0, lines[i].find(' ', 5)),
                "line " + std::to_string(places[i].line - 1));
    }
  }
}

TEST_F(TextStreams, AFaultEndsTheTextWithItsLine) {
  const std::string good = long_text();
  const long lines = std::count(good.begin(), good.end(), '\n');
  const struct {
    std::string bytes, words;
  } faults[] = {{"a\xFFz\nmore\n", "not valid UTF-8"},
                {std::string("a\0z\n", 4), "NUL"},
                {"cut \xE2\x82", "not valid UTF-8"}};
  for (const auto& fault : faults) {
    TextStream stream(file("a.txt", good + fault.bytes));
    JsonRecordStream records(stream, JsonForm::lines);
    long read = 0;
    while (records.next()) ++read;
    EXPECT_EQ(read, lines) << "the broken line is none";
    ASSERT_NE(stream.fault(), nullptr);
    EXPECT_EQ(stream.fault()->line, lines + 1);
    EXPECT_HAS(stream.fault()->message, fault.words);
  }
  TextStream utf32(file("b.txt", std::string("\xFF\xFE\0\0a\0\0\0", 8)));
  EXPECT_FALSE(utf32.more());
  EXPECT_HAS(utf32.fault()->message, "UTF-32");
}

TEST_F(TextStreams, Utf16IsRead) {
  const std::string bytes(
      "\xFF\xFE"
      "a\0\n\0"
      "b\0\n\0",
      10);
  TextStream stream(file("a.txt", bytes));
  EXPECT_EQ(all_of(stream), "a\nb\n");
  EXPECT_EQ(stream.sha256(), sha256_hex(bytes));
}

TEST_F(TextStreams, DamagedArchivesAreRefusedByName) {
  const std::string text = long_text();
  for (const auto& [name, packed] :
       {std::pair<std::string, std::string>("a.gz", gzipped(text)), {"a.zst", zstd_packed(text)}}) {
    const auto reading = [&](const std::string& bytes) {
      return error_of([&] {
        TextStream stream(file(name, bytes));
        all_of(stream);
      });
    };
    const auto cut = reading(packed.substr(0, packed.size() / 2));
    ASSERT_TRUE(cut) << name;
    EXPECT_HAS(cut->full(), name);
    EXPECT_HAS(cut->full(), "cut off");
    EXPECT_EQ(cut->kind(), ErrorKind::input);
    std::string changed = packed;
    for (std::size_t i = packed.size() / 3; i < packed.size() / 3 + 64; ++i) changed[i] ^= 0x55;
    const auto damaged = reading(changed);
    ASSERT_TRUE(damaged) << name;
    EXPECT_HAS(damaged->full(), "damaged");
  }
  EXPECT_HAS(error_of([] { TextStream text("/no/such/file"); })->full(), "/no/such/file");
  EXPECT_HAS(error_of([&] { TextStream text(folder.path()); })->full(), "folder");
}

TEST_F(TextStreams, OldMacsLinesCount) {
  TextStream stream(file("a.txt", "one\r\rtwo\r"));
  JsonRecordStream records(stream, JsonForm::lines);
  EXPECT_EQ(records.next()->line, 1);
  const auto two = records.next();
  EXPECT_EQ(two->text, "two");
  EXPECT_EQ(two->line, 3);
  EXPECT_FALSE(records.next());
}

// Parts of a list that are longer than a piece, and lists that end within one.
TEST_F(TextStreams, ListsAreCutAsTheyCome) {
  const std::string part = "{\"a\": \"" + std::string(1'500'000, ',') + "]\"}";
  TextStream stream(file("a.json", "\n[\n" + part + ",\n {} , " + part + "\n]\n"));
  JsonRecordStream records(stream, JsonForm::list, "part");
  EXPECT_EQ(records.next()->text, part);
  const auto second = records.next();
  EXPECT_EQ(second->text.substr(0, 2), "{}");
  EXPECT_EQ(second->line, 4);
  EXPECT_EQ(records.next()->text.size(), part.size() + 1);
  EXPECT_FALSE(records.next());
  EXPECT_EQ(records.reason(), "");

  TextStream open(file("b.json", "[" + part + ", {\"b\": "));
  JsonRecordStream cut(open, JsonForm::list, "part");
  EXPECT_TRUE(cut.next());
  EXPECT_FALSE(cut.next());
  EXPECT_HAS(cut.reason(), "inside part 1");
}

}  // namespace
}  // namespace straq
