#include "coordinate/failure.h"

#include <c10/util/Exception.h>

#include <array>
#include <new>

namespace straq::coordinate {
namespace {

constexpr std::array kKinds{FailureKind::other,           FailureKind::bad_input,
                            FailureKind::bad_shard,       FailureKind::out_of_memory,
                            FailureKind::non_finite_loss, FailureKind::diverged};
constexpr const char* kKindLine = "\nkind: ";
constexpr const char* kExitLine = "\nexit code: ";

Error out_of_memory(const std::string& what) {
  return {ErrorKind::failure, "out of memory: " + what,
          "lower learn.micro_tokens or prompt.window, set model.recompute or learn.zero1, or take "
          "more memory; `straq estimate` says what a config needs"};
}

}  // namespace

const char* name(FailureKind kind) {
  switch (kind) {
    case FailureKind::bad_input:
      return "bad_input";
    case FailureKind::bad_shard:
      return "bad_shard";
    case FailureKind::out_of_memory:
      return "out_of_memory";
    case FailureKind::non_finite_loss:
      return "non_finite_loss";
    case FailureKind::diverged:
      return "diverged";
    case FailureKind::other:
      break;
  }
  return "other";
}

FailureKind failure_kind(const std::string& word) {
  for (const FailureKind kind : kKinds) {
    if (word == name(kind)) return kind;
  }
  return FailureKind::other;
}

PointFailure as_failure(const std::exception& e) {
  if (const auto* known = dynamic_cast<const PointFailure*>(&e)) return *known;
  if (const auto* error = dynamic_cast<const Error*>(&e)) {
    switch (error->kind()) {
      case ErrorKind::diverged:
        return {FailureKind::diverged, *error};
      case ErrorKind::input:
        return {FailureKind::bad_input, *error};
      default:
        return {FailureKind::other, *error};
    }
  }
  if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr) {
    return {FailureKind::out_of_memory, out_of_memory("the system refused an allocation")};
  }
  if (const auto* torch = dynamic_cast<const c10::Error*>(&e)) {
    const std::string what = torch->what_without_backtrace();
    // The CPU's allocator throws a plain error.
    const bool memory = dynamic_cast<const c10::OutOfMemoryError*>(&e) != nullptr ||
                        what.find("allocate memory") != std::string::npos ||
                        what.find("out of memory") != std::string::npos;
    if (memory) return {FailureKind::out_of_memory, out_of_memory(what)};
    return {FailureKind::other, Error(ErrorKind::failure, what)};
  }
  return {FailureKind::other, Error(ErrorKind::failure, e.what())};
}

std::string FailureNote::to_text() const {
  std::string text = reason;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text + kKindLine + name(kind) + kExitLine + std::to_string(static_cast<int>(error)) + "\n";
}

FailureNote FailureNote::parse(const std::string& text) {
  FailureNote note;
  note.reason = text;
  const auto value = [&](const char* key) {
    const auto at = text.rfind(key);
    if (at == std::string::npos) return std::string();
    const auto begin = at + std::string(key).size();
    return text.substr(begin, text.find('\n', begin) - begin);
  };
  const std::string kind = value(kKindLine), exit = value(kExitLine);
  note.kind = failure_kind(kind);
  if (exit == "2") note.error = ErrorKind::input;
  if (exit == "3") note.error = ErrorKind::diverged;
  if (!kind.empty()) note.reason.resize(text.rfind(kKindLine));
  while (!note.reason.empty() && note.reason.back() == '\n') note.reason.pop_back();
  return note;
}

}  // namespace straq::coordinate
