// What this process is doing, noted by the thread that does it and read by the one that watches it:
// the phase and its step, and the collective that it entered last. Notes are a few atomic stores,
// cheap enough for every collective.
#pragma once

#include <cstdint>
#include <string>

namespace straq::comm {

// How long a phase may last: for ever (waiting for work), one deadline, or several (loading a
// model, evaluating, writing).
enum class Patience : std::int32_t { none, step, phase };

// A new phase begins. `phase` is a literal: it is kept by reference. `step` is the optimizer step
// or item that it is about; -1: none.
void enter_phase(const char* phase, Patience patience, std::int64_t step = -1);

struct Activity {
  const char* phase = "starting";
  Patience patience = Patience::none;
  std::int64_t step = -1;
  std::uint64_t changes = 0;         // phases and collectives so far: standing still shows in it
  const char* collective = nullptr;  // entered last; null: none yet
  std::int64_t elements = 0;         // of it
  std::uint64_t collectives = 0;     // how many were entered: ranks that differ here have parted
  bool inside = false;               // it has not returned
  // "optimizer step (12), inside all-reduce of 1000 elements, its number 37".
  std::string describe() const;
};
Activity current_activity();

// Around a collective; nested ones (a backend that calls another) count once.
class CollectiveNote {
 public:
  CollectiveNote(const char* name, std::int64_t elements);
  ~CollectiveNote();
  CollectiveNote(const CollectiveNote&) = delete;
  CollectiveNote& operator=(const CollectiveNote&) = delete;
};

}  // namespace straq::comm
