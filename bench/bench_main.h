// The main function of a bench: what it throws ends on standard error, with its own exit code.
#pragma once

#include <exception>
#include <iostream>

#include "core/error.h"

namespace straq::bench {

inline int bench_main(const char* name, int (*run)(int, char**), int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& e) {
    std::cerr << name << ": " << e.full() << "\n";
    return e.exit_code();
  } catch (const std::exception& e) {
    std::cerr << name << ": " << e.what() << "\n";
    return 1;
  }
}

}  // namespace straq::bench
