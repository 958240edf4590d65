#include "learn/frozen_states.h"

#include <c10/core/GradMode.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "core/error.h"
#include "core/files/files.h"
#include "core/hash.h"
#include "model/weights/safetensors.h"
#include "model/weights/weights_io.h"

namespace straq::learn {
namespace {

namespace fs = std::filesystem;
using prompt::Comb;

constexpr const char* kStates = "states";
constexpr std::int64_t kPieceRows = 16384;  // a piece is closed when it has so many

// Where the rows of a dialogue lie among its stored ones.
struct StoredRows {
  std::vector<std::int64_t> trunk;  // of each trunk its first row; -1: none are kept
  std::vector<std::int64_t> trunk_rows;
  std::vector<std::int64_t> probe;     // of each probe its first row that is no trunk's
  std::vector<std::int64_t> repeated;  // of each probe, the tokens before that row
  std::int64_t count = 0;
};

StoredRows stored_rows(const Comb& comb, bool text) {
  StoredRows out;
  const auto size = [](const auto& v) { return static_cast<std::int64_t>(v.size()); };
  std::vector<std::int64_t> wanted(comb.trunks.size(), -1);
  if (text && !comb.trunks.empty()) wanted[0] = 0;
  for (const auto& probe : comb.probes) {
    out.repeated.push_back(comb.repeated(probe));
    auto& rows = wanted[static_cast<std::size_t>(probe.trunk)];
    rows = std::max<std::int64_t>(rows, probe.attach + out.repeated.back());
  }
  for (std::size_t t = 0; t < wanted.size(); ++t) {
    const auto rows = wanted[t] < 0 ? 0 : text ? size(comb.trunks[t].tokens) : wanted[t];
    out.trunk.push_back(wanted[t] < 0 ? -1 : out.count);
    out.trunk_rows.push_back(rows);
    out.count += rows;
  }
  for (std::size_t p = 0; p < comb.probes.size(); ++p) {
    out.probe.push_back(out.count);
    out.count += size(comb.probes[p].tokens) - out.repeated[p];
  }
  return out;
}

std::int64_t row_count(const Comb& comb, bool whole, bool text) {
  return whole ? static_cast<std::int64_t>(comb.probes.size()) : stored_rows(comb, text).count;
}

// Dialogues [first, last) of a split.
struct Piece {
  std::size_t first = 0, last = 0;
  std::int64_t rows = 0;
};

std::vector<Piece> pieces_of(const std::vector<Comb>& combs, bool whole, bool text) {
  std::vector<Piece> out;
  Piece open;
  for (std::size_t c = 0; c < combs.size(); ++c) {
    open.rows += row_count(combs[c], whole, text);
    open.last = c + 1;
    // Where only what is read is kept its trunks are what a piece costs.
    const auto cost = whole ? 64 * open.rows : open.rows;
    if (cost < kPieceRows && open.last < combs.size()) continue;
    out.push_back(open);
    open = {open.last, open.last, 0};
  }
  return out;
}

model::CombSelection everything(const Comb& comb, bool text) {
  model::CombSelection out{&comb, {}, text};
  out.probes.resize(comb.probes.size());
  std::iota(out.probes.begin(), out.probes.end(), 0);
  return out;
}

// f(row of the batch, count, index of the selection, its first stored row) for runs of rows.
template <class F>
void each_run(const model::CombBatch& batch, const std::vector<model::CombSelection>& selections,
              const std::vector<StoredRows>& stored, F&& f) {
  if (batch.prefix > 0) {
    const auto& span = batch.spans.front();
    const auto s = static_cast<std::size_t>(span.selection);
    f(0, batch.prefix, s, stored[s].trunk[static_cast<std::size_t>(span.trunk_index)]);
  }
  for (const auto& span : batch.spans) {
    const auto s = static_cast<std::size_t>(span.selection);
    const auto& rows = stored[s];
    const auto& comb = *selections[s].comb;
    const auto trunk = rows.trunk[static_cast<std::size_t>(span.trunk_index)];
    if (span.trunk > 0) f(span.begin, span.trunk, s, trunk + batch.prefix);
    auto row = span.begin + span.trunk;
    for (const auto p : selections[s].probes) {
      const auto at = static_cast<std::size_t>(p);
      const auto& probe = comb.probes[at];
      if (probe.trunk != span.trunk_index) continue;
      const auto count = static_cast<std::int64_t>(probe.tokens.size()) - rows.repeated[at];
      if (count > 0) f(row, count, s, rows.probe[at]);
      row += count;
    }
  }
}

// The stored rows of some dialogues, [rows, hidden] on the host in the model's precision.
at::Tensor states_of(const model::Llama& model, const std::vector<const Comb*>& combs, bool whole,
                     bool text) {
  std::vector<model::CombSelection> selections;
  std::vector<StoredRows> stored;
  std::vector<std::int64_t> first;
  std::int64_t total = 0;
  for (const auto* comb : combs) {
    selections.push_back(everything(*comb, text));
    stored.push_back(stored_rows(*comb, text));
    first.push_back(total);
    total += stored.back().count;
  }
  const model::CombBatch batch = model::pack(selections, model.device());
  const at::Tensor states = model.lower_states(batch).cpu();
  if (whole) return states.index_select(0, batch.readout_rows);
  at::Tensor out = at::empty({total, states.size(1)}, states.options());
  // What the trunks share is a row of each of them.
  for (std::size_t p = 0; batch.prefix > 0 && p < batch.spans.size(); ++p) {
    const auto& span = batch.spans[p];
    const auto s = static_cast<std::size_t>(span.selection);
    const auto trunk = stored[s].trunk[static_cast<std::size_t>(span.trunk_index)];
    out.narrow(0, first[s] + trunk, batch.prefix).copy_(states.narrow(0, 0, batch.prefix));
  }
  each_run(batch, selections, stored,
           [&](std::int64_t row, std::int64_t count, std::size_t s, std::int64_t at) {
             out.narrow(0, first[s] + at, count).copy_(states.narrow(0, row, count));
           });
  return out;
}

std::string digest(const at::Tensor& states) {
  return Sha256().update(states.const_data_ptr(), states.nbytes()).hex();
}

// Of the dialogues of a piece: their names and numbers of rows.
std::string contents_of(const std::vector<Comb>& combs, const Piece& piece, bool whole, bool text) {
  Sha256 all;
  for (auto c = piece.first; c < piece.last; ++c) {
    all.update(combs[c].id + "\n" + std::to_string(row_count(combs[c], whole, text)) + "\n");
  }
  return all.hex();
}

}  // namespace

std::string StatesIdentity::hex() const {
  return sha256_hex(fmt::format("frozen states 1\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n", data, weights,
                                layers, whole, text, model::word_of_dtype(stored), computed));
}

FrozenStates::FrozenStates(const std::string& folder, const std::string& data_key,
                           const model::Llama& model, at::ScalarType stored, bool text,
                           std::int64_t micro_tokens)
    : model_(model),
      stored_(stored),
      whole_(model.part().lowest() == model.shape().layers),
      text_(text),
      micro_tokens_(std::max<std::int64_t>(1, micro_tokens)) {
  identity_ = StatesIdentity{.data = data_key,
                             .weights = model.frozen().checksum(),
                             .layers = model.part().lowest(),
                             .whole = whole_,
                             .text = text,
                             .stored = stored,
                             .computed = model::word_of_dtype(model.dtype()) +
                                         (model.device().is_cuda() ? " on a GPU" : "")}
                  .hex();
  folder_ = (fs::path(folder) / "frozen" / identity_.substr(0, 16)).string();
}

std::string FrozenStates::path(const std::string& split, std::int64_t piece) const {
  return (fs::path(folder_) / fmt::format("{}-{:05d}.safetensors", split, piece)).string();
}

std::int64_t FrozenStates::pieces(const std::vector<Comb>& combs) const {
  return static_cast<std::int64_t>(pieces_of(combs, whole_, text_).size());
}

double FrozenStates::bytes(const std::vector<Comb>& combs) const {
  double rows = 0;
  for (const auto& comb : combs) rows += static_cast<double>(row_count(comb, whole_, text_));
  return rows * static_cast<double>(model_.shape().hidden) *
         static_cast<double>(at::elementSize(stored_));
}

bool FrozenStates::make(const std::string& split, const std::vector<Comb>& combs,
                        std::int64_t index) const {
  c10::NoGradGuard no_grad;
  const std::string file = path(split, index);
  const Piece piece = pieces_of(combs, whole_, text_)[static_cast<std::size_t>(index)];
  const std::string contents = contents_of(combs, piece, whole_, text_);
  if (fs::exists(file)) {
    const model::SafetensorsFile there(file);
    const auto found = there.metadata().find("contents");
    if (found != there.metadata().end() && found->second == contents) return false;
  }
  at::Tensor all =
      at::empty({piece.rows, model_.shape().hidden}, at::TensorOptions().dtype(stored_));
  std::int64_t row = 0;
  for (auto c = piece.first; c < piece.last;) {
    std::vector<const Comb*> some;
    std::int64_t tokens = 0;
    for (; c < piece.last && (some.empty() || tokens < micro_tokens_); ++c) {
      if (row_count(combs[c], whole_, text_) == 0) continue;
      some.push_back(&combs[c]);
      tokens += combs[c].token_count();
    }
    if (some.empty()) continue;
    const at::Tensor states = states_of(model_, some, whole_, text_);
    all.narrow(0, row, states.size(0)).copy_(states);
    row += states.size(0);
  }
  make_folders(folder_);
  model::write_safetensors(
      file, {{kStates, all}},
      {{"identity", identity_}, {"contents", contents}, {"sha256", digest(all)}});
  return true;
}

namespace {

// A split's pieces, opened when they are first asked for.
class StoredSplit {
 public:
  StoredSplit(std::vector<std::string> paths, std::string identity, const std::vector<Comb>& combs,
              bool whole, bool text)
      : paths_(std::move(paths)), identity_(std::move(identity)), whole_(whole), text_(text) {
    states_.resize(paths_.size());
    const auto pieces = pieces_of(combs, whole, text);
    for (std::size_t p = 0; p < pieces.size(); ++p) {
      contents_.push_back(contents_of(combs, pieces[p], whole, text));
      std::int64_t row = 0;
      for (auto c = pieces[p].first; c < pieces[p].last; ++c) {
        places_.emplace(&combs[c], Place{p, row});
        row += row_count(combs[c], whole, text);
      }
    }
  }

