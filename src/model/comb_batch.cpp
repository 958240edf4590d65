#include "model/comb_batch.h"

#include <algorithm>

#include "core/error.h"
#include "model/layers.h"

namespace straq::model {
namespace {

using prompt::Comb;
using prompt::Probe;

[[noreturn]] void fail_comb(const Comb& comb, const std::string& what) {
  fail_input("comb " + comb.id + ": " + what,
             "the shard is damaged or a selection was made for another comb; preprocess again");
}

void check_selection(const CombSelection& selection) {
  const Comb& comb = *selection.comb;
  const auto trunks = static_cast<std::int32_t>(comb.trunks.size());
  std::int32_t last = -1;
  for (const auto i : selection.probes) {
    if (i <= last || i >= static_cast<std::int32_t>(comb.probes.size())) {
      fail_comb(comb, "probe " + std::to_string(i) + " is not one of its " +
                          std::to_string(comb.probes.size()) + " probes in ascending order");
    }
    last = i;
    const Probe& probe = comb.probes[i];
    if (probe.tokens.empty()) fail_comb(comb, "probe " + std::to_string(i) + " has no token");
    if (probe.trunk < 0 || probe.trunk >= trunks) {
      fail_comb(comb, "probe " + std::to_string(i) + " hangs on trunk " +
                          std::to_string(probe.trunk) + " of " + std::to_string(trunks));
    }
    const auto length = comb.trunks[probe.trunk].tokens.size();
    if (probe.attach < 0 || static_cast<std::size_t>(probe.attach) > length) {
      fail_comb(comb, "probe " + std::to_string(i) + " is attached after token " +
                          std::to_string(probe.attach) + " of a trunk of " +
                          std::to_string(length));
    }
  }
}

// One trunk of one selection with its chosen probes.
struct Piece {
  const Comb* comb;
  std::int32_t selection, trunk;
  std::int64_t trunk_rows, probe_rows;
  std::vector<std::size_t> chosen;     // positions in selection.probes
  std::vector<std::int64_t> repeated;  // of each: how many of its tokens are rows of the trunk
};

std::vector<Piece> pieces_of(const CombSelection& selection, std::int32_t index) {
  const Comb& comb = *selection.comb;
  std::vector<Piece> by_trunk(comb.trunks.size());
  for (std::size_t t = 0; t < by_trunk.size(); ++t) {
    by_trunk[t] = {.comb = &comb,
                   .selection = index,
                   .trunk = static_cast<std::int32_t>(t),
                   .trunk_rows = 0,
                   .probe_rows = 0,
                   .chosen = {},
                   .repeated = {}};
  }
  for (std::size_t i = 0; i < selection.probes.size(); ++i) {
    const Probe& probe = comb.probes[selection.probes[i]];
    Piece& piece = by_trunk[probe.trunk];
    const std::int64_t repeated = comb.repeated(probe);
    piece.chosen.push_back(i);
    piece.repeated.push_back(repeated);
    piece.trunk_rows = std::max<std::int64_t>(piece.trunk_rows, probe.attach + repeated);
    piece.probe_rows += static_cast<std::int64_t>(probe.tokens.size()) - repeated;
  }
  std::vector<Piece> pieces;
  for (auto& piece : by_trunk) {
    const bool wanted = !piece.chosen.empty() || (selection.whole_trunk && piece.trunk == 0);
    if (!wanted) continue;
    if (selection.whole_trunk) {
      piece.trunk_rows = static_cast<std::int64_t>(comb.trunks[piece.trunk].tokens.size());
    }
    if (piece.trunk_rows + piece.probe_rows > 0) pieces.push_back(std::move(piece));
  }
  return pieces;
}

// The number of first tokens that all pieces have in common and that every probe sees.
std::int64_t common_prefix(const std::vector<Piece>& pieces,
                           const std::vector<CombSelection>& selections) {
  constexpr std::int64_t worth_sharing = 8;
  if (pieces.size() < 2) return 0;
  const auto& first = pieces[0].comb->trunks[pieces[0].trunk].tokens;
  std::int64_t n = pieces[0].trunk_rows;
  for (const auto& piece : pieces) {
    const auto& tokens = piece.comb->trunks[piece.trunk].tokens;
    n = std::min(n, piece.trunk_rows);
    n = std::mismatch(first.begin(), first.begin() + n, tokens.begin()).first - first.begin();
    for (const auto i : piece.chosen) {
      const Probe& probe = piece.comb->probes[selections[piece.selection].probes[i]];
      n = std::min<std::int64_t>(n, probe.attach);
    }
  }
  return n < worth_sharing ? 0 : n;
}

}  // namespace

CombBatch CombBatch::to(at::Device device) const {
  CombBatch out = *this;
  out.tokens = on_device(tokens, device);
  out.positions = on_device(positions, device);
  if (lower_states.defined()) out.lower_states = on_device(lower_states, device);
  return out;
}

CombBatch pack(const std::vector<CombSelection>& selections, at::Device device, bool share_prefix) {
  CombBatch batch;
  std::vector<Piece> pieces;
  std::vector<std::int64_t> first_probe;  // of each selection, in the order of readout_rows
  std::int64_t probes = 0;
  for (std::size_t s = 0; s < selections.size(); ++s) {
    check_selection(selections[s]);
    first_probe.push_back(probes);
    probes += static_cast<std::int64_t>(selections[s].probes.size());
    for (auto& piece : pieces_of(selections[s], static_cast<std::int32_t>(s))) {
      batch.rows += piece.trunk_rows + piece.probe_rows;
      pieces.push_back(std::move(piece));
    }
  }

  if (share_prefix) batch.prefix = common_prefix(pieces, selections);
  if (batch.prefix > 0) {
    batch.rows -= batch.prefix * (static_cast<std::int64_t>(pieces.size()) - 1);
  }

  batch.tokens = at::empty({batch.rows}, at::kLong);
  batch.positions = at::empty({batch.rows}, at::kLong);
  batch.readout_rows = at::empty({probes}, at::kLong);
  auto* token = batch.tokens.data_ptr<std::int64_t>();
  auto* position = batch.positions.data_ptr<std::int64_t>();
  auto* readout = batch.readout_rows.data_ptr<std::int64_t>();
  std::int64_t row = 0;
  const auto append = [&](std::int64_t id, std::int64_t at) {
    token[row] = id;
    position[row] = at;
    ++row;
  };
  for (std::int64_t i = 0; i < batch.prefix; ++i) {
    append(pieces[0].comb->trunks[pieces[0].trunk].tokens[i], i);
  }
  for (const auto& piece : pieces) {
    const CombSelection& selection = selections[piece.selection];
    TrunkSpan span;
    span.begin = row;
    span.trunk = piece.trunk_rows - batch.prefix;
    span.probes = piece.probe_rows;
    span.selection = piece.selection;
    span.trunk_index = piece.trunk;
    const auto& trunk = piece.comb->trunks[piece.trunk].tokens;
    for (std::int64_t i = batch.prefix; i < piece.trunk_rows; ++i) append(trunk[i], i);
    for (std::size_t c = 0; c < piece.chosen.size(); ++c) {
      const std::size_t i = piece.chosen[c];
      const Probe& probe = piece.comb->probes[selection.probes[i]];
      const auto attach = probe.attach + static_cast<std::int32_t>(piece.repeated[c]);
      const auto first = static_cast<std::int32_t>(span.probe_rows.size());
      const auto tokens = static_cast<std::int64_t>(probe.tokens.size());
      for (std::int64_t j = piece.repeated[c]; j < tokens; ++j) {
        span.probe_rows.push_back({attach, first});
        append(probe.tokens[static_cast<std::size_t>(j)], probe.attach + j);
      }
      readout[first_probe[piece.selection] + static_cast<std::int64_t>(i)] =
          piece.repeated[c] == tokens ? batch.trunk_row(span, attach - 1) : row - 1;
    }
    batch.spans.push_back(std::move(span));
  }
  if (row > 0) {
    batch.max_position = *std::max_element(position, position + row);
    const auto [low, high] = std::minmax_element(token, token + row);
    batch.min_token = *low;
    batch.max_token = *high;
  }
  return batch.to(device);
}

}  // namespace straq::model
