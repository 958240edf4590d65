#include "annotate/annotate.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "annotate/annotate_form.h"
#include "annotate/annotate_sources.h"
#include "annotate/rating_key.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/json/json.h"
#include "core/rng.h"
#include "core/tables/csv.h"
#include "results/scales.h"

namespace straq::annotate {
namespace fs = std::filesystem;
namespace {

// Without vowels, so that no code is a word, and without what looks like something else.
constexpr std::string_view kLetters = "bcdfghjkmnpqrstvwxz23456789";
constexpr std::size_t kCodeLength = 5;

// The dialogue up to the reply, from the rows before it.
std::string context_of(const results::ReplyFile& file, const results::Reply& at) {
  std::string out;
  const auto say = [&](const char* who, const std::string& what) {
    if (!what.empty()) out += (out.empty() ? "" : "\n") + std::string(who) + what;
  };
  if (!at.emotion.empty()) say("(The seeker's emotion: ", at.emotion + ")");
  for (const auto& r : file.rows) {
    if (r.dialogue != at.dialogue) continue;
    say("Seeker: ", r.query);
    if (&r == &at) break;
    say("Supporter: ", r.reference);
  }
  return out;
}

// `count` ids in random order; a dialogue gives its second one only when all have given one.
std::vector<std::string> draw(const std::vector<const results::Reply*>& from, std::int64_t count,
                              std::uint64_t seed) {
  std::vector<const results::Reply*> order = from;
  CounterRng rng(seed, "annotate_decisions");
  shuffle(order, rng);
  std::map<std::string, int> taken;
  std::vector<std::pair<int, std::string>> rounds;
  for (const auto* r : order) rounds.emplace_back(taken[r->dialogue]++, r->id);
  std::stable_sort(rounds.begin(), rounds.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> out;
  for (const auto& [round, id] : rounds) {
    if (static_cast<std::int64_t>(out.size()) == count) break;
    out.push_back(id);
  }
  return out;
}

std::string new_code(CounterRng& rng, const std::map<std::string, RatingItem>& used) {
  for (;;) {
    std::string code;
    for (std::size_t i = 0; i < kCodeLength; ++i) code += kLetters[rng.below(kLetters.size())];
    if (used.count(code) == 0) return code;
  }
}

void require_raters(const ExportOptions& options) {
  std::set<std::string> seen;
  for (const auto& r : options.raters) {
    const bool plain = !r.empty() && std::all_of(r.begin(), r.end(), [](unsigned char c) {
      return c < 0x80 && (std::isalnum(c) || c == '-' || c == '_');
    });
    if (!plain) {
      fail_input("\"" + r + "\" cannot be a rater's name",
                 "use letters, digits, '-' and '_': it becomes a file's name");
    }
    if (!seen.insert(r).second) fail_input("the rater " + r + " is named twice");
  }
  if (options.raters_per_decision < 1 ||
      options.raters.size() < static_cast<std::size_t>(options.raters_per_decision)) {
    fail_input(std::to_string(options.raters_per_decision) + " raters a decision are asked for, " +
                   std::to_string(options.raters.size()) + " are named",
               "name more raters, or lower --per-decision");
  }
}

std::string guide() {
  std::string out =
      "# Rating replies\n\nEach item is one reply of a supporter to the conversation shown with "
      "it. Rate it by itself, on every scale, from 1 to 5; who or what wrote it is not said, and "
      "replies to the same conversation need not differ. Read the whole conversation first. If no "
      "strategy is named, leave Alignment empty.\n";
  for (const auto& s : results::rating_scales()) {
    out += "\n## " + std::string(s.title) + "\n\n" + s.question + "\n\n";
    for (std::size_t i = 0; i < s.points.size(); ++i) {
      out += std::to_string(i + 1) + ". " + s.points[i] + "\n";
    }
  }
  return out;
}

}  // namespace

RatingPlan plan_ratings(const results::Results& results, const ExportOptions& options) {
  require_raters(options);
  if (options.decisions < 1) fail_input("at least one decision must be rated");
  const auto sources = choose_sources(results, options);
  RatingPlan plan;
  plan.seed = options.seed;
  for (const auto& s : sources) plan.sources.push_back(s.about);

  std::vector<const results::Reply*> common;
  for (const auto& r : sources.back().file->rows) {
    const bool all = std::all_of(sources.begin(), sources.end(),
                                 [&](const ReplySource& s) { return s.by_id.count(r.id) > 0; });
    if (all) common.push_back(&r);
  }
  if (common.empty()) {
    fail_input("no decision has a reply of every method",
               "name methods that replied to the same decisions with --methods");
  }
  const auto ids = draw(common, options.decisions, options.seed);
  if (static_cast<std::int64_t>(ids.size()) < options.decisions) {
    plan.left_out.push_back("only " + std::to_string(ids.size()) + " of " +
                            std::to_string(options.decisions) +
                            " decisions have replies of all methods");
  }

  CounterRng codes(options.seed, "annotate_codes");
  std::vector<std::vector<std::string>> code_of(ids.size());  // [decision][source]
  for (std::size_t d = 0; d < ids.size(); ++d) {
    for (std::size_t s = 0; s < sources.size(); ++s) {
      const results::Reply& r = *sources[s].by_id.at(ids[d]);
      RatingItem item;
      item.code = new_code(codes, plan.items);
      item.source = std::to_string(s);
      item.id = r.id;
      item.dialogue = r.dialogue;
      item.strategy = sources[s].human ? r.strategy : r.chosen.value_or("");
      item.context = context_of(*sources[s].file, r);
      item.reply = sources[s].human ? r.reference : r.hypothesis;
      code_of[d].push_back(item.code);
      plan.items[item.code] = std::move(item);
    }
  }

  // In turn: every rater gets as many decisions as every other, within one.
  std::map<std::string, std::vector<std::size_t>> decisions_of;
  std::size_t turn = 0;
  for (std::size_t d = 0; d < ids.size(); ++d) {
    for (int k = 0; k < options.raters_per_decision; ++k) {
      decisions_of[options.raters[turn++ % options.raters.size()]].push_back(d);
    }
  }
  for (std::size_t r = 0; r < options.raters.size(); ++r) {
    const std::string& rater = options.raters[r];
    auto& mine = decisions_of[rater];
    CounterRng rng(options.seed, "annotate_order", r);
    shuffle(mine, rng);
    std::vector<std::size_t> methods(sources.size());
    for (std::size_t s = 0; s < methods.size(); ++s) methods[s] = s;
    shuffle(methods, rng);
    auto& sheet = plan.assigned[rater];
    for (std::size_t t = 0; t < mine.size(); ++t) {
      for (std::size_t p = 0; p < methods.size(); ++p) {
        sheet.push_back(code_of[mine[t]][methods[(p + t) % methods.size()]]);
      }
    }
  }
  return plan;
}

std::string rating_sheet(const RatingPlan& plan, const std::string& rater) {
  std::string out = "rater,item,context,strategy,reply";
  for (const auto& s : results::rating_scales()) out += std::string(",") + s.key;
  out += ",comment\n";
  for (const auto& code : plan.assigned.at(rater)) {
    const RatingItem& item = plan.items.at(code);
    out += csv_text(rater) + "," + code + "," + csv_text(item.context) + "," +
           csv_text(item.strategy) + "," + csv_text(item.reply);
    for (std::size_t s = 0; s < results::rating_scales().size(); ++s) out += ",";
    out += ",\n";
  }
  return out;
}

std::string rating_form(const RatingPlan& plan) {
  nlohmann::ordered_json data;
  data["format"] = 1;
  data["raters"] = plan.assigned;
  data["items"] = nlohmann::ordered_json::object();
  for (const auto& [code, item] : plan.items) {
    data["items"][code] = {
        {"context", item.context}, {"strategy", item.strategy}, {"reply", item.reply}};
  }
  data["scales"] = nlohmann::ordered_json::array();
  for (const auto& s : results::rating_scales()) {
    data["scales"].push_back(
        {{"key", s.key}, {"title", s.title}, {"question", s.question}, {"points", s.points}});
  }
  // Inside a script element only this sign could end the data.
  std::string json = dump_json(data);
  for (std::size_t at = 0; (at = json.find('<', at)) != std::string::npos; at += 6) {
    json.replace(at, 1, "\\u003c");
  }
  return std::string(kFormHead) + json + kFormTail;
}

void write_rating_files(const RatingPlan& plan, const std::string& out) {
  const fs::path folder(out);
  std::error_code ec;
  if (fs::exists(folder / "key.json", ec)) {
    fail_input(out + " already holds an export: its sheets may be with raters",
               "choose another folder, or remove that one");
  }
  require_writable_folder(out);
  for (const auto& [rater, codes] : plan.assigned) {
    write_file_atomic((folder / "sheets" / (rater + ".csv")).string(), rating_sheet(plan, rater));
  }
  write_file_atomic((folder / "form.html").string(), rating_form(plan));
  write_file_atomic((folder / "guide.md").string(), guide());
  // Last: a folder with a key is whole.
  write_file_atomic((folder / "key.json").string(), dump_json(write_json(key_of(plan)), 1) + "\n");
}

}  // namespace straq::annotate
