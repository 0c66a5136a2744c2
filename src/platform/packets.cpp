#include "platform/packets.hpp"

#include <cstring>

#include <sys/socket.h>

namespace reeve::platform {
namespace {

using Numbers = std::array<int, kPassedFdsMax>;

}  // namespace

bool send_packet(int socket, std::span<const std::byte> bytes, std::span<const int> fds) {
    Numbers numbers = {};
    std::size_t count = 0;
    for (const int fd : fds) {
        if (fd >= 0 && count < numbers.size()) {
            numbers.at(count++) = fd;
        }
    }
    // Only read, though iovec is for both ways.
    iovec part = {const_cast<std::byte*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(Numbers))> control = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (count > 0) {
        const std::size_t size = sizeof(int) * count;
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(size);
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        std::memcpy(CMSG_DATA(header), numbers.data(), size);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) >= 0;
}

ssize_t receive_packet(int socket, std::span<std::byte> bytes, PassedFds& fds) {
    iovec part = {bytes.data(), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(Numbers))> control = {};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0) {
        return got;
    }
    Numbers numbers = {-1, -1, -1};
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            std::memcpy(numbers.data(), CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
        }
    }
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        fds.at(i) = UniqueFd(numbers.at(i));
    }
    return got;
}

}  // namespace reeve::platform
