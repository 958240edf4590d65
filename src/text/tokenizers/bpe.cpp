#include "text/tokenizers/bpe.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <queue>

#include "core/error.h"
#include "text/unicode.h"

namespace straq::text {
namespace {

// Up to this many bytes a scan over all pairs at each merge beats a heap.
constexpr std::size_t short_piece = 96;
// Longer pieces are rare and would only fill the memory.
constexpr std::size_t remembered_bytes = 48;
constexpr std::size_t remembered_pieces = 1 << 16;

std::size_t slots_for(std::size_t expected) {
  return std::bit_ceil(std::max<std::size_t>(16, expected * 2));
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::uint64_t hash_bytes(const char* data, std::size_t size) {
  constexpr std::uint64_t k0 = 0x9E3779B97F4A7C15ull, k1 = 0xD6E8FEB86659FD93ull;
  std::uint64_t h = size * k0;
  std::uint64_t word = 0;
  while (size > 8) {
    std::memcpy(&word, data, 8);
    h = mix(h ^ word, k1);
    data += 8;
    size -= 8;
  }
  word = 0;
  for (std::size_t i = 0; i < size; ++i) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(data[i])) << (8 * i);
  }
  return mix(h ^ word, k0);
}

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const auto at = std::string_view("0123456789ABCDEF").find(c);
    if (at == std::string_view::npos) return -1;
    value = value * 16 + static_cast<int>(at);
  }
  return value;
}

PieceMap::PieceMap(std::size_t expected) : slots_(slots_for(expected)), mask_(slots_.size() - 1) {}

std::size_t PieceMap::place(std::string_view piece, std::uint64_t hash) const {
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
    const Slot& s = slots_[i];
    if (s.bytes == 0) return i;
    if (s.tag == tag && s.bytes == piece.size() &&
        std::memcmp(keys_.data() + s.key, piece.data(), piece.size()) == 0) {
      return i;
    }
  }
}

void PieceMap::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  for (const Slot& s : old) {
    if (s.bytes == 0) continue;
    const std::uint64_t hash = hash_bytes(keys_.data() + s.key, s.bytes);
    std::size_t i = hash & mask_;
    while (slots_[i].bytes != 0) i = (i + 1) & mask_;
    slots_[i] = s;
  }
}

void PieceMap::insert(std::string_view piece, std::uint64_t hash, const TokenId* ids,
                      std::size_t count) {
  if (piece.empty() || piece.size() > UINT16_MAX || count > UINT16_MAX) return;
  if ((size_ + 1) * 2 > slots_.size()) grow();
  Slot& s = slots_[place(piece, hash)];
  if (s.bytes != 0) return;
  s.tag = static_cast<std::uint32_t>(hash >> 32);
  s.key = static_cast<std::uint32_t>(keys_.size());
  s.bytes = static_cast<std::uint16_t>(piece.size());
  s.count = static_cast<std::uint16_t>(count);
  keys_.append(piece);
  if (count == 1) {
    s.value = static_cast<std::uint32_t>(ids[0]);
  } else {
    s.value = static_cast<std::uint32_t>(ids_.size());
    ids_.insert(ids_.end(), ids, ids + count);
  }
  ++size_;
}

bool PieceMap::find(std::string_view piece, std::uint64_t hash, std::vector<TokenId>& ids) const {
  const Slot& s = slots_[place(piece, hash)];
  if (s.bytes == 0) return false;
  if (s.count == 1) {
    ids.push_back(static_cast<TokenId>(s.value));
  } else {
    ids.insert(ids.end(), ids_.begin() + s.value, ids_.begin() + s.value + s.count);
  }
  return true;
}

void PieceMap::clear() {
  slots_.assign(slots_.size(), Slot{});
  keys_.clear();
  ids_.clear();
  size_ = 0;
}

PairMap::PairMap(std::size_t expected)
    : keys_(slots_for(expected), free_key),
      merges_(keys_.size()),
      mask_(keys_.size() - 1),
      shift_(64 - std::countr_zero(keys_.size())) {}

void PairMap::grow() {
  PairMap bigger(keys_.size());
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    if (keys_[i] == free_key) continue;
    bigger.insert(static_cast<TokenId>(keys_[i] >> 32), static_cast<TokenId>(keys_[i]), merges_[i]);
  }
  *this = std::move(bigger);
}

void PairMap::insert(TokenId left, TokenId right, Merge merge) {
  if ((size_ + 1) * 2 > keys_.size()) grow();
  const std::uint64_t key = key_of(left, right);
  std::size_t i = slot_of(key);
  while (keys_[i] != free_key && keys_[i] != key) i = (i + 1) & mask_;
  if (keys_[i] == key) {
    merges_[i] = merge;
    return;
  }
  keys_[i] = key;
  merges_[i] = merge;
  ++size_;
}

