#include "dialogue/validate.h"

#include <map>

#include "core/error.h"
#include "core/hash.h"

namespace straq::dialogue {

std::vector<Problem> find_problems(const std::vector<std::string>& paths, Format format,
                                   const StrategySet& strategies) {
  std::vector<Problem> out;
  const OnProblem keep = [&](const Problem& p) { out.push_back(p); };
  std::map<std::string, std::string> place_of;  // hash of what is said -> "file:line"
  for (const std::string& path : paths) {
    Corpus corpus;
    try {
      corpus = read_corpus(path, format, strategies, keep);
    } catch (const Error& e) {  // nothing of the file can be read
      out.push_back({path, 0, e.what(), e.hint()});
      continue;
    }
    for (const Dialogue& d : corpus.dialogues) {
      Sha256 hash;
      for (const Utterance& u : d.utterances) {
        hash.update(u.speaker == Speaker::seeker ? "\nseeker: " : "\nsupporter: ").update(u.text);
      }
      const std::string place = path + ":" + std::to_string(d.line);
      const auto [it, is_new] = place_of.emplace(hash.hex(), place);
      if (!is_new) {
        out.push_back({path, d.line, d.id + " says the same as the dialogue at " + it->second,
                       "remove one of the two"});
      }
    }
  }
  return out;
}

}  // namespace straq::dialogue
