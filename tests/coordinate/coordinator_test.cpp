// The coordinator's rank among ranks that are threads: every message, every loss, every stop.
#include "coordinate/coordinator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <set>

#include "coordinate/rank_loops.h"
#include "results/run_folder.h"
#include "results/run_lock.h"
#include "tests/coordinate/job_fixture.h"

namespace straq::coordinate {
namespace {

using straq::testing::error_of;
using testing::JobWorld;
using testing::layout_of;
using testing::never;
using testing::TinyJob;

using Asked = std::function<bool()>;

train::PointResult ok() {
  train::PointResult result;
  result.ok = true;
  return result;
}

train::PointResult failed(const Error& e) {
  train::PointResult result;
  result.kind = e.kind();
  result.reason = e.full();
  return result;
}

// A point without training: it waits for its data set and is done.
train::PointResult wait_only(const train::PointTask&, train::Director& director) {
  try {
    director.await_dataset();
  } catch (const Error& e) {
    return failed(e);
  }
  return ok();
}

// A preprocessor by hand: it sees each order before anything is said about it.
class Hand {
 public:
  Hand(JobWorld& job, int rank) : control_(job.control(rank)) {
    for (int i = 0; i < kItemsAhead; ++i) tell(Ready{});
  }
  template <class M>
  void tell(const M& message) const {
    control_->send(0, encode(message));
  }
  ShardOrder order() const { return std::get<ShardOrder>(decode<ShardOrder>(control_->receive())); }
  void make(const ShardOrder& order) const {
    const auto config = experiment::read_experiment(config::parse_yaml(order.config, "config"));
    ShardMaker maker(config, order.tokenizer, order.folder, order.key);
    tell(ShardMade{maker.process(order.item, order.dialogues)});
  }
  void fail(const std::string& words, ErrorKind kind = ErrorKind::input) const {
    tell(ShardFailed{results::PointFailure(results::FailureKind::bad_input, Error(kind, words))});
  }
  // Until "finish", which must be the next message.
  int code() const { return std::get<Finish>(decode<Finish>(control_->receive())).code; }

 private:
  std::unique_ptr<comm::Control> control_;
};

class Jobs : public ::testing::Test {
 protected:
  void plan(const comm::Layout& layout, const std::string& more = {}) {
    job_ = std::make_unique<TinyJob>(more);
    world_ = std::make_unique<JobWorld>(layout);
    codes_.assign(static_cast<std::size_t>(layout.world), -1);
  }
  JobProgress& progress() {
    if (!progress_) progress_ = std::make_unique<JobProgress>(job_->plan());
    return *progress_;
  }
  // Every rank's loop; `hand` in the place of the preprocessors' where it is given.
  void run(const RunPoint& run_point, const std::function<int(int)>& hand = {},
           const Asked& coordinator_asked = never, const Asked& learner_asked = never) {
    progress();
    world_->world().run([&](int rank) {
      codes_[static_cast<std::size_t>(rank)] = [&] {
        if (rank == 0) return world_->coordinate(progress(), coordinator_asked);
        const auto control = world_->control(rank);
        const bool learner = world_->layout().role_of(rank) == comm::Role::learner;
        OrderLine orders(*control, learner ? learner_asked : never);
        if (!learner) return hand ? hand(rank) : run_preprocessor(orders);
        const auto line = world_->directives(rank);
        return run_learner(orders, *line, world_->leads(rank), run_point);
      }();
    });
  }
  void expect_code(int code) const {
    for (const int c : codes_) EXPECT_EQ(c, code);
  }
  results::PointState state(std::size_t point = 0) { return progress().points()[point].state; }

