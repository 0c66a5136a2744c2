#include "cli/curl_transport.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <curl/curl.h>

namespace reeve::cli {
namespace {

constexpr int kTickMs = 200;
constexpr long kConnectTimeoutMs = 5000;
constexpr std::size_t kBodyMax = 256U << 20U;  // More than any list page.

struct EasyDeleter {
    void operator()(CURL* handle) const noexcept { curl_easy_cleanup(handle); }
};

struct MultiDeleter {
    void operator()(CURLM* handle) const noexcept { curl_multi_cleanup(handle); }
};

struct ListDeleter {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};

using Easy = std::unique_ptr<CURL, EasyDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

/// One transfer under way.
struct Transfer {
    CURL* easy = nullptr;
    const StreamListener* listener = nullptr;  // Null: the body is collected.
    HttpAnswer answer = {};
    bool is_stopped = false;  // By the listener.
    bool is_too_large = false;

    [[nodiscard]] long status() const {
        long code = 0;
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
        return code;
    }
};

std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    const std::string_view part(bytes, size * count);
    if (transfer.listener != nullptr && transfer.status() == 200) {
        transfer.is_stopped = transfer.listener->on_bytes(part) == Go::kStop;
        return transfer.is_stopped ? 0 : part.size();
    }
    transfer.is_too_large = transfer.answer.body.size() + part.size() > kBodyMax;
    if (transfer.is_too_large) {
        return 0;
    }
    transfer.answer.body += part;
    return part.size();
}

std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* user) {
    auto& transfer = *static_cast<Transfer*>(user);
    std::string line(bytes, size * count);
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) {
        line.pop_back();
    }
    if (const std::size_t colon = line.find(':'); colon != std::string::npos) {
        std::string name = line.substr(0, colon);
        std::ranges::transform(
            name, name.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
        const std::size_t value = std::min(line.find_first_not_of(' ', colon + 1), line.size());
        if (name == "x-reeve-next-offset") {
            transfer.answer.next_offset = line.substr(value);
        } else if (name == "x-reeve-log-dropped") {
            transfer.answer.log_dropped = line.substr(value);
        } else if (name == "x-reeve-next-cursor") {
            transfer.answer.next_cursor = line.substr(value);
        }
    }
    const bool is_end = line.empty() && transfer.listener != nullptr && transfer.status() == 200;
    if (is_end && transfer.listener->on_open && transfer.listener->on_open() == Go::kStop) {
        transfer.is_stopped = true;
        return 0;
    }
    return size * count;
}

class CurlTransport final : public Transport {
  public:
    explicit CurlTransport(TransportOptions options)
        : options_(std::move(options)), multi_(curl_multi_init()) {}

    Result<HttpAnswer> send(const HttpRequest& request) override {
        return perform(request, nullptr);
    }

    Result<HttpAnswer> stream(const HttpRequest& request, const StreamListener& listener) override {
        return perform(request, &listener);
    }

  private:
    Result<HttpAnswer> perform(const HttpRequest& request, const StreamListener* listener) {
        const Easy easy(curl_easy_init());
        if (easy == nullptr || multi_ == nullptr) {
            return fail(ErrorCode::kInternal, "libcurl cannot be started");
        }
        Transfer transfer;
        transfer.easy = easy.get();
        transfer.listener = listener;
        const HeaderList headers = headers_of(request);
        set_up(transfer, request, headers.get());
        // A stream within a stream (a listener that asks something) needs a multi of its own.
        const std::unique_ptr<CURLM, MultiDeleter> own(is_busy_ ? curl_multi_init() : nullptr);
        CURLM* multi = own != nullptr ? own.get() : multi_.get();
        const bool was_busy = std::exchange(is_busy_, true);
        curl_multi_add_handle(multi, easy.get());
        const CURLcode code = drive(multi, transfer);
        curl_multi_remove_handle(multi, easy.get());
        is_busy_ = was_busy;
        transfer.answer.status = static_cast<int>(transfer.status());
        if (code == CURLE_OK || transfer.is_stopped) {
            return std::move(transfer.answer);
        }
        return failure(code, transfer);
    }

    [[nodiscard]] HeaderList headers_of(const HttpRequest& request) const {
        curl_slist* list = curl_slist_append(nullptr, "Expect:");
        for (const std::string& header : request.headers) {
            list = curl_slist_append(list, header.c_str());
        }
        if (!request.body.empty()) {
            list = curl_slist_append(list, "Content-Type: application/json");
        }
        if (!options_.token.empty()) {
            list = curl_slist_append(list, ("Authorization: Bearer " + options_.token).c_str());
        }
        return HeaderList(list);
    }

