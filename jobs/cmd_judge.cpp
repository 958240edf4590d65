// straq judge: a language model's scores of the corpora's decisions, of replies and of dialogues
// that people have rated.
#include <ATen/Parallel.h>

#include "comm/outcome.h"
#include "comm/roles.h"
#include "comm/stop.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/processors.h"
#include "judge/judge_job.h"
#include "language/recording.h"
#include "launch_ranks.h"
#include "mpi_job.h"
#include "reply_job.h"
#include "results/run_folder.h"

namespace straq::jobs {
namespace {

struct JudgeSettings {
  judge::JudgeJobConfig job;
  NamedSource judge;
  int threads = 0;
  void fields(config::Fields& f) {
    job.fields(f);
    f.required("judge", judge);
    f("threads", threads, config::between(0, 1e6));
  }
};

// How the score came about goes into every file.
nlohmann::ordered_json judge_about(const language::Source& source, const JudgeSettings& s) {
  return {{"judge", s.judge.name},
          {"model", source.name()},
          {"identity", source.model()},
          {"probabilities", source.scores()},
          {"judging", config::to_json(config::dump(s.job.judging))},
          {"wording_sha256", sha256_hex(read_file(s.job.wording))},
          {"context_sha256", sha256_hex(read_file(s.job.context))}};
}

int write_judged(judge::JudgeJob& job, language::Source& source, const JudgeSettings& s,
                 const results::RunFolder& run, const std::string& record, const comm::World& world,
                 const Common& common) {
  begin_reply_folder(run, config::to_yaml(config::dump(s)), world);
  language::Replay replay(record, source.model());
  Table table{
      "judged", "Judged by " + source.name(), {"file", "rows", "failed", "not read"}, {}, {}};
  std::int64_t failed = 0;
  for (const auto& f : job.write(replay, judge_about(source, s))) {
    if (f.failed > 0) {
      log::warn("judge", "{}: {} of {} failed; the first: {}", f.path, f.failed, f.rows,
                f.first_error);
    }
    failed += f.failed;
    table.add({Cell(f.path), Cell(f.rows), Cell(f.failed), Cell(f.unread)});
  }
  table.notes.emplace_back(
      "not read: rows without a score, failed ones among them; nothing is asked again until it can "
      "be read");
  run.finish();
  print_tables(common, {table});
  return failed > 0 ? 1 : 0;
}

int judge_all(const comm::World& world, const config::Value& root, const Common& common) {
  JudgeSettings s;
  std::unique_ptr<judge::JudgeJob> job;
  std::unique_ptr<language::Source> source;
  std::string experiment, record;
  comm::agreed(world.comm(), [&] {
    s = config::read<JudgeSettings>(root);
    check_names({s.judge}, "judge");
    experiment = s.job.results + "/" + s.job.name;
    record = s.judge.source.record.empty() ? experiment + "/record" : s.judge.source.record;
    job = std::make_unique<judge::JudgeJob>(s.job, experiment + "/" + s.judge.name);
    make_folders(record);
    source = open_recorded(s.judge.source, record);
  });
  const auto place = comm::find_node_place(world.comm(), true);
  at::set_num_threads(compute_threads(s.threads, place.sharers));
  if (world.rank() == 0) log::info("judge", "{} texts to judge", job->items());
  const bool done = ask_on_all(world, [&] {
    ProgressLine line("judge");
    return job->ask(
        *source, world.rank(), world.size(), [&](auto over, auto all) { line(over, all); },
        [] { return comm::stop_requested(); });
  });
  if (!done) {
    if (world.rank() == 0) log::info("judge", "stopped; the same command goes on from {}", record);
    return static_cast<int>(ErrorKind::stopped);
  }
  return on_rank_zero(world, [&] {
    return write_judged(*job, *source, s, results::RunFolder(experiment + "/" + s.judge.name),
                        record, world, common);
  });
}

}  // namespace

Command make_judge(CLI::App& app, Common& common) {
  auto config = std::make_shared<ConfigArgument>();
  auto* c = app.add_subcommand("judge", "A language model's scores of decisions and replies");
  add_ranks_to(*c, common.ranks);
  config->add_to(*c);
  c->footer(
      "Every answer is kept in a record as it comes: the same command goes on, also with another "
      "number of ranks.\nThe exit code is 1 where a request failed; an answer that cannot be read "
      "is a result, and counted.\n"
      "Example: straq judge --ranks 2 configs/judge_small.yaml");
  return {c, [=, &common] {
            return run_with_mpi(*config, [&](const comm::World& world, const config::Value& root) {
              return judge_all(world, root, common);
            });
          }};
}

}  // namespace straq::jobs