  std::unique_ptr<TinyJob> job_;
  std::unique_ptr<JobWorld> world_;
  std::unique_ptr<JobProgress> progress_;
  std::vector<int> codes_;
};

TEST_F(Jobs, AJobFromCorpusToFinish) {
  plan(layout_of(1, 1, 2));
  std::atomic<int> learners = 0;
  run([&](const train::PointTask& task, train::Director& director) {
    ++learners;
    EXPECT_EQ(task.name, "seed-1");
    EXPECT_EQ(task.run_folder, job_->run_folder());
    comm::Status status;
    status.step = 3;
    status.stage_end = status.run_end = 10;
    EXPECT_EQ(director.boundary(status).run_until, 4);  // a step's time is not known yet
    return wait_only(task, director);
  });
  expect_code(0);
  EXPECT_EQ(learners, 2);
  EXPECT_EQ(state(), results::PointState::done);
  EXPECT_TRUE(progress().datasets()[0].complete());
  EXPECT_TRUE(progress().shards().over());
  const results::RunLock free(progress().datasets()[0].job->folder());  // throws while it is held
}

// Learners of several groups, and points of several data sets.
TEST_F(Jobs, EveryPointGoesToOneGroupAndToAllOfIt) {
  plan(layout_of(2, 2, 2), "sweep: {grid: {prompt.window: [2048, 1024]}, seeds: [1, 2]}");
  std::mutex mutex;
  std::multiset<std::string> seen;
  run([&](const train::PointTask& task, train::Director& director) {
    {
      const std::lock_guard lock(mutex);
      seen.insert(task.name);
    }
    return wait_only(task, director);
  });
  expect_code(0);
  EXPECT_EQ(seen.size(), 8u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(seen.count(progress().points()[i].point.name), 2u);
    EXPECT_EQ(state(i), results::PointState::done);
  }
  EXPECT_EQ(progress().datasets().size(), 2u);
}

TEST_F(Jobs, AJobWithoutLearnersMakesShards) {
  plan(layout_of(2, 0, 0));
  job_->plan().learn = false;
  run({});
  expect_code(0);
  EXPECT_TRUE(progress().datasets()[0].complete());
}

TEST_F(Jobs, AnItemThatFailsEndsItsDataSetAndThePointsOfIt) {
  plan(layout_of(1, 1, 1));
  run(
      [](const train::PointTask&, train::Director&) -> train::PointResult {
        throw std::logic_error("no point could begin");
      },
      [&](int rank) {
        const Hand hand(*world_, rank);
        hand.order();
        hand.order();
        hand.fail("a token is too long");
        hand.fail("and another");
        return hand.code();  // no third order
      });
  expect_code(2);
  EXPECT_EQ(state(), results::PointState::failed);
  const auto failure = results::RunFolder(job_->run_folder()).failure();
  ASSERT_TRUE(failure);
  EXPECT_NE(failure->reason.find("train-00000.h5: a token is too long"), std::string::npos);
}

// It is kept, so that the next start has one shard less to make; the data set stays failed, and its
// lock is held until then.
TEST_F(Jobs, ALateRecordIsKeptButDoesNotHealItsDataSet) {
  plan(layout_of(1, 1, 1));
  run(wait_only, [&](int rank) {
    const Hand hand(*world_, rank);
    hand.order();
    const ShardOrder second = hand.order();
    hand.fail("the disk is full", ErrorKind::failure);
    EXPECT_THROW(results::RunLock(second.folder), results::FolderBusy);
    hand.make(second);
    return hand.code();
  });
  expect_code(1);
  EXPECT_EQ(state(), results::PointState::failed);
  const auto& data = progress().datasets()[0];
  EXPECT_EQ(data.failure, "train-00000.h5: the disk is full");
  EXPECT_FALSE(data.job->manifest().shards[0].record);
  EXPECT_TRUE(data.job->manifest().shards[1].record);
  const results::RunLock free(data.job->folder());
}

TEST_F(Jobs, ARecordThatIsNoShardOfTheDataSetFailsIt) {
  plan(layout_of(1, 1, 1));
  run(wait_only, [&](int rank) {
    const Hand hand(*world_, rank);
    hand.order();
    hand.order();
    ShardMade foreign;
    foreign.record.key = "another";
    hand.tell(foreign);
    hand.fail("two of them");
    return hand.code();
  });
  EXPECT_NE(codes_[0], 0);
  EXPECT_EQ(state(), results::PointState::failed);
}

TEST_F(Jobs, APointThatTrainsAlreadyHearsThatTheRestHasFailed) {
  plan(layout_of(1, 1, 2));
  run(wait_only, [&](int rank) {
    const Hand hand(*world_, rank);
    const ShardOrder first = hand.order(), second = hand.order();
    hand.make(first);
    hand.make(second);  // of train: the point begins
    hand.order();
    hand.order();
    hand.fail("no room");
    hand.fail("no room");
    return hand.code();
  });
  EXPECT_EQ(state(), results::PointState::failed);
  EXPECT_NE(progress().points()[0].result.reason.find("valid-00000.h5: no room"), std::string::npos)
      << progress().points()[0].result.reason;
}

// The signal reaches a learner that has its point and has not reported yet.
TEST_F(Jobs, AStopBetweenAPointAndItsStatusEndsItAtThatBoundary) {
  plan(layout_of(1, 1, 2), "sweep: {seeds: [1, 2]}");
  std::atomic<bool> signal = false;
  std::atomic<int> points = 0;
  run(
      [&](const train::PointTask&, train::Director& director) {
        ++points;
        director.await_dataset();  // all shards are made
        signal = true;
        comm::Status status;
        status.step = 3;
        status.stage_end = status.run_end = 1'000'000;
        auto directive = director.boundary(status);
        // The other learner's word may come after the leader's status: then it counts at the next.
        while (directive.stop == comm::Stop::no) directive = director.boundary(status);
        EXPECT_EQ(directive.stop, comm::Stop::requested);
        EXPECT_TRUE(directive.checkpoint);
        return failed(Error(ErrorKind::stopped, "with a checkpoint"));
      },
      {}, never, [&] { return signal.load(); });
  expect_code(75);
  EXPECT_EQ(points, 2);  // one point by two learners: the second is not begun
  EXPECT_EQ(std::count_if(progress().points().begin(), progress().points().end(),
                          [](const auto& p) { return p.state == results::PointState::stopped; }),
            1);
}

TEST_F(Jobs, AStopReachesAGroupThatWaitsForShards) {
  plan(layout_of(1, 1, 2));
  std::atomic<int> waiting = 0, ended = 0;
  std::atomic<bool> signal = false;
  run(
      [&](const train::PointTask& task, train::Director& director) {
        ++waiting;
        const auto result = wait_only(task, director);
        ++ended;
        return result;
      },
      [&](int rank) {
        const Hand hand(*world_, rank);
        const ShardOrder first = hand.order(), second = hand.order();
        hand.make(first);
        hand.make(second);
        const ShardOrder third = hand.order(), fourth = hand.order();
        while (waiting < 2) std::this_thread::yield();
        signal = true;
        while (ended < 2) std::this_thread::yield();
        hand.make(third);  // what is in hand is finished
        hand.make(fourth);
        return hand.code();
      },
      [&] { return signal.load(); });
  expect_code(75);
  EXPECT_EQ(state(), results::PointState::stopped);
  EXPECT_TRUE(progress().datasets()[0].complete());
}

TEST_F(Jobs, AStopLeavesTheShardsThatNobodyHolds) {
  plan(layout_of(1, 1, 1));
  run(wait_only, [&](int rank) {
    const Hand hand(*world_, rank);
    const ShardOrder first = hand.order(), second = hand.order();
    hand.tell(StopWord{});
    hand.tell(StopWord{});  // twice is once
    hand.make(first);
    hand.make(second);
    return hand.code();  // no third order
  });
  expect_code(75);
  EXPECT_EQ(state(), results::PointState::missing);
  EXPECT_FALSE(progress().datasets()[0].complete());
}

TEST_F(Jobs, APointThatAnotherJobHoldsIsLeftToItInASweep) {
  plan(layout_of(1, 1, 1));
  job_->plan().sweep = true;
  results::RunFolder(job_->run_folder());
  std::filesystem::create_directories(job_->run_folder());
  const results::RunLock other(job_->run_folder());
  run([](const train::PointTask&, train::Director&) {
    train::PointResult result;
    result.busy = true;
    result.reason = "held by another job";
    return result;
  });
  expect_code(0);
  EXPECT_EQ(state(), results::PointState::missing);
  EXPECT_TRUE(progress().points()[0].elsewhere);
}

TEST_F(Jobs, OnePointsFailureIsNotTheOthers) {
  plan(layout_of(1, 1, 1), "sweep: {seeds: [1, 2, 3]}");
  std::atomic<int> begun = 0;
  run([&](const train::PointTask&, train::Director&) {
    return ++begun == 2 ? failed(Error(ErrorKind::diverged, "Q went away")) : ok();
  });
  expect_code(3);
  EXPECT_EQ(begun, 3);
  EXPECT_EQ(std::count_if(progress().points().begin(), progress().points().end(),
                          [](const auto& p) { return p.state == results::PointState::failed; }),
            1);
}

// A rank that is gone ends the job, whoever it is and whatever the others wait for: nothing is
// given to somebody else, for the next start goes on from what is in the folders.
TEST_F(Jobs, TheLossOfARankEndsTheJob) {
  for (const bool learner_lost : {false, true}) {
    progress_.reset();
    plan(layout_of(1, 1, 2));
    const auto error = error_of([&] {
      std::atomic<int> learners = 0;
      run(
          [&](const train::PointTask& task, train::Director& director) {
            if (++learners == 1 && learner_lost) fail_runtime("lost");
            return wait_only(task, director);
          },
          [&](int rank) {
            const Hand hand(*world_, rank);
            hand.make(hand.order());
            if (!learner_lost) fail_runtime("lost");
            for (int i = 0; i < 3; ++i) hand.make(hand.order());
            return hand.code();
          });
    });
    EXPECT_STREQ(error->what(), "lost") << learner_lost;
  }
}

TEST_F(Jobs, AMessageThatNobodyTakesIsAFailureNotAHang) {
  plan(layout_of(1, 1, 1));
  const auto error = error_of([&] {
    run(wait_only, [&](int rank) {
      world_->control(rank)->send(0, {{"type", "riddle"}});
      return 0;
    });
  });
  EXPECT_NE(std::string(error->what()).find("\"riddle\" of rank 1"), std::string::npos)
      << error->what();
}

// Replies, say: a queue of its own, words of its own, and no line of the other desks.
class ReplyDesk : public Desk {
 public:
  ReplyDesk(const comm::Control& control, std::vector<std::string>& got)
      : control_(control), got_(got) {
    for (int i = 0; i < 3; ++i) queue_.add(0, i);
  }
  bool takes(const std::string& type) const override { return type == "reply"; }
  void handle(const comm::Message& message) override {
    if (message.body.contains("text")) {
      queue_.done(message.source);
      got_.push_back(message.body.at("text"));
    }
    idle_ = message.source;
  }
  void feed() override {
    if (idle_ < 0) return;
    if (const auto work = queue_.take(idle_)) {
      control_.post(idle_, {{"type", "write"}, {"n", work->item}});
      idle_ = -1;
    }
  }
  bool over() const override { return queue_.over(); }