    void set_up(Transfer& transfer, const HttpRequest& request, curl_slist* headers) const {
        CURL* easy = transfer.easy;
        const ServerAddress& server = options_.server;
        if (!server.socket.empty()) {
            curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, server.socket.c_str());
        }
        const std::string base = server.socket.empty() ? server.url : "http://localhost";
        curl_easy_setopt(easy, CURLOPT_URL, (base + request.target).c_str());
        curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
        if (transfer.listener == nullptr) {
            curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
        }
        if (request.method != "GET") {
            curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
            curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
            curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
        }
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    }

    /// Until the transfer is done, or its listener stops it.
    static CURLcode drive(CURLM* multi, Transfer& transfer) {
        while (true) {
            int running = 0;
            curl_multi_perform(multi, &running);
            int left = 0;
            while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
                if (message->msg == CURLMSG_DONE) {
                    return message->data.result;
                }
            }
            int ready = 0;
            curl_multi_poll(multi, nullptr, 0, kTickMs, &ready);
            const StreamListener* listener = transfer.listener;
            if (ready == 0 && listener != nullptr && listener->on_tick &&
                listener->on_tick() == Go::kStop) {
                transfer.is_stopped = true;
                return CURLE_OK;
            }
        }
    }

    [[nodiscard]] tl::unexpected<Error> failure(CURLcode code, const Transfer& transfer) const {
        const std::string where = options_.server.text();
        if (transfer.is_too_large) {
            return fail(ErrorCode::kTooLarge, "the answer of " + where + " is too large");
        }
        if (code == CURLE_OPERATION_TIMEDOUT) {
            return fail(
                ErrorCode::kUnavailable,
                where + " did not answer in time; --timeout allows it more");
        }
        std::string detail = curl_easy_strerror(code);
        long system = 0;
        curl_easy_getinfo(transfer.easy, CURLINFO_OS_ERRNO, &system);
        if (system == EACCES) {
            return fail(
                ErrorCode::kForbidden,
                where + " may not be opened by you; it belongs to the server's user");
        }
        return fail(
            ErrorCode::kUnavailable,
            "no server answers at " + where + " (" + detail +
                "); start one with `reeve up`, or name another one with -s");
    }

    TransportOptions options_;
    std::unique_ptr<CURLM, MultiDeleter> multi_;
    bool is_busy_ = false;
};

bool is_loopback(std::string_view url) {
    constexpr auto kNames =
        std::to_array<std::string_view>({"http://127.0.0.1", "http://localhost", "http://[::1]"});
    return std::ranges::any_of(kNames, [&](std::string_view name) {
        return url.starts_with(name) && (url.size() == name.size() || url[name.size()] == ':');
    });
}

}  // namespace

Result<ServerAddress> parse_server_address(std::string_view text) {
    const std::string name = "'" + std::string(text) + "'";
    if (text.starts_with("unix:")) {
        const std::string_view path = text.substr(5);
        constexpr std::size_t kPathMax = 107;  // Of sockaddr_un.
        if (!path.starts_with('/') || path.size() > kPathMax) {
            return fail(
                ErrorCode::kInvalid,
                name + " is not the absolute path of a socket, 107 bytes at most");
        }
        return ServerAddress{std::string(path), ""};
    }
    std::string_view url = text;
    while (url.ends_with('/')) {
        url.remove_suffix(1);
    }
    const std::size_t scheme = url.find("://");
    const bool is_web = url.starts_with("http://") || url.starts_with("https://");
    if (!is_web || url.size() == scheme + 3 || url.find_first_of("/?#@ ", scheme + 3) != url.npos) {
        return fail(
            ErrorCode::kInvalid,
            name + " is not a server; write unix:/path/to/reeve.sock or http://host:port");
    }
    if (url.starts_with("http://") && !is_loopback(url)) {
        return fail(
            ErrorCode::kInvalid,
            name +
                " is another machine: plain http is spoken on loopback only, because a token "
                "could be read on the way. Use https://, or an SSH tunnel");
    }
    return ServerAddress{"", std::string(url)};
}

Result<std::unique_ptr<Transport>> open_transport(const TransportOptions& options) {
    static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (started != CURLE_OK) {
        return fail(ErrorCode::kInternal, "libcurl cannot be started");
    }
    return std::make_unique<CurlTransport>(options);
}

}  // namespace reeve::cli
