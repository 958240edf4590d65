// Collectives over MPI.
//
// Sums are exchanged by messages of our own rather than by MPI_Allreduce or MPI_Iallreduce: each
// rank owns a part of the buffer, gets the others' parts, adds them in rank order and sends the
// result to everybody. MPI chooses its algorithm, and with it the order of additions, by size and
// by number of ranks, so the same gradient in other buckets, or through a reduce-scatter, would
// give other bits; here it cannot. It moves what a ring moves, in two rounds instead of 2 (p - 1),
// which also suits messages that progress only while somebody calls MPI.
#include <algorithm>
#include <deque>
#include <optional>
#include <thread>

#include "comm/activity.h"
#include "comm/collectives/backend.h"
#include "comm/collectives/collectives.h"
#include "core/error.h"

namespace straq::comm {
namespace {

void check_type(at::ScalarType type) {
  if (type == at::kFloat || type == at::kDouble || type == at::kLong || type == at::kBFloat16 ||
      type == at::kHalf) {
    return;
  }
  fail_runtime(std::string("MPI cannot sum tensors of type ") + at::toString(type),
               "reduce in fp32");
}

// parts[q] is rank q's contribution, own among them; the sum from rank 0 upwards goes to `own`.
// The order of two addends does not matter, so the prefix may be added into own.
void sum_in_rank_order(std::vector<at::Tensor>& parts, int rank, const at::Tensor& own) {
  at::NoGradGuard no_grad;
  if (own.scalar_type() == at::kBFloat16 || own.scalar_type() == at::kHalf) {
    at::Tensor wide = parts[0].to(at::kFloat);
    for (std::size_t q = 1; q < parts.size(); ++q) wide.add_(parts[q]);
    own.copy_(wide);
    return;
  }
  for (int q = 1; q < rank; ++q) parts[0].add_(parts[static_cast<std::size_t>(q)]);
  if (rank > 0) own.add_(parts[0]);
  for (auto q = static_cast<std::size_t>(rank) + 1; q < parts.size(); ++q) own.add_(parts[q]);
}

// Buffers for the others' parts, kept for the next exchange: fresh pages cost more than the sum.
class Scratch {
 public:
  at::Tensor take(std::int64_t elements, at::ScalarType type) {
    const auto bytes = elements * static_cast<std::int64_t>(at::elementSize(type));
    const auto found = std::find_if(free_.begin(), free_.end(),
                                    [&](const at::Tensor& t) { return t.numel() >= bytes; });
    at::Tensor buffer;
    if (found != free_.end()) {
      buffer = *found;
      free_.erase(found);
    } else {
      if (!free_.empty()) free_.erase(free_.begin());  // too small for what is asked now
      buffer = at::empty({bytes}, at::kByte);
    }
    return buffer;
  }
  void give(at::Tensor buffer) { free_.push_back(std::move(buffer)); }

 private:
  std::vector<at::Tensor> free_;
};

class Exchange;

// One group's private channel: a duplicate of the caller's communicator, so that no message of
// somebody else can be taken for one of ours.
struct Channel {
  explicit Channel(MPI_Comm parent) {
    MPI_Comm_dup(parent, &comm);
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
  }
  ~Channel() {
    int finalized = 0;
    MPI_Finalized(&finalized);
    if (!finalized) MPI_Comm_free(&comm);
  }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void send(const at::Tensor& t, int to, int tag, std::vector<MPI_Request>& requests) const {
    requests.emplace_back();
    MPI_Isend(t.data_ptr(), bytes(t), MPI_BYTE, to, tag, comm, &requests.back());
  }
  void receive(const at::Tensor& t, int from, int tag, std::vector<MPI_Request>& requests) const {
    requests.emplace_back();
    MPI_Irecv(t.data_ptr(), bytes(t), MPI_BYTE, from, tag, comm, &requests.back());
  }
  static int bytes(const at::Tensor& t) {
    return static_cast<int>(t.numel() * static_cast<std::int64_t>(t.element_size()));
  }

  // Moves every open exchange on. A rank that waits for one must not leave the others lying: their
  // second rounds would then follow one another, each at the cost of a round trip.
  void progress();