 private:
  const comm::Control& control_;
  WorkQueue<int> queue_;
  std::vector<std::string>& got_;
  int idle_ = -1;
};

TEST_F(Jobs, AThirdKindOfWorkNeedsADeskAndNothingElse) {
  plan(layout_of(2, 0, 0));
  job_->plan().learn = false;
  progress();
  comm::Layout layout = layout_of(1, 0, 0);
  layout.world = 3;  // rank 2 is none that the other desks know
  world_ = std::make_unique<JobWorld>(layout);
  std::vector<std::string> got;
  int code = -1;
  world_->world().run([&](int rank) {
    const auto control = world_->control(rank);
    OrderLine orders(*control, never);
    if (rank == 0) {
      std::vector<std::unique_ptr<Desk>> more;
      more.push_back(std::make_unique<ReplyDesk>(*control, got));
      code = world_->coordinate(progress(), never, std::move(more));
    } else if (rank == 1) {
      run_preprocessor(orders);
    } else {
      control->send(0, {{"type", "reply"}});
      while (true) {
        const auto message = control->receive(0);
        if (is<Finish>(message)) break;
        control->send(0, {{"type", "reply"}, {"text", "reply " + message.body.at("n").dump()}});
      }
    }
  });
  EXPECT_EQ(code, 0);
  EXPECT_EQ(got, (std::vector<std::string>{"reply 0", "reply 1", "reply 2"}));
  EXPECT_TRUE(progress().datasets()[0].complete());
}

}  // namespace
}  // namespace straq::coordinate
