#include "judge/judge_job.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "core/error.h"
#include "core/log.h"
#include "results/layout.h"
#include "results/run_folder.h"

namespace straq::judge {
namespace {

namespace fs = std::filesystem;

std::string file_in(const std::string& run, const char* folder, const std::string& name) {
  return results::RunFolder(run).file(folder + std::string("/") + name) + results::kRows;
}

double weight_of(const Item& item) {
  double n = 400 + static_cast<double>(item.reply.size());
  for (int i = 0; i < item.turn; ++i) {
    n += static_cast<double>(item.episode->turns[static_cast<std::size_t>(i)].text.size()) / 8;
  }
  return n;
}

// Items of one dialogue belong together: their prompts begin alike.
std::vector<std::vector<std::size_t>> by_dialogue(const std::vector<Item>& items) {
  std::map<const dialogue::Episode*, std::size_t> place;
  std::vector<std::vector<std::size_t>> out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    // There is nothing to judge where nothing was said.
    if (items[i].reply.empty() && items[i].turn == 0) continue;
    const auto [it, fresh] = place.try_emplace(items[i].episode, out.size());
    if (fresh) out.emplace_back();
    out[it->second].push_back(i);
  }
  return out;
}

}  // namespace

void JudgeJobConfig::fields(config::Fields& f) {
  f.required("name", name);
  f("results", results);
  f("corpora", corpora);
  f("judge_corpora", judge_corpora);
  f("replies", replies);
  f("ratings", ratings);
  f("wording", wording);
  f("context_wording", context);
  f("judging", judging);
  f("dialogues_at_once", dialogues_at_once, config::between(1, 1e9));
}

JudgeJob::JudgeJob(const JudgeJobConfig& config, const std::string& folder) : config_(config) {
  wording_ = JudgeWording::load(config.wording);
  context_ = respond::ContextWording::load(config.context);
  if (!config.corpora.empty()) corpora_ = respond::load_corpora(config.corpora);
  for (const auto& split : corpora_.splits) {
    for (const auto& e : split.episodes) episodes_[{split.corpus, e.id}] = &e;
    if (config.judge_corpora) add_corpus(split, folder);
  }
  for (const auto& path : config.replies) {
    const auto found = results::read_results(path);
    for (const auto* run : found.runs()) {
      for (const auto& problem : run->problems) log::warn("judge", "left out: {}", problem);
      for (const auto& file : run->replies) add_replies(*run, file);
    }
  }
  for (const auto& path : config.ratings) add_ratings(path, folder);
  if (items_.empty()) {
    fail_input("there is nothing to judge", "name corpora, replies or ratings");
  }
}

void JudgeJob::add_corpus(const respond::SplitOfCorpus& split, const std::string& folder) {
  Target target;
  target.path = file_in(folder, results::kJudgeFolder, split.corpus + "-" + split.split);
  target.info.method = "human";
  target.info.corpus = split.corpus;
  target.info.split = split.split;
  for (const auto& s : corpora_.strategies.items()) {
    target.info.strategies.push_back({s.name, s.abbreviation});
  }
  target.first = items_.size();
  for (const auto& e : split.episodes) {
    for (const auto& d : e.decisions) {
      items_.push_back({e.id + ":" + std::to_string(d.turn), e.id,
                        d.gold < 0 ? "" : corpora_.strategies[d.gold].name, &e, d.turn,
                        e.turns[static_cast<std::size_t>(d.turn)].text});
    }
  }
  target.count = items_.size() - target.first;
  targets_.push_back(std::move(target));
}

const dialogue::Episode* JudgeJob::find(const std::string& corpus,
                                        const std::string& dialogue) const {
  const auto it = episodes_.find({corpus, dialogue});
  return it == episodes_.end() ? nullptr : it->second;
}

void JudgeJob::add_replies(const results::Run& run, const results::ReplyFile& file) {
  Target target;
  target.path = file_in(run.path, results::kJudgeFolder, file.name);
  target.info = file.info;
  target.info.about = nlohmann::ordered_json::object();
  const std::string corpus =
      file.info.corpus.empty() ? run.parameter("data.name").value_or("") : file.info.corpus;
  target.first = items_.size();
  for (const auto& row : file.rows) {
    const auto* episode = find(corpus, row.dialogue);
    const auto colon = row.id.rfind(':');
    int turn = -1;
    if (colon != std::string::npos) turn = std::atoi(row.id.c_str() + colon + 1);
    if (episode == nullptr || turn < 0 || turn > static_cast<int>(episode->turns.size())) {
      fail_input(
          file.path + ": " + row.id + ": no corpus that is named has this decision",
          "name the corpus \"" + corpus + "\" with the split of these replies under corpora");
    }
    items_.push_back({row.id, row.dialogue, row.chosen.value_or(""), episode,
                      row.hypothesis.empty() ? 0 : turn, row.hypothesis});
  }
  target.count = items_.size() - target.first;
  targets_.push_back(std::move(target));
}

