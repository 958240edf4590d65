// Corpora as other programs leave them: saved again, printed over lines, in other encodings, with
// numbers that a table program has touched. Each is read as what it means or refused by name.
#include <algorithm>

#include "core/error.h"
#include "tests/dialogue/fixtures.h"

namespace straq::dialogue {
namespace {

struct Read {
  Corpus corpus;
  std::vector<Problem> problems;

  std::string first() const {
    return problems.empty() ? "" : problems[0].message + " | " + problems[0].hint;
  }
};

Read read(const std::string& bytes, Format format = Format::automatic) {
  Read out;
  out.corpus = parse(bytes, format, [&](const Problem& p) { out.problems.push_back(p); });
  return out;
}

// A dialogue with what stands between its braces.
std::string dialogue_with(const std::string& more) {
  return R"({"dialog": [{"speaker": "usr", "text": "hi"}, )"
         R"({"speaker": "sys", "text": "hello", "strategy": "Question"}])" +
         (more.empty() ? "" : ", " + more) + "}";
}

std::string survey(const std::string& value) {
  return dialogue_with(R"("survey_score": {"seeker": {"initial_emotion_intensity": )" + value +
                       "}}");
}

TEST(ForeignJson, ScoresThatATableProgramHasTouchedAreScores) {
  for (const char* four : {"4", "4.0", "\"4\"", "\" 4 \"", "\"4.0\"", "4e0"}) {
    const Read r = read(survey(four));
    ASSERT_TRUE(r.problems.empty()) << four << ": " << r.first();
    EXPECT_EQ(r.corpus.dialogues.at(0).initial_intensity, 4) << four;
  }
  for (const char* none : {"null", "\"\"", "\" \""}) {
    const Read r = read(survey(none));
    EXPECT_TRUE(r.problems.empty()) << none;
    EXPECT_EQ(r.corpus.dialogues.at(0).initial_intensity, 0);
  }
  EXPECT_HAS(read(survey("4.5")).first(), "expected a whole score from 1 to 5, found 4.5");
  for (const char* bad : {"0", "6.0", "true", "\"four\"", "[4]", "\"4.5\""}) {
    EXPECT_EQ(read(survey(bad)).problems.size(), 1u) << bad;
  }
  const Read feedback =
      read(R"({"dialog": [{"speaker": "usr", "text": "hi", "annotation": {"feedback": 5.0}}]})");
  EXPECT_EQ(feedback.corpus.dialogues.at(0).utterances[0].feedback, 5);
}

TEST(ForeignJson, FieldsOfAnotherTypeAreNamedInsteadOfDropped) {
  EXPECT_HAS(read(dialogue_with(R"("emotion_type": 7)")).first(), "emotion_type: expected text");
  EXPECT_HAS(read(dialogue_with(R"("survey_score": [1])")).first(), "expected an object");
  EXPECT_TRUE(
      read(dialogue_with(R"("emotion_type": null, "survey_score": null)")).problems.empty());
  const Read label =
      read(R"({"dialog": [{"speaker": "sys", "text": "a", "strategy": ["Question"]}]})");
  ASSERT_EQ(label.problems.size(), 1u) << "else the corpus would pass for one without labels";
  EXPECT_HAS(label.first(), "strategy: expected text, found [\"Question\"]");
  EXPECT_HAS(read(R"({"dialog": [{"speaker": "usr", "text": "a\u0000b"}]})").first(), "NUL");
}

TEST(ForeignJson, NumbersBeyondDoubleAndDeepNestingAreErrorsWithTheirLine) {
  const std::string lines = dialogue_with("") + "\n" + dialogue_with("\"clock\": 1e400") + "\n";
  const Read big = read(lines);
  ASSERT_EQ(big.problems.size(), 1u);
  EXPECT_EQ(big.problems[0].line, 2);
  EXPECT_HAS(big.first(), "beyond what a double can hold");
  EXPECT_EQ(big.corpus.dialogues.size(), 1u);
  for (const std::string& deep :
       {std::string(200000, '['), std::string(200000, '[') + std::string(200000, ']')}) {
    for (const char* field : {"\"dialog\": [", "\"x\": ["}) {
      const Read r = read(dialogue_with("") + "\n{" + field + deep + "]}\n");
      ASSERT_EQ(r.problems.size(), 1u);
      EXPECT_EQ(r.problems[0].line, 2);
    }
  }
  // Within the limit it is some value of the wrong type, shown shortly.
  const Read nested = read("{\"dialog\": [" + std::string(90, '[') + std::string(90, ']') + "]}");
  EXPECT_HAS(nested.first(), "expected an object with speaker and text, found [[[");
}

TEST(ForeignJson, AnObjectOverManyLinesIsOneProblem) {
  const std::string printed =
      "{\n  \"0\": {\n    \"dialog\": [\n      {\"text\": \"a\", \"speaker\": \"usr\"},\n"
      "      {\"text\": \"b\", \"speaker\": \"sys\"}\n    ]\n  }\n}\n";
  for (const Format format : {Format::automatic, Format::esconv_jsonl}) {
    const Read r = read(printed, format);
    ASSERT_EQ(r.problems.size(), 1u);
    EXPECT_HAS(r.first(), "printed over many lines");
    EXPECT_HAS(r.first(), "one dialogue as a JSON object a line");
  }
  EXPECT_EQ(read("[\n" + dialogue_with("") + "\n]", Format::esconv_jsonl).problems.size(), 1u);
  EXPECT_TRUE(
      read("[\n{\n\"dialog\": [\n{\"text\": \"a\",\n\"speaker\": \"usr\"}]}]\n").problems.empty())
      << "a list may be printed as it likes";
}

TEST(ForeignEncodings, MarksLineEndsAndUtf16AreRead) {
  const std::string line = dialogue_with("\"situation\": \"caf\u00e9\"");
  std::string wide = "\xFF\xFE";
  for (const char16_t c :
       std::u16string(u"{\"dialog\": [{\"speaker\": \"usr\", \"text\": \"né\"}]}")) {
    wide += static_cast<char>(c & 0xFF);
    wide += static_cast<char>(c >> 8);
  }
  EXPECT_EQ(read(wide).corpus.dialogues.at(0).utterances[0].text, "né");
  for (const std::string& text :
       {"\xEF\xBB\xBF" + line + "\r\n" + line, line + "\r" + line + "\r", line + "\n" + line}) {
    const Read r = read(text);
    ASSERT_TRUE(r.problems.empty()) << r.first();
    ASSERT_EQ(r.corpus.dialogues.size(), 2u);
    EXPECT_EQ(r.corpus.dialogues[1].line, 2);
  }
  EXPECT_HAS(read(std::string("{\0\"\0d\0\"\0", 8)).first(), "UTF-16 without a byte order mark");
  const std::string with_nul = line + "\n" + line + std::string("\0x", 2) + "\n";
  EXPECT_EQ(read(with_nul).problems.at(0).line, 2) << "text behind a NUL is not dropped";
}

const std::string kHead =
    "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n";
// Quotes at a field's beginning, inside, around it, and a comma; as the official files have them.
const std::string kOfficial =
    kHead +
    "c:1,1,sad,They said \"never\" again,7,\"Never\" is what they said,5|5,\n"
    "c:1,2,sad,They said \"never\" again,8,Oh_comma_ \"never\"?,5|5,\n"
    "c:1,3,sad,They said \"never\" again,7,\"Yes.\",5|5,\n";

std::vector<std::string> words(const Read& r) {
  std::vector<std::string> out;
  for (const auto& d : r.corpus.dialogues) {
    out.push_back(d.situation);
    for (const auto& u : d.utterances) out.push_back(u.text);
  }
  return out;
}

const std::vector<std::string> kWords = {"They said \"never\" again", "\"Never\" is what they said",
                                         "Oh, \"never\"?", "\"Yes.\""};

// The official rows through a CSV writer.
std::string saved_again(char separator, bool all, bool real_commas, const std::string& end) {
  std::string out, field;
  const auto put = [&] {
    if (real_commas) {
      for (std::size_t at; (at = field.find("_comma_")) != std::string::npos;) {
        field.replace(at, 7, ",");
      }
    }
    const bool quote = all || field.find_first_of(std::string("\"\n") + separator) != field.npos;
    std::string written;
    for (const char c : field) written += c == '"' ? std::string("\"\"") : std::string(1, c);
    out += quote ? "\"" + written + "\"" : written;
    field.clear();
  };
  for (const char c : kOfficial) {
    if (c == ',' || c == '\n') {
      put();
      out += c == ',' ? std::string(1, separator) : end;
    } else {
      field += c;
    }
  }
  return out;
}

TEST(ForeignCsv, TheOfficialFormAndItsCopiesHaveTheSameWords) {
  const Read official = read(kOfficial);
  ASSERT_TRUE(official.problems.empty()) << official.first();
  EXPECT_EQ(words(official), kWords);
  for (const char separator : {',', ';', '\t'}) {
    for (const bool all : {false, true}) {
      for (const bool commas : {false, true}) {
        for (const char* end : {"\n", "\r\n", "\r"}) {
          const std::string text = saved_again(separator, all, commas, end);
          const Read r = read(text);
          ASSERT_TRUE(r.problems.empty()) << text << r.first();
          EXPECT_EQ(words(r), kWords) << text;
        }
      }
    }
  }
  const Read said = read("sep=;\r\n" + saved_again(';', false, false, "\r\n"));
  EXPECT_EQ(words(said), kWords) << said.first();
  EXPECT_EQ(said.corpus.dialogues[0].line, 3);
}

TEST(ForeignCsv, ColumnsMayMoveAndEmptyOnesGo) {
  const Read moved = read(
      "utterance,speaker_idx,conv_id,utterance_idx,prompt,context\n\"He said "
      "\"\"no\"\"\",1,a,1.0,p,"
      "joy\n\"two\nlines, one text\",2,a,2.0,p,joy\n");
  ASSERT_TRUE(moved.problems.empty()) << moved.first();
  ASSERT_EQ(moved.corpus.dialogues.size(), 1u);
  EXPECT_EQ(moved.corpus.dialogues[0].utterances[0].text, "He said \"no\"");
  EXPECT_EQ(moved.corpus.dialogues[0].utterances[1].text, "two lines, one text");
  const Read dropped = read(kHead + "a,1,joy,p,1,hi\na,2,joy,p,2,ho,,,,\n");
  EXPECT_TRUE(dropped.problems.empty()) << dropped.first();
  EXPECT_HAS(read(kHead + "a,1,joy,p,1,hi\na,2.5,joy,p,2,ho\n").first(),
             "utterance_idx: expected a whole number, found \"2.5\"");
}

TEST(ForeignCsv, QuotesOfTheOfficialFormStayWhateverTheyLookLike) {
  // One quotation that opens in a line and one that closes in another are no quoted field.
  const Read open = read(kHead + "a,1,joy,p,1,\"well begun,,\na,2,joy,p,2,half done\",,\n");
  ASSERT_TRUE(open.problems.empty()) << open.first();
  ASSERT_EQ(open.corpus.dialogues[0].utterances.size(), 2u);
  EXPECT_EQ(open.corpus.dialogues[0].utterances[0].text, "\"well begun");
  const Read lone = read(kHead + "a,1,joy,p,1,\"yes\",,\na,2,joy,p,2,no,,\n");
  EXPECT_EQ(lone.corpus.dialogues[0].utterances[0].text, "\"yes\"");
  const Read forced = read(kHead + "a,1,joy,p,1,\"yes\",,\na,2,joy,p,2,\"no\",,\n");
  EXPECT_EQ(forced.corpus.dialogues[0].utterances[0].text, "yes") << "a column quoted throughout";
}

TEST(ForeignCsv, AMixtureIsRefusedByName) {
  const Read mixed = read(kHead + "a,1,joy,p,1,\"say \"\"a\"\" b\",,\na,2,joy,p,2,say \"a\" b,,\n");
  ASSERT_EQ(mixed.problems.size(), 1u);
  EXPECT_HAS(mixed.first(), "quoted as CSV in part only");
  EXPECT_EQ(mixed.problems[0].line, 3);
  EXPECT_HAS(read(kHead + "a,1,joy,p,1,say \\\"a\\\",,\n").first(), "quotes are written \\\"");
}

}  // namespace
}  // namespace straq::dialogue
