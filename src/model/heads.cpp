#include "model/heads.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <algorithm>

#include "model/layers.h"
#include "model/matrix_product.h"

namespace straq::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// A parameter's gradient, or that of none, on its way through autograd, which takes every tensor
// for an input of its own and refuses undefined ones.
struct Sink {
  at::Tensor gradient;
};

class CallNode : public torch::autograd::Node {
 public:
  explicit CallNode(std::function<void(const at::Tensor&)> backward)
      : backward_(std::move(backward)) {}
  variable_list apply(variable_list&& grads) override {
    c10::NoGradGuard no_grad;
    // Called once: what the function holds (a tape of activations) is let go with it.
    const auto backward = std::exchange(backward_, nullptr);
    if (!backward) throw std::logic_error("a second backward pass over the same forward pass");
    if (grads[0].defined()) backward(grads[0]);
    return {};
  }

 private:
  std::function<void(const at::Tensor&)> backward_;
};

class Projection : public torch::autograd::Function<Projection> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& hidden, const at::Tensor& weight,
                          const Sink& sink) {
    ctx->save_for_backward({hidden, weight});
    ctx->saved_data["gradient"] = sink.gradient;
    return product(hidden, weight.t());
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto g = grads[0].contiguous();
    const auto gradient = ctx->saved_data["gradient"].toTensor();
    if (gradient.defined()) add_weight_gradient_(gradient, g, saved[0]);
    return {product(g, saved[1]), Variable(), Variable()};
  }
};

class ProjectionRows : public torch::autograd::Function<ProjectionRows> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& hidden, const at::Tensor& rows,
                          const Sink& sink, const at::Tensor& ids) {
    ctx->save_for_backward({hidden, rows, ids});
    ctx->saved_data["gradient"] = sink.gradient;
    return product(hidden, rows.t());
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto gradient = ctx->saved_data["gradient"].toTensor();
    if (gradient.defined()) add_rows_(gradient, saved[2], product(grads[0].t(), saved[0]));
    return {product(grads[0], saved[1]), Variable(), Variable(), Variable()};
  }
};

class Affine : public torch::autograd::Function<Affine> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& x, const at::Tensor& weight,
                          const at::Tensor& bias, const Sink& of_weight, const Sink& of_bias) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["weight"] = of_weight.gradient;
    ctx->saved_data["bias"] = of_bias.gradient;
    return product(x, weight.t()).add_(bias);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto g = grads[0].contiguous();
    const auto weight = ctx->saved_data["weight"].toTensor();
    if (weight.defined()) add_weight_gradient_(weight, g, saved[0]);
    const auto bias = ctx->saved_data["bias"].toTensor();
    if (bias.defined()) bias.add_(g.sum(0));
    return {product(g, saved[1]), Variable(), Variable(), Variable(), Variable()};
  }
};

// Logits of one piece are at most this many numbers.
constexpr std::int64_t kPieceElements = std::int64_t{1} << 22;

class ProjectedCrossEntropy : public torch::autograd::Function<ProjectedCrossEntropy> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& hidden, const at::Tensor& weight,
                          const Sink& sink, const at::Tensor& next, bool with_gradient) {
    const at::Tensor& gradient = sink.gradient;
    const auto type = wide_type(hidden.scalar_type());
    const auto n = hidden.size(0);
    const auto piece = std::max<std::int64_t>(16, kPieceElements / weight.size(0));
    at::Tensor loss = at::zeros({}, hidden.options().dtype(type));
    at::Tensor d_hidden, d_weight;
    if (with_gradient) {
      d_hidden = at::empty_like(hidden);
      if (gradient.defined()) d_weight = at::zeros_like(gradient);
    }
    for (std::int64_t first = 0; first < n; first += piece) {
      const auto count = std::min(piece, n - first);
      const auto h = hidden.narrow(0, first, count);
      const auto target = next.narrow(0, first, count).unsqueeze(1);
      at::Tensor log_p = at::log_softmax(product(h, weight.t()).to(type), 1);
      loss.sub_(log_p.gather(1, target).sum());
      if (!with_gradient) continue;
      at::Tensor g = log_p.exp_();
      g.scatter_add_(1, target, at::full({1, 1}, -1.0, g.options()).expand({count, 1}));
      g = g.to(hidden.scalar_type());
      auto out = d_hidden.narrow(0, first, count);
      product_out(out, g, weight);
      if (d_weight.defined()) add_weight_gradient_(d_weight, g, h);
    }
    if (with_gradient) {
      ctx->save_for_backward({d_hidden, d_weight});
      ctx->saved_data["gradient"] = gradient;
    }
    return loss;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const double factor = grads[0].item<double>();
    if (saved[1].defined()) ctx->saved_data["gradient"].toTensor().add_(saved[1], factor);
    return {saved[0].mul(factor), Variable(), Variable(), Variable(), Variable()};
  }
};

}  // namespace

at::Tensor with_backward(at::Tensor value, std::function<void(const at::Tensor&)> backward) {
  std::shared_ptr<CallNode> node(new CallNode(std::move(backward)), torch::autograd::deleteNode);
  node->add_input_metadata(value);
  torch::autograd::impl::set_gradient_edge(value, torch::autograd::Edge(node, 0));
  return value;
}

at::Tensor projection(const at::Tensor& hidden, const at::Tensor& weight,
                      const at::Tensor& weight_gradient) {
  if (!at::GradMode::is_enabled()) return product(hidden, weight.t());
  return Projection::apply(hidden, weight, Sink{weight_gradient});
}

at::Tensor projection_rows(const at::Tensor& hidden, const at::Tensor& rows,
                           const at::Tensor& weight_gradient, const at::Tensor& ids) {
  if (!at::GradMode::is_enabled()) return product(hidden, rows.t());
  return ProjectionRows::apply(hidden, rows, Sink{weight_gradient}, ids);
}

at::Tensor affine(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                  const at::Tensor& weight_gradient, const at::Tensor& bias_gradient) {
  return Affine::apply(x, weight, bias, Sink{weight_gradient}, Sink{bias_gradient});
}

at::Tensor projected_cross_entropy(const at::Tensor& hidden, const at::Tensor& weight,
                                   const at::Tensor& weight_gradient, const at::Tensor& next) {
  const bool with_gradient =
      at::GradMode::is_enabled() && (weight_gradient.defined() || hidden.requires_grad());
  return ProjectedCrossEntropy::apply(hidden, weight, Sink{weight_gradient}, next, with_gradient);
}

}  // namespace straq::model
