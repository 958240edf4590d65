// What preprocessors and learners say and do, with a test in the coordinator's place.
#include "coordinate/rank_loops.h"

#include <gtest/gtest.h>

#include "coordinate/remote_director.h"
#include "tests/coordinate/job_fixture.h"

namespace straq::coordinate {
namespace {

using comm::testing::ThreadDirectives;
using comm::testing::ThreadWorld;
using testing::never;
using testing::TinyJob;

// What a rank of the program has said so far, and its answers.
template <class M>
M next(const comm::Control& control) {
  return std::get<M>(decode<M>(control.receive()));
}

ShardOrder order_of(JobProgress& progress) {
  const auto work = progress.shards().take(1);
  const auto& data = progress.datasets()[work->lot];
  return {work->lot,
          config::to_yaml(data.config),
          data.job->key(),
          data.job->folder(),
          data.job->tokenizer_path(),
          work->item,
          data.job->dialogues(work->item)};
}

TEST(Preprocessor, AsksForTwoItemsAndAnswersEachInItsOrder) {
  TinyJob job;
  JobProgress progress(job.plan());
  ThreadWorld world(2);
  int code = -1;
  world.run([&](int rank) {
    const auto control = world.control(rank);
    if (rank == 1) {
      OrderLine orders(*control, never);
      code = run_preprocessor(orders);
      return;
    }
    next<Ready>(*control);
    next<Ready>(*control);
    const ShardOrder first = order_of(progress);
    ShardOrder second = order_of(progress);
    second.dataset = 9;  // one that it has not met, and whose tokenizer is not there
    second.tokenizer += ".gone";
    control->post(1, encode(first));
    control->post(1, encode(second));
    progress.shard_made(1,
                        next<ShardMade>(*control).record);  // the manifest would refuse another's
    const auto failure = next<ShardFailed>(*control).failure;
    if (std::string(failure.what()).find(".gone") == std::string::npos) throw failure;
    control->send(1, encode(Finish{7}));
    if (control->poll()) throw std::logic_error("it says more than it was asked");
  });
  EXPECT_EQ(code, 7);
}

TEST(Preprocessor, PassesOnASignalOnce) {
  ThreadWorld world(2);
  world.run([&](int rank) {
    const auto control = world.control(rank);
    if (rank == 1) {
      OrderLine orders(*control, [] { return true; });
      run_preprocessor(orders);
      return;
    }
    next<Ready>(*control);
    next<Ready>(*control);
    next<StopWord>(*control);
    control->send(1, encode(Finish{75}));
    if (control->poll()) throw std::logic_error("it says so again");
  });
}

// A group of two learners and the test as its coordinator.
class Learners : public ::testing::Test {
 protected:
  // `coordinate` on rank 0, run_learner with `run_point` on the others.
  void run(const std::function<void(const comm::Control&, comm::DirectiveLine&)>& coordinate,
           const std::function<train::PointResult(int, train::Director&)>& run_point,
           const std::function<bool()>& signalled = never) {
    ThreadWorld world(3);
    ThreadDirectives group(world);
    world.run([&](int rank) {
      const auto control = world.control(rank);
      const auto line = rank == 0 ? group.coordinators() : group.learners();
      if (rank == 0) return coordinate(*control, *line);
      OrderLine orders(*control, rank == 2 ? signalled : never);
      codes_[rank] = run_learner(orders, *line, rank == 1,
                                 [&](const train::PointTask& task, train::Director& director) {
                                   tasks_[rank] = task.name;
                                   return run_point(rank, director);
                                 });
    });
  }
  static void give_point(const comm::Control& control) {
    train::PointTask task;
    task.name = "a";
    task.config = config::parse_yaml("name: x", "c.yaml");
    to_both(control, PointOrder{task});
  }
  template <class M>
  static void to_both(const comm::Control& control, const M& message) {
    for (int rank : {1, 2}) control.send(rank, encode(message));
  }
  static train::PointResult ok() {
    train::PointResult result;
    result.ok = true;
    return result;
  }
  int codes_[3] = {-1, -1, -1};
  std::string tasks_[3];
};

TEST_F(Learners, TheLeaderAloneSpeaksAndEverybodyHears) {
  std::int64_t until[3] = {};
  run(
      [&](const comm::Control& control, comm::DirectiveLine& line) {
        EXPECT_FALSE(next<Idle>(control).last.ok);  // before its first point
        give_point(control);
        EXPECT_EQ(next<StatusReport>(control).status.step, 5);
        comm::Directive directive;
        directive.run_until = 11;
        line.broadcast(directive);
        next<Await>(control);
        to_both(control, ShardsComplete{});
        const auto message = control.receive();
        EXPECT_EQ(message.source, 1);
        EXPECT_TRUE(std::get<Idle>(decode<Idle>(message)).last.ok);
        to_both(control, Finish{4});
        EXPECT_FALSE(control.poll());
      },
      [&](int rank, train::Director& director) {
        comm::Status status;
        status.step = 5;
        until[rank] = director.boundary(status).run_until;
        director.await_dataset();
        return ok();
      });
  for (int rank : {1, 2}) {
    EXPECT_EQ(tasks_[rank], "a");
    EXPECT_EQ(until[rank], 11);
    EXPECT_EQ(codes_[rank], 4);
  }
}

TEST_F(Learners, ASignalBeforeABoundaryIsToldBeforeTheStatus) {
  std::atomic<bool> signal = false;
  run(
      [&](const comm::Control& control, comm::DirectiveLine& line) {
        next<Idle>(control);
        give_point(control);
        bool told = false, reported = false;  // by two ranks, so in any order
        while (!told || !reported) {
          const auto said = decode<StopWord, StatusReport>(control.receive());
          (std::holds_alternative<StopWord>(said) ? told : reported) = true;
        }
        comm::Directive directive;
        line.broadcast(directive);
        next<Idle>(control);
        to_both(control, Finish{});
      },
      [&](int, train::Director& director) {
        signal = true;
        director.boundary({});
        return ok();
      },
      [&] { return signal.load(); });
}

TEST_F(Learners, ADataSetThatIsNotToBeHadIsSaidInItsWords) {
  std::string words[3];
  const auto listen = [&](int rank, train::Director& director) {
    try {
      director.await_dataset();
    } catch (const Error& e) {
      words[rank] = std::to_string(e.exit_code()) + " " + e.what();
    }
    return train::PointResult();
  };
  const auto answer = [&](const auto& message) {
    run(
        [&](const comm::Control& control, comm::DirectiveLine&) {
          next<Idle>(control);
          give_point(control);
          next<Await>(control);
          to_both(control, message);
          next<Idle>(control);
          to_both(control, Finish{});
        },
        listen);
  };
  answer(ShardsIncomplete{"valid-00000.h5: the disk is full"});
  for (int rank : {1, 2}) {
    EXPECT_EQ(words[rank],
              "1 preprocessing failed while this point was training: valid-00000.h5: the disk is "
              "full");
  }
  answer(StopWord{});
  for (int rank : {1, 2}) {
    EXPECT_EQ(words[rank], "75 stopped on request before all splits were preprocessed");
  }
}

}  // namespace
}  // namespace straq::coordinate
