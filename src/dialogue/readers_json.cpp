// ESConv's two forms: one JSON list of dialogues, or one JSON object a line. Both are cut into
// records first, so that every message has a line and one bad dialogue doesn't hide the others.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>

#include "dialogue/readers_internal.h"
#include "dialogue/utf8.h"

namespace straq::dialogue {
namespace internal {
namespace {

using Json = nlohmann::json;

bool is_json_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct Record {
  std::string_view text;
  long line = 0;
  std::size_t index = 0;
};

// nlohmann's message without its own code and line, which count from the record's start.
std::string reason_of(const Json::parse_error& e) {
  const std::string what = e.what();
  const std::size_t column = what.find("column");
  const std::size_t colon = column == what.npos ? what.npos : what.find(": ", column);
  return colon == what.npos ? what : what.substr(colon + 2);
}

// A score from 1 to 5, written as a number or a string; 0 when there is none.
int score_of(const Json& object, const char* key,
             const std::function<void(std::string)>& complain) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return 0;
  std::int64_t value = 0;
  if (it->is_number_integer()) {
    value = it->get<std::int64_t>();
  } else if (it->is_string()) {
    const std::string text = normalise_space(it->get_ref<const std::string&>());
    if (text.empty()) return 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), value);
    if (r.ec != std::errc() || r.ptr != text.data() + text.size()) value = 0;
  }
  if (value >= 1 && value <= 5) return static_cast<int>(value);
  complain(std::string(key) + ": expected a score from 1 to 5, found " + it->dump());
  return 0;
}

std::string text_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_string()) return {};
  return normalise_space(it->get_ref<const std::string&>());
}

std::optional<Speaker> speaker_of(const std::string& word) {
  if (word == "usr" || word == "seeker" || word == "speaker") return Speaker::seeker;
  if (word == "sys" || word == "supporter" || word == "listener") return Speaker::supporter;
  return std::nullopt;
}

// A label's index; complains with the nearest known name when there is none.
int strategy_of(const StrategySet& strategies, const std::string& label,
                const std::function<void(std::string, std::string)>& complain) {
  if (const auto index = strategies.find(label)) return *index;
  const std::string near = strategies.nearest(label);
  std::string known;
  for (int i = 0; i < strategies.size(); ++i) known += (i ? ", " : "") + strategies[i].name;
  complain("unknown strategy \"" + label + "\"" +
               (near.empty() ? "" : "; did you mean \"" + near + "\"?"),
           "known: " + known + "; add other spellings as aliases in the strategies file");
  return -1;
}

std::optional<Utterance> read_utterance(Source& source, const Record& record, std::size_t number,
                                        const Json& json) {
  const std::string place =
      "dialogue " + std::to_string(record.index) + ", utterance " + std::to_string(number) + ": ";
  const auto complain = [&](const std::string& message, const std::string& hint = {}) {
    source.problem(record.line, place + message, hint);
  };
  if (!json.is_object()) {
    complain("expected an object with speaker and text, found " + json.dump().substr(0, 60));
    return std::nullopt;
  }
  Utterance u;
  const std::string word = to_lower(text_of(json, "speaker"));
  const auto speaker = speaker_of(word);
  if (!speaker) {
    complain(word.empty() ? "the speaker is missing" : "unknown speaker \"" + word + "\"",
             "speakers are usr, seeker, speaker or sys, supporter, listener");
    return std::nullopt;
  }
  u.speaker = *speaker;
  u.text = text_of(json, json.contains("text") ? "text" : "content");
  if (u.text.empty()) {
    complain("the utterance has no text", "remove the utterance or fill `text` (or `content`)");
    return std::nullopt;
  }
  // The list form keeps labels in `annotation`, the line form beside the text.
  const auto annotation = json.find("annotation");
  const Json& notes = annotation != json.end() && annotation->is_object() ? *annotation : json;
  u.feedback = score_of(notes, "feedback", [&](std::string message) { complain(message); });
  if (const std::string label = text_of(notes, "strategy"); !label.empty()) {
    if (u.speaker == Speaker::seeker) {
      complain("a seeker's utterance has the strategy \"" + label + "\"",
               "only supporters use strategies; are the speakers swapped?");
    } else {
      u.strategy = strategy_of(source.strategies, label, complain);
    }
  }
  return u;
}