void JudgeJob::add_ratings(const std::string& path, const std::string& folder) {
  rated_.push_back(read_rated_dialogues(path));
  const std::string name = "ratings-" + fs::path(path).stem().string();
  Target target;
  target.path = file_in(folder, results::kJudgeFolder, name);
  target.ratings_path = file_in(folder, results::kHumanFolder, name);
  target.rated = &rated_.back();
  target.info.method = results::kCalibrationMethod;
  target.info.corpus = fs::path(path).stem().string();
  target.first = items_.size();
  for (const auto& d : rated_.back()) {
    items_.push_back(
        {d.episode.id, d.episode.id, "", &d.episode, static_cast<int>(d.episode.turns.size()), ""});
  }
  target.count = items_.size() - target.first;
  targets_.push_back(std::move(target));
}

bool JudgeJob::ask(language::Source& source, int rank, int size,
                   const respond::RespondJob::Progress& said, const std::function<bool()>& stop) {
  const auto groups = by_dialogue(items_);
  std::vector<double> weights;
  for (const auto& group : groups) {
    weights.push_back(std::accumulate(group.begin(), group.end(), 0.0,
                                      [&](double n, auto i) { return n + weight_of(items_[i]); }));
  }
  const auto mine = respond::deal(weights, rank, size);
  std::int64_t all = 0, over = 0;
  for (const auto g : mine) all += static_cast<std::int64_t>(groups[g].size());
  const auto lot = static_cast<std::size_t>(config_.dialogues_at_once);
  bool stopped = false;
  for (std::size_t at = 0; at < mine.size() && !stopped; at += lot) {
    std::vector<Item> some;
    for (std::size_t k = at; k < std::min(at + lot, mine.size()); ++k) {
      for (const auto i : groups[mine[k]]) some.push_back(items_[i]);
    }
    const auto here = static_cast<std::int64_t>(some.size());
    JudgeCalls calls;
    calls.answered = [&](std::size_t open) {
      if (said) said(over + here - static_cast<std::int64_t>(open), all);
    };
    calls.stop = [&] { return stopped = stopped || (stop && stop()); };
    static_cast<void>(
        judge_items(source, wording_, context_, config_.judging, corpora_.strategies, some, calls));
    over += here;
  }
  return !stopped;
}

void JudgeJob::write_ratings(const Target& target) {
  std::vector<results::Judgement> rows;
  for (const auto& d : *target.rated) {
    for (const auto& [rater, scores] : d.ratings) {
      if (scores.empty()) continue;
      results::Judgement row;
      row.id = row.dialogue = d.episode.id;
      row.rater = rater;
      row.scores = scores;
      rows.push_back(std::move(row));
    }
  }
  results::MethodInfo info = target.info;
  info.about = nlohmann::ordered_json::object();
  results::write_judgements(target.ratings_path, info, rows);
}

std::vector<JudgeJob::Written> JudgeJob::write(language::Source& record,
                                               const nlohmann::ordered_json& about) {
  std::vector<Written> out;
  for (const Target& target : targets_) {
    const auto begin = items_.begin() + static_cast<std::ptrdiff_t>(target.first);
    std::vector<Item> items(begin, begin + static_cast<std::ptrdiff_t>(target.count)), asked;
    for (const auto& i : items) {
      if (!i.reply.empty() || i.turn > 0) asked.push_back(i);
    }
    auto found =
        judge_items(record, wording_, context_, config_.judging, corpora_.strategies, asked);
    Written written;
    written.path = target.path;
    std::vector<results::Judgement> rows;
    std::size_t next = 0;
    for (const auto& i : items) {
      results::Judgement row;
      if (i.reply.empty() && i.turn == 0) {
        row.id = i.id;
        row.dialogue = i.dialogue;
        row.strategy = i.strategy;
        row.parsed = false;
        row.error = "there is no reply";
      } else {
        Judged& judged = found.at(next++).value();
        row = std::move(judged.row);
        written.failed += judged.failed;
        if (judged.failed && written.first_error.empty()) written.first_error = row.error;
      }
      written.unread += !row.parsed;
      rows.push_back(std::move(row));
    }
    written.rows = static_cast<std::int64_t>(rows.size());
    results::MethodInfo info = target.info;
    info.about = about;
    results::write_judgements(target.path, info, rows);
    if (target.rated != nullptr) write_ratings(target);
    out.push_back(std::move(written));
  }
  return out;
}

}  // namespace straq::judge
