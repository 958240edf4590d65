// Why a point failed, as one word that programs can tell apart, beside the sentence for people. The
// word goes into the run folder's FAILED, into index.csv and into `straq sweep --status`.
#pragma once

#include <exception>
#include <string>

#include "core/error.h"

namespace straq::results {

enum class FailureKind {
  other,            // a full disk, a rank that died, anything without a word of its own
  bad_input,        // config or data
  bad_shard,        // a shard is missing or damaged
  out_of_memory,    // an allocation was refused, on the host or on the device
  non_finite_loss,  // the loss was NaN or infinite in too many steps in a row
  diverged,         // it was finite, but gradients or Q values were out of all bounds
};
const char* name(FailureKind kind);
FailureKind failure_kind(const std::string& word);  // of name(); `other` for an unknown word

// An Error that knows its word.
class PointFailure : public Error {
 public:
  PointFailure(FailureKind failure, const Error& error)
      : Error(error.kind(), error.what(), error.hint()), failure_(failure) {}
  FailureKind failure() const { return failure_; }

 private:
  FailureKind failure_;
};

// FAILED: the reason and its hint, then lines "key: value".
struct FailureNote {
  FailureKind kind = FailureKind::other;
  ErrorKind error = ErrorKind::failure;
  std::string reason;  // the whole text, with its hint
  std::string first_line() const { return reason.substr(0, reason.find('\n')); }
  std::string to_text() const;
  // Of a file without such lines, as older versions wrote it: `other`.
  static FailureNote parse(const std::string& text);
};

}  // namespace straq::results
