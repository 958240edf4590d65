#include "model/inference/cache.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

#include "model/row_kernels.h"

namespace straq::model {
namespace {

std::int64_t rounded_up(std::int64_t n, std::int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

}  // namespace

void Cache::FreeMemory::operator()(float* p) const {
  std::free(p);
}

Cache::Cache(const CacheShape& shape, std::int64_t pages, at::ScalarType dtype, at::Device device)
    : shape_(shape),
      limit_(pages),
      padded_(rounded_up(shape.head_dim, kernel::kPanel)),
      dtype_(dtype),
      device_(device),
      by_kernels_(device.is_cpu() && dtype == at::kFloat && row_kernels_allowed) {
  if (by_kernels_) return;
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  for (std::int64_t i = 0; i < shape.layers; ++i) {
    for (auto* slots : {&key_slots_, &value_slots_}) {
      slots->push_back(at::zeros({pages * kPage, shape.kv_heads, shape.head_dim}, options));
    }
  }
}

std::int64_t Cache::page_bytes(const CacheShape& shape, at::ScalarType dtype) {
  const auto width = shape.head_dim + rounded_up(shape.head_dim, kernel::kPanel);
  return shape.layers * shape.kv_heads * kPage * width *
         static_cast<std::int64_t>(c10::elementSize(dtype));
}

const Cache::Entry& Cache::at(Sequence sequence) const {
  if (sequence < 0 || sequence >= static_cast<Sequence>(sequences_.size()) ||
      !sequences_[static_cast<std::size_t>(sequence)].live) {
    throw std::out_of_range("the cache has no sequence " + std::to_string(sequence));
  }
  return sequences_[static_cast<std::size_t>(sequence)];
}
Cache::Entry& Cache::at(Sequence sequence) {
  return const_cast<Entry&>(static_cast<const Cache*>(this)->at(sequence));
}

Cache::Sequence Cache::create() {
  if (unused_sequences_.empty()) {
    sequences_.emplace_back();
    unused_sequences_.push_back(static_cast<Sequence>(sequences_.size()) - 1);
  }
  const auto sequence = unused_sequences_.back();
  unused_sequences_.pop_back();
  sequences_[static_cast<std::size_t>(sequence)].live = true;
  return sequence;
}

Cache::Sequence Cache::fork(Sequence from, std::int64_t length) {
  if (length < 0 || length > at(from).length) {
    throw std::out_of_range("a sequence of " + std::to_string(at(from).length) +
                            " tokens has no beginning of " + std::to_string(length));
  }
  const auto sequence = create();
  const Entry& source = at(from);
  Entry& entry = at(sequence);
  entry.pages.assign(source.pages.begin(), source.pages.begin() + pages_of(length));
  entry.length = length;
  for (const auto page : entry.pages) ++pages_[static_cast<std::size_t>(page)].holders;
  return sequence;
}

void Cache::keep(Sequence sequence, std::int64_t length) {
  Entry& entry = at(sequence);
  if (length < 0 || length > entry.length) {
    throw std::out_of_range("a sequence of " + std::to_string(entry.length) +
                            " tokens cannot keep " + std::to_string(length));
  }
  for (auto wanted = static_cast<std::size_t>(pages_of(length)); entry.pages.size() > wanted;) {
    let_go(entry.pages.back());
    entry.pages.pop_back();
  }
  entry.length = length;
}

void Cache::drop(Sequence sequence) {
  keep(sequence, 0);
  at(sequence).live = false;
  unused_sequences_.push_back(sequence);
}

bool Cache::open_end(const Entry& entry) const {
  const auto used = static_cast<std::int32_t>(entry.length % kPage);
  if (used == 0) return true;
  const Page& last = pages_[static_cast<std::size_t>(entry.pages.back())];
  // Behind what anybody has written there is room for one to go on, also in a page of several: the
  // others don't look beyond their own lengths.
  return last.holders == 1 || last.filled == used;
}

std::int64_t Cache::pages_for(Sequence sequence, std::int64_t count) const {
  const Entry& entry = at(sequence);
  if (count <= 0) return 0;
  const auto more = pages_of(entry.length + count) - pages_of(entry.length);
  return more + (open_end(entry) ? 0 : 1);
}

void Cache::append(Sequence sequence, std::int64_t count) {
  if (count <= 0) return;
  const auto needed = pages_for(sequence, count);
  if (needed > free_pages()) {
    throw std::length_error("the cache has " + std::to_string(free_pages()) + " free pages, " +
                            std::to_string(needed) + " are needed");
  }
  Entry& entry = at(sequence);
  const auto used = entry.length % kPage;
  if (!open_end(entry)) {
    // The hold on the page that is copied from passes from the sequence to the copy, which holds
    // the other one too: nobody else may get it before the copy is made.
    const auto from = entry.pages.back();
    entry.pages.back() = take_page();
    ++pages_[static_cast<std::size_t>(entry.pages.back())].holders;
    copies_.push_back({from, entry.pages.back(), used});
  }
  const auto fill = [&](std::int64_t end) {
    pages_[static_cast<std::size_t>(entry.pages.back())].filled = static_cast<std::int32_t>(end);
  };
  if (used > 0) fill(std::min(used + count, kPage));
  const auto end = entry.length + count;
  while (static_cast<std::int64_t>(entry.pages.size()) < pages_of(end)) {
    entry.pages.push_back(take_page());
    fill(std::min(end - (static_cast<std::int64_t>(entry.pages.size()) - 1) * kPage, kPage));
  }
  entry.length = end;
}

std::int32_t Cache::take_page() {
  if (unused_pages_.empty()) {
    if (by_kernels_) {
      const auto bytes = static_cast<std::size_t>(page_bytes(shape_));
      constexpr std::size_t line = 64;
      auto* memory =
          static_cast<float*>(std::aligned_alloc(line, (bytes + line - 1) / line * line));
      if (!memory) throw std::bad_alloc();
      // Values of tokens that aren't there are multiplied by zero, which must give zero.
      std::fill_n(memory, bytes / sizeof(float), 0.0f);
      memory_.emplace_back(memory);
    }
    pages_.emplace_back();
    unused_pages_.push_back(static_cast<std::int32_t>(pages_.size()) - 1);
  }
  const auto page = unused_pages_.back();
  unused_pages_.pop_back();
  pages_[static_cast<std::size_t>(page)] = {1, 0};
  ++used_;
  return page;
}

void Cache::let_go(std::int32_t page) {
  if (--pages_[static_cast<std::size_t>(page)].holders > 0) return;
  unused_pages_.push_back(page);
  --used_;
}

float* Cache::block(std::int64_t layer, std::int64_t kv_head, std::int32_t page) const {
  const auto size = kPage * (shape_.head_dim + padded_);
  return memory_[static_cast<std::size_t>(page)].get() + (layer * shape_.kv_heads + kv_head) * size;
}
float* Cache::keys(std::int64_t layer, std::int64_t kv_head, std::int32_t page) const {
  return block(layer, kv_head, page);
}
float* Cache::values(std::int64_t layer, std::int64_t kv_head, std::int32_t page) const {
  return block(layer, kv_head, page) + kPage * shape_.head_dim;
}

void Cache::copy_pages(std::int64_t layer) const {
  for (const auto& copy : copies_) {
    if (!by_kernels_) {
      for (const auto* slots : {&key_slots_[layer], &value_slots_[layer]}) {
        slots->narrow(0, copy.to * kPage, copy.tokens)
            .copy_(slots->narrow(0, copy.from * kPage, copy.tokens));
      }
      continue;
    }
    for (std::int64_t head = 0; head < shape_.kv_heads; ++head) {
      const float* from = keys(layer, head, copy.from);
      float* to = keys(layer, head, copy.to);
      for (std::int64_t i = 0; i < shape_.head_dim; ++i, from += kPage, to += kPage) {
        std::copy_n(from, copy.tokens, to);
      }
      std::copy_n(values(layer, head, copy.from), copy.tokens * padded_,
                  values(layer, head, copy.to));
    }
  }
}

void Cache::finish_pass() {
  for (const auto& copy : copies_) {
    let_go(copy.from);
    let_go(copy.to);
  }
  copies_.clear();
}

}  // namespace straq::model
