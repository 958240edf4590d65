// The safetensors format: an 8-byte little-endian length, a JSON header of that length (name ->
// dtype, shape, byte offsets; strings under "__metadata__"), then the tensors' bytes without gaps.
// Weights and checkpoints are written in it because every other tool can read them, and read by
// memory map, so that a large model is not held twice.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/files/mapped_file.h"

namespace straq::model {

struct SafetensorsEntry {
  std::string name;
  at::ScalarType dtype = at::kFloat;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0, end = 0;  // bytes, from the end of the header
};

// An open file. Construction checks everything but the values; throws Error(input) naming the file
// and, where there is one, the tensor: truncated, header no JSON, unknown dtype, offsets out of
// range, overlapping, with gaps or not matching the shape.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);

  const std::string& path() const { return path_; }
  // In the order of their bytes.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  const SafetensorsEntry* find(const std::string& name) const;
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  // The tensor on the host in the file's precision. It looks into the mapped file where alignment
  // allows (and keeps the map alive): copy it before writing to it. Throws Error(input) when there
  // is none of that name.
  at::Tensor tensor(const std::string& name) const;

 private:
  void parse_header(std::string_view header, std::uint64_t data_bytes);

  std::string path_;
  std::shared_ptr<const MappedFile> map_;
  std::uint64_t data_begin_ = 0;
  std::vector<SafetensorsEntry> entries_;
  std::unordered_map<std::string, std::size_t> index_;
  std::map<std::string, std::string> metadata_;
};

// Writes the tensors to a temporary file beside `path` and renames it: a reader never sees half a
// file. Tensors are ordered by element size, largest first, then as given, so that all are aligned
// in a memory map. Throws Error(failure) naming the path when the disk refuses it and Error(input)
// for two tensors of one name or a dtype that the format lacks.
void write_safetensors(const std::string& path,
                       const std::vector<std::pair<std::string, at::Tensor>>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

// The same from tensors that are made when their turn comes, so that a whole model need not be in
// memory: `tensor` gives the values of an entry, in its shape and in any precision; they are
// converted to the entry's piece by piece. begin and end of the entries are not read.
void write_safetensors(const std::string& path, const std::vector<SafetensorsEntry>& entries,
                       const std::function<at::Tensor(const std::string&)>& tensor,
                       const std::map<std::string, std::string>& metadata = {});

// "[512, 64]", for messages.
std::string shape_words(const std::vector<std::int64_t>& shape);

}  // namespace straq::model