  model::CombBatch pack(const std::vector<model::CombSelection>& selections, at::ScalarType dtype) {
    return whole_ ? pack_read(selections, dtype) : pack_rows(selections, dtype);
  }

 private:
  struct Place {
    std::size_t piece;
    std::int64_t row;
  };

  // The dialogue's rows, from its first.
  at::Tensor from(const Comb& comb) {
    const auto& place = places_.at(&comb);
    at::Tensor& states = states_[place.piece];
    if (!states.defined()) states = opened(place.piece);
    return states.narrow(0, place.row, states.size(0) - place.row);
  }

  at::Tensor opened(std::size_t piece) const {
    const model::SafetensorsFile file(paths_[piece]);
    const auto says = [&](const char* key, const std::string& value) {
      const auto found = file.metadata().find(key);
      return found != file.metadata().end() && found->second == value;
    };
    const char* hint = "remove the file; the next run computes it again";
    if (!says("identity", identity_) || !says("contents", contents_[piece])) {
      fail_input(file.path() + " holds states of other weights or dialogues", hint);
    }
    const at::Tensor states = file.tensor(kStates);
    if (!says("sha256", digest(states))) fail_input(file.path() + " is damaged", hint);
    return states;
  }

  model::CombBatch pack_rows(const std::vector<model::CombSelection>& selections,
                             at::ScalarType dtype) {
    model::CombBatch batch = model::pack(selections, at::kCPU);
    std::vector<StoredRows> stored;
    std::vector<at::Tensor> rows;
    for (const auto& s : selections) {
      stored.push_back(stored_rows(*s.comb, text_));
      rows.push_back(from(*s.comb));
    }
    const auto width = rows.empty() ? 0 : rows.front().size(1);
    batch.lower_states = at::empty({batch.rows, width}, at::TensorOptions().dtype(dtype));
    each_run(batch, selections, stored,
             [&](std::int64_t row, std::int64_t count, std::size_t s, std::int64_t at) {
               batch.lower_states.narrow(0, row, count).copy_(rows[s].narrow(0, at, count));
             });
    return batch;
  }

