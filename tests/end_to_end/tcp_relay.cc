#include "tests/end_to_end/tcp_relay.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace skep {
namespace {

constexpr int kPollMilliseconds = 5;

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// Passes on what has come; false at the end.
bool Pass(int from, int to) {
  char buffer[64 << 10];
  const ssize_t got = recv(from, buffer, sizeof buffer, 0);
  if (got <= 0) return false;
  for (ssize_t sent = 0; sent < got;) {
    const ssize_t n = send(to, buffer + sent, got - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += n;
  }
  return true;
}

void Reset(int fd) {
  const linger hard = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(fd);
}

}  // namespace

TcpRelay::TcpRelay(const std::string& target)
    : target_port_(std::atoi(target.c_str() + target.rfind(':') + 1)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    ADD_FAILURE() << "the relay cannot listen";
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Run(); });
}

TcpRelay::~TcpRelay() {
  stop_ = true;
  thread_.join();
  while (!pairs_.empty()) Drop(0);
  close(listener_);
}

void TcpRelay::Cut() {
  cut_wanted_ = true;
  while (cut_wanted_) std::this_thread::yield();
}

void TcpRelay::Accept() {
  const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(target_port_);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
      0) {
    close(client);
    close(server);
    return;
  }
  pairs_.push_back({client, server});
}

void TcpRelay::Drop(size_t index) {
  Reset(pairs_[index].client);
  Reset(pairs_[index].server);
  pairs_.erase(pairs_.begin() + static_cast<ptrdiff_t>(index));
}

void TcpRelay::Run() {
  while (!stop_) {
    if (cut_wanted_) {
      cut_ += static_cast<int>(pairs_.size());
      while (!pairs_.empty()) Drop(0);
      cut_wanted_ = false;
    }
    std::vector<pollfd> polled = {{listener_, POLLIN, 0}};
    for (const Pair& pair : pairs_) {
      polled.push_back({pair.client, POLLIN, 0});
      polled.push_back({pair.server, POLLIN, 0});
    }
    if (poll(polled.data(), polled.size(), kPollMilliseconds) <= 0) continue;
    // From the back, so that what is dropped moves nothing that is still to be seen.
    for (size_t i = pairs_.size(); i-- > 0;) {
      const Pair pair = pairs_[i];
      const bool client = polled[1 + 2 * i].revents != 0;
      const bool server = polled[2 + 2 * i].revents != 0;
      if ((client && !Pass(pair.client, pair.server)) ||
          (server && !Pass(pair.server, pair.client))) {
        Drop(i);
      }
    }
    if (polled[0].revents != 0) Accept();
  }
}

}  // namespace skep
