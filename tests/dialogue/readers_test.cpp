#include "dialogue/readers/readers.h"

#include <map>
#include <set>

#include "core/files/files.h"
#include "core/hash.h"
#include "dialogue/utf8.h"
#include "tests/dialogue/fixtures.h"

namespace straq::dialogue {
namespace {

std::string message_of(const std::string& bytes, Format format = Format::automatic) {
  const auto e = testing::error_of([&] { parse(bytes, format); });
  if (!e) return {};
  EXPECT_EQ(e->exit_code(), 2);
  return e->full();
}

TEST(Readers, ReadsTheLineForm) {
  const Corpus c = parse(std::string(kLine) + "\r\n\n" + kLine + "\n");
  EXPECT_EQ(c.name, "made");
  ASSERT_EQ(c.dialogues.size(), 2u);
  const Dialogue& d = c.dialogues[0];
  EXPECT_EQ(d.id, "made/00000");
  EXPECT_EQ(c.dialogues[1].id, "made/00001");
  EXPECT_EQ(c.dialogues[1].line, 3);
  EXPECT_EQ(d.emotion, "anxiety");
  EXPECT_EQ(d.problem, "job crisis");
  EXPECT_EQ(d.situation, "My team shrinks.");
  EXPECT_EQ(d.initial_intensity, 4);
  EXPECT_EQ(d.final_intensity, 2);
  ASSERT_EQ(d.utterances.size(), 8u);
  EXPECT_EQ(d.utterances[0].speaker, Speaker::supporter);
  EXPECT_EQ(d.utterances[0].strategy, 7);
  EXPECT_EQ(d.utterances[1].speaker, Speaker::seeker);
  EXPECT_EQ(d.utterances[1].strategy, -1);
  EXPECT_EQ(d.utterances[3].strategy, 2);
  EXPECT_EQ(c.sources[0].sha256, sha256_hex(std::string(kLine) + "\r\n\n" + kLine + "\n"));
}

TEST(Readers, ReadsTheListFormWithBothVocabularies) {
  const Corpus c = parse(
      "\xEF\xBB\xBF[\n {\"emotion_type\": \"fear\", \"dialog\": [\n"
      "  {\"speaker\": \"speaker\", \"annotation\": {}, \"content\": \"hello ] [ \\\" ,\\n\"},\n"
      "  {\"speaker\": \"listener\", \"annotation\": {\"strategy\": \"Questions\"}, \"content\": "
      "\"Yes?\"}]},\n"
      " {\"dialog\": [\n"
      "  {\"speaker\": \"supporter\", \"annotation\": {\"strategy\": \"Other\"}, \"content\": "
      "\"hi\"},\n"
      "  {\"speaker\": \"seeker\", \"annotation\": {\"feedback\": \"5\"}, \"content\": "
      "\"hi\"}]}\n]\n");
  ASSERT_EQ(c.dialogues.size(), 2u);
  EXPECT_EQ(c.dialogues[0].utterances[0].text, "hello ] [ \" ,");
  EXPECT_EQ(c.dialogues[0].utterances[1].strategy, 0);
  EXPECT_EQ(c.dialogues[1].line, 5);
  EXPECT_EQ(c.dialogues[1].utterances[0].strategy, 7);
  EXPECT_EQ(c.dialogues[1].utterances[1].feedback, 5);
}

TEST(Readers, ReadsEmpatheticDialoguesWithoutQuoting) {
  const Corpus c = parse(
      "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\r\n"
      "a:1,1,proud,I won_comma_ at last,7,\"I won_comma_ \"said I.,5|5|5,\r\n"
      "a:1,2,proud,I won_comma_ at last,3,Great!,,\r\n"
      "b:2,1,,It rained,3,Rain again.,,\r\n");
  ASSERT_EQ(c.dialogues.size(), 2u);
  EXPECT_EQ(c.dialogues[0].emotion, "proud");
  EXPECT_EQ(c.dialogues[0].situation, "I won, at last");
  EXPECT_EQ(c.dialogues[0].utterances[0].text, "\"I won, \"said I.");
  EXPECT_EQ(c.dialogues[0].utterances[0].speaker, Speaker::seeker);
  EXPECT_EQ(c.dialogues[0].utterances[1].speaker, Speaker::supporter);
  EXPECT_EQ(c.dialogues[0].utterances[1].strategy, -1);
  EXPECT_EQ(c.dialogues[1].emotion, "");
  EXPECT_EQ(c.dialogues[1].utterances[0].speaker, Speaker::seeker);
  EXPECT_EQ(c.dialogues[1].line, 4);
}

TEST(Readers, WritesWhatItReads) {
  const StrategySet strategies = esconv_strategies();
  Dialogue d = parse(kLine).dialogues[0];
  d.utterances[1].feedback = 3;
  for (auto& u : d.utterances) {
    if (u.speaker == Speaker::supporter) u.reward = -0.1;
  }
  const Dialogue back = parse(to_jsonl(d, strategies)).dialogues[0];
  EXPECT_EQ(back.emotion, d.emotion);
  EXPECT_EQ(back.problem, d.problem);
  EXPECT_EQ(back.situation, d.situation);
  EXPECT_EQ(back.initial_intensity, d.initial_intensity);
  EXPECT_EQ(back.final_intensity, d.final_intensity);
  ASSERT_EQ(back.utterances.size(), d.utterances.size());
  for (std::size_t i = 0; i < d.utterances.size(); ++i) {
    EXPECT_EQ(back.utterances[i].text, d.utterances[i].text);
    EXPECT_EQ(back.utterances[i].speaker, d.utterances[i].speaker);
    EXPECT_EQ(back.utterances[i].strategy, d.utterances[i].strategy);
    EXPECT_EQ(back.utterances[i].feedback, d.utterances[i].feedback);
    EXPECT_EQ(back.utterances[i].reward, d.utterances[i].reward);
  }
}

TEST(Readers, UnknownLabelNamesFileLineAndTheNearestKnownOne) {
  std::string bad = kLine;
  bad.replace(bad.find("Reflection of feelings"), 22, "Reflexion of feelings");
  const std::string m = message_of(std::string(kLine) + "\n" + bad);
  EXPECT_HAS(m, "folder/made.txt:2: dialogue 1, utterance 3: unknown strategy");
  EXPECT_HAS(m, "did you mean \"Reflection of feelings\"?");
  EXPECT_HAS(m, "hint: known: Question, ");
}

TEST(Readers, BadRecordsAreErrorsWithTheirLine) {
  EXPECT_HAS(message_of(std::string(kLine) + "\n{\"dialog\": [}\n"),
             "folder/made.txt:2: dialogue 1: malformed JSON");
  EXPECT_HAS(message_of("[\n{\"dialog\":\n [,]}]"),
             "folder/made.txt:3: dialogue 0: malformed JSON");
  EXPECT_HAS(message_of("[\n" + std::string(kLine) + ",\n{\"dialog\": [{"),
             "folder/made.txt:3: the list of dialogues is not closed");
  EXPECT_HAS(message_of("[" + std::string(kLine) + "]\n{}"), "folder/made.txt:2: text follows");
  EXPECT_HAS(message_of("{\"dialog\": []}"), "dialogue 0: it has no utterances");
  EXPECT_HAS(message_of("{\"dialogue\": []}"), "expected an object with the list `dialog`");
  EXPECT_HAS(message_of("{\"dialog\": [{\"speaker\": \"usr\", \"text\": \" \\n\"}]}"),
             "utterance 0: the utterance has no text");
  EXPECT_HAS(message_of("{\"dialog\": [{\"speaker\": \"bot\", \"text\": \"x\"}]}"),
             "unknown speaker \"bot\"");
  EXPECT_HAS(message_of("{\"dialog\": [{\"text\": \"x\"}]}"), "the speaker is missing");
  EXPECT_HAS(message_of("{\"dialog\": [7]}"), "expected an object with speaker and text");
  EXPECT_HAS(message_of(R"({"dialog": [{"speaker": "usr", "text": "x", "strategy": "Question"}]})"),
             "a seeker's utterance has the strategy");
  EXPECT_HAS(message_of(R"({"dialog": [{"speaker": "usr", "text": "x", "feedback": "9"}]})"),
             "feedback: expected a score from 1 to 5, found \"9\"");
  EXPECT_HAS(message_of(R"({"dialog": [{"speaker": "sys", "text": "x", "reward": "much"}]})"),
             "reward: expected a number, found \"much\"");
  EXPECT_HAS(message_of(R"({"dialog": [{"speaker": "usr", "text": "x", "reward": 1}]})"),
             "a seeker's utterance has a reward");
}

TEST(Readers, AChatIsADialogue) {
  const auto corpus = parse_corpus(
      R"({"id": "night-7", "messages": [{"role": "user", "content": "I can't sleep."},)"
      R"({"role": "Assistant", "content": "Since when?", "strategy": "Question"}]})"
      "\n"
      R"({"conv_id": 12, "messages": [{"role": "user", "content": "Hello."}]})"
      "\n"
      R"({"messages": [{"role": "user", "content": "Me, too."}]})",
      "folder/chats.jsonl", Format::automatic, esconv_strategies());
  ASSERT_EQ(corpus.dialogues.size(), 3u);
  const auto& first = corpus.dialogues[0];
  EXPECT_EQ(first.id, "chats/night-7");
  EXPECT_EQ(corpus.dialogues[1].id, "chats/12");
  EXPECT_EQ(corpus.dialogues[2].id, "chats/00002") << "its number, where it has no name";
  ASSERT_EQ(first.utterances.size(), 2u);
  EXPECT_EQ(first.utterances[0].speaker, Speaker::seeker);
  EXPECT_EQ(first.utterances[1].speaker, Speaker::supporter);
  EXPECT_EQ(first.utterances[1].text, "Since when?");
  EXPECT_EQ(esconv_strategies()[first.utterances[1].strategy].name, "Question");
}

TEST(Readers, ChatsThatAreNoDialoguesAreErrors) {
  EXPECT_HAS(message_of(R"({"messages": [{"role": "system", "content": "Be kind."}]})"),
             "a system message is no part of the talk");
  EXPECT_HAS(message_of(R"({"messages": [{"role": "tool", "content": "x"}]})"),
             "unknown speaker \"tool\"");
  EXPECT_HAS(
      message_of(R"({"messages": [{"role": "assistant", "content": "a", "strategy": "Others"},)"
                 R"({"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]})"),
      "utterance 2: the supporter's utterance has no strategy");
  const std::string chat = R"({"id": "a", "messages": [{"role": "user", "content": "x"}]})";
  EXPECT_HAS(message_of(chat + "\n" + chat), "folder/made.txt:2: dialogue 1: another dialogue");
  // A name may be what another dialogue is called by its number, before it or behind it.
  const auto called = [](const std::string& name) {
    return "{" + (name.empty() ? name : "\"id\": \"" + name + "\", ") +
           "\"dialog\": [{\"speaker\": \"usr\", \"text\": \"Hi\"}]}\n";
  };
  EXPECT_HAS(message_of(called("") + called("00000")), ":2: dialogue 1: another dialogue");
  EXPECT_HAS(message_of(called("00001") + called("")), ":2: dialogue 1: another dialogue");
  EXPECT_EQ(parse(called("00001") + called("00000") + called("") + called("7")).dialogues.size(),
            4u);
  EXPECT_HAS(message_of(R"({"id": [1], "messages": [{"role": "user", "content": "x"}]})"),
             "id: expected text");
  EXPECT_HAS(message_of("{\"id\": \"" + std::string(300, 'x') +
                        R"(", "messages": [{"role": "user", "content": "x"}]})"),
             "id: a name of 300 bytes");
}

