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
  std::vector<std::int64_t> trunk;     // of each trunk its first row; -1: none are kept
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

namespace {

class Stored : public SplitStates {
 public:
  // What all splits have in common.
  struct Common {
    std::string folder, identity;
    at::ScalarType stored;
    bool whole, text;
    std::int64_t micro_tokens;
  };

  Stored(const model::Llama& model, Common common, const std::string& split,
         const std::vector<Comb>& combs)
      : model_(model), common_(std::move(common)), combs_(combs) {
    pieces_ = pieces_of(combs, common_.whole, common_.text);
    states_.resize(pieces_.size());
    for (std::size_t p = 0; p < pieces_.size(); ++p) {
      contents_.push_back(contents_of(combs, pieces_[p], common_.whole, common_.text));
      paths_.push_back(
          (fs::path(common_.folder) / fmt::format("{}-{:05d}.safetensors", split, p)).string());
      std::int64_t row = 0;
      for (auto c = pieces_[p].first; c < pieces_[p].last; ++c) {
        places_.emplace(&combs[c], Place{p, row});
        row += row_count(combs[c], common_.whole, common_.text);
      }
    }
  }

  std::int64_t pieces() const override { return static_cast<std::int64_t>(pieces_.size()); }

  double bytes() const override {
    double rows = 0;
    for (const auto& piece : pieces_) rows += static_cast<double>(piece.rows);
    return rows * static_cast<double>(model_.shape().hidden) *
           static_cast<double>(at::elementSize(common_.stored));
  }

  bool make(std::int64_t index) override {
    c10::NoGradGuard no_grad;
    const auto at = static_cast<std::size_t>(index);
    const Piece& piece = pieces_[at];
    if (fs::exists(paths_[at])) {
      const model::SafetensorsFile there(paths_[at]);
      if (says(there, "contents", contents_[at])) return false;
    }
    at::Tensor all =
        at::empty({piece.rows, model_.shape().hidden}, at::TensorOptions().dtype(common_.stored));
    std::int64_t row = 0;
    for (auto c = piece.first; c < piece.last;) {
      std::vector<const Comb*> some;
      std::int64_t tokens = 0;
      for (; c < piece.last && (some.empty() || tokens < common_.micro_tokens); ++c) {
        if (row_count(combs_[c], common_.whole, common_.text) == 0) continue;
        some.push_back(&combs_[c]);
        tokens += combs_[c].token_count();
      }
      if (some.empty()) continue;
      const at::Tensor states = states_of(model_, some, common_.whole, common_.text);
      all.narrow(0, row, states.size(0)).copy_(states);
      row += states.size(0);
    }
    make_folders(common_.folder);
    model::write_safetensors(
        paths_[at], {{kStates, all}},
        {{"identity", common_.identity}, {"contents", contents_[at]}, {"sha256", digest(all)}});
    states_[at] = at::Tensor();  // of what was there before
    return true;
  }

  model::CombBatch pack(const std::vector<model::CombSelection>& selections) override {
    return common_.whole ? pack_read(selections) : pack_rows(selections);
  }

 private:
  struct Place {
    std::size_t piece;
    std::int64_t row;
  };

  static bool says(const model::SafetensorsFile& file, const char* key, const std::string& value) {
    const auto found = file.metadata().find(key);
    return found != file.metadata().end() && found->second == value;
  }

  // The dialogue's rows, from its first.
  at::Tensor from(const Comb& comb) {
    const auto& place = places_.at(&comb);
    at::Tensor& states = states_[place.piece];
    if (!states.defined()) states = opened(place.piece);
    return states.narrow(0, place.row, states.size(0) - place.row);
  }

  at::Tensor opened(std::size_t piece) const {
    const model::SafetensorsFile file(paths_[piece]);
    const char* hint = "remove the file; the next run computes it again";
    if (!says(file, "identity", common_.identity) || !says(file, "contents", contents_[piece])) {
      fail_input(file.path() + " holds states of other weights or dialogues", hint);
    }
    const at::Tensor states = file.tensor(kStates);
    if (!says(file, "sha256", digest(states))) fail_input(file.path() + " is damaged", hint);
    return states;
  }

  model::CombBatch pack_rows(const std::vector<model::CombSelection>& selections) {
    model::CombBatch batch = model::pack(selections, at::kCPU);
    std::vector<StoredRows> stored;
    std::vector<at::Tensor> rows;
    for (const auto& s : selections) {
      stored.push_back(stored_rows(*s.comb, common_.text));
      rows.push_back(from(*s.comb));
    }
    const auto width = rows.empty() ? 0 : rows.front().size(1);
    batch.lower_states = at::empty({batch.rows, width}, at::TensorOptions().dtype(model_.dtype()));
    each_run(batch, selections, stored,
             [&](std::int64_t row, std::int64_t count, std::size_t s, std::int64_t at) {
               batch.lower_states.narrow(0, row, count).copy_(rows[s].narrow(0, at, count));
             });
    return batch;
  }

  // Rows that are read alone: no tokens, nothing that a row would see of another.
  model::CombBatch pack_read(const std::vector<model::CombSelection>& selections) {
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
    batch.lower_states = read.empty() ? at::empty({0, 0}, at::TensorOptions().dtype(model_.dtype()))
                                      : at::cat(read).to(model_.dtype());
    return batch;
  }

  const model::Llama& model_;
  Common common_;
  const std::vector<Comb>& combs_;
  std::vector<Piece> pieces_;
  std::vector<std::string> paths_, contents_;  // of each piece
  std::unordered_map<const Comb*, Place> places_;
  std::vector<at::Tensor> states_;  // of the pieces that were read; they look into mapped files
};

}  // namespace

std::shared_ptr<SplitStates> FrozenStates::of(const std::string& split,
                                              const std::vector<Comb>& combs) const {
  return std::make_shared<Stored>(
      model_, Stored::Common{folder_, identity_, stored_, whole_, text_, micro_tokens_}, split,
      combs);
}

}  // namespace straq::learn
