#include "comm/activity.h"

#include <atomic>

namespace straq::comm {
namespace {

// Each value is whole; that two of them are of the same moment is not needed for a message.
struct Board {
  std::atomic<const char*> phase{"starting"};
  std::atomic<Patience> patience{Patience::none};
  std::atomic<std::int64_t> step{-1};
  std::atomic<std::uint64_t> changes{0};
  std::atomic<const char*> collective{nullptr};
  std::atomic<std::int64_t> elements{0};
  std::atomic<std::uint64_t> collectives{0};
  std::atomic<int> depth{0};
};
Board board;

}  // namespace

void enter_phase(const char* phase, Patience patience, std::int64_t step) {
  board.phase = phase;
  board.step = step;
  board.patience = patience;
  ++board.changes;
}

Activity current_activity() {
  Activity a;
  a.phase = board.phase;
  a.patience = board.patience;
  a.step = board.step;
  a.changes = board.changes;
  a.collective = board.collective;
  a.elements = board.elements;
  a.collectives = board.collectives;
  a.inside = board.depth > 0;
  return a;
}

std::string Activity::describe() const {
  std::string text = phase;
  if (step >= 0) text += " (" + std::to_string(step) + ")";
  if (collective == nullptr) return text + ", before any collective";
  return text + (inside ? ", inside " : ", last collective ") + collective + " of " +
         std::to_string(elements) + " elements, its number " + std::to_string(collectives);
}

CollectiveNote::CollectiveNote(const char* name, std::int64_t elements) {
  if (board.depth++ > 0) return;
  board.collective = name;
  board.elements = elements;
  ++board.collectives;
  ++board.changes;
}

CollectiveNote::~CollectiveNote() {
  if (--board.depth == 0) ++board.changes;
}

}  // namespace straq::comm
