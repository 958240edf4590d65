// Files appear whole or not at all, and every refusal names the file and says why.
#include "core/files/files.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/files/mapped_file.h"
#include "core/hash.h"
#include "tests/testing.h"

namespace straq {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using testing::TemporaryFolder;

std::size_t entries(const std::string& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

TEST(Files, AtomicWriteReplacesMakesParentsAndLeavesNothingElse) {
  TemporaryFolder folder;
  const std::string path = folder.path("a/b/file.txt");
  write_file_atomic(path, "first");
  EXPECT_EQ(read_file(path), "first");
  const std::string bytes("second\0\r\n\xff", 10);
  write_file_atomic(path, bytes);
  EXPECT_EQ(read_file(path), bytes);
  write_file_atomic(path, "");
  EXPECT_EQ(read_file(path), "");
  EXPECT_EQ(entries(folder.path("a/b")), 1u);
}

TEST(Files, AtomicWriteIntoThePresentFolder) {
  TemporaryFolder folder;
  const fs::path before = fs::current_path();
  fs::current_path(folder.path());
  write_file_atomic("plain.txt", "x");
  fs::current_path(before);
  EXPECT_EQ(read_file(folder.path("plain.txt")), "x");
}

// A path under a regular file can't be written even by root.
TEST(Files, UnwritablePlacesAreErrorsThatNameThem) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("file"), "x");
  const std::string under = folder.path("file/sub/out.txt");
  for (const auto& e : {error_of([&] { write_file_atomic(under, "y"); }),
                        error_of([&] { make_folders(folder.path("file/sub")); }),
                        error_of([&] { require_writable_folder(folder.path("file/sub")); }),
                        error_of([&] { LineWriter(under, true); })}) {
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::failure);
    EXPECT_NE(std::string(e->what()).find("file/sub"), std::string::npos) << e->what();
    EXPECT_FALSE(e->hint().empty()) << e->what();
  }
  EXPECT_EQ(read_file(folder.path("file")), "x");
  EXPECT_EQ(entries(folder.path()), 1u);
}

TEST(Files, AFolderInTheWayKeepsItsContent) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("name/inside"), "x");
  const auto e = error_of([&] { write_file_atomic(folder.path("name"), "y"); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_EQ(read_file(folder.path("name/inside")), "x");
  EXPECT_EQ(entries(folder.path()), 1u) << "the temporary file stayed behind";
}

TEST(Files, RequireWritableFolderMakesItAndLeavesItEmpty) {
  TemporaryFolder folder;
  require_writable_folder(folder.path("new/folder"));
  EXPECT_EQ(entries(folder.path("new/folder")), 0u);
}

TEST(Files, ReadingNamesTheFileAndTheReason) {
  TemporaryFolder folder;
  auto e = error_of([&] { read_file(folder.path("absent")); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::input);
  EXPECT_NE(std::string(e->what()).find("absent"), std::string::npos);
  EXPECT_NE(std::string(e->what()).find("No such file"), std::string::npos);
  e = error_of([&] { read_file(folder.path()); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("folder"), std::string::npos);
}

TEST(Files, RenameDurablyNamesTheTarget) {
  TemporaryFolder folder;
  const auto e = error_of([&] { rename_durably(folder.path("absent"), folder.path("to")); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("to"), std::string::npos);
  write_file_atomic(folder.path("a"), "1");
  rename_durably(folder.path("a"), folder.path("b"));
  EXPECT_EQ(read_file(folder.path("b")), "1");
  EXPECT_FALSE(fs::exists(folder.path("a")));
}

TEST(LineWriter, StartsAnewOrAppends) {
  TemporaryFolder folder;
  const std::string path = folder.path("run/metrics.jsonl");
  {
    LineWriter w(path, false);
    w.write("one");
    w.write("");
    EXPECT_EQ(read_file(path), "one\n\n") << "a line is on its way as soon as it is written";
  }
  { LineWriter(path, true).write("two"); }
  EXPECT_EQ(read_file(path), "one\n\ntwo\n");
  { LineWriter(path, false).write("three"); }
  EXPECT_EQ(read_file(path), "three\n");
}

TEST(LineWriter, AFullDiskIsAnErrorWithAHint) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  LineWriter w("/dev/full", true);
  const auto e = error_of([&] { w.write("line"); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_NE(std::string(e->what()).find("/dev/full"), std::string::npos);
  EXPECT_NE(e->hint().find("free space"), std::string::npos);
}

// Of a line that did not fit nothing stays, so the lines that follow once there is room are whole.
TEST(LineWriter, ALineThatWasCutOffGoesAgain) {
  TemporaryFolder folder;
  const std::string path = folder.path("metrics.jsonl");
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  for (const bool append : {false, true}) {
    LineWriter w(path, append);
    if (!append) w.write("one");
    rlimit small = before;
    small.rlim_cur = fs::file_size(path) + 5;  // as a full disk would have it
    setrlimit(RLIMIT_FSIZE, &small);
    const auto e = error_of([&] { w.write("a longer line"); });
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(e->kind(), ErrorKind::failure);
    w.write("next");
  }
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(read_file(path), "one\nnext\nnext\n");
}

TEST(LineWriter, AHalfLineThatAKilledProcessLeftStaysAlone) {
  TemporaryFolder folder;
  const std::string path = folder.path("metrics.jsonl");
  write_file_atomic(path, "one\nhal");
  LineWriter(path, true).write("two");
  EXPECT_EQ(read_file(path), "one\nhal\ntwo\n");
}

// Nobody writes into it: opening would wait for ever.
TEST(MappedFile, APipeIsRefusedAtOnce) {
  TemporaryFolder folder;
  ASSERT_EQ(mkfifo(folder.path("pipe").c_str(), 0600), 0);
  const auto e = error_of([&] { MappedFile(folder.path("pipe"), "name a file"); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("no regular file"), std::string::npos) << e->what();
}

TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesAndFilesGiveTheSame) {
  TemporaryFolder folder;
  const std::string bytes(3 * 1024 * 1024 + 17, 'x');  // more than one read of the file
  write_file_atomic(folder.path("big"), bytes);
  EXPECT_EQ(sha256_file(folder.path("big")), sha256_hex(bytes));
  EXPECT_EQ(Sha256().update("a").update("").update("bc").hex(), sha256_hex("abc"));
  write_file_atomic(folder.path("empty"), "");
  EXPECT_EQ(sha256_file(folder.path("empty")), sha256_hex(""));
}

TEST(Sha256, WhatCannotBeReadHasNoHash) {
  TemporaryFolder folder;
  for (const std::string& path : {folder.path("absent"), folder.path()}) {
    const auto e = error_of([&] { sha256_file(path); });
    ASSERT_TRUE(e) << path;
    EXPECT_EQ(e->kind(), ErrorKind::failure);
    EXPECT_NE(std::string(e->what()).find(path), std::string::npos);
  }
}

TEST(ErrorText, CarriesExitCodeHintAndPlace) {
  const Error e(ErrorKind::input, at_line("a.yaml", 12, "bad"), "do this");
  EXPECT_EQ(e.exit_code(), 2);
  EXPECT_EQ(e.full(), "a.yaml:12: bad\n  hint: do this");
  EXPECT_EQ(Error(ErrorKind::stopped, "x").exit_code(), 75);
  EXPECT_EQ(Error(ErrorKind::diverged, "x").full(), "x");
}

}  // namespace
}  // namespace straq
