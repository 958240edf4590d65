#include "learn/td.h"

namespace straq::learn {

at::Tensor next_values(Backup backup, const at::Tensor& target_next, const at::Tensor& online_next,
                       const at::Tensor& next_action, double temp, const at::Tensor& base) {
  switch (backup) {
    case Backup::max:
      return target_next.amax(1);
    case Backup::double_q:
      return target_next.gather(1, online_next.argmax(1, /*keepdim=*/true)).squeeze(1);
    case Backup::sarsa:
      return target_next.gather(1, next_action.unsqueeze(1)).squeeze(1);
    case Backup::soft:
      return temp * at::logsumexp(base + target_next / temp, {1});
    case Backup::expected:
      break;
  }
  return (at::softmax(target_next / temp, 1) * target_next).sum(1);
}

at::Tensor td_targets(const at::Tensor& reward, const at::Tensor& next_value,
                      const at::Tensor& continues, double gamma) {
  return (reward + gamma * continues * next_value).detach();
}

at::Tensor as_distribution(LossKind kind, const at::Tensor& y, std::int64_t bins, double most) {
  const double width = 2 * most / static_cast<double>(bins);
  const at::Tensor inside = y.clamp(-most, most).unsqueeze(1);
  if (kind == LossKind::two_hot) {
    const at::Tensor centres = (at::arange(bins, y.options()) + 0.5) * width - most;
    // A tent over each centre: the shares of the two that y lies between. Beyond the outermost
    // centres there is one.
    const at::Tensor between = inside.clamp(-most + width / 2, most - width / 2);
    return (1 - (between - centres).abs() / width).clamp_min(0);
  }
  constexpr double kSpread = 0.75;
  const at::Tensor edges = at::arange(bins + 1, y.options()) * width - most;
  const at::Tensor below = at::special_ndtr((edges - inside) / (kSpread * width));
  const at::Tensor p = below.narrow(1, 1, bins) - below.narrow(1, 0, bins);
  return p / p.sum(1, /*keepdim=*/true);
}

at::Tensor categorical_loss_sum(const at::Tensor& log_p, const at::Tensor& target) {
  return -(target * log_p).sum();
}

at::Tensor td_loss_sum(LossKind kind, const at::Tensor& q, const at::Tensor& y, double delta) {
  if (kind == LossKind::mse) return (y - q).square().sum();
  return at::huber_loss(q, y, at::Reduction::Sum, delta);
}

}  // namespace straq::learn
