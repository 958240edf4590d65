// Combs laid end to end as one packed batch without padding: the linear layers run over all rows at
// once, attention runs trunk by trunk. The tokens that all trunks begin with (instruction and
// options) are rows of the batch once and seen by every trunk.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <vector>

#include "prompt/comb.h"

namespace straq::model {

// A probe token that is no token of the trunk: it sees the first `attach` tokens of its trunk (the
// shared prefix among them) and the probe rows [begin, its own] of its span.
struct ProbeRow {
  std::int32_t attach = 0;
  std::int32_t begin = 0;
};

// One trunk with the probes that hang on it, as rows of the packed batch: [begin, begin + trunk)
// are the trunk's tokens after the shared prefix, [begin + trunk, begin + trunk + probes) the probe
// tokens.
struct TrunkSpan {
  std::int64_t begin = 0;
  std::int64_t trunk = 0;
  std::int64_t probes = 0;
  std::int32_t selection = 0;    // which of the packed selections it belongs to
  std::int32_t trunk_index = 0;  // which of that comb's trunks it is
  std::vector<ProbeRow> probe_rows;
};

struct CombBatch {
  at::Tensor tokens;     // [rows] int64
  at::Tensor positions;  // [rows] int64: the RoPE position of each row
  // Rows [0, prefix) are the tokens that all trunks begin with, at positions [0, prefix).
  std::int64_t prefix = 0;
  std::vector<TrunkSpan> spans;
  // [probes given] int64: the row at which each probe is read, in the order in which they were
  // given. On the host, which decides by them what the last layer computes.
  at::Tensor readout_rows;
  std::int64_t rows = 0;
  // Largest position, and smallest and largest token id, known on the host so that a forward pass
  // can check them without waiting for the device. -1 as max_position: not known.
  std::int64_t max_position = -1;
  std::int64_t min_token = 0, max_token = 0;
  // [rows, hidden]: what a model's frozen layers (TrainedPart) make of the rows, where it is known
  // already; undefined: they are computed. In the precision of that model.
  at::Tensor lower_states;

  // Tensors on `device` but for readout_rows, which stay on the host.
  CombBatch to(at::Device device) const;

  // The row of token `i` of the span's trunk, counted from the trunk's beginning.
  std::int64_t trunk_row(const TrunkSpan& span, std::int64_t i) const {
    return i < prefix ? i : span.begin + i - prefix;
  }
  // How many tokens of the span's trunk the batch holds, the shared ones among them.
  std::int64_t trunk_tokens(const TrunkSpan& span) const { return prefix + span.trunk; }
};

// What of a comb goes into a batch: all of its probes, or some; the trunk up to the last token that
// a chosen probe sees, or whole (the language-model objective needs every token).
struct CombSelection {
  const prompt::Comb* comb = nullptr;
  std::vector<std::int32_t> probes;  // indices into comb->probes, ascending
  bool whole_trunk = false;          // keep the trunk's tokens past the last chosen probe
};

// Packs the selections. Trunks that no chosen probe hangs on are left out (with whole_trunk the
// comb's first trunk is always in). readout_rows follow the order of the selections and, within
// one, of its `probes`. Throws Error(input) naming the comb when a selection or a comb is malformed
// (probe out of range or out of order, attached past its trunk's end, or without tokens).
//
// A probe's first tokens with which its trunk goes on are not laid again (Comb::repeated): the rest
// hangs further down the trunk, and a probe of which nothing rests is read at a row of the trunk.
//
// share_prefix: lay the tokens that all packed trunks begin with once, where that saves at least a
// few rows. The hidden states are the same either way; sharing costs nothing and saves the
// instruction's rows of every dialogue but one.
CombBatch pack(const std::vector<CombSelection>& selections, at::Device device,
               bool share_prefix = true);

}  // namespace straq::model