void BytePairEncoder::find_symbols(const std::vector<std::string>& tokens) {
  byte_ids_.fill(-1);
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::string& token = tokens[id];
    if (token.empty()) continue;
    const auto value = static_cast<TokenId>(id);
    int byte = -1;
    if (!symbols_.characters) {
      if (token.size() == 1) byte = static_cast<unsigned char>(token[0]);
    } else {
      if (symbols_.byte_fallback) byte = byte_of_token(token);
      const Character d = utf8_character(token.data());
      if (d.bytes == token.size()) character_ids_.emplace(d.code, value);
    }
    if (byte < 0) continue;
    TokenId& slot = byte_ids_[static_cast<std::size_t>(byte)];
    if (slot < 0) slot = value;
  }
}

bool BytePairEncoder::complete() const {
  if (symbols_.characters && !symbols_.byte_fallback) return false;
  for (int b = 0; b < 256; ++b) {
    // Valid UTF-8 has none of these.
    if (b == 0xC0 || b == 0xC1 || b >= 0xF5) continue;
    if (byte_ids_[static_cast<std::size_t>(b)] < 0) return false;
  }
  return true;
}

void BytePairEncoder::keep_whole(const std::vector<std::string>& tokens) {
  whole_ = PieceMap(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const auto token = static_cast<TokenId>(id);
    whole_.insert(tokens[id], hash_bytes(tokens[id].data(), tokens[id].size()), &token, 1);
  }
}

BytePairEncoder BytePairEncoder::from_ranks(const std::vector<std::string>& tokens,
                                            const std::string& where) {
  BytePairEncoder out;
  out.symbols_.whole_pieces = true;
  out.find_symbols(tokens);
  for (int b = 0; b < 256; ++b) {
    if (out.byte_ids_[static_cast<std::size_t>(b)] >= 0) continue;
    char hex[8];
    std::snprintf(hex, sizeof hex, "0x%02X", b);
    fail_input(where + ": byte " + hex + " has no token of its own",
               "a table of ranks needs a token for each of the 256 bytes");
  }
  out.keep_whole(tokens);
  // Every way to put a token together from two others, so that merging needs ids only.
  out.pairs_ = PairMap(tokens.size() * 4);
  std::vector<TokenId> found;
  const auto id_of = [&](std::string_view bytes) -> TokenId {
    found.clear();
    return out.whole_.find(bytes, hash_bytes(bytes.data(), bytes.size()), found) ? found[0] : -1;
  };
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokens[id];
    for (std::size_t cut = 1; cut < token.size(); ++cut) {
      const TokenId left = id_of(token.substr(0, cut));
      if (left < 0) continue;
      const TokenId right = id_of(token.substr(cut));
      if (right < 0) continue;
      out.pairs_.insert(left, right, {static_cast<std::uint32_t>(id), static_cast<TokenId>(id)});
    }
  }
  return out;
}

BytePairEncoder BytePairEncoder::from_merges(const std::vector<std::string>& tokens,
                                             const std::vector<MergeRule>& merges,
                                             const Symbols& symbols) {
  BytePairEncoder out;
  out.symbols_ = symbols;
  out.find_symbols(tokens);
  if (symbols.whole_pieces) out.keep_whole(tokens);
  out.pairs_ = PairMap(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const MergeRule& m = merges[rank];
    out.pairs_.insert(m.left, m.right, {static_cast<std::uint32_t>(rank), m.result});
  }
  return out;
}

void BytePairEncoder::append(std::string_view piece, PieceMap* memory,
                             std::vector<TokenId>& ids) const {
  if (piece.size() == 1 && !symbols_.characters) {
    if (const TokenId id = byte_ids_[static_cast<unsigned char>(piece[0])]; id >= 0) {
      ids.push_back(id);
      return;
    }
  }
  const std::uint64_t hash = hash_bytes(piece.data(), piece.size());
  if (whole_.find(piece, hash, ids)) return;
  const bool remember = memory != nullptr && piece.size() <= remembered_bytes;
  if (remember && memory->find(piece, hash, ids)) return;
  const std::size_t start = ids.size();
  merge(piece, ids);
  if (remember) {
    if (memory->size() >= remembered_pieces) memory->clear();
    memory->insert(piece, hash, ids.data() + start, ids.size() - start);
  }
}

bool BytePairEncoder::makes(std::string_view bytes, TokenId id) const {
  std::vector<TokenId> ids;
  merge(bytes, ids);
  return ids.size() == 1 && ids[0] == id && symbols_.unknown != id;
}

