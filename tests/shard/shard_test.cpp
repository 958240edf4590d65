#include "shard/shard.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "core/files/files.h"
#include "tests/shard/shards.h"

// HDF5 1.10 itself loses a few hundred bytes when an object header's checksum is wrong. That our
// own handles are closed is tested below.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libhdf5";
}

namespace straq::shard {
namespace {

namespace fs = std::filesystem;
using testing::expect_same;
using testing::made_up_combs;
using testing::made_up_header;
using testing::TemporaryFolder;
using testing::with_outcomes;
using testing::with_targets;

std::size_t files_in(const std::string& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::recursive_directory_iterator(folder), fs::recursive_directory_iterator()));
}

class ShardFile : public ::testing::Test {
 protected:
  // Changes the file through the HDF5 library, as a program of another version would have written
  // it.
  void edit(const std::function<void(hid_t)>& change) {
    Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    ASSERT_TRUE(file.valid());
    change(file.get());
  }
  void set_number(const char* name, std::int64_t value) {
    edit([&](hid_t file) {
      Handle a(H5Aopen(file, name, H5P_DEFAULT), H5Aclose);
      ASSERT_GE(H5Awrite(a.get(), H5T_NATIVE_INT64, &value), 0);
    });
  }
  std::string refusal(const Expected& expected = {}) {
    const ShardCheck check = validate_shard(path, expected);
    EXPECT_FALSE(check.record);
    return check.reason;
  }
  void expect_refusal(const std::string& words, const Expected& expected = {}) {
    EXPECT_NE(refusal(expected).find(words), std::string::npos) << refusal(expected);
    const auto e = testing::error_of([&] { read_shard(path, expected); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find(path), std::string::npos) << e->what();
    EXPECT_NE(std::string(e->what()).find(words), std::string::npos) << e->what();
    EXPECT_NE(e->hint().find("straq preprocess"), std::string::npos);
  }

  TemporaryFolder folder;
  std::string path = folder.path("train-00003.h5");
  std::vector<prompt::Comb> combs = made_up_combs(12);
  ShardHeader header = made_up_header(12);
  ShardRecord record = write_shard(path, header, combs);
};

TEST_F(ShardFile, GivesBackWhatWasWritten) {
  ShardRecord read;
  const Shard shard = read_shard(path, {}, &read);
  expect_same(shard.combs, combs);
  EXPECT_EQ(read, record);
  EXPECT_EQ(shard.header.item, header.item);
  EXPECT_EQ(shard.header.option_ids, header.option_ids);
  EXPECT_EQ(shard.header.key, header.key);
  EXPECT_EQ(shard.header.vocab_size, 1000);
  EXPECT_EQ(shard.header.window, 512);
  EXPECT_EQ(record.bytes, static_cast<std::int64_t>(fs::file_size(path)));
  EXPECT_EQ(files_in(folder.path()), 1u);  // no temporary file stays
}

TEST_F(ShardFile, ContentHashIsTheContentsNotTheStorages) {
  Storage plain;
  plain.deflate = 0;
  plain.chunk_bytes = 64;
  const ShardRecord other = write_shard(folder.path("plain.h5"), header, combs, plain);
  EXPECT_EQ(other.content_sha256, record.content_sha256);
  EXPECT_NE(other.file_sha256, record.file_sha256);
  expect_same(read_shard(folder.path("plain.h5"), {}).combs, combs);
}

TEST_F(ShardFile, OutcomesAreKeptWhereTheyAreAndNotMissedWhereNot) {
  const auto outcomes = with_outcomes(combs);
  const ShardRecord with = write_shard(folder.path("with.h5"), header, outcomes);
  EXPECT_NE(with.content_sha256, record.content_sha256);
  expect_same(read_shard(folder.path("with.h5"), {}).combs, outcomes);
  // A file without them reads as a shard of the version before outcomes were kept.
  const auto before = read_shard(path, {}).combs;
  EXPECT_EQ(before[0].initial_intensity, prompt::kNotCarried);
  EXPECT_EQ(before[0].decisions[0].rating, prompt::kNotCarried);
  EXPECT_FALSE(before[0].decisions[0].judge);
  EXPECT_EQ(before[0].decisions[0].strategies, prompt::kNotCarried);
  EXPECT_EQ(before[0].final_state, prompt::kNotCarried);
  EXPECT_FALSE(before[0].decisions[0].reward);
  // Each is there or not by itself.
  auto ratings = outcomes;
  for (auto& comb : ratings) {
    comb.final_intensity = prompt::kNotCarried;
    for (auto& d : comb.decisions) d.judge.reset();
  }
  write_shard(folder.path("rewards.h5"), header, ratings);
  expect_same(read_shard(folder.path("rewards.h5"), {}).combs, ratings);
  for (auto& comb : ratings) {
    for (auto& d : comb.decisions) d.reward.reset();
  }
  write_shard(folder.path("ratings.h5"), header, ratings);
  expect_same(read_shard(folder.path("ratings.h5"), {}).combs, ratings);
  EXPECT_FALSE(read_shard(folder.path("ratings.h5"), {}).combs[0].decisions[0].reward);
}

// A responder's shards: there are no options, but strategies, and what is learned of each branch.
TEST_F(ShardFile, TargetsOfRepliesAreKept) {
  const auto replies = with_targets(combs);
  header.option_ids.clear();
  const ShardRecord with = write_shard(path, header, replies);
  expect_same(read_shard(path, {}).combs, replies);
  EXPECT_TRUE(read_shard(path, {}).combs[0].learns_replies());
  auto longer = replies;
  longer[0].probes[0].reply = longer[0].probes[0].target;
  EXPECT_NE(write_shard(path, header, longer).content_sha256, with.content_sha256);
  const auto refused = [&](std::int32_t target, std::int32_t reply) {
    auto bad = replies;
    bad[0].probes[0].target = target;
    bad[0].probes[0].reply = reply;
    try {
      write_shard(path, header, bad);
    } catch (const std::logic_error&) {
      return true;
    }
    return false;
  };
  const auto tokens = static_cast<std::int32_t>(replies[0].probes[0].tokens.size());
  EXPECT_FALSE(refused(tokens - 1, 1));
  EXPECT_TRUE(refused(tokens + 1, 1));
  EXPECT_TRUE(refused(2, 3));
  EXPECT_TRUE(refused(2, 0));
}

TEST_F(ShardFile, SameContentGivesTheSameBytes) {
  // Another time, another name: no time stamp or path gets in.
  const ShardRecord again = write_shard(folder.path("again.h5"), header, combs);
  EXPECT_EQ(again.file_sha256, record.file_sha256);
}

TEST_F(ShardFile, ContentHashSeesEveryValue) {
  const auto differs = [&](auto change) {
    auto c = combs;
    auto h = header;
    change(c, h);
    EXPECT_NE(write_shard(folder.path("x.h5"), h, c).content_sha256, record.content_sha256);
  };
  differs([](auto& c, auto&) { c[0].id += "x"; });
  differs([](auto& c, auto&) { c[0].trunks[0].tokens[0] ^= 1; });
  differs([](auto& c, auto&) { c[0].trunks[0].header -= 1; });
  differs([](auto& c, auto&) { c[0].probes[0].tokens[0] ^= 1; });
  differs([](auto& c, auto&) { c[0].decisions[0].gold ^= 1; });
  differs([](auto& c, auto&) { c[0].decisions[0].terminal ^= true; });
  differs([](auto& c, auto&) { c[0].decisions[0].turn += 1; });
  differs([](auto&, auto& h) { h.option_ids[2] = 20; });
  differs([](auto&, auto& h) { h.item.first += 1; });
  differs([](auto&, auto& h) { h.window += 1; });
}

TEST_F(ShardFile, HoldsNoDecisionsOrNoDialoguesToo) {
  auto none = made_up_combs(4);
  none.erase(none.begin(), none.begin() + 3);
  ASSERT_TRUE(none[0].decisions.empty());
  write_shard(path, made_up_header(1), none);
  expect_same(read_shard(path, {}).combs, none);
  write_shard(path, made_up_header(0), {});
  EXPECT_TRUE(read_shard(path, {}).combs.empty());
}

TEST_F(ShardFile, RecordSurvivesJson) {
  const auto j = nlohmann::ordered_json::parse(write_json(record).dump());
  EXPECT_EQ(read_json<ShardRecord>(j, "x"), record);
  auto broken = j;
  broken.erase("file_sha256");
  const auto e = testing::error_of([&] { read_json<ShardRecord>(broken, "manifest.json"); });
  EXPECT_NE(std::string(e->what()).find("manifest.json"), std::string::npos);
}

TEST_F(ShardFile, MissingIsRefused) {
  fs::remove(path);
  expect_refusal("missing");
}

TEST_F(ShardFile, TruncatedIsRefusedWhereverItIsCut) {
  const std::string bytes = read_file(path);
  Expected expected;
  for (const bool recorded : {false, true}) {
    if (recorded) expected.record = record;
    for (const double part : {0.999, 0.9, 0.5, 0.1, 0.02}) {
      write_file_atomic(path, bytes.substr(0, static_cast<std::size_t>(part * bytes.size())));
      expect_refusal("truncated", expected);
    }
  }
  write_file_atomic(path, "");
  expect_refusal("empty");
}

TEST_F(ShardFile, EveryBitFlipIsRefused) {
  record = write_shard(path, made_up_header(4), made_up_combs(4));
  const std::string bytes = read_file(path);
  Expected expected;
  expected.record = record;
  CounterRng rng(1, "flips");
  int noticed_without_record = 0, tries = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 1 + rng.below(48)) {
    std::string flipped = bytes;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << rng.below(8)));
    std::ofstream(path, std::ios::binary) << flipped;  // no fsync: thousands of them
    EXPECT_FALSE(validate_shard(path, expected).record) << "byte " << at;
    ++tries;
    // Without the manifest's record only bytes that mean something can be told.
    const ShardCheck alone = validate_shard(path, {});
    noticed_without_record += !alone.record;
    if (alone.record) {
      EXPECT_EQ(alone.record->content_sha256, record.content_sha256);
    }
  }
  EXPECT_GT(tries, 100);
  EXPECT_GT(noticed_without_record, tries / 2);
  EXPECT_EQ(H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL), 0);  // nothing stays open after a refusal
}

