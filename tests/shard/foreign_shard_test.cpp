// Shards and manifests as another program, a tool or a damaged disk may leave them: every number
// was looked at before it is a size, texts are whole, nothing leads to another file, and a shard
// that somebody else is changing is told from a damaged one.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "core/files/files.h"
#include "shard/dataset.h"
#include "shard/lock_probe.h"
#include "tests/shard/shards.h"

namespace straq::shard {
namespace {

namespace fs = std::filesystem;
using testing::error_of;
using testing::made_up_combs;
using testing::made_up_header;
using testing::TemporaryFolder;

class ForeignShard : public ::testing::Test {
 protected:
  void SetUp() override { renew(); }
  // A sound shard in its place; without fsync, for it is one of a hundred.
  void renew() {
    static const std::string sound = [] {
      TemporaryFolder made;
      write_shard(made.path("a.h5"), made_up_header(12), made_up_combs(12));
      return read_file(made.path("a.h5"));
    }();
    std::ofstream(path, std::ios::binary) << sound;
  }
  void edit(const std::function<void(hid_t)>& change) {
    renew();
    Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), H5Fclose);
    ASSERT_TRUE(file.valid());
    change(file.get());
  }
  // Puts an attribute of any type in the place of one.
  void attribute(const char* name, hid_t type, const void* value, hsize_t count = 1) {
    edit([&](hid_t file) {
      ASSERT_GE(H5Adelete(file, name), 0);
      Handle space(count == 1 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr),
                   H5Sclose);
      Handle a(H5Acreate2(file, name, type, space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
      ASSERT_TRUE(a.valid());
      ASSERT_GE(H5Awrite(a.get(), type, value), 0);
    });
  }
  void number(const char* name, std::int64_t value) { attribute(name, H5T_NATIVE_INT64, &value); }
  void text(const char* name, const std::string& value) {
    Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type.get(), value.size());
    H5Tset_strpad(type.get(), H5T_STR_NULLPAD);
    attribute(name, type.get(), value.data());
  }
  // Puts a dataset of any type and extent in the place of one; no values are written.
  void dataset(const char* name, hid_t type, hsize_t extent, hsize_t chunk = 0,
               const std::function<void(hid_t)>& more = {}) {
    edit([&](hid_t file) {
      ASSERT_GE(H5Ldelete(file, name, H5P_DEFAULT), 0);
      Handle space(H5Screate_simple(1, &extent, nullptr), H5Sclose);
      Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
      if (chunk > 0) {
        H5Pset_chunk(creation.get(), 1, &chunk);
        H5Pset_deflate(creation.get(), 4);
      }
      if (more) more(creation.get());
      Handle set(
          H5Dcreate2(file, name, type, space.get(), H5P_DEFAULT, creation.get(), H5P_DEFAULT),
          H5Dclose);
      ASSERT_TRUE(set.valid());
    });
  }
  void refused(const std::string& words) {
    const ShardCheck check = validate_shard(path, {});
    EXPECT_FALSE(check.record);
    EXPECT_NE(check.reason.find(words), std::string::npos) << words << "\n" << check.reason;
    const auto e = error_of([&] { read_shard(path, {}); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find(path), std::string::npos);
  }

  TemporaryFolder folder;
  std::string path = folder.path("train-00003.h5");
};

TEST_F(ForeignShard, AttributesOfOtherTypes) {
  const double half = 512.5;
  attribute("window", H5T_NATIVE_DOUBLE, &half);
  refused("attribute window is no integer");
  text("window", "512");
  refused("attribute window is no integer");
  const std::int64_t two[2] = {512, 512};
  attribute("window", H5T_NATIVE_INT64, two, 2);
  refused("attribute window is no single number");
  const std::uint64_t large = ~std::uint64_t{0};  // HDF5 itself would make the largest int64 of it
  attribute("window", H5T_NATIVE_UINT64, &large);
  refused("attribute window is no integer");
  const std::int64_t seven = 7;
  attribute("key", H5T_NATIVE_INT64, &seven);
  refused("attribute key is no fixed-length text");
  Handle variable(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(variable.get(), H5T_VARIABLE);
  const char* word = "straq-shard";
  attribute("format", variable.get(), &word);
  refused("attribute format is no fixed-length text");
  const std::int64_t ids[2] = {11, std::int64_t{1} << 40};
  attribute("option_ids", H5T_NATIVE_INT64, ids, 2);
  refused("option_ids holds 1099511627776");
  edit([](hid_t file) { H5Adelete(file, "source"); });
  refused("attribute source is missing");
}

TEST_F(ForeignShard, NumbersBeyondWhatTheyCount) {
  for (const char* name : {"window", "vocab_size", "index", "first_dialogue", "dialogues"}) {
    for (const std::int64_t n : {std::int64_t{-1}, std::numeric_limits<std::int64_t>::min(),
                                 std::numeric_limits<std::int64_t>::max()}) {
      number(name, n);
      refused("attribute " + std::string(name) + " is " + std::to_string(n));
    }
  }
  for (const char* name : {"trunks", "decisions", "trunk_tokens", "probe_tokens"}) {
    number(name, 1);
    refused("attribute " + std::string(name) + " is 1, its datasets hold");
  }
  // A range that is wrong is still told by its ends.
  Expected other;
  other.item = WorkItem{"train", 3, 0, 12};
  number("first_dialogue", std::int64_t{1} << 53);
  EXPECT_NE(validate_shard(path, other).reason.find("wanted are train 0..11"), std::string::npos);
}

TEST_F(ForeignShard, TextsThatGoOnAfterANulByte) {
  text("format", std::string("straq-shard\0and more", 20));
  refused("attribute format holds a text with a NUL byte inside");
  edit([](hid_t file) {
    Handle set(H5Dopen2(file, "dialogue/id", H5P_DEFAULT), H5Dclose);
    Handle type(H5Dget_type(set.get()), H5Tclose);
    std::string ids(H5Tget_size(type.get()) * 12, '\0');
    H5Dread(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, ids.data());
    ids[H5Tget_size(type.get()) - 1] = 'x';
    H5Dwrite(set.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, ids.data());
  });
  refused("dataset dialogue/id holds a text with a NUL byte inside");
  // Such an id would not come back, so it is not written.
  auto combs = made_up_combs(5);
  combs[0].id = std::string("a\0b", 3);
  EXPECT_THROW(write_shard(folder.path("x.h5"), made_up_header(5), combs), std::logic_error);
}

TEST_F(ForeignShard, ExtentsThatTheFileCannotHold) {
  // 2^40 values of a file of some KB: chunks that were never written cost nothing on disk.
  dataset("trunk/token", H5T_STD_I32LE, hsize_t{1} << 40, 1 << 16);
  refused("dataset trunk/token has no sound size");
  dataset("trunk/token", H5T_STD_I32LE, 12'000'000, 1 << 16);
  refused("dataset trunk/token has no sound size");
  dataset("decision/terminal", H5T_STD_U8LE, hsize_t{1} << 40);
  refused("dataset decision/terminal has no sound size");
  Handle wide(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(wide.get(), std::size_t{1} << 31);
  dataset("dialogue/id", wide.get(), 12);
  refused("dataset dialogue/id has no sound size");
}

TEST_F(ForeignShard, DatasetsOfOtherTypesOrInOtherFiles) {
  dataset("trunk/token", H5T_IEEE_F32LE, 4);
  refused("dataset trunk/token holds no integers of 32 bits");
  dataset("trunk/token", H5T_STD_I64LE, 4);
  refused("dataset trunk/token holds no integers of 32 bits");
  dataset("decision/terminal", H5T_STD_I8LE, 4);
  refused("dataset decision/terminal holds no integers of 8 bits");
  dataset("dialogue/id", H5T_STD_I64LE, 12);
  refused("dataset dialogue/id holds no fixed-length texts");
  const std::string elsewhere = folder.path("elsewhere.bin");
  write_file_atomic(elsewhere, std::string(400, '\1'));
  dataset("trunk/token", H5T_STD_I32LE, 100, 0,
          [&](hid_t creation) { H5Pset_external(creation, elsewhere.c_str(), 0, 400); });
  refused("dataset trunk/token lies in another file");
  renew();
  fs::copy_file(path, folder.path("other.h5"));
  edit([&](hid_t file) {
    H5Ldelete(file, "trunk/token", H5P_DEFAULT);
    H5Lcreate_external(folder.path("other.h5").c_str(), "trunk/token", file, "trunk/token",
                       H5P_DEFAULT, H5P_DEFAULT);
  });
  refused("dataset trunk/token");
}

TEST_F(ForeignShard, ValuesThatOnlyLookSound) {
  const auto overwrite = [&](const char* name, std::int32_t value) {
    edit([&](hid_t file) {
      Handle set(H5Dopen2(file, name, H5P_DEFAULT), H5Dclose);
      Handle space(H5Dget_space(set.get()), H5Sclose);
      std::vector<std::int32_t> v(
          static_cast<std::size_t>(H5Sget_simple_extent_npoints(space.get())));
      H5Dread(set.get(), H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, v.data());
      v[0] = value;
      ASSERT_GE(H5Dwrite(set.get(), H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, v.data()), 0);
    });
  };
  overwrite("decision/turn", -1);
  refused("decision/turn");
  overwrite("decision/terminal", 7);
  refused("decision/terminal");
  overwrite("probe/offset", 1);
  refused("probe/offset");
}

TEST_F(ForeignShard, APointerOfGitLfsIsToldFromADamagedShard) {
  write_file_atomic(path, "version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 99\n");
  refused("Git LFS pointer to a file of 99 bytes");
  refused("git lfs pull");
}

// h5py and h5repack open a file as this does; while they write, it has a mark, and they a lock.
TEST_F(ForeignShard, OpenForWritingInAnotherProgramIsToldWithWhatToDo) {
  {
    Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
    H5Pset_libver_bounds(access.get(), H5F_LIBVER_V110, H5F_LIBVER_V110);
    Handle file(H5Fopen(path.c_str(), H5F_ACC_RDWR, access.get()), H5Fclose);
    ASSERT_TRUE(file.valid());
    const std::int64_t n = 513;
    Handle a(H5Aopen(file.get(), "window", H5P_DEFAULT), H5Aclose);
    ASSERT_GE(H5Awrite(a.get(), H5T_NATIVE_INT64, &n), 0);
    ASSERT_GE(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), 0);
    refused("another program has it open for writing");
    refused("close");
  }
  refused("SHA-256");  // closed: it is what it is
}

TEST_F(ForeignShard, AHeldLockExplainsAShardThatCannotBeRead) {
  const std::string whole = read_file(path);
  const int fd = ::open(path.c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    GTEST_SKIP() << "flock does not work in " << folder.path();
  }
  // A lock alone is nobody's fault: what is whole is read.
  EXPECT_TRUE(validate_shard(path, {}).record);
  EXPECT_NE(lock_holder(path), "");
  ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(whole.size() / 2)), 0);
  refused("truncated");
  refused("has it open for writing: close it there first");
  ::close(fd);
  EXPECT_EQ(lock_holder(path), "");
  EXPECT_EQ(validate_shard(path, {}).reason.find("close it there"), std::string::npos);
}

