#include "cli/log_pages.hpp"

#include "base/text.hpp"

namespace reeve::cli {

Result<LogPage> log_page_at(Client& client, const std::string& path, std::int64_t offset) {
    auto page = client.get_bytes(
        path + "&limit=" + std::to_string(kLogPageBytes) + "&offset=" + std::to_string(offset));
    if (!page) {
        return tl::unexpected(std::move(page.error()));
    }
    const auto next = parse_integer(page->next_offset);
    if (!next) {
        return fail(ErrorCode::kInternal, "the server does not say where the log goes on");
    }
    return LogPage{
        .bytes = std::move(page->body), .next = *next, .hole = parse_hole(page->log_dropped)};
}

Result<void> print_log(
    Client& client,
    const std::string& path,
    LogPrinter& printer,
    const std::function<bool()>& goes_on) {
    std::int64_t offset = printer.next();
    while (goes_on()) {
        const auto page = log_page_at(client, path, offset);
        if (!page) {
            return tl::unexpected(page.error());
        }
        // An empty page that leads on is one of bytes that were dropped.
        const std::int64_t next = page->next;
        printer.print(next - static_cast<std::int64_t>(page->bytes.size()), page->bytes);
        if (next <= offset) {
            return {};
        }
        offset = next;
    }
    return {};
}

}  // namespace reeve::cli
