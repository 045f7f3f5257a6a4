// A relay in the middle of TCP connections, to cut them while both ends live.

#ifndef SKEP_TESTS_END_TO_END_TCP_RELAY_H_
#define SKEP_TESTS_END_TO_END_TCP_RELAY_H_

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace skep {

// Listens on a free port of 127.0.0.1 and passes every connection on to `target`, a
// "127.0.0.1:port". Its own thread does the work.
class TcpRelay {
 public:
  explicit TcpRelay(const std::string& target);
  ~TcpRelay();
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // Resets every connection that passes through; new ones are welcome.
  void Cut();
  // Connections that were cut so far.
  int cut() const { return cut_; }

 private:
  struct Pair {
    int client;
    int server;
  };
  void Run();
  void Accept();
  void Drop(size_t index);

  int target_port_;
  int port_ = 0;
  int listener_ = -1;
  std::vector<Pair> pairs_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> cut_wanted_{false};
  std::atomic<int> cut_{0};
  std::thread thread_;
};

}  // namespace skep

#endif  // SKEP_TESTS_END_TO_END_TCP_RELAY_H_
