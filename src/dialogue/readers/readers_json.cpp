// ESConv's two forms: one JSON list of dialogues, or one JSON object a line, each dialogue with
// ESConv's own keys or as a chat (messages with role and content). Both are cut into records first,
// so that every message has a line and one bad dialogue doesn't hide the others.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_set>

#include "core/files/text_file.h"
#include "core/json/json.h"
#include "core/json/json_number.h"
#include "core/json/json_records.h"
#include "core/tables/csv.h"
#include "dialogue/readers/readers_internal.h"
#include "dialogue/utf8.h"

namespace straq::dialogue {
namespace internal {
namespace {

using Json = nlohmann::json;

using Record = JsonRecord;

// Where in a record its JSON breaks, and why. The parser counts lines from the record's start and
// says so in front of its reason: "malformed JSON: parse error at line 2, column 1: …".
struct Fault {
  long lines_further = 0;
  std::string reason;
};

Fault fault_of(const std::string& reason) {
  const std::size_t line = reason.find("at line "), column = reason.find("column");
  const std::size_t colon = column == reason.npos ? reason.npos : reason.find(": ", column);
  if (line == reason.npos || colon == reason.npos) return {0, reason};
  return {std::strtol(reason.c_str() + line + 8, nullptr, 10) - 1,
          "malformed JSON: " + reason.substr(colon + 2)};
}

std::string shown(const Json& value) {
  return shortened_text(dump_json(value));
}

using Complain = std::function<void(std::string, std::string)>;

// A score from 1 to 5, written as a number (4 or 4.0: tables that hold gaps know no whole numbers)
// or, as the official files have it, as a text; 0 when there is none.
int score_of(const Json& object, const char* key, const Complain& complain) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return 0;
  std::optional<std::int64_t> value = whole_number(*it);
  if (it->is_string()) {
    const std::string text = normalise_space(it->get_ref<const std::string&>());
    if (text.empty()) return 0;
    Json number;
    if (is_plain_number(text) && try_parse_json(text, number).empty()) value = whole_number(number);
  }
  if (value && *value >= 1 && *value <= 5) return static_cast<int>(*value);
  const bool fraction = !value && it->is_number();
  complain(
      std::string(key) + ": expected a " + (fraction ? "whole " : "") +
          "score from 1 to 5, found " + shown(*it),
      fraction ? "a mean of several ratings is no rating: give one of them, or leave it out" : "");
  return 0;
}

// What an utterance earned, a finite number; nothing when there is none.
std::optional<double> reward_of(const Json& object, const Complain& complain) {
  const auto it = object.find("reward");
  if (it == object.end() || it->is_null()) return std::nullopt;
  if (it->is_number() && std::isfinite(it->get<double>())) return it->get<double>();
  complain("reward: expected a number, found " + shown(*it),
           "write what the supporter's utterance earned, or leave it out");
  return std::nullopt;
}

// An optional text; complains of anything else than a text or null.
std::string text_of(const Json& object, const char* key, const Complain& complain) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return {};
  if (!it->is_string()) {
    complain(std::string(key) + ": expected text, found " + shown(*it), "write it in quotes");
    return {};
  }
  const auto& text = it->get_ref<const std::string&>();
  if (text.find('\0') != text.npos) {
    complain(std::string(key) + ": the text holds a NUL character", "remove it");
    return {};
  }
  return normalise_space(text);
}

// An optional object; complains of anything else than an object or null.
const Json* object_of(const Json& object, const char* key, const Complain& complain) {
  const auto it = object.find(key);
  if (it == object.end() || it->is_null()) return nullptr;
  if (it->is_object()) return &*it;
  complain(std::string(key) + ": expected an object, found " + shown(*it), "");
  return nullptr;
}

constexpr const char* kSpeakersHint =
    "speakers are usr, user, seeker, speaker or sys, assistant, supporter, listener";

std::optional<Speaker> speaker_of(const std::string& word) {
  for (const char* seeker : {"usr", "user", "seeker", "speaker"}) {
    if (word == seeker) return Speaker::seeker;
  }
  for (const char* supporter : {"sys", "assistant", "supporter", "listener"}) {
    if (word == supporter) return Speaker::supporter;
  }
  return std::nullopt;
}

// The word for who speaks: in `speaker`, or in a chat's `role`.
std::string speaker_word(const Json& utterance, const Complain& complain) {
  const bool chat = !utterance.contains("speaker") && utterance.contains("role");
  return to_lower(text_of(utterance, chat ? "role" : "speaker", complain));
}

// A dialogue's own name, from `id` or `conv_id`: a text or a whole number; empty where it has none.
std::string own_id(const Json& dialogue, const Complain& complain) {
  constexpr std::size_t most = 200;
  for (const char* key : {"id", "conv_id"}) {
    const auto it = dialogue.find(key);
    if (it == dialogue.end() || it->is_null()) continue;
    if (const auto number = whole_number(*it)) return std::to_string(*number);
    const std::string id = text_of(dialogue, key, complain);
    if (id.size() > most) {
      complain(std::string(key) + ": a name of " + std::to_string(id.size()) + " bytes",
               "at most " + std::to_string(most) + " are taken");
      return {};
    }
    if (!id.empty()) return id;
  }
  return {};
}

// A label's index; complains with the nearest known name when there is none.
int strategy_of(const StrategySet& strategies, const std::string& label, const Complain& complain) {
  if (const auto index = strategies.find(label)) return *index;
  const std::string near = strategies.nearest(label);
  std::string known;
  for (int i = 0; i < strategies.size(); ++i) known += (i ? ", " : "") + strategies[i].name;
  complain("unknown strategy \"" + label + "\"" +
               (near.empty() ? "" : "; did you mean \"" + near + "\"?"),
           "known: " + known +
               "; for strategies of your own name their file (--strategies, data.strategies), for "
               "other spellings of these add aliases");
  return -1;
}

// Whether a supporter's utterance says nothing of a strategy. What is no text is complained of
// where it is read.
bool lacks_strategy(const Json& utterance) {
  const Complain silent = [](const std::string&, const std::string&) {};
  const Json* notes = object_of(utterance, "annotation", silent);
  const Json& label = notes != nullptr ? *notes : utterance;
  const auto it = label.find("strategy");
  if (it == label.end() || it->is_null()) return true;
  return it->is_string() && text_of(label, "strategy", silent).empty();
}

// `unlabelled` gets its number where it is a supporter's and has no strategy.
std::optional<Utterance> read_utterance(Source& source, const Record& record, std::size_t number,
                                        const Json& json, std::vector<std::size_t>& unlabelled) {
  const std::string place =
      "dialogue " + std::to_string(record.index) + ", utterance " + std::to_string(number) + ": ";
  const Complain complain = [&](const std::string& message, const std::string& hint) {
    source.problem(record.line, place + message, hint);
  };
  if (!json.is_object()) {
    complain("expected an object with speaker and text, found " + shown(json), "");
    return std::nullopt;
  }
  Utterance u;
  const std::string word = speaker_word(json, complain);
  const auto speaker = speaker_of(word);
  if (!speaker && word == "system") {
    complain("a system message is no part of the talk",
             "remove it; what it says of the seeker belongs into the dialogue's `situation`");
    return std::nullopt;
  }
  if (!speaker) {
    complain(word.empty() ? "the speaker is missing" : "unknown speaker \"" + word + "\"",
             kSpeakersHint);
    return std::nullopt;
  }
  u.speaker = *speaker;
  if (u.speaker == Speaker::supporter && lacks_strategy(json)) unlabelled.push_back(number);
  const auto text = json.find("text");
  const bool has_text = text != json.end() && !(text->is_null() && json.contains("content"));
  u.text = text_of(json, has_text ? "text" : "content", complain);
  if (u.text.empty()) {
    complain("the utterance has no text", "remove the utterance or fill `text` (or `content`)");
    return std::nullopt;
  }
  // The list form keeps labels in `annotation`, the line form beside the text.
  const Json* annotation = object_of(json, "annotation", complain);
  const Json& notes = annotation != nullptr ? *annotation : json;
  u.feedback = score_of(notes, "feedback", complain);
  u.reward = reward_of(notes, complain);
  if (u.reward && u.speaker == Speaker::seeker) {
    complain("a seeker's utterance has a reward", "rewards are of the supporter's utterances");
  }
  if (const std::string label = text_of(notes, "strategy", complain); !label.empty()) {
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
  const Complain complain = [&](const std::string& message, const std::string& hint) {
    source.problem(record.line, place + message, hint);
  };
  Json json;
  if (const std::string reason = try_parse_json(record.text, json); !reason.empty()) {
    const Fault fault = fault_of(reason);
    source.problem(record.line + fault.lines_further, place + fault.reason, "");
    return std::nullopt;
  }
  const char* key = json.is_object() && !json.contains("dialog") && json.contains("messages")
                        ? "messages"
                        : "dialog";
  const auto list = json.is_object() ? json.find(key) : json.end();
  if (!json.is_object() || list == json.end() || !list->is_array()) {
    source.problem(record.line, place + "expected an object with the list `dialog` or `messages`",
                   "each dialogue has dialog: [{speaker, text, …}] or messages: [{role, content, "
                   "…}]; emotion_type, problem_type, situation and id may be there");
    return std::nullopt;
  }
  Dialogue d;
  const std::string name = own_id(json, complain);
  d.id = name.empty() ? source.id_of(record.index) : source.stem + "/" + name;
  d.line = record.line;
  d.emotion = text_of(json, "emotion_type", complain);
  d.problem = text_of(json, "problem_type", complain);
  d.situation = text_of(json, "situation", complain);
  if (const Json* survey = object_of(json, "survey_score", complain)) {
    if (const Json* seeker = object_of(*survey, "seeker", complain)) {
      d.initial_intensity = score_of(*seeker, "initial_emotion_intensity", complain);
      d.final_intensity = score_of(*seeker, "final_emotion_intensity", complain);
    }
  }
  std::vector<std::size_t> unlabelled;
  for (std::size_t i = 0; i < list->size(); ++i) {
    if (auto u = read_utterance(source, record, i, (*list)[i], unlabelled)) {
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
  if (!labelled) unlabelled.clear();
  for (const std::size_t i : unlabelled) {
    source.problem(record.line,
                   "dialogue " + std::to_string(record.index) + ", utterance " + std::to_string(i) +
                       ": the supporter's utterance has no strategy",
                   "label it, or label no utterance of the dialogue");
  }
  return d;
}

// Records of a text that no two dialogues may share a name in.
class JsonReader final : public FormatReader {
 public:
  JsonReader(Source& source, JsonForm form)
      : source_(source), records_(source.text, form, "dialogue") {}

  std::optional<Dialogue> next() override {
    while (const auto record = records_.next()) {
      auto d = read_dialogue(source_, *record);
      if (!d) continue;
      if (is_taken(*d, record->index)) {
        const std::size_t slash = d->id.find('/');
        const bool own = d->id != source_.id_of(record->index);
        source_.problem(record->line,
                        "dialogue " + std::to_string(record->index) +
                            ": another dialogue of the file is called \"" +
                            (own ? d->id.substr(slash + 1) : d->id) + "\", too",
                        "give each an id of its own, or none");
      }
      place_ = {record->offset, static_cast<std::uint32_t>(record->text.size()),
                static_cast<std::uint32_t>(record->index), record->line};
      return d;
    }
    if (!records_.reason().empty()) {
      source_.problem(records_.line(), records_.reason(), records_.hint());
    }
    return std::nullopt;
  }

  const DialoguePlace& place() const override { return place_; }

  std::optional<Dialogue> at(const DialoguePlace& place) override {
    TextStream& text = source_.text;
    if (place.offset >= text.offset() && place.offset <= text.offset() + text.window().size()) {
      text.drop(place.offset - text.offset());
    } else {
      text.seek(place.offset, static_cast<long>(place.line));
    }
    while (text.window().size() < place.bytes && text.more()) {
    }
    if (text.window().size() < place.bytes) return std::nullopt;
    auto out = read_dialogue(source_, {text.window().substr(0, place.bytes),
                                       static_cast<long>(place.line), place.number, true, 0});
    text.drop(place.bytes);
    return out;
  }

 private:
  static Digest digest_of(const std::string& id) { return Sha256().update(id).digest(); }
  // Whether an earlier dialogue has this one's id, which is noted. Ids that are numbers take a bit.
  bool is_taken(const Dialogue& d, std::size_t index) {
    if (d.id == source_.id_of(index)) {
      numbered_.resize(index + 1);
      numbered_[index] = true;
      return !names_.empty() && names_.count(digest_of(d.id)) > 0;
    }
    const std::string name = d.id.substr(d.id.find('/') + 1);
    const bool number = name.size() < 10 && name.find_first_not_of("0123456789") == name.npos;
    const auto at = number ? static_cast<std::size_t>(std::stoul(name)) : numbered_.size();
    const bool by_number = at < numbered_.size() && numbered_[at] && d.id == source_.id_of(at);
    return !names_.insert(digest_of(d.id)).second || by_number;
  }

  Source& source_;
  JsonRecordStream records_;
  std::unordered_set<Digest, DigestHash> names_;  // of dialogues with names of their own
  std::vector<bool> numbered_;                    // dialogues that are called by their numbers
  DialoguePlace place_;
};

// What a file holds none of.
class NoReader final : public FormatReader {
 public:
  std::optional<Dialogue> next() override { return std::nullopt; }
  const DialoguePlace& place() const override { return place_; }
  std::optional<Dialogue> at(const DialoguePlace&) override { return std::nullopt; }

 private:
  DialoguePlace place_;
};

}  // namespace

std::unique_ptr<FormatReader> json_list_reader(Source& source) {
  if (json_form(source.text.window()) != JsonForm::list) {
    source.problem(1, "expected a JSON list of dialogues",
                   "for one dialogue a line use the format esconv_jsonl");
    return std::make_unique<NoReader>();
  }
  return std::make_unique<JsonReader>(source, JsonForm::list);
}

std::unique_ptr<FormatReader> json_lines_reader(Source& source) {
  const JsonForm form = json_form(source.text.window());
  if (form == JsonForm::object) {
    source.problem(1, kJsonObjectMessage, kFormsHint);
    return std::make_unique<NoReader>();
  }
  if (form == JsonForm::list) {
    source.problem(1, "expected one dialogue a line, found a JSON list",
                   "for a list of dialogues use the format esconv_json");
    return std::make_unique<NoReader>();
  }
  return std::make_unique<JsonReader>(source, JsonForm::lines);
}

}  // namespace internal

std::string to_jsonl(const Dialogue& dialogue, const StrategySet& strategies,
                     const std::string& name) {
  nlohmann::ordered_json json;
  if (!name.empty()) json["id"] = name;
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
    if (u.reward) item["reward"] = *u.reward;
    json["dialog"].push_back(std::move(item));
  }
  return dump_json(json);
}

}  // namespace straq::dialogue
