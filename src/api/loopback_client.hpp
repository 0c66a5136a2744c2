#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "platform/unique_fd.hpp"

// For tests: a client that sends bytes, not requests, so that it can misbehave.
namespace reeve::api {

class LoopbackClient {
  public:
    static LoopbackClient tcp(std::uint16_t port) {
        LoopbackClient client(AF_INET);
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        client.connect_to(reinterpret_cast<sockaddr*>(&address), sizeof(address));
        return client;
    }

    static LoopbackClient unix(const std::string& path) {
        LoopbackClient client(AF_UNIX);
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        std::memcpy(&address.sun_path[0], path.c_str(), path.size() + 1);
        client.connect_to(reinterpret_cast<sockaddr*>(&address), sizeof(address));
        return client;
    }

    /// False if the server has gone.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    /// Reads until `mark` is in what was read; "" if the connection ended (or 10 s went by) first.
    /// What came after the mark waits for the next call.
    std::string read_to(std::string_view mark) {
        while (true) {
            const std::size_t at = buffer_.find(mark);
            if (at != std::string::npos) {
                std::string found = buffer_.substr(0, at + mark.size());
                buffer_.erase(0, at + mark.size());
                return found;
            }
            if (!read_more()) {
                return {};
            }
        }
    }

    std::string read_bytes(std::size_t count) {
        while (buffer_.size() < count && read_more()) {
        }
        std::string found = buffer_.substr(0, count);
        buffer_.erase(0, count);
        return found;
    }

    /// Head and body of an answer with a Content-Length; the head alone if it has none.
    std::string read_answer() {
        std::string head = read_to("\r\n\r\n");
        constexpr std::string_view kLength = "Content-Length: ";
        const std::size_t at = head.find(kLength);
        if (at == std::string::npos) {
            return head;
        }
        return head + read_bytes(length_at(head.substr(at + kLength.size())));
    }

    std::string ask(std::string_view request) { return send(request) ? read_answer() : ""; }

    /// True once the server has closed; false if it still says something, or nothing for 10 s.
    bool is_closed() { return buffer_.empty() && !read_more() && has_ended_; }

    void shut_down_sending() { shutdown(fd_.get(), SHUT_WR); }

  private:
    explicit LoopbackClient(int family) : fd_(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const timeval patience = {.tv_sec = 10, .tv_usec = 0};
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    }

    void connect_to(const sockaddr* address, socklen_t size) {
        EXPECT_EQ(connect(fd_.get(), address, size), 0) << std::strerror(errno);
    }

    static std::size_t length_at(std::string_view text) {
        std::size_t length = 0;
        std::from_chars(text.data(), text.data() + text.size(), length);
        return length;
    }

    bool read_more() {
        char bytes[4096];
        const ssize_t got = recv(fd_.get(), &bytes[0], sizeof(bytes), 0);
        has_ended_ = got == 0 || (got < 0 && errno == ECONNRESET);
        if (got <= 0) {
            return false;
        }
        buffer_.append(&bytes[0], static_cast<std::size_t>(got));
        return true;
    }

    platform::UniqueFd fd_;
    std::string buffer_;
    bool has_ended_ = false;
};

}  // namespace reeve::api
