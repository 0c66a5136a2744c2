#pragma once

#include <functional>
#include <memory>

#include "controller/view.hpp"
#include "controller/writer.hpp"
#include "ledger/command.hpp"

namespace reeve::api {

/// The one writer, as the API sees it. Called from every thread.
class Commands {
  public:
    using Callback = std::function<void(Result<ledger::Reply>)>;

    virtual ~Commands() = default;

    /// `callback` gets the answer once it is durable, on another thread; it must not block.
    virtual void submit(ledger::Command command, Callback callback) = 0;

    /// Of the newest commit. Never null.
    [[nodiscard]] virtual std::shared_ptr<const controller::View> view() const = 0;
};

/// The real one.
class WriterCommands final : public Commands {
  public:
    explicit WriterCommands(controller::Writer& writer) : writer_(writer) {}

    void submit(ledger::Command command, Callback callback) override {
        writer_.submit(std::move(command), std::move(callback));
    }

    [[nodiscard]] std::shared_ptr<const controller::View> view() const override {
        return writer_.view();
    }

  private:
    controller::Writer& writer_;
};

}  // namespace reeve::api
