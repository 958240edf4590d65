#include "train/shared_outcome.h"

#include <algorithm>

namespace straq::train {

void agree(comm::Collectives& group, const std::optional<results::PointFailure>& mine) {
  const int ranks = group.size();
  // The lowest rank with a failure, as the highest number.
  const double found = group.allreduce_max(mine ? ranks - group.rank() : 0);
  if (found <= 0) return;
  const int first = ranks - static_cast<int>(found);
  if (ranks == 1) throw SharedFailure(*mine);
  const bool speaks = group.rank() == first;
  // Texts travel as numbers, which every backend can sum: the others add nothing.
  const auto share = [&](const std::string& text) {
    const double length = group.allreduce_max(speaks ? static_cast<double>(text.size()) : 0);
    std::vector<double> codes(static_cast<std::size_t>(length), 0.0);
    if (speaks) {
      std::transform(text.begin(), text.end(), codes.begin(),
                     [](unsigned char c) { return static_cast<double>(c); });
    }
    codes = group.allreduce_sum(std::move(codes));
    std::string out(codes.size(), '\0');
    std::transform(codes.begin(), codes.end(), out.begin(),
                   [](double c) { return static_cast<char>(static_cast<unsigned char>(c)); });
    return out;
  };
  const auto kinds = group.allreduce_sum(
      std::vector<double>{speaks ? static_cast<double>(mine->exit_code()) : 0,
                          speaks ? static_cast<double>(static_cast<int>(mine->failure())) : 0});
  const std::string message = share(speaks ? mine->what() : ""),
                    hint = share(speaks ? mine->hint() : "");
  const Error error(static_cast<ErrorKind>(static_cast<int>(kinds[0])),
                    first == 0 ? message : "learner " + std::to_string(first) + ": " + message,
                    hint);
  throw SharedFailure({static_cast<results::FailureKind>(static_cast<int>(kinds[1])), error});
}

}  // namespace straq::train
