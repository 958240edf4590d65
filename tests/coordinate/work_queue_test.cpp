// Who holds what, and what becomes of it when an item fails, a holder is lost or the job stops.
#include "coordinate/work_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace straq::coordinate {
namespace {

using Queue = WorkQueue<std::string>;

Queue two_lots() {
  Queue queue;
  queue.add(1, "b0");
  for (const char* item : {"a0", "a1", "a2"}) queue.add(0, item);
  return queue;
}

TEST(WorkQueue, LotsGoInTheirOrderAndItemsInTheirs) {
  Queue queue = two_lots();
  for (const char* item : {"a0", "a1", "a2", "b0"}) EXPECT_EQ(queue.take(7)->item, item);
  EXPECT_FALSE(queue.take(7));
  EXPECT_FALSE(queue.waiting());
  EXPECT_FALSE(queue.over());  // they are held
  for (const char* item : {"a0", "a1", "a2", "b0"}) EXPECT_EQ(queue.done(7).item, item);
  EXPECT_TRUE(queue.over());
  EXPECT_TRUE(Queue().over());
}

TEST(WorkQueue, AnOutcomeIsThatOfTheHoldersOldestItem) {
  Queue queue = two_lots();
  queue.take(1);
  queue.take(2);
  queue.take(1);
  EXPECT_EQ(queue.held(0), 3u);
  EXPECT_EQ(queue.oldest(1).item, "a0");
  EXPECT_EQ(queue.done(1).item, "a0");
  EXPECT_EQ(queue.oldest(1).item, "a2");
  EXPECT_EQ(queue.oldest(2).item, "a1");
  EXPECT_THROW(queue.oldest(3), std::logic_error);
  EXPECT_THROW(queue.done(3), std::logic_error);
}

TEST(WorkQueue, ALotFailsAsAWholeButWhatIsHeldIsFinished) {
  Queue queue = two_lots();
  queue.take(1);
  queue.take(2);
  EXPECT_EQ(queue.fail(1).item, "a0");
  EXPECT_EQ(queue.held(0), 1u);
  EXPECT_EQ(queue.take(1)->item, "b0");  // a2 is not begun any more
  EXPECT_EQ(queue.done(2).item, "a1");   // late, and no matter
  EXPECT_EQ(queue.held(0), 0u);
  queue.done(1);
  EXPECT_TRUE(queue.over());
}

TEST(WorkQueue, ALostHolderGivesItsItemsBack) {
  Queue queue = two_lots();
  queue.take(1);
  queue.take(1);
  EXPECT_EQ(queue.lose(1), 2u);
  EXPECT_EQ(queue.lose(1), 0u);
  EXPECT_EQ(queue.take(2)->item, "a0");
  EXPECT_EQ(queue.take(2)->item, "a1");
  EXPECT_EQ(queue.take(2)->item, "a2");
}

TEST(WorkQueue, ItemsOfAFailedLotAndOfAClosedQueueAreNotGivenBack) {
  Queue queue = two_lots();
  queue.take(1);
  queue.take(2);
  queue.fail(1);
  EXPECT_EQ(queue.lose(2), 0u);
  queue.take(3);
  EXPECT_FALSE(queue.close());  // nothing waited
  EXPECT_EQ(queue.lose(3), 0u);
  EXPECT_TRUE(queue.over());
}

TEST(WorkQueue, AClosedQueueSaysWhetherItLeftSomething) {
  Queue queue = two_lots();
  queue.take(1);
  EXPECT_TRUE(queue.close());
  EXPECT_FALSE(queue.close());
  EXPECT_FALSE(queue.take(2));
  EXPECT_FALSE(queue.over());
  queue.done(1);
  EXPECT_TRUE(queue.over());
}

}  // namespace
}  // namespace straq::coordinate
