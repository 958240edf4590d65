// checkpoint.json as a damaged disk or another hand may leave it: what it says becomes positions in
// the weights, so each number is looked at, and the files must make up the whole, once.
#include <gtest/gtest.h>

#include <fstream>

#include "core/files/files.h"
#include "learn/checkpoint.h"
#include "model/weights/safetensors.h"
#include "tests/testing.h"

namespace straq::learn {
namespace {

using Json = nlohmann::ordered_json;
using straq::testing::error_of;
using straq::testing::TemporaryFolder;

class ForeignCheckpoint : public ::testing::Test {
 protected:
  void SetUp() override {
    CheckpointRecord record;
    record.progress.step = 12;
    record.identity.inputs.add("seed", "1");
    record.identity.parameters = "parameters";
    StateSlice state{0, 100, 100, {}};
    for (const char* name : {kWeights, kTarget, kFirstMoment, kSecondMoment}) {
      state.buffers.emplace_back(name, at::ones({100}));
    }
    write_checkpoint(folder, record, state);
    good = Json::parse(read_file(folder + "/checkpoint.json"));
  }
  void refused_text(const std::string& text, const std::string& words) {
    std::ofstream(folder + "/checkpoint.json", std::ios::binary) << text;  // no fsync: many
    const auto e = error_of([&] { open_checkpoint(folder, false); });
    ASSERT_TRUE(e);
    EXPECT_EQ(e->kind(), ErrorKind::input);
    EXPECT_NE(std::string(e->what()).find(folder + " is refused: "), std::string::npos);
    EXPECT_NE(std::string(e->what()).find(words), std::string::npos) << e->what();
  }
  template <class F>
  void refused(F&& change, const std::string& words) {
    Json j = good;
    change(j);
    SCOPED_TRACE(j.dump());
    refused_text(j.dump(), words);
  }

  TemporaryFolder root;
  std::string folder = root.path(checkpoint_name(12));
  Json good;
};

TEST_F(ForeignCheckpoint, NumbersThatCountNothing) {
  for (const auto& bad : std::vector<Json>{-1, 0.5, 1e300, "1", nullptr, 9223372036854775807}) {
    if (bad != Json(-1)) {
      refused([&](Json& j) { j["progress"]["evaluated_step"] = bad; }, "evaluated_step");
    }
    for (const char* key : {"step", "stage", "stage_step", "optimizer_steps", "bad_steps"}) {
      refused([&](Json& j) { j["progress"][key] = bad; }, key);
    }
    for (const char* key : {"elements", "learners", "micro_tokens"}) {
      refused([&](Json& j) { j[key] = bad; }, key);
    }
    for (const char* key : {"begin", "end", "bytes"}) {
      refused([&](Json& j) { j["files"][0][key] = bad; }, key);
    }
  }
}

TEST_F(ForeignCheckpoint, RangesThatAreNotTheWhole) {
  const auto two = [&](std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) {
    return [=](Json& j) {
      Json file = j["files"][0];
      file["begin"] = a, file["end"] = b;
      j["files"][0] = file;
      file["begin"] = c, file["end"] = d;
      j["files"].push_back(file);
    };
  };
  // The right number of elements, one half twice.
  refused(two(0, 50, 0, 50), "does not follow");
  refused(two(0, 50, 60, 100), "does not follow");
  refused(two(0, 50, 50, 99), "99 of 100");
  refused(two(50, 0, 0, 100), "does not follow");
  refused([](Json& j) { j["files"] = Json::array(); }, "0 of 100");
  refused([](Json& j) { j["elements"] = 101; }, "100 of 101");
}

TEST_F(ForeignCheckpoint, NamesAndJsonOfOtherKinds) {
  for (const std::string name : {"../state-0-of-1.safetensors", "/etc/passwd", "..", ""}) {
    refused([&](Json& j) { j["files"][0]["name"] = name; }, "outside of the folder");
  }
  refused([](Json& j) { j["files"] = 3; }, "corrupted");
  refused([](Json& j) { j["progress"] = {1, 2}; }, "corrupted");
  refused_text(std::string(400000, '['), "corrupted");
  refused_text("{\"format\": 1e999}", "corrupted");
  refused_text("[]", "corrupted");
  refused_text("{\"format\": \"straq-checkpoint\", \"format_version\": " + std::string(100, '[') +
                   std::string(100, ']') + "}",
               "wrong version");
}

TEST_F(ForeignCheckpoint, BuffersThatAreNoListsOfNumbers) {
  for (const auto& tensor : {at::ones({10, 10}), at::ones({100}, at::kLong)}) {
    model::write_safetensors(folder + "/state-0-of-1.safetensors", {{kWeights, tensor}});
    Checkpoint c;
    c.folder = folder;
    c.total = 100;
    c.files = {{"state-0-of-1.safetensors", 0, 100, 0, ""}};
    const at::Tensor out = at::empty({100});
    const auto e = error_of([&] { read_buffer(c, kWeights, 0, out); });
    ASSERT_TRUE(e);
    EXPECT_NE(std::string(e->what()).find("corrupted"), std::string::npos) << e->what();
  }
}

}  // namespace
}  // namespace straq::learn