  MPI_Comm comm = MPI_COMM_NULL;
  int rank = 0, size = 1;
  std::int64_t exchanges = 0;  // counts alike on every rank: names the messages
  Scratch scratch;
  std::vector<Exchange*> open;
};

// The others, starting behind this rank, so that not all send to rank 0 first.
template <class F>
void for_each_other(const Channel& channel, F&& f) {
  for (int i = 1; i < channel.size; ++i) f((channel.rank + i) % channel.size);
}

bool all_done(std::vector<MPI_Request>& requests) {
  int done = 0;
  MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE);
  return done != 0;
}
void wait_all(std::vector<MPI_Request>& requests) {
  MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE);
}

int next_tag(Channel& channel) {
  return static_cast<int>(channel.exchanges++ % 16000) * 2;  // MPI promises tags up to 32767
}

// Round one of an exchange: parts(q), this rank's contribution to rank q, goes out; the others'
// contributions to this rank come in and are added to `own`, which holds its own.
class PartialSums {
 public:
  template <class Part>
  PartialSums(Channel& channel, int tag, at::Tensor own, Part&& part)
      : channel_(channel), own_(std::move(own)) {
    const std::int64_t n = own_.numel();
    buffer_ = channel_.scratch.take(n * (channel_.size - 1), own_.scalar_type());
    received_.resize(static_cast<std::size_t>(channel_.size));
    received_[static_cast<std::size_t>(channel_.rank)] = own_;
    std::int64_t at = 0;
    const std::int64_t bytes = n * static_cast<std::int64_t>(own_.element_size());
    for_each_other(channel_, [&](int q) {
      auto& t = received_[static_cast<std::size_t>(q)];
      t = at::from_blob(static_cast<char*>(buffer_.data_ptr()) + at, {n}, own_.options());
      at += bytes;
      channel_.receive(t, q, tag, requests_);
    });
    for_each_other(channel_, [&](int q) { channel_.send(part(q), q, tag, requests_); });
  }
  bool test() { return all_done(requests_); }
  void wait() { wait_all(requests_); }
  void add_up() {
    sum_in_rank_order(received_, channel_.rank, own_);
    received_.clear();
    channel_.scratch.give(std::move(buffer_));
  }

 private:
  Channel& channel_;
  at::Tensor own_, buffer_;
  std::vector<at::Tensor> received_;  // by rank; this rank's is own_
  std::vector<MPI_Request> requests_;
};

// One piece of a sum that is on its way. MPI writes to its tensors until it is done, so the
// destructor of what derives from it waits.
class Exchange {
 public:
  explicit Exchange(Channel& channel) : channel_(channel) {}
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  bool done() const { return done_; }
  void wait() {
    while (!done_) {
      channel_.progress();
      if (!done_) std::this_thread::yield();  // costs nothing where no other thread wants the core
    }
  }
  // Called by the channel, which forgets it once it is done.
  virtual void advance() = 0;

 protected:
  Channel& channel_;
  bool done_ = false;
};

// Everybody's sum, in two rounds.
class SumForAll : public Exchange {
 public:
  SumForAll(Channel& channel, at::Tensor tensor) : Exchange(channel), tensor_(std::move(tensor)) {
    tag_ = next_tag(channel_);
    // Whole cache lines, so that no two ranks' parts share one.
    const std::int64_t n = tensor_.numel();
    part_ = ((n + channel_.size - 1) / channel_.size + 63) / 64 * 64;
    first_.emplace(channel_, tag_, part(channel_.rank), [&](int q) { return part(q); });
    channel_.open.push_back(this);
  }
  ~SumForAll() override { wait(); }
  void advance() override {
    if (first_) {
      if (!first_->test()) return;
      second_round();
    }
    done_ = all_done(second_);
  }

 private:
  at::Tensor part(int q) const {
    const std::int64_t n = tensor_.numel(), begin = std::min(n, q * part_);
    return tensor_.narrow(0, begin, std::min(part_, n - begin));
  }
  // Starts only when the first round's sends have left the memory that is received into.
  void second_round() {
    first_->add_up();
    first_.reset();
    for_each_other(channel_, [&](int q) { channel_.receive(part(q), q, tag_ + 1, second_); });
    for_each_other(channel_,
                   [&](int q) { channel_.send(part(channel_.rank), q, tag_ + 1, second_); });
  }

