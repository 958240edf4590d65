#include "comm/collectives.h"

#include <algorithm>
#include <climits>

#include "core/error.h"

namespace straq::comm {
namespace {

class LocalCollectives : public Collectives {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void allreduce_sum(at::Tensor) override {}
  void broadcast(at::Tensor, int) override {}
  std::vector<double> allreduce_sum(std::vector<double> values) override { return values; }
  double allreduce_max(double value) override { return value; }
  bool all_equal(const std::string&) override { return true; }
  const char* backend() const override { return "none"; }
};

MPI_Datatype mpi_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return MPI_FLOAT;
    case at::kDouble:
      return MPI_DOUBLE;
    case at::kLong:
      return MPI_INT64_T;
    default:
      fail_runtime(std::string("MPI cannot sum tensors of type ") + at::toString(type),
                   "reduce in fp32");
  }
}

class MpiCollectives : public Collectives {
 public:
  explicit MpiCollectives(MPI_Comm comm) : comm_(comm) {
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
  }
  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void allreduce_sum(at::Tensor tensor) override {
    in_pieces(tensor, [&](char* data, int n, MPI_Datatype type) {
      MPI_Allreduce(MPI_IN_PLACE, data, n, type, MPI_SUM, comm_);
    });
  }
  void broadcast(at::Tensor tensor, int root) override {
    in_pieces(tensor,
              [&](char* data, int n, MPI_Datatype type) { MPI_Bcast(data, n, type, root, comm_); });
  }
  std::vector<double> allreduce_sum(std::vector<double> values) override {
    MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_DOUBLE, MPI_SUM,
                  comm_);
    return values;
  }
  double allreduce_max(double value) override {
    MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, comm_);
    return value;
  }
  bool all_equal(const std::string& text) override {
    // Everybody compares with rank 0's text; the verdict is the minimum.
    std::string first = text;
    auto length = static_cast<std::int64_t>(first.size());
    MPI_Bcast(&length, 1, MPI_INT64_T, 0, comm_);
    first.resize(static_cast<std::size_t>(length));
    MPI_Bcast(first.data(), static_cast<int>(length), MPI_CHAR, 0, comm_);
    int same = first == text;
    MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, comm_);
    return same != 0;
  }
  const char* backend() const override { return "mpi"; }

 private:
  // MPI counts are int: a buffer of more than 2^31 elements goes in pieces.
  template <class F>
  void in_pieces(const at::Tensor& tensor, F&& f) {
    TORCH_CHECK(tensor.is_contiguous() && tensor.device().is_cpu(),
                "collectives over MPI take contiguous CPU tensors");
    const MPI_Datatype type = mpi_type(tensor.scalar_type());
    auto* data = static_cast<char*>(tensor.data_ptr());
    constexpr std::int64_t kPiece = 1 << 28;
    for (std::int64_t at = 0; at < tensor.numel(); at += kPiece) {
      f(data + at * tensor.element_size(), static_cast<int>(std::min(kPiece, tensor.numel() - at)),
        type);
    }
  }

  MPI_Comm comm_;
  int rank_ = 0, size_ = 1;
};

class FlatReducer : public GradientReducer {
 public:
  FlatReducer(Collectives& collectives, at::Tensor flat_grad)
      : collectives_(collectives), flat_grad_(std::move(flat_grad)) {}
  void add(std::int64_t, std::int64_t) override {}
  void finish() override { collectives_.allreduce_sum(flat_grad_); }

 private:
  Collectives& collectives_;
  at::Tensor flat_grad_;
};

}  // namespace

std::unique_ptr<Collectives> make_local_collectives() {
  return std::make_unique<LocalCollectives>();
}
std::unique_ptr<Collectives> make_mpi_collectives(MPI_Comm comm) {
  return std::make_unique<MpiCollectives>(comm);
}
std::unique_ptr<GradientReducer> make_flat_reducer(Collectives& collectives, at::Tensor flat_grad) {
  return std::make_unique<FlatReducer>(collectives, std::move(flat_grad));
}

}  // namespace straq::comm
