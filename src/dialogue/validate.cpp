#include "dialogue/validate.h"

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include "core/error.h"
#include "core/hash.h"

namespace straq::dialogue {
namespace {

constexpr std::size_t kMostKinds = 1000;

// Where a dialogue was seen first.
struct Seen {
  std::uint32_t file = 0;
  std::int64_t line = 0;
};

Digest said_in(const Dialogue& d) {
  Sha256 hash;
  for (const Utterance& u : d.utterances) {
    hash.update(u.speaker == Speaker::seeker ? "\nseeker: " : "\nsupporter: ").update(u.text);
  }
  return hash.digest();
}

std::string kind_of(const std::string& message) {
  std::string out;
  for (std::size_t i = 0; i < message.size(); ++i) {
    const char c = message[i];
    if (c == '"') {
      const std::size_t end = message.find('"', i + 1);
      out += "\"…\"";
      if (end == message.npos) break;
      i = end;
    } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      while (i + 1 < message.size() &&
             std::isdigit(static_cast<unsigned char>(message[i + 1])) != 0) {
        ++i;
      }
      out += 'N';
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void find_problems(const std::vector<std::string>& paths, Format format,
                   const StrategySet& strategies, const OnProblem& on_problem) {
  std::unordered_map<Digest, Seen, DigestHash> seen;
  for (std::uint32_t file = 0; file < paths.size(); ++file) {
    const std::string& path = paths[file];
    try {
      CorpusReader reader(path, format, strategies, on_problem);
      while (const auto d = reader.next()) {
        const auto [it, fresh] = seen.emplace(said_in(*d), Seen{file, d->line});
        if (fresh) continue;
        on_problem({path, d->line,
                    "the dialogue \"" + d->id + "\" says the same as the one at \"" +
                        paths[it->second.file] + ":" + std::to_string(it->second.line) + "\"",
                    "remove one of the two"});
      }
    } catch (const Error& e) {  // nothing more of the file can be read
      on_problem({path, 0, e.what(), e.hint()});
    }
  }
}

void ProblemList::add(const Problem& problem) {
  ++count_;
  if (first_.size() < most_) first_.push_back(problem);
  const auto place = [&](const std::string& kind) {
    return std::find_if(kinds_.begin(), kinds_.end(),
                        [&](const ProblemKind& k) { return k.kind == kind; });
  };
  std::string kind = kind_of(problem.message);
  if (kinds_.size() >= kMostKinds && place(kind) == kinds_.end()) kind = "others";
  if (const auto it = place(kind); it != kinds_.end()) {
    ++it->count;
  } else {
    kinds_.push_back({std::move(kind), 1, problem});
  }
}

std::vector<ProblemKind> ProblemList::kinds() const {
  std::vector<ProblemKind> out = kinds_;
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a.count > b.count; });
  return out;
}

}  // namespace straq::dialogue
