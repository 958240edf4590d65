#include "results/rows/failure.h"

#include <array>

namespace straq::results {
namespace {

constexpr std::array kKinds{FailureKind::other,           FailureKind::bad_input,
                            FailureKind::bad_shard,       FailureKind::out_of_memory,
                            FailureKind::non_finite_loss, FailureKind::diverged};
constexpr const char* kKindLine = "\nkind: ";
constexpr const char* kExitLine = "\nexit code: ";

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

}  // namespace straq::results