TEST(Readers, AMissingLabelAmongLabelsIsAGap) {
  EXPECT_HAS(message_of(R"({"dialog": [{"speaker": "sys", "text": "a", "strategy": "Others"},)"
                        R"({"speaker": "usr", "text": "b"}, {"speaker": "sys", "text": "c"}]})"),
             "utterance 2: the supporter's utterance has no strategy");
  EXPECT_EQ(parse(R"({"dialog": [{"speaker": "sys", "text": "a"}]})").dialogues.size(), 1u)
      << "a dialogue without any strategy is fine";
}

TEST(Readers, BadFilesAreErrors) {
  EXPECT_HAS(message_of(""), "the file is empty");
  EXPECT_HAS(message_of(" \n \n"), "the file is empty");
  EXPECT_HAS(message_of("[]"), "the file holds no dialogues");
  EXPECT_HAS(message_of("hello\n"), "the format is not recognised");
  EXPECT_HAS(message_of(std::string(kLine) + "\n\"caf\xE9\"\n"),
             "folder/made.txt:2: the text is not valid UTF-8");
  EXPECT_HAS(message_of(kLine, Format::esconv_json), "expected a JSON list of dialogues");
  const auto e = testing::error_of(
      [] { read_corpus("/nonexistent/train.txt", Format::automatic, esconv_strategies()); });
  ASSERT_TRUE(e);
  EXPECT_EQ(e->exit_code(), 2);
  EXPECT_HAS(e->full(), "/nonexistent/train.txt");
}

