#include "dialogue/convert.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/error.h"
#include "core/json/json.h"
#include "core/rng.h"

namespace straq::dialogue {
namespace {

constexpr const char* kTableHead =
    "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n";

// A field as the official files have it: no quotes, no separator, one line.
std::string field(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ',') {
      out += "_comma_";
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

Format form_by_name(const std::string& path) {
  std::filesystem::path name(path);
  if (packing_of(path) != Packing::none) name = name.stem();
  return name.extension() == ".json"  ? Format::esconv_json
         : name.extension() == ".csv" ? Format::empathetic_csv
                                      : Format::esconv_jsonl;
}

CorpusWriter::CorpusWriter(const std::string& path, Format form, const StrategySet& strategies,
                           bool several)
    : file_(path), path_(path), form_(form), strategies_(strategies), several_(several) {
  if (form_ == Format::esconv_json) file_.write("[\n");
  if (form_ == Format::empathetic_csv) file_.write(kTableHead);
}

void CorpusWriter::write(const Dialogue& dialogue) {
  if (form_ == Format::empathetic_csv) {
    write_table(dialogue);
  } else {
    const std::string line = to_jsonl(dialogue, strategies_, name_of(dialogue));
    if (form_ == Format::esconv_json) {
      file_.write((written_ > 0 ? ",\n" : "") + line);
    } else {
      file_.write(line + "\n");
    }
  }
  ++written_;
}

std::string CorpusWriter::name_of(const Dialogue& dialogue) const {
  std::string name = dialogue.id;
  const std::size_t slash = name.find('/');
  if (several_) {
    name[slash] = '-';
    return name;
  }
  name = name.substr(slash + 1);
  std::string number = std::to_string(written_);
  if (number.size() < 5) number.insert(0, 5 - number.size(), '0');
  return name == number ? std::string() : name;
}

void CorpusWriter::write_table(const Dialogue& d) {
  const auto refuse = [&](const char* what) {
    fail_input(
        path_ + ": " + d.id + " has " + what + ", which EmpatheticDialogues' table cannot hold",
        "write it as .jsonl or .json");
  };
  if (d.utterances.front().speaker == Speaker::supporter) refuse("a supporter who speaks first");
  if (!d.problem.empty()) refuse("a problem type");
  if (d.initial_intensity > 0 || d.final_intensity > 0) refuse("an intensity");
  std::string rows;
  for (std::size_t i = 0; i < d.utterances.size(); ++i) {
    const Utterance& u = d.utterances[i];
    if (u.strategy >= 0) refuse("strategies");
    if (u.feedback > 0) refuse("ratings");
    if (u.reward) refuse("rewards");
    rows += "c" + std::to_string(written_) + "," + std::to_string(i + 1) + "," + field(d.emotion) +
            "," + field(d.situation) + "," + (u.speaker == Speaker::seeker ? "1" : "2") + "," +
            field(u.text) + ",,\n";
  }
  file_.write(rows);
}

void CorpusWriter::publish() {
  if (form_ == Format::esconv_json) file_.write("\n]\n");
  file_.publish();
}

void each_dialogue(const std::vector<std::string>& paths, Format format,
                   const StrategySet& strategies, const std::function<void(Dialogue&&)>& take) {
  for (const std::string& path : paths) {
    CorpusReader reader(path, format, strategies);
    while (auto d = reader.next()) take(std::move(*d));
  }
}

std::vector<Dialogue> sample_dialogues(const std::vector<std::string>& paths, Format format,
                                       const StrategySet& strategies, std::size_t count,
                                       std::uint64_t seed) {
  // Reservoir sampling: the n-th dialogue takes a random place among n, if that is one of the first
  // `count`.
  CounterRng rng(seed, "sample-dialogues");
  std::vector<std::pair<std::size_t, Dialogue>> kept;
  std::size_t seen = 0;
  each_dialogue(paths, format, strategies, [&](Dialogue&& d) {
    const std::size_t at = seen++;
    if (kept.size() < count) {
      kept.emplace_back(at, std::move(d));
    } else if (const auto place = rng.below(seen); place < count) {
      kept[place] = {at, std::move(d)};
    }
  });
  std::sort(kept.begin(), kept.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Dialogue> out;
  for (auto& k : kept) out.push_back(std::move(k.second));
  return out;
}

}  // namespace straq::dialogue