  at::Tensor tensor_;
  int tag_ = 0;
  std::int64_t part_ = 0;
  std::optional<PartialSums> first_;
  std::vector<MPI_Request> second_;
};

// Each part's sum for its owner, in one round: part(q) is rank q's, maybe nothing.
class SumForOwners : public Exchange {
 public:
  template <class Part>
  SumForOwners(Channel& channel, Part&& part) : Exchange(channel) {
    round_.emplace(channel_, next_tag(channel_), part(channel_.rank), part);
    channel_.open.push_back(this);
  }
  ~SumForOwners() override { wait(); }
  void advance() override {
    if (!round_->test()) return;
    round_->add_up();
    round_.reset();
    done_ = true;
  }

 private:
  std::optional<PartialSums> round_;
};

void Channel::progress() {
  for (auto* exchange : open) exchange->advance();
  open.erase(std::remove_if(open.begin(), open.end(), [](auto* e) { return e->done(); }),
             open.end());
}

class MpiSum : public PendingSum {
 public:
  // start(begin, count) starts the exchange of a piece of the `elements`.
  template <class Start>
  MpiSum(Channel& channel, const char* what, std::int64_t elements, std::int64_t piece,
         Start&& start)
      : channel_(channel), what_(what), elements_(elements) {
    for (std::int64_t at = 0; at < elements; at += piece) {
      pieces_.push_back(start(at, std::min(piece, elements - at)));
    }
  }
  bool advance() override {
    if (!pieces_.empty()) channel_.progress();
    while (!pieces_.empty() && pieces_.front()->done()) pieces_.pop_front();
    return pieces_.empty();
  }
  void wait() override {
    const CollectiveNote note(what_, elements_);
    pieces_.clear();
  }

 private:
  Channel& channel_;
  const char* what_;
  std::int64_t elements_;
  std::deque<std::unique_ptr<Exchange>> pieces_;
};

class MpiCollectives : public Collectives {
 public:
  MpiCollectives(MPI_Comm comm, std::int64_t piece) : channel_(comm), piece_(piece) {}
  int rank() const override { return channel_.rank; }
  int size() const override { return channel_.size; }

  void allreduce_sum(at::Tensor tensor) override {
    check_type(tensor.scalar_type());
    if (size() == 1) return;
    const CollectiveNote note("all-reduce", tensor.numel());
    on_host(tensor, [&](const at::Tensor& host) {
      // Two pieces at a time: one adds while the next one travels.
      std::deque<SumForAll> open;
      for (std::int64_t at = 0; at < host.numel(); at += piece_) {
        open.emplace_back(channel_, host.narrow(0, at, std::min(piece_, host.numel() - at)));
        if (open.size() == 2) open.pop_front();  // waits
      }
    });
  }
  std::unique_ptr<PendingSum> start_sum(at::Tensor tensor) override {
    if (!tensor.is_cpu() || size() == 1) {
      allreduce_sum(tensor);
      return std::make_unique<DoneSum>();
    }
    check_type(tensor.scalar_type());
    TORCH_CHECK(tensor.is_contiguous(), "collectives take contiguous tensors");
    const at::Tensor flat = tensor.view({-1});
    return std::make_unique<MpiSum>(channel_, "bucket's all-reduce", flat.numel(), piece_,
                                    [&](std::int64_t at, std::int64_t count) {
                                      return std::make_unique<SumForAll>(channel_,
                                                                         flat.narrow(0, at, count));
                                    });
  }
  bool overlaps(const at::Tensor& tensor) const override { return tensor.is_cpu(); }

  void broadcast(at::Tensor tensor, int root) override {
    const CollectiveNote note("broadcast", tensor.numel());
    on_host(tensor, [&](const at::Tensor& host) {
      for (std::int64_t at = 0; at < host.numel(); at += piece_) {
        const at::Tensor piece = host.narrow(0, at, std::min(piece_, host.numel() - at));
        MPI_Bcast(piece.data_ptr(), Channel::bytes(piece), MPI_BYTE, root, channel_.comm);
      }
    });
  }