TEST(LockHolder, IsNobodyWhereNothingCanBeTold) {
  TemporaryFolder folder;
  EXPECT_EQ(lock_holder(folder.path("absent")), "");
  EXPECT_EQ(lock_holder(folder.path()), "");
}

// ---- manifests

class ForeignManifest : public ::testing::Test {
 protected:
  ForeignManifest() {
    m.corpus = "made-up";
    m.parts = {"source", "tokenizer", "prompt", 512, "{}", 4};
    m.vocab_size = 1000;
    m.option_ids = {11, 12};
    m.strategies = {"a", "b"};
    plan({{"train", 10}});
  }
  void plan(const SplitSizes& splits) {
    m.key = m.parts.hex();
    m.splits = splits;
    m.shards.clear();
    for (auto& item : plan_items(splits, m.parts.dialogues_per_shard))
      m.shards.push_back({item, {}});
  }
  void refused(const std::function<void(nlohmann::ordered_json&)>& change,
               const std::string& words) {
    auto j = m.to_json();
    change(j);
    refused_text(j.dump(), words);
  }
  void refused_text(const std::string& text, const std::string& words) {
    std::ofstream(folder.path("manifest.json"), std::ios::binary) << text;
    const auto e = error_of([&] { Manifest::read(folder.path()); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find("manifest.json"), std::string::npos) << e->what();
    EXPECT_NE(std::string(e->what()).find(words), std::string::npos) << e->what();
    EXPECT_FALSE(e->hint().empty());
    EXPECT_LT(e->full().size(), 1000u);
  }

  TemporaryFolder folder;
  Manifest m;
};

TEST_F(ForeignManifest, SizesAreNotBelieved) {
  m.write(folder.path());
  EXPECT_EQ(Manifest::read(folder.path()).to_json(), m.to_json());
  // 2 * 10^14 shards, none of which is listed.
  refused([](auto& j) { j["splits"]["train"] = 1'000'000'000'000'000; }, "contradict");
  for (const auto& bad : std::vector<nlohmann::ordered_json>{
           -1, 1.5, 1e300, "10", nullptr, 9223372036854775807, 18446744073709551615u}) {
    refused([&](auto& j) { j["splits"]["train"] = bad; }, "train");
    refused([&](auto& j) { j["vocab_size"] = bad; }, "\"vocab_size\"");
    refused([&](auto& j) { j["key_parts"]["window"] = bad; }, "\"window\"");
    refused([&](auto& j) { j["key_parts"]["dialogues_per_shard"] = bad; },
            "\"dialogues_per_shard\"");
    refused([&](auto& j) { j["shards"][0]["first_dialogue"] = bad; }, "\"first_dialogue\"");
    refused([&](auto& j) { j["option_ids"][1] = bad; }, "option_ids");
  }
  refused([](auto& j) { j["key_parts"]["dialogues_per_shard"] = 0; },
          "\"dialogues_per_shard\" is 0");
  refused([](auto& j) { j["option_ids"][1] = 4294967296 + 12; }, "option_ids");
  refused([](auto& j) { j["format_version"] = 1.5; }, "format version 1.5");
}

// Sound in itself, so only reading the shards can tell: a split of 10^15 dialogues in one shard.
TEST_F(ForeignManifest, ASplitThatOnlyClaimsItsDialoguesIsRefusedByItsShards) {
  m.parts.dialogues_per_shard = 1'000'000'000'000'000;
  plan({{"train", 1'000'000'000'000'000}});
  m.write(folder.path());
  const auto e = error_of([&] { open_dataset(folder.path(), {}); });
  ASSERT_TRUE(e);
  EXPECT_NE(std::string(e->what()).find("train-00000.h5"), std::string::npos) << e->what();
}

// Sized by bytes, only their order says which dialogues shards hold.
TEST_F(ForeignManifest, ShardsOfOwnSizesCoverTheirSplits) {
  m.parts.text_per_shard = 1000;
  m.key = m.parts.hex();
  m.splits = {{"train", 10}, {"valid", 0}, {"test", 1}};
  m.shards = {{{"train", 0, 0, 3}, {}}, {{"train", 1, 3, 7}, {}}, {{"test", 0, 0, 1}, {}}};
  m.write(folder.path());
  EXPECT_EQ(Manifest::read(folder.path()).to_json(), m.to_json());
  const auto shards = [](auto& j) -> auto& {
    return j["shards"];
  };
  refused([&](auto& j) { shards(j)[1]["first_dialogue"] = 4; }, "contradict");
  refused([&](auto& j) { shards(j)[1]["dialogues"] = 6; }, "contradict");
  refused([&](auto& j) { shards(j)[1]["dialogues"] = 1'000'000'000; }, "contradict");
  refused([&](auto& j) { shards(j)[1]["index"] = 2; }, "contradict");
  refused([&](auto& j) { shards(j)[2]["split"] = "valid"; }, "contradict");
  refused([&](auto& j) { shards(j).erase(2); }, "contradict");
  refused([&](auto& j) { j["splits"]["test"] = 2; }, "contradict");
  refused([&](auto& j) { shards(j)[0]["dialogues"] = 0; }, "contradict");
}

TEST_F(ForeignManifest, NamesOfSplitsLeadNowhereElse) {
  for (const char* name : {"../train", "a/b", "", ".", "..", "x\n"}) {
    plan({{name, 10}});
    refused([](auto&) {}, "name of a split");
  }
}

TEST_F(ForeignManifest, RecordsAndTextsOfOtherKinds) {
  const nlohmann::ordered_json record = {
      {"key", m.key},   {"split", "train"},      {"index", 0},        {"first_dialogue", 0},
      {"dialogues", 4}, {"decisions", 1},        {"trunk_tokens", 1}, {"probe_tokens", 1},
      {"bytes", 1},     {"content_sha256", "x"}, {"file_sha256", "y"}};
  for (const char* key : {"index", "dialogues", "decisions", "bytes"}) {
    for (const auto& bad : std::vector<nlohmann::ordered_json>{-1, 1e300, "1", 0.5}) {
      refused(
          [&](auto& j) {
            j["shards"][0]["record"] = record;
            j["shards"][0]["record"][key] = bad;
          },
          "\"" + std::string(key) + "\"");
    }
  }
  refused([](auto& j) { j["shards"] = "none"; }, "malformed");
  refused([](auto& j) { j["shards"][0] = 3; }, "malformed");
  refused([](auto& j) { j["splits"] = {1, 2}; }, "\"splits\"");
  refused([](auto& j) { j["format"] = 3; }, "not a manifest");
  refused_text(std::string(400000, '['), "malformed");
  refused_text("{\"format\": \"straq-manifest\", \"format_version\": 1e999}", "malformed");
  refused_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "Git LFS");
  std::string deep = "{\"format\": \"straq-manifest\", \"format_version\": ";
  refused_text(deep + std::string(100, '[') + std::string(100, ']') + "}", "format version");
}

}  // namespace
}  // namespace straq::shard