std::optional<Dialogue> read_dialogue(Source& source, const Record& record) {
  const std::string place = "dialogue " + std::to_string(record.index) + ": ";
  Json json;
  try {
    json = Json::parse(record.text.begin(), record.text.end());
  } catch (const Json::parse_error& e) {
    const std::string_view before = record.text.substr(0, e.byte > 0 ? e.byte - 1 : 0);
    source.problem(record.line + std::count(before.begin(), before.end(), '\n'),
                   place + "malformed JSON: " + reason_of(e), "");
    return std::nullopt;
  }
  const auto list = json.is_object() ? json.find("dialog") : json.end();
  if (!json.is_object() || list == json.end() || !list->is_array()) {
    source.problem(record.line, place + "expected an object with the list `dialog`",
                   "each dialogue has dialog: [{speaker, text, …}], emotion_type, problem_type and "
                   "situation");
    return std::nullopt;
  }
  Dialogue d;
  d.id = source.id_of(record.index);
  d.line = record.line;
  d.emotion = text_of(json, "emotion_type");
  d.problem = text_of(json, "problem_type");
  d.situation = text_of(json, "situation");
  if (const auto survey = json.find("survey_score"); survey != json.end() && survey->is_object() &&
                                                     survey->contains("seeker") &&
                                                     (*survey)["seeker"].is_object()) {
    const auto complain = [&](std::string m) { source.problem(record.line, place + m, ""); };
    const Json& seeker = (*survey)["seeker"];
    d.initial_intensity = score_of(seeker, "initial_emotion_intensity", complain);
    d.final_intensity = score_of(seeker, "final_emotion_intensity", complain);
  }
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (auto u = read_utterance(source, record, i, (*list)[i])) {
      d.utterances.push_back(std::move(*u));
    }
  }
  if (d.utterances.empty()) {
    source.problem(record.line, place + "it has no utterances", "remove the dialogue");
    return std::nullopt;
  }
  // A label that is missing among others is a gap in the data, not a corpus without strategies.
  const bool labelled = std::any_of(d.utterances.begin(), d.utterances.end(),
                                    [](const Utterance& u) { return u.strategy >= 0; });
  for (std::size_t i = 0; labelled && i < list->size(); ++i) {
    const Json& u = (*list)[i];
    if (!u.is_object()) continue;
    if (speaker_of(to_lower(text_of(u, "speaker"))) != Speaker::supporter) continue;
    const auto notes = u.find("annotation");
    if (text_of(notes != u.end() && notes->is_object() ? *notes : u, "strategy").empty()) {
      source.problem(record.line,
                     "dialogue " + std::to_string(record.index) + ", utterance " +
                         std::to_string(i) + ": the supporter's utterance has no strategy",
                     "label it, or label no utterance of the dialogue");
    }
  }
  return d;
}

// Cuts a JSON list at the commas of its top level. Strings are skipped; whether a piece is valid
// JSON is found when it is parsed.
std::vector<Record> cut_list(Source& source) {
  const std::string_view s = source.bytes;
  std::vector<Record> out;
  std::size_t i = 0;
  const auto skip_space = [&] {
    while (i < s.size() && is_json_space(s[i])) ++i;
  };
  skip_space();
  if (i == s.size() || s[i] != '[') {
    source.problem(source.line_of(i), "expected a JSON list of dialogues",
                   "for one dialogue a line use the format esconv_jsonl");
    return out;
  }
  ++i;
  long line = source.line_of(i);
  std::size_t counted = i;  // line numbers are counted once, from record to record
  skip_space();
  if (i < s.size() && s[i] == ']') return out;
  for (;;) {
    skip_space();
    line += std::count(s.begin() + static_cast<std::ptrdiff_t>(counted),
                       s.begin() + static_cast<std::ptrdiff_t>(i), '\n');
    counted = i;
    const std::size_t start = i;
    int depth = 0;
    bool in_string = false;
    for (; i < s.size(); ++i) {
      const char c = s[i];
      if (in_string) {
        if (c == '\\') {
          ++i;
        } else if (c == '"') {
          in_string = false;
        }
      } else if (c == '"') {
        in_string = true;
      } else if (c == '{' || c == '[') {
        ++depth;
      } else if (depth == 0 && (c == ',' || c == ']')) {
        break;
      } else if (c == '}' || c == ']') {
        --depth;
      }
    }
    if (i >= s.size()) {
      source.problem(line,
                     "the list of dialogues is not closed: the file ends inside dialogue " +
                         std::to_string(out.size()),
                     "is the file truncated? the dialogue starts at this line");
      return out;
    }
    out.push_back({s.substr(start, i - start), line, out.size()});
    if (s[i++] == ']') break;
  }
  skip_space();
  if (i < s.size()) {
    source.problem(source.line_of(i), "text follows the end of the list of dialogues", "");
  }
  return out;
}

}  // namespace

std::vector<Dialogue> read_json_list(Source& source) {
  std::vector<Dialogue> out;
  for (const Record& record : cut_list(source)) {
    if (auto d = read_dialogue(source, record)) out.push_back(std::move(*d));
  }
  return out;
}

std::vector<Dialogue> read_json_lines(Source& source) {
  std::vector<Dialogue> out;
  Record record;
  for (std::size_t start = 0; start < source.bytes.size();) {
    const std::size_t end = std::min(source.bytes.find('\n', start), source.bytes.size());
    record.text = source.bytes.substr(start, end - start);
    start = end + 1;
    ++record.line;
    if (std::all_of(record.text.begin(), record.text.end(), is_json_space)) continue;
    if (auto d = read_dialogue(source, record)) out.push_back(std::move(*d));
    ++record.index;
  }
  return out;
}

}  // namespace internal

std::string to_jsonl(const Dialogue& dialogue, const StrategySet& strategies) {
  nlohmann::ordered_json json;
  json["emotion_type"] = dialogue.emotion;
  json["problem_type"] = dialogue.problem;
  json["situation"] = dialogue.situation;
  nlohmann::ordered_json seeker = nlohmann::ordered_json::object();
  if (dialogue.initial_intensity > 0) {
    seeker["initial_emotion_intensity"] = std::to_string(dialogue.initial_intensity);
  }
  if (dialogue.final_intensity > 0) {
    seeker["final_emotion_intensity"] = std::to_string(dialogue.final_intensity);
  }
  json["survey_score"] = {{"seeker", seeker}, {"supporter", nlohmann::ordered_json::object()}};
  json["dialog"] = nlohmann::ordered_json::array();
  for (const Utterance& u : dialogue.utterances) {
    nlohmann::ordered_json item;
    item["text"] = u.text;
    item["speaker"] = u.speaker == Speaker::seeker ? "usr" : "sys";
    if (u.strategy >= 0) item["strategy"] = strategies[u.strategy].name;
    if (u.feedback > 0) item["feedback"] = std::to_string(u.feedback);
    json["dialog"].push_back(std::move(item));
  }
  return json.dump();
}

}  // namespace straq::dialogue
