#include "storage/merger.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/key_prefix.h"

namespace skep {

Merger::Merger(std::vector<std::unique_ptr<RecordStream>> inputs)
    : losers_(inputs.size()) {
  inputs_.reserve(inputs.size());
  for (auto& stream : inputs) inputs_.push_back({.stream = std::move(stream)});
}

bool Merger::Next(Record* record) {
  if (inputs_.empty() || !status_.ok()) return false;
  if (!started_) {
    started_ = true;
    for (Input& input : inputs_) {
      if (!Advance(&input)) return false;
    }
    winner_ = Build(1);
  } else {
    // The winner advances only now: its views were the caller's until this call.
    if (inputs_[winner_].at_end) return false;
    if (!Advance(&inputs_[winner_])) return false;
    Replay();
  }
  if (inputs_[winner_].at_end) return false;
  *record = inputs_[winner_].record;
  return true;
}

bool Merger::Advance(Input* input) {
  if (input->stream->Next(&input->record)) {
    input->prefix = KeyPrefix(input->record.key);
    return true;
  }
  input->at_end = true;
  status_ = input->stream->status();
  return status_.ok();
}

bool Merger::Before(size_t a, size_t b) const {
  const Input& left = inputs_[a];
  const Input& right = inputs_[b];
  if (left.at_end || right.at_end) return right.at_end;
  if (left.prefix != right.prefix) return left.prefix < right.prefix;
  return left.record < right.record;
}

size_t Merger::Build(size_t node) {
  if (node >= inputs_.size()) return node - inputs_.size();
  size_t winner = Build(2 * node);
  size_t loser = Build(2 * node + 1);
  if (Before(loser, winner)) std::swap(winner, loser);
  losers_[node] = loser;
  return winner;
}

void Merger::Replay() {
  for (size_t node = (winner_ + inputs_.size()) / 2; node >= 1; node /= 2) {
    if (Before(losers_[node], winner_)) std::swap(losers_[node], winner_);
  }
}

bool Groups::Peek() {
  if (!have_pending_) have_pending_ = stream_.Next(&pending_);
  return have_pending_;
}

bool Groups::NextGroup() {
  std::string_view skipped;
  while (in_group_ && NextValue(&skipped)) {
  }
  if (!Peek()) return false;
  key_.assign(pending_.key);
  in_group_ = true;
  return true;
}

bool Groups::NextValue(std::string_view* value) {
  if (!in_group_ || !Peek() || pending_.key != key_) {
    in_group_ = false;
    return false;
  }
  *value = pending_.value;
  have_pending_ = false;
  return true;
}

}  // namespace skep
