#include "model/layers.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <vector>

#include "model/row_kernels.h"

namespace straq::model {

using kernel::row_ops;

at::ScalarType wide_type(at::ScalarType dtype) {
  return dtype == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor on_device(const at::Tensor& host, at::Device device) {
  if (!device.is_cuda()) return host.to(device);
  return host.pin_memory().to(device, /*non_blocking=*/true);
}

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps, at::Tensor& scale) {
  const auto type = wide_type(x.scalar_type());
  const auto rows = x.size(0), width = x.size(1);
  if (!has_row_kernels(x)) {
    const auto wide = x.to(type);
    scale = wide.square().mean(-1).add_(eps).rsqrt_();
    return wide.mul(scale.unsqueeze(-1)).mul_(weight).to(x.scalar_type());
  }
  scale = at::empty({rows}, x.options().dtype(type));
  at::Tensor out = at::empty_like(x);
  with_row_kernels(x, [&]<class T>(const kernel::RowOps<T>& ops) {
    using A = kernel::Accumulator<T>;
    for_rows(rows, width, [&](std::int64_t first, std::int64_t count) {
      ops.rms_norm(data<T>(x) + first * width, data<T>(weight), data<T>(out) + first * width,
                   data<A>(scale) + first, count, width, static_cast<A>(eps));
    });
  });
  return out;
}

at::Tensor rms_norm_again(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scale) {
  if (!has_row_kernels(x)) {
    return x.to(scale.scalar_type()).mul(scale.unsqueeze(-1)).mul_(weight).to(x.scalar_type());
  }
  const auto rows = x.size(0), width = x.size(1);
  at::Tensor out = at::empty_like(x);
  with_row_kernels(x, [&]<class T>(const kernel::RowOps<T>& ops) {
    using A = kernel::Accumulator<T>;
    for_rows(rows, width, [&](std::int64_t first, std::int64_t count) {
      ops.rms_norm_again(data<T>(x) + first * width, data<T>(weight), data<A>(scale) + first,
                         data<T>(out) + first * width, count, width);
    });
  });
  return out;
}

void rms_norm_backward(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& scale,
                       const at::Tensor& g, at::Tensor dx, at::Tensor dweight) {
  const auto rows = x.size(0), width = x.size(1);
  if (!has_row_kernels(x)) {
    // d x = scale (w g - normed mean(w g normed))
    const auto type = scale.scalar_type();
    const auto s = scale.unsqueeze(-1);
    const auto normed = x.to(type).mul(s), wide = g.to(type);
    const auto product = wide.mul(normed);
    const auto mean = at::mv(product, weight.to(type)).div_(static_cast<double>(width));
    dx.add_(wide.mul(weight).addcmul_(normed, mean.unsqueeze(-1), -1).mul_(s));
    if (dweight.defined()) dweight.add_(product.sum(0));
    return;
  }
  // A partial sum for each piece of rows, added up in order.
  const auto pieces =
      std::max<std::int64_t>(1, std::min<std::int64_t>(at::get_num_threads(), rows));
  const at::Tensor partial = at::zeros({pieces, width}, scale.options());
  with_row_kernels(x, [&]<class T>(const kernel::RowOps<T>& ops) {
    using A = kernel::Accumulator<T>;
    at::parallel_for(0, pieces, 1, [&](std::int64_t begin, std::int64_t end) {
      for (auto p = begin; p < end; ++p) {
        const auto first = rows * p / pieces, count = rows * (p + 1) / pieces - first;
        ops.rms_norm_backward(data<T>(x) + first * width, data<T>(weight), data<A>(scale) + first,
                              data<T>(g) + first * width, data<T>(dx) + first * width,
                              data<A>(partial) + p * width, count, width);
      }
    });
  });
  if (dweight.defined()) dweight.add_(partial.sum(0));
}

RotaryTable rotary_table(std::int64_t positions, const at::Tensor& frequencies,
                         at::ScalarType dtype) {
  const auto steps = at::arange(positions, frequencies.options().dtype(at::kFloat));
  const auto angles = at::mul(steps.unsqueeze(1), frequencies);
  const auto type = wide_type(dtype);
  return {angles.cos().to(type), angles.sin().to(type)};
}

void rotate_(at::Tensor x, std::int64_t heads, const RotaryTable& table,
             const at::Tensor& positions, int direction) {
  const auto rows = x.size(0), d = x.size(1) / heads, half = d / 2;
  if (!has_row_kernels(x)) {
    const auto pairs = x.view({rows, heads, d});
    const auto cos = table.cos.index_select(0, positions).unsqueeze(1),
               sin = table.sin.index_select(0, positions).unsqueeze(1).mul_(direction);
    const auto a = pairs.narrow(-1, 0, half).to(cos.scalar_type()).clone(),
               b = pairs.narrow(-1, half, half).to(cos.scalar_type()).clone();
    pairs.narrow(-1, 0, half).copy_(a.mul(cos).addcmul_(b, sin, -1));
    pairs.narrow(-1, half, half).copy_(b.mul(cos).addcmul_(a, sin));
    return;
  }
  const auto stride = x.stride(0);
  const auto* position = positions.const_data_ptr<std::int64_t>();
  with_row_kernels(x, [&]<class T>(const kernel::RowOps<T>& ops) {
    using A = kernel::Accumulator<T>;
    for_rows(rows, heads * d, [&](std::int64_t first, std::int64_t count) {
      ops.rotate(data<T>(x) + first * stride, count, stride, heads, d, data<A>(table.cos),
                 data<A>(table.sin), position + first, direction);
    });
  });
}

at::Tensor swiglu(const at::Tensor& both) {
  const auto rows = both.size(0), width = both.size(1) / 2;
  if (!has_row_kernels(both)) {
    return at::silu(both.narrow(1, 0, width)).mul_(both.narrow(1, width, width));
  }
  at::Tensor out = at::empty({rows, width}, both.options());
  with_row_kernels(both, [&]<class T>(const kernel::RowOps<T>& ops) {
    for_rows(rows, 2 * width, [&](std::int64_t first, std::int64_t count) {
      ops.swiglu(data<T>(both) + first * 2 * width, data<T>(out) + first * width, count, width);
    });
  });
  return out;
}

void swiglu_backward_(at::Tensor both, at::Tensor g) {
  const auto rows = both.size(0), width = both.size(1) / 2;
  if (!has_row_kernels(both)) {
    auto gate = both.narrow(1, 0, width), up = both.narrow(1, width, width);
    const auto silu = at::silu(gate), value = silu * up;
    const auto d_gate = at::silu_backward(g * up, gate);
    up.copy_(silu.mul_(g));
    gate.copy_(d_gate);
    g.copy_(value);
    return;
  }
  with_row_kernels(both, [&]<class T>(const kernel::RowOps<T>& ops) {
    for_rows(rows, 3 * width, [&](std::int64_t first, std::int64_t count) {
      ops.swiglu_backward(data<T>(both) + first * 2 * width, data<T>(g) + first * width, count,
                          width);
    });
  });
}

void add_rows_(at::Tensor to, const at::Tensor& rows, const at::Tensor& from) {
  if (!to.is_cpu()) {
    to.index_add_(0, rows, from.to(to.scalar_type()));
    return;
  }
  // libtorch's index_add_ calls an operator for every row on a CPU.
  const auto width = to.size(1), n = from.size(0);
  const auto* row = rows.const_data_ptr<std::int64_t>();
  const at::Tensor source = from.to(to.scalar_type()).contiguous();
  AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, to.scalar_type(), "add_rows_", [&] {
    auto* out = to.data_ptr<scalar_t>();
    const auto* in = source.const_data_ptr<scalar_t>();
    for (std::int64_t i = 0; i < n; ++i) {
      auto* o = out + row[i] * width;
      const auto* s = in + i * width;
      for (std::int64_t j = 0; j < width; ++j) o[j] += s[j];
    }
  });
}

}  // namespace straq::model
