#include "train/torch_failure.h"

#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

namespace straq::train {
namespace {

TEST(Failure, EveryCauseHasItsWord) {
  EXPECT_EQ(as_failure(std::bad_alloc()).failure(), results::FailureKind::out_of_memory);
  // As libtorch's CPU allocator throws it; tests/faults/sweep_test.py asks for a real one.
  const c10::Error torch(
      {__func__, __FILE__, 1},
      "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes");
  const auto failure = as_failure(torch);
  EXPECT_EQ(failure.failure(), results::FailureKind::out_of_memory);
  EXPECT_EQ(failure.exit_code(), 1);
  EXPECT_EQ(failure.full().find("Exception raised from"), std::string::npos)
      << "no stack trace: " << failure.full();
  EXPECT_EQ(as_failure(c10::Error({__func__, __FILE__, 1}, "shapes differ")).failure(),
            results::FailureKind::other);
  EXPECT_EQ(as_failure(Error(ErrorKind::input, "x")).failure(), results::FailureKind::bad_input);
  EXPECT_EQ(as_failure(Error(ErrorKind::failure, "x")).failure(), results::FailureKind::other);
  EXPECT_EQ(as_failure(Error(ErrorKind::diverged, "x")).failure(), results::FailureKind::diverged);
  const results::PointFailure shard(results::FailureKind::bad_shard, Error(ErrorKind::input, "x"));
  const Error& sliced = shard;
  EXPECT_EQ(as_failure(sliced).failure(), results::FailureKind::bad_shard);
  EXPECT_EQ(as_failure(std::runtime_error("x")).failure(), results::FailureKind::other);
}

}  // namespace
}  // namespace straq::train
