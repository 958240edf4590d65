#include "reply_job.h"

#include <set>

#include "comm/activity.h"
#include "comm/communicator.h"
#include "comm/outcome.h"
#include "comm/roles.h"
#include "core/error.h"
#include "core/files/files.h"
#include "core/log.h"
#include "experiment/provenance.h"
#include "results/rows/index_rows.h"
#include "results/rows/provenance.h"

namespace straq::jobs {

void check_names(const std::vector<NamedSource>& sources, const std::string& key) {
  if (sources.empty()) fail_input(key + ": none is named", "list at least one");
  std::set<std::string> names;
  for (const auto& s : sources) {
    if (!results::is_folder_name(s.name)) {
      fail_input(key + ": \"" + s.name + "\" is no name of a folder", "name it in one word");
    }
    if (!names.insert(s.name).second) {
      fail_input(key + ": " + s.name + " comes twice", "give each a name of its own");
    }
  }
}

std::unique_ptr<language::Source> open_recorded(local::SourceConfig config,
                                                const std::string& record) {
  if (config.record.empty()) config.record = record;
  return local::open_source(config);
}

void begin_reply_folder(const results::RunFolder& run, const std::string& config,
                        const comm::World& world) {
  make_folders(run.path());
  write_file_atomic(run.config(), config);
  comm::Layout layout;
  layout.world = world.size();
  results::Provenance provenance;
  provenance.environment = experiment::environment_provenance(layout);
  results::write_provenance(run.provenance(), provenance);
}

void ProgressLine::operator()(std::int64_t over, std::int64_t all) {
  comm::enter_phase("asking a language model", comm::Patience::phase, over);
  constexpr double pause = 10;
  const double now = monotonic_seconds() - start_;
  if (first_ < 0) first_ = over;
  ++answers_;
  if (now - said_ < pause || over >= all) return;
  said_ = now;
  // What a record answered at once says nothing of the rest.
  const auto done = static_cast<double>(over - first_);
  if (done > 0) {
    log::info(what_, "{} of {} ({} answers), about {:.0f} s left", over, all, answers_,
              now / done * static_cast<double>(all - over));
  } else {
    log::info(what_, "{} of {} ({} answers)", over, all, answers_);
  }
}

bool ask_on_all(const comm::World& world, const std::function<bool()>& ask) {
  bool done = false;
  comm::enter_phase("asking a language model", comm::Patience::phase);
  comm::agreed(world.comm(), [&] { done = ask(); });
  int mine = done ? 1 : 0, all = 0;
  MPI_Request request;
  MPI_Iallreduce(&mine, &all, 1, MPI_INT, MPI_MIN, world.comm(), &request);
  comm::wait_softly(request);
  return all == 1;
}

}  // namespace straq::jobs
