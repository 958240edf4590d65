#include "dialogue/outcomes.h"

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/files/files.h"
#include "core/files/text_file.h"
#include "core/hash.h"
#include "core/json/json.h"
#include "core/json/json_fields.h"
#include "core/json/json_records.h"
#include "core/log.h"
#include "dialogue/data_config.h"

namespace straq::dialogue {
namespace {

constexpr const char* kRatingsHint =
    "a line is {\"split\": \"train\", \"dialogue\": 0, \"after_utterance\": 3, \"feedback\": 4}; "
    "see \"Outcomes\" in docs/formats.md";
constexpr const char* kJudgementsHint =
    "a line is {\"id\": \"train/00000:3\", \"dialogue\": \"train/00000\", \"overall\": 4}; "
    "`straq judge` writes it";

// Where one dialogue lies; sample_level has it in several splits.
struct JoinedDialogue {
  const Dialogue* dialogue = nullptr;
  std::vector<Episode*> episodes;
};

// The dialogues that were read, by id, and what is known of those that were not.
struct DialogueIndex {
  std::map<std::string, JoinedDialogue> places;
  std::map<std::string, std::string> stems;       // a split's name or a file's stem -> stem
  std::map<std::string, std::int64_t> dialogues;  // stem -> how many the file holds
  bool official = false;

  std::string id_of(const std::string& stem, std::int64_t number) const {
    std::string digits = std::to_string(number);
    if (digits.size() < 5) digits.insert(0, 5 - digits.size(), '0');
    return stem + "/" + digits;
  }
  // Whether the corpus's files hold a dialogue of that id, read or not.
  bool in_files(const std::string& id) const {
    const std::size_t slash = id.rfind('/');
    if (slash == std::string::npos) return false;
    const auto file = dialogues.find(id.substr(0, slash));
    const std::string digits = id.substr(slash + 1);
    if (file == dialogues.end() || digits.empty() || digits.size() > 9 ||
        digits.find_first_not_of("0123456789") != std::string::npos) {
      return false;
    }
    return std::stoll(digits) < file->second && id == id_of(file->first, std::stoll(digits));
  }
};

DialogueIndex index_of(const DataConfig& config, Splits& splits) {
  DialogueIndex out;
  out.official = config.split == SplitMode::official;
  for (Split& split : splits.splits) {
    for (const SourceFile& file : split.corpus.sources) {
      const std::string stem = content_stem(file.path);
      out.stems[stem] = stem;
      if (out.official) out.stems[split.name] = stem;
      out.dialogues[stem] = file.dialogues;
    }
    for (std::size_t i = 0; i < split.episodes.size(); ++i) {
      JoinedDialogue& place = out.places[split.episodes[i].id];
      place.dialogue = &split.corpus.dialogues[i];
      place.episodes.push_back(&split.episodes[i]);
    }
  }
  return out;
}

// Which turn an utterance was merged into (build_episode).
int turn_of(const Dialogue& dialogue, std::size_t utterance, MergeLabel merge) {
  if (merge == MergeLabel::none) return static_cast<int>(utterance);
  int turn = 0;
  for (std::size_t i = 1; i <= utterance; ++i) {
    turn += dialogue.utterances[i].speaker != dialogue.utterances[i - 1].speaker;
  }
  return turn;
}

Decision* decision_at(const JoinedDialogue& place, int turn) {
  for (Episode* episode : place.episodes) {
    for (Decision& d : episode->decisions) {
      if (d.turn == turn) return &d;
    }
  }
  return nullptr;
}

void for_each_outcome(const std::string& path, const char* hint,
                      const std::function<void(JsonFields&, long line)>& take) {
  const std::string text = read_text_file(path);
  for (const JsonRecord& record : cut_json_lines(text)) {
    const JsonPlace place(path + ":" + std::to_string(record.line), hint);
    const auto object = parse_ordered_json(record.text, place.file, hint);
    JsonFields fields(object, place);
    take(fields, record.line);
  }
}

struct RatingLine {
  std::string split, id;  // id: of the dialogue, where the line has it as text
  std::int64_t dialogue = -1, after = 0;
  int feedback = 0;

  void fields(JsonFields& f) {
    if (f.at("dialogue").is_string()) {
      f("dialogue", id);
    } else {
      f("split", split);
      f.within("dialogue", dialogue, std::int64_t{0}, std::int64_t{999999999});
    }
    f.within("after_utterance", after, std::int64_t{0}, std::int64_t{999999999});
    f.within("feedback", feedback, 1, 5);
  }
};

struct JudgementLine {
  std::string id;
  bool parsed = true;
  std::optional<double> overall;

