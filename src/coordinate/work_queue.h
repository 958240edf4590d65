// Work of one kind on its way: what waits, who holds what, what is done or has failed. It knows
// nothing of ranks or messages, so any desk can have one for its kind of work.
//
//   WorkQueue<Shard> queue;
//   queue.add(/*lot=*/0, shard);
//   if (auto work = queue.take(/*holder=*/rank)) send(rank, work->item);
//   queue.done(rank);  // or fail(rank): nothing more of the lot is begun
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

namespace straq::coordinate {

// Items come in lots that stand or fall together (a data set is a lot of shards). A holder works on
// what it took in the order in which it took it, so an outcome is always that of its oldest item.
template <class Item>
class WorkQueue {
 public:
  struct Work {
    std::size_t lot = 0;
    Item item;
  };

  void add(std::size_t lot, Item item) { waiting_[lot].push_back(std::move(item)); }

  // The next item, of the lowest lot that has one; `holder` holds it from now on. Nothing when
  // nothing waits.
  std::optional<Work> take(int holder) {
    for (auto& [lot, items] : waiting_) {
      if (items.empty()) continue;
      Work work{lot, std::move(items.front())};
      items.pop_front();
      held_[holder].push_back(work);
      return work;
    }
    return std::nullopt;
  }

  // The outcome of the holder's oldest item, which is returned. Both throw std::logic_error where
  // it holds none.
  Work done(int holder) { return release(holder); }
  // Nothing more of the item's lot is begun.
  Work fail(int holder) {
    Work work = release(holder);
    failed_.insert(work.lot);
    waiting_[work.lot].clear();
    return work;
  }

  // A holder that works no more gives back what it holds: it is handed out before what waits, but
  // for items of a lot that has failed. Their number.
  std::size_t lose(int holder) {
    std::size_t returned = 0;
    auto& items = held_[holder];
    for (; !items.empty(); items.pop_back()) {
      Work& work = items.back();
      if (failed_.count(work.lot) != 0 || closed_) continue;
      waiting_[work.lot].push_front(std::move(work.item));
      ++returned;
    }
    return returned;
  }

  // Nothing more is begun, now or later. Whether that left something undone.
  bool close() {
    bool left = false;
    for (auto& [lot, items] : waiting_) {
      left = left || !items.empty();
      items.clear();
    }
    closed_ = true;
    return left;
  }

  bool waiting() const {
    for (const auto& [lot, items] : waiting_) {
      if (!items.empty()) return true;
    }
    return false;
  }
  // How many items of the lot somebody holds.
  std::size_t held(std::size_t lot) const {
    std::size_t n = 0;
    for (const auto& [holder, items] : held_) {
      for (const auto& work : items) n += work.lot == lot;
    }
    return n;
  }
  // Nothing waits, and nobody holds anything.
  bool over() const {
    for (const auto& [holder, items] : held_) {
      if (!items.empty()) return false;
    }
    return !waiting();
  }
  // The holder's oldest item; throws std::logic_error where it holds none.
  const Work& oldest(int holder) const {
    const auto found = held_.find(holder);
    if (found == held_.end() || found->second.empty()) {
      throw std::logic_error("holder " + std::to_string(holder) + " holds no work");
    }
    return found->second.front();
  }

 private:
  Work release(int holder) {
    Work work = oldest(holder);
    held_[holder].pop_front();
    return work;
  }

  std::map<std::size_t, std::deque<Item>> waiting_;  // by lot
  std::map<int, std::deque<Work>> held_;             // by holder, oldest first
  std::set<std::size_t> failed_;                     // lots
  bool closed_ = false;
};

}  // namespace straq::coordinate