  // Rows that are read alone: no tokens, nothing that a row would see of another.
  model::CombBatch pack_read(const std::vector<model::CombSelection>& selections,
                             at::ScalarType dtype) {
    model::CombBatch batch;
    for (const auto& s : selections) batch.rows += static_cast<std::int64_t>(s.probes.size());
    batch.tokens = batch.positions = at::zeros({batch.rows}, at::kLong);
    batch.readout_rows = at::arange(batch.rows, at::kLong);
    batch.max_position = 0;
    std::vector<at::Tensor> read;
    for (const auto& s : selections) {
      const at::Tensor rows = from(*s.comb);
      for (const auto p : s.probes) read.push_back(rows.narrow(0, p, 1));
    }
    batch.lower_states = read.empty() ? at::empty({0, 0}, at::TensorOptions().dtype(dtype))
                                      : at::cat(read).to(dtype);
    return batch;
  }

  std::vector<std::string> paths_, contents_;
  std::string identity_;
  bool whole_, text_;
  std::unordered_map<const Comb*, Place> places_;
  std::vector<at::Tensor> states_;  // look into mapped files
};

}  // namespace

planner::Pack FrozenStates::pack(const std::string& split, const std::vector<Comb>& combs) const {
  std::vector<std::string> paths;
  for (std::int64_t p = 0; p < pieces(combs); ++p) paths.push_back(path(split, p));
  const auto stored =
      std::make_shared<StoredSplit>(std::move(paths), identity_, combs, whole_, text_);
  return [stored, dtype = model_.dtype()](const std::vector<model::CombSelection>& selections) {
    return stored->pack(selections, dtype);
  };
}

}  // namespace straq::learn