TEST(Readers, BadCsvIsAnErrorWithItsLine) {
  const std::string head = "conv_id,utterance_idx,context,prompt,speaker_idx,utterance\n";
  EXPECT_HAS(message_of("conv_id,context\n"),
             "made.txt:1: the column \"utterance_idx\" is missing");
  EXPECT_HAS(message_of(head + "a,1,joy,p,0,hi, there\n"),
             "made.txt:2: expected 6 fields, found 7");
  EXPECT_HAS(message_of(head + "a,one,joy,p,0,hi\n"), "utterance_idx: expected a whole number");
  EXPECT_HAS(message_of(head + "a,1,joy,p,0,hi\na,1,joy,p,1,yo\n"), "made.txt:3: utterance_idx 1");
  EXPECT_HAS(message_of(head + "a,1,j,p,0,x\nb,1,j,p,0,x\na,2,j,p,1,x\n"),
             "made.txt:4: the conversation a goes on after others");
  EXPECT_HAS(message_of(head + "a,1,j,p,0,x\na,2,j,p,1,x\na,3,j,p,2,x\n"), "a third speaker");
  EXPECT_HAS(message_of(head + "a,1,j,p,0,\n"), "made.txt:2: the utterance is empty");
}

TEST(Readers, ProblemsCanBeCollectedInsteadOfStoppedAt) {
  std::vector<Problem> problems;
  const Corpus c = parse("{\"dialog\": [}\n" + std::string(kLine) +
                             "\n{\"dialog\": [{\"speaker\": \"usr\", \"text\": \"\"}]}\n",
                         Format::automatic, [&](const Problem& p) { problems.push_back(p); });
  ASSERT_EQ(c.dialogues.size(), 1u);
  EXPECT_EQ(c.dialogues[0].id, "made/00001") << "ids count records, not what survives";
  ASSERT_EQ(problems.size(), 3u);  // malformed; no text; and so no utterances
  EXPECT_EQ(problems[0].line, 1);
  EXPECT_EQ(problems[1].line, 3);
}

