#pragma once

#include <ostream>
#include <streambuf>
#include <string>

namespace reeve::cli {

/// What a stream writes, without characters beyond ASCII.
class AsciiBuffer final : public std::streambuf {
  public:
    enum class Style : std::uint8_t {
        kWords,  // "..." for an ellipsis, "x" for a times sign; '?' for what has no such words.
        kJson,   // \u00e9, as it may be written in a string of JSON.
        kYaml,   // The same, with \U0001F600 for what JSON writes as two.
    };

    explicit AsciiBuffer(std::streambuf* inner) : inner_(inner) {}

    void set_style(Style style) noexcept { style_ = style; }

    [[nodiscard]] std::streambuf* inner() const noexcept { return inner_; }

    /// Writes what is left of a character whose end never came.
    void finish();

  private:
    int_type overflow(int_type c) override;
    int sync() override;

    /// Writes the character that `rest_` is the UTF-8 of.
    [[nodiscard]] bool put_character();

    std::streambuf* inner_;
    Style style_ = Style::kWords;
    std::string rest_ = {};  // Of a character that has begun.
};

/// Makes all that goes to two streams ASCII as soon as it is turned on, and while it lives.
class AsciiOutput {
  public:
    AsciiOutput(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

    ~AsciiOutput();

    AsciiOutput(const AsciiOutput&) = delete;
    AsciiOutput& operator=(const AsciiOutput&) = delete;
    AsciiOutput(AsciiOutput&&) = delete;
    AsciiOutput& operator=(AsciiOutput&&) = delete;

    void turn_on();

    /// Of the first stream; the second one has words.
    void set_style(AsciiBuffer::Style style) noexcept { out_buffer_.set_style(style); }

  private:
    std::ostream& out_;
    std::ostream& err_;
    AsciiBuffer out_buffer_{out_.rdbuf()};
    AsciiBuffer err_buffer_{err_.rdbuf()};
    bool is_on_ = false;
};

}  // namespace reeve::cli