TEST_F(ShardFile, AFlippedByteInADatasetIsNamedDamage) {
  Storage plain;
  plain.deflate = 0;
  write_shard(path, header, combs, plain);
  std::string bytes = read_file(path);
  const auto& tokens = combs[0].trunks[0].tokens;
  const std::string needle(reinterpret_cast<const char*>(tokens.data()), 4 * tokens.size());
  const auto at = bytes.find(needle);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 5] = static_cast<char>(bytes[at + 5] ^ 1);
  write_file_atomic(path, bytes);
  expect_refusal("dataset trunk/token is damaged");
}

TEST_F(ShardFile, ForeignFilesAreRefused) {
  write_file_atomic(path, "id,text\n1,this is no shard at all\n");
  expect_refusal("not an HDF5 file");
  {
    fs::remove(path);
    Handle file(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
  }
  expect_refusal("not a shard of this program");
  fs::remove(path);
  fs::create_directory(path);
  expect_refusal("folder");
}

TEST_F(ShardFile, OlderAndNewerVersionsAreRefused) {
  set_number("format_version", 0);
  expect_refusal("format version 0 of an older program");
  set_number("format_version", 99);
  expect_refusal("format version 99 of a newer program");
}

TEST_F(ShardFile, WhatWasMadeForSomethingElseIsRefused) {
  Expected e;
  e.key = header.key, e.source = header.source, e.tokenizer = header.tokenizer;
  e.prompt = header.prompt, e.item = header.item, e.record = record;
  EXPECT_TRUE(validate_shard(path, e).record);
  const auto with = [&](const char* words, auto change) {
    Expected other = e;
    change(other);
    expect_refusal(words, other);
  };
  with("another tokenizer", [](auto& o) { o.tokenizer = "test:else"; });
  with("another prompt template", [](auto& o) { o.prompt = "else"; });
  with("another source corpus", [](auto& o) { o.source = "else"; });
  with("another preprocessing key", [](auto& o) { o.key = "else"; });
  with("holds dialogues train 192..203", [](auto& o) { o.item->split = "valid"; });
  with("wanted are train 191..202", [](auto& o) { o.item->first = 191; });
  // A sound shard of other content in this one's place.
  write_shard(path, header, made_up_combs(12, 8));
  expect_refusal("manifest", e);
}

TEST_F(ShardFile, AttributesThatLieAreRefused) {
  // Metadata edited with a tool has sound checksums; the content hash still tells.
  set_number("window", 513);
  expect_refusal("SHA-256");
  set_number("dialogues", 11);
  expect_refusal("12 dialogues");
}

TEST_F(ShardFile, DatasetsThatContradictEachOtherAreRefused) {
  const auto overwrite = [&](const char* name, std::size_t at, std::int32_t value) {
    write_shard(path, header, combs);
    edit([&](hid_t file) {
      Handle set(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);
      Handle space(H5Dget_space(set.get()), H5Sclose);
      std::vector<std::int32_t> v(
          static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.get())));
      H5Dread(set.get(), H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, v.data());
      v.at(at) = value;
      ASSERT_GE(H5Dwrite(set.get(), H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, v.data()), 0);
    });
  };
  overwrite("trunk/offset", 1, -5);
  expect_refusal("trunk/offset");
  overwrite("dialogue/decision_offset", 1, 1 << 20);
  expect_refusal("dialogue/decision_offset");
  overwrite("decision/attach", 0, 1 << 20);
  expect_refusal("decision/attach");
  overwrite("decision/trunk", 0, 7);
  expect_refusal("decision/trunk");
  overwrite("decision/gold", 0, 8);
  expect_refusal("decision/gold");
  overwrite("trunk/token", 0, 1000);
  expect_refusal("trunk/token holds 1000");
  overwrite("trunk/header", 0, 1 << 20);
  expect_refusal("trunk/header");
  combs = with_outcomes(combs);
  overwrite("decision/rating", 0, 6);
  expect_refusal("decision/rating holds 6");
  overwrite("dialogue/final_intensity", 0, -1);
  expect_refusal("dialogue/final_intensity");
  overwrite("dialogue/initial_intensity", 0, 3);
  expect_refusal("SHA-256");
}