TEST(RealData, EsconvsUtterancesPerStrategy) {
  const StrategySet strategies = esconv_strategies();
  std::vector<int> counts(8);
  int seeker = 0;
  std::set<std::string> ids;
  for (const char* name : {"esconv/train.txt", "esconv/valid.txt", "esconv/test.txt"}) {
    STRAQ_REQUIRE_DATA(path, name);
    const Corpus c = read_corpus(path, Format::automatic, strategies);
    EXPECT_EQ(c.dialogues.size(), std::string(name) == "esconv/train.txt" ? 910u : 195u);
    for (const Dialogue& d : c.dialogues) {
      EXPECT_TRUE(ids.insert(d.id).second);
      EXPECT_GT(d.initial_intensity, 0);
      for (const Utterance& u : d.utterances) {
        EXPECT_EQ(u.text, normalise_space(u.text));
        if (u.speaker == Speaker::seeker) {
          ++seeker;
        } else {
          ++counts.at(static_cast<std::size_t>(u.strategy));
        }
      }
    }
  }
  EXPECT_EQ(counts, (std::vector<int>{3801, 1089, 1436, 1713, 2827, 2954, 1215, 3341}));
  EXPECT_EQ(seeker, 19989);
  EXPECT_EQ(ids.size(), 1300u);
}

TEST(RealData, FailedEsconvReadsCompletely) {
  STRAQ_REQUIRE_DATA(path, "esconv/FailedESConv.json");
  const Corpus c = read_corpus(path, Format::automatic, esconv_strategies());
  ASSERT_EQ(c.dialogues.size(), 196u);
  EXPECT_EQ(c.dialogues[0].line, 2);
  std::vector<int> labels(8), feedback(6);
  int seeker = 0;
  for (const Dialogue& d : c.dialogues) {
    for (const Utterance& u : d.utterances) {
      if (u.speaker == Speaker::seeker) {
        ++seeker;
        ++feedback.at(static_cast<std::size_t>(u.feedback));
      } else {
        ++labels.at(static_cast<std::size_t>(u.strategy));
      }
    }
  }
  // Old labels added to their strategies: 520 + 8 questions, 392 + 11 suggestions and so on.
  EXPECT_EQ(labels, (std::vector<int>{528, 179, 200, 195, 341, 403, 131, 400}));
  EXPECT_EQ(seeker, 2853);
  EXPECT_EQ(feedback, (std::vector<int>{1866, 172, 174, 264, 209, 168}));
}

TEST(RealData, EmpatheticDialoguesReadsCompletely) {
  const StrategySet strategies = esconv_strategies();
  const std::map<std::string, std::pair<std::size_t, std::size_t>> expected = {
      {"empathetic_dialogues/test.csv", {2547, 10973}},
      {"empathetic_dialogues/valid.csv", {2770, 12078}}};
  for (const auto& [name, counts] : expected) {
    STRAQ_REQUIRE_DATA(path, name);
    const Corpus c = read_corpus(path, Format::automatic, strategies);
    std::size_t utterances = 0, without_emotion = 0;
    for (const Dialogue& d : c.dialogues) {
      utterances += d.utterances.size();
      without_emotion += d.emotion.empty();
      for (const Utterance& u : d.utterances) {
        EXPECT_EQ(u.text.find("_comma_"), std::string::npos);
      }
    }
    EXPECT_EQ(c.dialogues.size(), counts.first);
    EXPECT_EQ(utterances, counts.second);
    EXPECT_EQ(without_emotion, name == "empathetic_dialogues/test.csv" ? 2u : 0u);
  }
}

}  // namespace
}  // namespace straq::dialogue
