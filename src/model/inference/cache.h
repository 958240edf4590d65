// Keys and values of the tokens that a model has read, for many sequences that share beginnings.
// Memory is cut into pages of a few tokens; a sequence is a list of pages and a length. Forking
// copies the list and nothing else; a page that two sequences hold is copied when one of them
// writes where the other has written. So a dialogue's trunk is read once, and every decision,
// method and sample that goes on from it pays for its own tokens.
//
//   Cache cache(shape, /*pages=*/1000);
//   const auto trunk = cache.create();
//   model.forward(cache, {{trunk, tokens}}, …);
//   const auto reply = cache.fork(trunk, cache.length(trunk));  // shares all, costs nothing
//   cache.drop(trunk);                                          // the reply keeps the pages
//
// The bookkeeping is done when tokens are appended; the data move in the forward pass that follows,
// layer by layer, so that a sequence may fork from tokens which the same pass still has to compute.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "kernel/panel_ops.h"

namespace straq::model {

struct CacheShape {
  std::int64_t layers = 0, kv_heads = 0, head_dim = 0;
};

class Cache {
 public:
  // Tokens of a page: a panel of the score product.
  static constexpr std::int64_t kPage = kernel::kPanel;
  using Sequence = std::int64_t;

  // Holds at most `pages` pages, and takes memory for those that were ever in use. On a CPU in fp32
  // pages are laid for kernel/panel_ops.h, otherwise as tensors for libtorch's attention.
  Cache(const CacheShape& shape, std::int64_t pages, at::ScalarType dtype = at::kFloat,
        at::Device device = at::kCPU);

  // Bytes that one page takes.
  static std::int64_t page_bytes(const CacheShape& shape, at::ScalarType dtype = at::kFloat);
  static std::int64_t pages_of(std::int64_t tokens) { return (tokens + kPage - 1) / kPage; }

  Sequence create();  // empty
  // The first `length` tokens of a sequence. Throws std::out_of_range beyond its end.
  Sequence fork(Sequence from, std::int64_t length);
  // Forgets what is behind the first `length` tokens. Throws std::out_of_range beyond its end.
  void keep(Sequence sequence, std::int64_t length);
  void drop(Sequence sequence);
  std::int64_t length(Sequence sequence) const { return at(sequence).length; }

  std::int64_t pages() const { return limit_; }
  std::int64_t free_pages() const { return limit_ - used_; }
  // Pages that appending `count` tokens would take now.
  std::int64_t pages_for(Sequence sequence, std::int64_t count) const;
  // Room for `count` tokens more, which the next forward pass fills. Throws std::length_error where
  // the pages don't suffice; nothing has changed then.
  void append(Sequence sequence, std::int64_t count);

  // For the forward pass. A sequence's pages in order.
  const std::vector<std::int32_t>& table(Sequence sequence) const { return at(sequence).pages; }
  const CacheShape& shape() const { return shape_; }
  bool by_kernels() const { return by_kernels_; }
  at::ScalarType dtype() const { return dtype_; }
  at::Device device() const { return device_; }
  // By kernels: keys of a page [head_dim, kPage] and values [kPage, padded_head_dim()].
  std::int64_t padded_head_dim() const { return padded_; }
  float* keys(std::int64_t layer, std::int64_t kv_head, std::int32_t page) const;
  float* values(std::int64_t layer, std::int64_t kv_head, std::int32_t page) const;
  // By tensors: all slots of a layer, [pages * kPage, kv_heads, head_dim].
  const at::Tensor& key_slots(std::int64_t layer) const { return key_slots_[layer]; }
  const at::Tensor& value_slots(std::int64_t layer) const { return value_slots_[layer]; }
  // Copies the beginnings of pages that appends have asked for, in one layer; its new tokens must
  // be written before. After the last layer finish_pass() lets go of what was copied from.
  void copy_pages(std::int64_t layer) const;
  void finish_pass();

 private:
  struct Entry {
    std::vector<std::int32_t> pages;
    std::int64_t length = 0;
    bool live = false;
  };
  struct Page {
    std::int32_t holders = 0;  // sequences, and copies that are still to be made from it
    std::int32_t filled = 0;   // tokens that some sequence has in it
  };
  struct PageCopy {
    std::int32_t from, to;
    std::int64_t tokens;
  };
  struct FreeMemory {
    void operator()(float* p) const;
  };

  const Entry& at(Sequence sequence) const;
  Entry& at(Sequence sequence);
  // Whether tokens can be added in the sequence's last page as it is.
  bool open_end(const Entry& entry) const;
  std::int32_t take_page();
  void let_go(std::int32_t page);
  float* block(std::int64_t layer, std::int64_t kv_head, std::int32_t page) const;

  CacheShape shape_;
  std::int64_t limit_, used_ = 0, padded_;
  at::ScalarType dtype_;
  at::Device device_;
  bool by_kernels_;
  std::vector<Entry> sequences_;
  std::vector<Sequence> unused_sequences_;
  std::vector<Page> pages_;
  std::vector<std::int32_t> unused_pages_;
  std::vector<PageCopy> copies_;
  std::vector<std::unique_ptr<float, FreeMemory>> memory_;  // one a page
  std::vector<at::Tensor> key_slots_, value_slots_;
};

}  // namespace straq::model
