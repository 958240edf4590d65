#include "model/inference/packed_matrix.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "kernel/panel_ops.h"
#include "model/row_kernels.h"
#include "model/scratch.h"

namespace straq::model {
namespace {

using kernel::kPanel;
using kernel::kScaleBlock;

// Columns that a thread takes at once: few, so that threads get equal shares, but for a handful of
// rows, where one row alone wants many sums in flight. And rows that go through them together: as
// many as keep their activations in a core's own cache while the panels pass by.
constexpr std::int64_t kColumns = 32, kColumnsOfFewRows = 64, kFewRows = 4, kRows = 128;

enum class PackedSlot { wide };

std::int64_t panels_of(std::int64_t outputs) {
  return (outputs + kPanel - 1) / kPanel;
}
std::int64_t blocks_of(std::int64_t inputs) {
  return (inputs + kScaleBlock - 1) / kScaleBlock;
}

// f(panel, row, lane) for each row of a matrix, a panel a task.
template <class F>
void for_panel_rows(std::int64_t outputs, F&& f) {
  at::parallel_for(0, panels_of(outputs), 8, [&](std::int64_t begin, std::int64_t end) {
    for (auto p = begin; p < end; ++p) {
      for (std::int64_t j = 0; j < kPanel && p * kPanel + j < outputs; ++j) f(p, p * kPanel + j, j);
    }
  });
}

// Spreads one row of int8 weights over its panel, block by block.
void quantise_row(const float* row, std::int64_t inputs, std::int64_t lane, std::int8_t* values,
                  float* scales) {
  for (std::int64_t b = 0; b < blocks_of(inputs); ++b) {
    const auto first = b * kScaleBlock, last = std::min(inputs, first + kScaleBlock);
    float most = 0;
    for (auto k = first; k < last; ++k) most = std::max(most, std::abs(row[k]));
    const float scale = most / 127.0f;
    scales[b * kPanel + lane] = scale;
    for (auto k = first; k < last; ++k) {
      values[k * kPanel + lane] =
          scale > 0 ? static_cast<std::int8_t>(std::lround(row[k] / scale)) : std::int8_t{0};
    }
  }
}

}  // namespace

PackedMatrix::PackedMatrix(const at::Tensor& weight, WeightPrecision precision, at::Device device)
    : outputs_(weight.size(0)), inputs_(weight.size(1)), precision_(precision) {
  if (!device.is_cpu() || !row_kernels_allowed) {
    tensor_ =
        weight.to(device, precision == WeightPrecision::fp32 ? at::kFloat : at::kBFloat16).clone();
    return;
  }
  const at::Tensor wide = weight.to(at::kFloat).contiguous();
  const float* from = wide.const_data_ptr<float>();
  const auto panel = inputs_ * kPanel;
  const auto type = precision == WeightPrecision::fp32   ? at::kFloat
                    : precision == WeightPrecision::bf16 ? at::kBFloat16
                                                         : at::kChar;
  panels_ = at::zeros({panels_of(outputs_) * panel}, type);
  const auto spread = [&](auto* to, auto&& cast) {
    for_panel_rows(outputs_, [&](std::int64_t p, std::int64_t row, std::int64_t lane) {
      for (std::int64_t k = 0; k < inputs_; ++k) {
        to[p * panel + k * kPanel + lane] = cast(from[row * inputs_ + k]);
      }
    });
  };
  if (precision == WeightPrecision::fp32) {
    spread(panels_.mutable_data_ptr<float>(), [](float x) { return x; });
  } else if (precision == WeightPrecision::bf16) {
    spread(panels_.mutable_data_ptr<at::BFloat16>(), [](float x) { return at::BFloat16(x); });
  } else {
    const auto scale_panel = blocks_of(inputs_) * kPanel;
    scales_ = at::zeros({panels_of(outputs_) * scale_panel}, at::kFloat);
    auto* values = panels_.mutable_data_ptr<std::int8_t>();
    auto* scales = scales_.mutable_data_ptr<float>();
    for_panel_rows(outputs_, [&](std::int64_t p, std::int64_t row, std::int64_t lane) {
      quantise_row(from + row * inputs_, inputs_, lane, values + p * panel,
                   scales + p * scale_panel);
    });
  }
}

at::Tensor PackedMatrix::product(const at::Tensor& x, std::int64_t begin, std::int64_t end) const {
  if (!by_kernels()) {
    return at::mm(x, tensor_.narrow(0, begin, end - begin).t().to(x.scalar_type()));
  }
  const auto n = x.size(0), width = end - begin, depth = inputs_;
  at::Tensor out = at::empty({n, width}, x.options());
  const auto& ops = kernel::panel_ops();
  const float* a = x.const_data_ptr<float>();
  const auto lda = x.stride(0);
  float* c = out.mutable_data_ptr<float>();
  const auto together = n <= kFewRows ? kColumnsOfFewRows : kColumns;
  const auto groups = (width + together - 1) / together;
  at::parallel_for(0, groups, 1, [&](std::int64_t first_group, std::int64_t last_group) {
    // Room for a tile of panels in fp32.
    float* wide = precision_ == WeightPrecision::fp32
                      ? nullptr
                      : scratch<float, PackedSlot::wide>(depth * 2 * kPanel);
    for (std::int64_t row = 0; row < n; row += kRows) {
      const auto rows = std::min(kRows, n - row);
      for (auto g = first_group; g < last_group; ++g) {
        const auto column = g * together, columns = std::min(together, width - column);
        const auto panel = (begin + column) / kPanel;
        const float* in = a + row * lda;
        float* to = c + row * width + column;
        if (precision_ == WeightPrecision::fp32) {
          ops.multiply(in, lda,
                       {data<float>(panels_) + panel * depth * kPanel, kPanel, depth * kPanel}, to,
                       width, rows, depth, columns, false);
        } else if (precision_ == WeightPrecision::bf16) {
          ops.multiply_bf16(in, lda, data<kernel::BFloat16>(panels_) + panel * depth * kPanel, wide,
                            to, width, rows, depth, columns);
        } else {
          ops.multiply_int8(in, lda,
                            {panels_.const_data_ptr<std::int8_t>() + panel * depth * kPanel,
                             scales_.const_data_ptr<float>() + panel * blocks_of(depth) * kPanel},
                            wide, to, width, rows, depth, columns);
        }
      }
    }
  });
  return out;
}

at::Tensor PackedMatrix::rows(const at::Tensor& indices) const {
  if (!by_kernels()) return tensor_.index_select(0, indices.to(tensor_.device()));
  const auto n = indices.size(0), panel = inputs_ * kPanel;
  at::Tensor out = at::empty({n, inputs_}, at::kFloat);
  float* to = out.mutable_data_ptr<float>();
  const auto* index = indices.const_data_ptr<std::int64_t>();
  for (std::int64_t i = 0; i < n; ++i, to += inputs_) {
    const auto p = index[i] / kPanel, lane = index[i] % kPanel;
    const auto pick = [&](auto&& value) {
      for (std::int64_t k = 0; k < inputs_; ++k) to[k] = value(p * panel + k * kPanel + lane, k);
    };
    if (precision_ == WeightPrecision::fp32) {
      const auto* v = panels_.const_data_ptr<float>();
      pick([&](std::int64_t at, std::int64_t) { return v[at]; });
    } else if (precision_ == WeightPrecision::bf16) {
      const auto* v = panels_.const_data_ptr<at::BFloat16>();
      pick([&](std::int64_t at, std::int64_t) { return static_cast<float>(v[at]); });
    } else {
      const auto* v = panels_.const_data_ptr<std::int8_t>();
      const auto* s = scales_.const_data_ptr<float>() + p * blocks_of(inputs_) * kPanel + lane;
      pick([&](std::int64_t at, std::int64_t k) {
        return static_cast<float>(v[at]) * s[k / kScaleBlock * kPanel];
      });
    }
  }
  return out;
}

}  // namespace straq::model