// What the reference's merge_word does: an unknown symbol waits until it is known whether the next
// one is unknown too. One that waits when bytes are spelled out comes after them there.
void BytePairEncoder::begin(std::string_view piece, std::vector<TokenId>& symbols) const {
  symbols.clear();
  TokenId waiting = -1;
  const auto known = [&](TokenId id) {
    if (waiting >= 0) symbols.push_back(waiting);
    waiting = -1;
    symbols.push_back(id);
  };
  const auto unknown = [&] {
    if (!symbols_.unknown) return;
    if (waiting >= 0 && !symbols_.fuse_unknown) symbols.push_back(waiting);
    waiting = *symbols_.unknown;
  };
  if (!symbols_.characters) {
    for (const char c : piece) {
      const TokenId id = byte_ids_[static_cast<unsigned char>(c)];
      id >= 0 ? known(id) : unknown();
    }
  } else {
    for (std::size_t i = 0; i < piece.size();) {
      const Character d = utf8_character(piece.data() + i);
      const std::string_view bytes = piece.substr(i, d.bytes);
      i += d.bytes;
      if (const auto it = character_ids_.find(d.code); it != character_ids_.end()) {
        known(it->second);
        continue;
      }
      const auto has_token = [&](char c) { return byte_ids_[static_cast<unsigned char>(c)] >= 0; };
      if (symbols_.byte_fallback && std::all_of(bytes.begin(), bytes.end(), has_token)) {
        for (const char c : bytes) symbols.push_back(byte_ids_[static_cast<unsigned char>(c)]);
      } else {
        unknown();
      }
    }
  }
  if (waiting >= 0) symbols.push_back(waiting);
}

void BytePairEncoder::merge(std::string_view piece, std::vector<TokenId>& ids) const {
  thread_local std::vector<TokenId> symbols;
  begin(piece, symbols);
  symbols.size() <= short_piece ? merge_short(symbols, ids) : merge_long(symbols, ids);
}

void BytePairEncoder::merge_short(const std::vector<TokenId>& symbols,
                                  std::vector<TokenId>& ids) const {
  std::array<TokenId, short_piece> token;
  std::array<PairMap::Merge, short_piece> merge;  // of token i with token i + 1
  std::size_t n = symbols.size();
  std::copy(symbols.begin(), symbols.end(), token.begin());
  for (std::size_t i = 0; i + 1 < n; ++i) merge[i] = pairs_.find(token[i], token[i + 1]);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      if (merge[i].rank < merge[best].rank) best = i;  // of equal ranks the leftmost
    }
    if (merge[best].rank == PairMap::no_rank) break;
    token[best] = merge[best].id;
    --n;
    for (std::size_t i = best + 1; i < n; ++i) {
      token[i] = token[i + 1];
      merge[i - 1] = merge[i];
    }
    if (best + 1 < n) merge[best] = pairs_.find(token[best], token[best + 1]);
    if (best > 0) merge[best - 1] = pairs_.find(token[best - 1], token[best]);
  }
  ids.insert(ids.end(), token.begin(), token.begin() + static_cast<std::ptrdiff_t>(n));
}

void BytePairEncoder::merge_long(const std::vector<TokenId>& symbols,
                                 std::vector<TokenId>& ids) const {
  struct Node {
    TokenId token;
    std::int64_t before, after;  // -1: none
    PairMap::Merge merge;        // with the node after
  };
  const auto n = static_cast<std::int64_t>(symbols.size());
  std::vector<Node> nodes(symbols.size());
  using Entry = std::pair<std::uint32_t, std::int64_t>;  // rank, node: the leftmost wins ties
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue;
  const auto at = [&](std::int64_t i) -> Node& { return nodes[static_cast<std::size_t>(i)]; };
  const auto look = [&](std::int64_t i) {
    Node& node = at(i);
    node.merge = node.after < 0 ? PairMap::Merge{} : pairs_.find(node.token, at(node.after).token);
    if (node.merge.rank != PairMap::no_rank) queue.emplace(node.merge.rank, i);
  };
  for (std::int64_t i = 0; i < n; ++i) {
    at(i) = {symbols[static_cast<std::size_t>(i)], i - 1, i + 1 < n ? i + 1 : -1, {}};
  }
  for (std::int64_t i = 0; i < n; ++i) look(i);
  while (!queue.empty()) {
    const auto [rank, i] = queue.top();
    queue.pop();
    Node& node = at(i);
    // Left over from before a neighbour changed, or the node is gone (its token is -1).
    if (node.token < 0 || node.merge.rank != rank) continue;
    Node& gone = at(node.after);
    node.token = node.merge.id;
    node.after = gone.after;
    if (gone.after >= 0) at(gone.after).before = i;
    gone.token = -1;
    look(i);
    if (node.before >= 0) look(node.before);
  }
  for (std::int64_t i = 0; i >= 0; i = at(i).after) ids.push_back(at(i).token);
}

}  // namespace straq::text
