// Sources that answer from a record: one that asks another source for what is not in it yet, so
// that an interrupted job goes on where it was, and one that has nothing but the record, for tests
// and for work that others are to repeat without the model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "language/record.h"
#include "language/source.h"

namespace straq::language {

class Recording : public Source {
 public:
  // Throws what Record does.
  Recording(std::unique_ptr<Source> inner, const std::string& folder);

  std::string name() const override { return inner_->name(); }
  std::string model() const override { return inner_->model(); }
  bool scores() const override { return inner_->scores(); }
  // What is recorded comes first, marked as `recorded`. Of several requests with one key the inner
  // source is asked once; the others' replies are marked as recorded, too. Failed replies are
  // recorded and asked for again by the next run.
  void answer(const std::vector<Request>& requests, const Done& done) override;

  const Record& record() const { return record_; }

 private:
  std::unique_ptr<Source> inner_;
  Record record_;
};

class Replay : public Source {
 public:
  // `model` is what the recorded source called itself (Source::model). Throws Error(input) where
  // the folder is not there, and what Record does.
  Replay(const std::string& folder, std::string model);

  std::string name() const override { return model_ + " as recorded in " + record_.folder(); }
  std::string model() const override { return model_; }
  bool scores() const override { return true; }
  // A request that is not recorded, or with a failed reply only, gets a failed reply that says so.
  void answer(const std::vector<Request>& requests, const Done& done) override;

 private:
  Record record_;
  std::string model_;
};

}  // namespace straq::language
