// Memory that threads keep between tasks.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace straq::model {

// Memory of one thread that grows to what its largest task needs and stays; each
// slot, an enumerator of whoever uses it, is memory of its own. On cache lines, because
// BLAS takes other paths, with other roundings, where operands are aligned otherwise, and threads
// get their memory in an order of their own.
template <class T, auto slot>
T* scratch(std::int64_t size) {
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  thread_local std::unique_ptr<T, Free> memory;
  thread_local std::int64_t room = 0;
  if (room < size) {
    constexpr std::size_t line = 64;
    room = (size + 4096) / 4096 * 4096;
    memory.reset();
    memory.reset(
        static_cast<T*>(std::aligned_alloc(line, sizeof(T) * static_cast<std::size_t>(room))));
    if (!memory) throw std::bad_alloc();
  }
  return memory.get();
}

}  // namespace straq::model
