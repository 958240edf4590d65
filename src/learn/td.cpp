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

at::Tensor td_loss_sum(LossKind kind, const at::Tensor& q, const at::Tensor& y, double delta) {
  if (kind == LossKind::mse) return (y - q).square().sum();
  return at::huber_loss(q, y, at::Reduction::Sum, delta);
}

}  // namespace straq::learn