  std::unique_ptr<PendingSum> start_shard_sum(at::Tensor flat, std::int64_t begin,
                                              std::int64_t end) override {
    check_range(flat, begin, end, size());
    check_type(flat.scalar_type());
    if (size() == 1) return std::make_unique<DoneSum>();
    const at::Tensor all = flat.detach().view({-1});
    const at::Tensor range = all.narrow(0, begin, end - begin);
    const at::Tensor host = range.cpu();  // the range itself where it is on the CPU
    auto sum = std::make_unique<MpiSum>(
        channel_, "bucket's sum for its owner", end - begin, piece_,
        [&](std::int64_t at, std::int64_t count) {
          return std::make_unique<SumForOwners>(channel_, [&](int q) {
            const auto part = shard_range(all, begin + at, begin + at + count, q, size());
            return host.narrow(0, std::clamp<std::int64_t>(part.begin - begin, 0, host.numel()),
                               part.count);
          });
        });
    if (all.is_cpu()) return sum;
    sum->wait();
    const auto own = shard_range(all, begin, end, rank(), size());
    if (own.count > 0) {
      all.narrow(0, own.begin, own.count).copy_(host.narrow(0, own.begin - begin, own.count));
    }
    return std::make_unique<DoneSum>();
  }
  void all_gather(at::Tensor shard, at::Tensor flat) override {
    const CollectiveNote note("all-gather", flat.numel());
    check_shards(flat, shard, size());
    const at::Tensor from = shard.cpu().view({-1});
    on_host(flat, [&](const at::Tensor& to) {
      const std::int64_t n = from.numel();
      const at::Tensor mine = own_part(to, from, rank());
      if (mine.data_ptr() != from.data_ptr()) mine.copy_(from);
      for (std::int64_t at = 0; at < n; at += piece_) {
        const std::int64_t count = std::min(piece_, n - at);
        const int tag = next_tag(channel_);
        std::vector<MPI_Request> requests;
        for_each_other(channel_, [&](int q) {
          channel_.receive(to.narrow(0, q * n + at, count), q, tag, requests);
        });
        for_each_other(channel_,
                       [&](int q) { channel_.send(from.narrow(0, at, count), q, tag, requests); });
        wait_all(requests);
      }
    });
  }

  std::vector<double> allreduce_sum(std::vector<double> values) override {
    const CollectiveNote note("all-reduce of numbers", static_cast<std::int64_t>(values.size()));
    MPI_Allreduce(MPI_IN_PLACE, values.data(), static_cast<int>(values.size()), MPI_DOUBLE, MPI_SUM,
                  channel_.comm);
    return values;
  }
  double allreduce_max(double value) override {
    const CollectiveNote note("maximum", 1);
    MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_DOUBLE, MPI_MAX, channel_.comm);
    return value;
  }
  bool all_equal(const std::string& text) override {
    const CollectiveNote note("comparison", static_cast<std::int64_t>(text.size()));
    // Everybody compares with rank 0's text; the verdict is the minimum.
    std::string first = text;
    auto length = static_cast<std::int64_t>(first.size());
    MPI_Bcast(&length, 1, MPI_INT64_T, 0, channel_.comm);
    first.resize(static_cast<std::size_t>(length));
    MPI_Bcast(first.data(), static_cast<int>(length), MPI_CHAR, 0, channel_.comm);
    int same = first == text;
    MPI_Allreduce(MPI_IN_PLACE, &same, 1, MPI_INT, MPI_MIN, channel_.comm);
    return same != 0;
  }
  const char* backend() const override { return "mpi"; }

 private:
  // f on the tensor, flat; a GPU's goes through host memory there and back.
  template <class F>
  static void on_host(const at::Tensor& tensor, F&& f) {
    TORCH_CHECK(tensor.is_contiguous(), "collectives take contiguous tensors");
    at::NoGradGuard no_grad;
    const at::Tensor flat = tensor.detach().view({-1});
    if (flat.is_cpu()) {
      f(flat);
      return;
    }
    const at::Tensor host = flat.cpu();
    f(host);
    flat.copy_(host);
  }

  Channel channel_;
  std::int64_t piece_;
};

}  // namespace

std::unique_ptr<Collectives> make_mpi_collectives(MPI_Comm comm, std::int64_t piece) {
  return std::make_unique<MpiCollectives>(comm, piece);
}

}  // namespace straq::comm