  void fields(JsonFields& f) {
    f("id", id);
    f.maybe("parsed", parsed);
    f("overall", overall);
    if (overall && !(*overall >= 1 && *overall <= 5)) {
      f.fail("overall", "must lie between 1 and 5");
    }
    if (parsed && !overall) f.fail("overall", "is missing; it is the score that a reward takes");
    if (!parsed) overall.reset();
  }
};

void refuse_if_foreign(const std::string& key, const std::string& path, const OutcomeJoin& join) {
  if (join.rows > 0 && join.joined == 0 && join.unparsed == 0) {
    fail_input(key + ": none of the " + std::to_string(join.rows) + " rows of " + path +
                   " belongs to a decision of this corpus" +
                   (join.unmatched.empty() ? "" : "; the first: " + join.unmatched.front()),
               "name the file that was made for these splits");
  }
}

std::int64_t count_without(const Splits& splits, const std::function<bool(const Decision&)>& has) {
  std::int64_t n = 0;
  for (const Split& split : splits.splits) {
    for (const Episode& e : split.episodes) {
      n += std::count_if(e.decisions.begin(), e.decisions.end(),
                         [&](const Decision& d) { return !has(d); });
    }
  }
  return n;
}

// The dialogue of a rating, or nothing; why goes into `join`.
const JoinedDialogue* place_of(const RatingLine& row, const DialogueIndex& index,
                               const std::string& where, OutcomeJoin& join) {
  std::string id = row.id;
  if (id.empty()) {
    const auto stem = index.stems.find(row.split);
    if (stem == index.stems.end()) {
      const bool other =
          index.official && (row.split == "train" || row.split == "valid" || row.split == "test");
      if (other) {
        ++join.elsewhere;
      } else {
        join.unmatched.push_back(where + "no split and no file is called \"" + row.split + "\"");
      }
      return nullptr;
    }
    id = index.id_of(stem->second, row.dialogue);
  }
  const auto place = index.places.find(id);
  if (place != index.places.end()) return &place->second;
  if (index.in_files(id)) {
    ++join.elsewhere;
  } else {
    join.unmatched.push_back(where + "there is no dialogue " + id);
  }
  return nullptr;
}

void tell(const char* what, const std::string& path, const OutcomeJoin& join) {
  log::info("data",
            "{} of {}: {} rows, {} decisions have one, {} have none; {} rows are of turns that are "
            "no decision, {} of dialogues that are left out, {} could not be read by the judge",
            what, path, join.rows, join.joined, join.without, join.undecided, join.elsewhere,
            join.unparsed);
  constexpr std::size_t kShown = 8;
  for (std::size_t i = 0; i < std::min(kShown, join.unmatched.size()); ++i) {
    log::warn("data", "{}", join.unmatched[i]);
  }
  if (join.unmatched.size() > kShown) {
    log::warn("data", "{}: {} more rows name nothing that the corpus has", path,
              join.unmatched.size() - kShown);
  }
}

}  // namespace

OutcomeJoin join_ratings(const std::string& path, const DataConfig& config, Splits& splits) {
  const DialogueIndex index = index_of(config, splits);
  OutcomeJoin join;
  for_each_outcome(path, kRatingsHint, [&](JsonFields& fields, long line) {
    RatingLine row;
    row.fields(fields);
    ++join.rows;
    const std::string where = at_line(path, line, "");
    const JoinedDialogue* place = place_of(row, index, where, join);
    if (place == nullptr) return;
    const auto& utterances = place->dialogue->utterances;
    const auto at = static_cast<std::size_t>(row.after);
    if (at >= utterances.size() || utterances[at].speaker != Speaker::supporter) {
      join.unmatched.push_back(
          where + "utterance " + std::to_string(row.after) + " of " + place->dialogue->id +
          (at >= utterances.size() ? " is not there: it has " + std::to_string(utterances.size())
                                   : " is the seeker's"));
      return;
    }
    Decision* decision = decision_at(*place, turn_of(*place->dialogue, at, config.merge()));
    if (decision == nullptr) {
      ++join.undecided;
    } else {
      decision->rating = row.feedback;
    }
  });
  const auto rated = [](const Decision& d) { return d.rating > 0; };
  join.without = count_without(splits, rated);
  join.joined = count_without(splits, [&](const Decision& d) { return !rated(d); });
  refuse_if_foreign("data.ratings", path, join);
  return join;
}

OutcomeJoin join_judgements(const std::string& path, const DataConfig& config, Splits& splits) {
  const DialogueIndex index = index_of(config, splits);
  OutcomeJoin join;
  std::map<std::string, long> seen;
  for_each_outcome(path, kJudgementsHint, [&](JsonFields& fields, long line) {
    JudgementLine row;
    row.fields(fields);
    ++join.rows;
    const auto [first, fresh] = seen.emplace(row.id, line);
    if (!fresh) {
      fail_input(at_line(path, line,
                         row.id + " comes a second time; the first is in line " +
                             std::to_string(first->second)),
                 "keep one judgement of a decision");
    }
    const std::string where = at_line(path, line, "");
    const std::size_t colon = row.id.rfind(':');
    const std::string id = row.id.substr(0, colon);
    const std::string turn = colon == std::string::npos ? "" : row.id.substr(colon + 1);
    if (turn.empty() || turn.size() > 9 ||
        turn.find_first_not_of("0123456789") != std::string::npos) {
      join.unmatched.push_back(where + "the id \"" + row.id + "\" is not <dialogue>:<turn>");
      return;
    }
    const auto place = index.places.find(id);
    if (place == index.places.end()) {
      if (index.in_files(id)) {
        ++join.elsewhere;
      } else {
        join.unmatched.push_back(where + "there is no dialogue " + id);
      }
      return;
    }
    Decision* decision = decision_at(place->second, std::stoi(turn));
    if (decision == nullptr) {
      join.unmatched.push_back(where + row.id + " is no decision of this corpus");
    } else if (row.overall) {
      decision->judge = row.overall;
    } else {
      ++join.unparsed;
    }
  });
  const auto judged = [](const Decision& d) { return d.judge.has_value(); };
  join.without = count_without(splits, judged);
  join.joined = count_without(splits, [&](const Decision& d) { return !judged(d); });
  refuse_if_foreign("data.judgements", path, join);
  return join;
}

void join_outcomes(const DataConfig& config, Splits& splits) {
  if (!config.ratings.empty()) {
    tell("ratings", config.ratings, join_ratings(config.ratings, config, splits));
    splits.outcomes.push_back({"ratings", sha256_file(config.ratings), config.ratings});
  }
  if (!config.judgements.empty()) {
    tell("judgements", config.judgements, join_judgements(config.judgements, config, splits));
    splits.outcomes.push_back({"judgements", sha256_file(config.judgements), config.judgements});
  }
}

}  // namespace straq::dialogue
