#pragma once

#include <memory>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>

#include "api/stream.hpp"

namespace reeve::api {

// One type for TCP and Unix sockets, on a concrete executor: no type erasure, compiled once.
using Socket = boost::asio::basic_stream_socket<
    boost::asio::generic::stream_protocol,
    boost::asio::io_context::executor_type>;
using Acceptor = boost::asio::basic_socket_acceptor<
    boost::asio::generic::stream_protocol,
    boost::asio::io_context::executor_type>;

[[nodiscard]] std::unique_ptr<Stream> make_socket_stream(Socket socket);

}  // namespace reeve::api