TEST(WriteShard, RefusesCombsThatDoNotFitTheHeader) {
  TemporaryFolder folder;
  const auto write = [&](auto change) {
    auto combs = made_up_combs(5);
    auto header = made_up_header(5);
    change(combs, header);
    EXPECT_THROW(write_shard(folder.path("a.h5"), header, combs), std::logic_error);
  };
  write([](auto& c, auto&) { c.pop_back(); });
  write([](auto& c, auto&) { c[0].decisions[0].gold = 8; });
  write([](auto& c, auto&) { c[0].trunks[0].tokens[0] = 1000; });
  write([](auto& c, auto&) { c[0].probes[0].tokens.clear(); });
  write([](auto& c, auto&) { c[0].probes.pop_back(); });
  write([](auto&, auto& h) { h.option_ids[0] = 1000; });
  EXPECT_EQ(files_in(folder.path()), 0u);
}

TEST(WriteShard, ToAnImpossiblePlaceSaysSo) {
  TemporaryFolder folder;
  write_file_atomic(folder.path("file"), "x");
  const auto e = testing::error_of([&] {
    write_shard(folder.path("file/train-00000.h5"), made_up_header(5), made_up_combs(5));
  });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind(), ErrorKind::failure);
  EXPECT_NE(std::string(e->what()).find(folder.path("file")), std::string::npos) << e->what();
}

