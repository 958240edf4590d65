#include "comm/fault.h"

#include <mpi.h>
#include <unistd.h>

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

#include "core/environment.h"
#include "core/error.h"

namespace straq::comm {
namespace {

struct Wanted {
  std::string place, kind;
  int rank = -1;
};

Wanted parse(const std::string& text) {
  Wanted w;
  const auto at = text.find('@');
  if (at == std::string::npos) return w;
  const auto colon = text.find(':', at);
  w.place = text.substr(0, at);
  w.rank = std::atoi(text.c_str() + at + 1);
  w.kind = colon == std::string::npos ? "failure" : text.substr(colon + 1);
  return w;
}

int world_rank() {
  int initialised = 0, finalised = 0, rank = 0;
  MPI_Initialized(&initialised);
  MPI_Finalized(&finalised);
  if (initialised != 0 && finalised == 0) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

}  // namespace

void fault_point(const char* place) {
  static const Wanted wanted = parse(environment_variable("STRAQ_FAULT"));
  if (wanted.rank < 0 || wanted.place != place || wanted.rank != world_rank()) return;
  const std::string words =
      std::string("a fault at the place \"") + place + "\" was asked for by STRAQ_FAULT";
  if (wanted.kind == "input") fail_input(words, "unset STRAQ_FAULT");
  if (wanted.kind == "memory") throw std::bad_alloc();
  if (wanted.kind == "other") throw std::runtime_error(words);
  if (wanted.kind == "exit") ::_exit(9);
  fail_runtime(words, "unset STRAQ_FAULT");
}

}  // namespace straq::comm
