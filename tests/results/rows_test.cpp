// Each row type is read as it was written, and the bytes are those that files have always had.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "core/files/files.h"
#include "metrics/metric.h"
#include "results/rows/index_rows.h"
#include "results/rows/provenance.h"
#include "results/rows/replies.h"
#include "results/rows/steps.h"
#include "tests/testing.h"

namespace straq::results {
namespace {

using straq::testing::error_of;
using straq::testing::TemporaryFolder;

MetricsRow some_metrics() {
  MetricsRow row;
  row.step = 12;
  row.stage = "q";
  row.epoch = 1;
  row.loss = 0.5;
  row.td_loss = 0.25;
  row.td_abs = 0.125;
  row.q_mean = 1;
  row.target_mean = 2;
  row.max_q = 3.5;
  row.grad_norm = std::numeric_limits<double>::infinity();
  row.lr = 1e-3;
  row.decisions = 4;
  row.tokens = 100;
  row.skipped = true;
  return row;
}

TEST(Rows, MetricsAreReadAsTheyWereWritten) {
  const std::string line =
      R"({"step":12,"stage":"q","epoch":1,"loss":0.5,"td_loss":0.25,"td_abs":0.125,"q_mean":1.0,)"
      R"("target_mean":2.0,"max_q":3.5,"grad_norm":null,"lr":0.001,"decisions":4,"tokens":100,)"
      R"("skipped":true})";
  EXPECT_EQ(line_of(some_metrics()), line);
  std::vector<std::string> problems;
  const auto steps = read_steps("m.jsonl", line + "\n", problems);
  ASSERT_EQ(steps.size(), 1u);
  EXPECT_TRUE(problems.empty());
  EXPECT_FALSE(steps[0].grad_norm) << "it was not finite";
  EXPECT_FALSE(steps[0].ce_loss);
  EXPECT_EQ(line_of(static_cast<const MetricsRow&>(steps[0])),
            std::string(line).replace(line.find("\"grad_norm\":null,"), 17, ""));
}

TEST(Rows, TimingsAreReadAsTheyWereWritten) {
  const TimingsRow row{2, 1.5, 0.25, 0.5, 0.125, 0.25, 0.25, 0.125};
  const std::string line =
      R"({"step":2,"seconds":1.5,"plan":0.25,"target":0.5,"forward":0.125,"backward":0.25,)"
      R"("reduce":0.25,"optimizer":0.125})";
  EXPECT_EQ(line_of(row), line);
  std::vector<Step> steps(2);
  steps[0].step = 1;
  steps[1].step = 2;
  add_timings("nonsense\n[]\n" + line + "\n{\"step\":1}\n", steps);
  EXPECT_FALSE(steps[0].seconds);
  EXPECT_EQ(steps[1].seconds, 1.5);

  TemporaryFolder folder;
  const std::string path = folder.path("timings.jsonl");
  EXPECT_TRUE(last_timings(path, 3).empty());
  std::string text;
  for (int i = 1; i <= 5; ++i) {
    text += line_of(TimingsRow{i, 1.0 * i, {}, {}, {}, {}, {}, {}}) + "\n";
  }
  write_file_atomic(path, text + "{\"step\":6,\"sec");
  const auto last = last_timings(path, 2);
  ASSERT_EQ(last.size(), 2u);
  EXPECT_EQ(last[0].step, 4);
  EXPECT_EQ(last[1].seconds, 5.0);
}

TEST(Rows, EvaluationsDuringTrainingAreReadAsTheyWereWritten) {
  const ValidationRow row{40, "q", "valid", 96, {0.5, 0.25, 0.375, 1.5}, true};
  const std::string line =
      R"({"step":40,"stage":"q","split":"valid","decisions":96,"acc":0.5,"macro_f1":0.25,)"
      R"("weighted_f1":0.375,"bias":1.5,"best":true})";
  EXPECT_EQ(line_of(row), line);
  std::vector<std::string> problems;
  const auto back = read_validations("e.jsonl", line + "\n{\"st", problems);
  ASSERT_EQ(back.size(), 1u);
  EXPECT_EQ(line_of(back[0]), line);
  for (const auto& m : metrics::strategy_metrics()) {
    EXPECT_EQ(nlohmann::json::parse(line)[m.key], back[0].scores.*m.score) << m.key;
  }
  EXPECT_EQ(problems,
            (std::vector<std::string>{"e.jsonl:2: the last line is half-written and left out"}));
}

Provenance some_provenance() {
  Provenance p;
  p.environment = {{"version", "0.1.0"}, {"host", "n1"}};
  p.reproduce = "straq run --from x";
  p.config_sha256 = "ab";
  p.inputs.emplace();
  p.inputs->add("seed", "1");
  p.inputs_sha256 = p.inputs->hex();
  p.started = "2025-01-01T00:00:00Z";
  p.point = "seed-1";
  p.seed = 1;
  p.steps = 240;
  p.parameters = 10;
  p.learners = 2;
  p.threads = 1;
  p.micro_tokens = 512;
  p.backend = "mpi";
  p.shards = {"key", {{"train-00000.h5", "cd"}}};
  return p;
}

TEST(Rows, ProvenanceIsReadAsItWasWritten) {
  TemporaryFolder folder;
  const std::string path = folder.path("provenance.json");
  EXPECT_FALSE(ProvenanceFile::read(path));
  EXPECT_FALSE(planned_steps(path));
  write_provenance(path, some_provenance());
  const std::string text = read_file(path);
  auto file = ProvenanceFile::read(path);
  ASSERT_TRUE(file);
  EXPECT_EQ(planned_steps(path), 240);
  std::vector<std::string> keys;
  for (const auto& [key, value] : file->json.items()) keys.push_back(key);
  EXPECT_EQ(keys, (std::vector<std::string>{"version", "host", "reproduce", "config_sha256",
                                            "inputs", "inputs_sha256", "started", "point", "seed",
                                            "steps", "parameters", "learners", "threads",
                                            "micro_tokens", "backend", "shards"}));
  EXPECT_TRUE(file->known.inputs->changes_since(*some_provenance().inputs).empty());
  EXPECT_EQ(file->known.shards->key, "key");
  file->known.environment = some_provenance().environment;
  write_provenance(path, file->known);
  EXPECT_EQ(read_file(path), text);

  file->note(path, {{"taken_as", "done"}});
  file->note(path, {{"taken_as", "done"}});
  EXPECT_EQ(ProvenanceFile::read(path)->json["continued_anyway"].size(), 1u);
}

TEST(Rows, ADamagedProvenanceIsReadAsFarAsItGoes) {
  TemporaryFolder folder;
  const std::string path = folder.path("provenance.json");
  write_file_atomic(path, R"({"inputs":{"seed":1},"steps":"many","shards":[],"seed":4})");
  const auto file = ProvenanceFile::read(path);
  EXPECT_TRUE(file->notes_inputs);
  EXPECT_FALSE(file->known.inputs);
  EXPECT_FALSE(file->known.steps);
  EXPECT_FALSE(file->known.shards);
  EXPECT_EQ(file->known.seed, 4);
  write_file_atomic(path, "{\"steps\":");
  EXPECT_FALSE(planned_steps(path));
  const auto e = error_of([&] { ProvenanceFile::read(path); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->full().find("straq run"), std::string::npos) << e->full();
}

TEST(Rows, RepliesAreReadAsTheyWereWritten) {
  TemporaryFolder folder;
  const std::string path = folder.path("responses/fsm.jsonl");
  MethodInfo info;
  info.method = "fsm";
  info.responder = "sft";
  info.split = "valid";
  info.strategies = {{"Question", "Que."}};
  info.about = {{"temperature", 0}};
  Reply whole{"d:1", "d", "Question", "sad", "", "hello", "hi", "well?"}, bare;
  bare.id = "d:3";
  bare.dialogue = "d";
  bare.reference = "yes";
  write_replies(path, info, {whole, bare});
  EXPECT_EQ(read_file(path),
            R"({"id":"d:1","dialogue":"d","strategy":"Question","emotion":"sad","chosen":"",)"
            R"("hypothesis":"hello","reference":"hi","query":"well?"})"
            "\n"
            R"({"id":"d:3","dialogue":"d","hypothesis":"","reference":"yes"})"
            "\n");
  const ReplyFile file = read_replies(path);
  EXPECT_EQ(file.info.method, "fsm");
  EXPECT_EQ(file.info.split, "valid");
  EXPECT_EQ(file.info.strategies[0].abbreviation, "Que.");
  EXPECT_EQ(file.info.about["temperature"], 0);
  ASSERT_EQ(file.rows.size(), 2u);
  EXPECT_EQ(file.rows[0].chosen, "");
  EXPECT_FALSE(file.rows[1].chosen);
  EXPECT_EQ(file.rows[0].query, "well?");
}

TEST(Rows, JudgementsAndRatingsAreReadAsTheyWereWritten) {
  TemporaryFolder folder;
  const std::string path = folder.path("human/fsm.jsonl");
  Judgement rating{"d:1", "d", "Question", "ada", true, {}, {{"emotion", 4}, {"fluency", 3.5}}};
  Judgement lost{"d:2", "d", "", "ada", false, {}, {}};
  Judgement reward{"d:3", "d", "", "", true, 2.5, {}};
  write_judgements(path, {}, {rating, lost, reward});
  EXPECT_EQ(read_file(path), R"({"id":"d:1","dialogue":"d","rater":"ada","strategy":"Question",)"
                             R"("scores":{"emotion":4,"fluency":3.5}})"
                             "\n"
                             R"({"id":"d:2","dialogue":"d","rater":"ada","parsed":false})"
                             "\n"
                             R"({"id":"d:3","dialogue":"d","overall":2.5})"
                             "\n");
  const JudgeFile file = read_judgements(path);
  ASSERT_EQ(file.rows.size(), 3u);
  EXPECT_EQ(file.rows[0].scores, rating.scores);
  EXPECT_EQ(file.unparsed(), 1u);
  EXPECT_EQ(file.rows[2].overall, 2.5);
}

TEST(Rows, HowAReplyAndAScoreCameAboutIsKept) {
  TemporaryFolder folder;
  Reply reply;
  reply.id = "d:1";
  reply.dialogue = "d";
  reply.reference = "hi";
  reply.finish = "failed";
  reply.error = "too long";
  reply.unread = {"strategy", "label"};
  reply.requests = 2;
  reply.prompt_tokens = 30;
  reply.reply_tokens = 4;
  reply.notes = {{"stage", "Action"}, {"verify", "no"}};
  write_replies(folder.path("responses/a.jsonl"), {}, {reply});
  const Reply back = read_replies(folder.path("responses/a.jsonl")).rows.at(0);
  EXPECT_EQ(back.finish, "failed");
  EXPECT_EQ(back.error, "too long");
  EXPECT_EQ(back.unread, reply.unread);
  EXPECT_EQ(back.requests, 2);
  EXPECT_EQ(back.prompt_tokens, 30);
  EXPECT_EQ(back.reply_tokens, 4);
  EXPECT_EQ(back.notes, reply.notes);

  Judgement score{"d:1", "d", "", "", true, 3.25, {}};
  score.expected = 3.25;
  score.integer = 3;
  score.mass = 0.5;
  score.reversed = 3.5;
  score.words = 12;
  score.explanation = "kind";
  const std::string path = folder.path("judge/a.jsonl");
  write_judgements(path, {}, {score});
  const Judgement judged = read_judgements(path).rows.at(0);
  EXPECT_EQ(judged.expected, 3.25);
  EXPECT_EQ(judged.integer, 3);
  EXPECT_EQ(judged.mass, 0.5);
  EXPECT_EQ(judged.reversed, 3.5);
  EXPECT_EQ(judged.words, 12);
  EXPECT_EQ(judged.explanation, "kind");
  write_file_atomic(path, R"({"id":"d:1","dialogue":"d","overall":3,"integer":6})"
                          "\n");
  EXPECT_NE(error_of([&] { read_judgements(path); })->full().find("\"integer\""),
            std::string::npos);
}

std::string hint_about(const std::string& path) {
  write_file_atomic(path, "{\"id\":1}\n");
  const auto e = error_of([&] {
    path.find("responses") != std::string::npos ? (void)read_replies(path)
                                                : (void)read_judgements(path);
  });
  EXPECT_TRUE(e && std::string(e->what()).starts_with(path + ":1: \"id\" must be text"));
  return e ? e->hint() : "";
}

TEST(Rows, ErrorsNameTheCommandThatWritesTheFileOrNone) {
  TemporaryFolder folder;
  EXPECT_NE(hint_about(folder.path("p/human/a.jsonl")).find("`straq annotate import`"),
            std::string::npos);
  EXPECT_NE(hint_about(folder.path("p/responses/a.jsonl")).find("`straq respond`"),
            std::string::npos);
  EXPECT_NE(hint_about(folder.path("p/judge/a.jsonl")).find("`straq judge`"), std::string::npos);
  const std::string rows = folder.path("p/responses/b.jsonl");
  write_replies(rows, {}, {});
  write_file_atomic(folder.path("p/responses/b.score.json"), "{}");
  const auto e = error_of([&] { read_replies(rows); });
  ASSERT_TRUE(e);
  EXPECT_NE(e->hint().find("`straq score"), std::string::npos) << e->full();
}

TEST(Rows, TheIndexIsReadAsItWasWritten) {
  const IndexTable table{{"learn.gamma", "seed"},
                         {{"a", "done", {{"learn.gamma", "0.9"}, {"seed", "1"}}, "", ""},
                          {"b",
                           "failed",
                           {{"learn.gamma", "-0.5"}, {"seed", "=1+1"}},
                           "diverged",
                           "says \"so\", it\nseems"}}};
  const std::string text = index_text(table);
  EXPECT_EQ(text.substr(0, text.find("\nb,")),
            "point,state,learn.gamma,seed,kind,reason\na,done,0.9,1,,");
  std::vector<std::string> problems;
  const IndexTable back = parse_index("index.csv", text, problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(back.keys, table.keys);
  ASSERT_EQ(back.rows.size(), 2u);
  EXPECT_EQ(back.rows[1].state, "failed");
  EXPECT_EQ(back.rows[1].parameters, table.rows[1].parameters);
  EXPECT_EQ(back.rows[1].kind, "diverged");
  EXPECT_EQ(back.rows[1].reason, table.rows[1].reason);
  EXPECT_EQ(index_text(back), text);
}

TEST(Rows, AJobsPointsAreReadAsTheyWereWritten) {
  TemporaryFolder folder;
  const std::string path = folder.path(".index/a.json");
  const IndexPoints points{{"seed"}, {{"p", {{"seed", "1"}}}, {"q", {{"seed", "2"}}}}};
  write_file_atomic(path, points.text());
  const IndexPoints back = IndexPoints::read(path);
  EXPECT_EQ(back.points, points.points);
  EXPECT_EQ(back.text(), points.text());
  EXPECT_TRUE(points.text().starts_with(
      "{\n \"format\": \"straq-sweep-points\",\n \"format_version\": 1,\n \"keys\": [\n"));
  write_file_atomic(path, R"({"format":"other","format_version":1,"keys":[],"points":[]})");
  EXPECT_TRUE(error_of([&] { IndexPoints::read(path); }));
}

}  // namespace
}  // namespace straq::results