TEST(WriteShard, OnADiskThatRefusesMoreLeavesTheOldShardAndNoHalfOne) {
  // A limit on the size of files stands for the full disk: write(2) fails half-way in the same
  // place.
  TemporaryFolder folder;
  const std::string path = folder.path("train-00000.h5");
  const auto old = write_shard(path, made_up_header(3), made_up_combs(3));
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{4096, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  std::optional<Error> error;
  try {
    write_shard(path, made_up_header(40), made_up_combs(40));
  } catch (const Error& e) {
    error = e;
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind(), ErrorKind::failure);
  EXPECT_NE(std::string(error->what()).find(path), std::string::npos) << error->what();
  EXPECT_EQ(files_in(folder.path()), 1u);
  Expected expected;
  expected.record = old;
  EXPECT_TRUE(validate_shard(path, expected).record);
}

// For tests/peer/h5py_peer_test.py: a shard with all that can occur and, beside it, what it must
// say. Does nothing else, so it skips unless it is asked for.
TEST(Peer, WritesAShardToBeReadByOthers) {
  const char* folder = std::getenv("STRAQ_PEER_FOLDER");
  if (folder == nullptr) GTEST_SKIP() << "STRAQ_PEER_FOLDER is not set";
  const auto combs = with_outcomes(made_up_combs(40));
  const auto record =
      write_shard((fs::path(folder) / "train-00003.h5").string(), made_up_header(40), combs);
  nlohmann::ordered_json out = {{"record", write_json(record)}};
  for (const auto& c : combs) {
    const bool final = c.final_state == 1;
    nlohmann::ordered_json row = {
        {"id", c.id},
        {"order", c.option_order},
        {"final", {final ? c.probes.back().trunk : -1, final ? c.probes.back().attach : -1}},
        {"intensity", {c.initial_intensity, c.final_intensity}}};
    row["trunks"] = nlohmann::ordered_json::array();
    row["decisions"] = nlohmann::ordered_json::array();
    for (const auto& t : c.trunks)
      row["trunks"].push_back({{"header", t.header}, {"tokens", t.tokens}});
    for (std::size_t i = 0; i < c.decisions.size(); ++i) {
      const auto& p = c.probes[i];
      const auto& d = c.decisions[i];
      row["decisions"].push_back(
          {{"trunk", p.trunk},
           {"attach", p.attach},
           {"probe", p.tokens},
           {"turn", d.turn},
           {"gold", d.gold},
           {"previous", d.previous},
           {"terminal", d.terminal},
           {"rating", d.rating},
           {"strategies", d.strategies},
           {"judge", d.judge ? nlohmann::ordered_json(*d.judge) : nlohmann::ordered_json()},
           {"reward", d.reward ? nlohmann::ordered_json(*d.reward) : nlohmann::ordered_json()}});
    }
    out["dialogues"].push_back(std::move(row));
  }
  write_file_atomic((fs::path(folder) / "expected.json").string(), out.dump());
}

}  // namespace
}  // namespace straq::shard
