#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "model/node_expression.hpp"
#include "model/node_expression_words.hpp"
#include "model/spec_rules.hpp"

namespace reeve::model {
namespace {

using Kind = NodeExpression::Kind;

bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool begins_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
}

/// The text with a caret under the character at byte `at`, cut to what fits a screen.
std::string with_caret(std::string_view text, std::size_t at) {
    constexpr std::size_t kBefore = 60;
    constexpr std::size_t kShown = 100;
    std::size_t begin = at > kBefore ? at - kBefore : 0;
    while (begin > 0 && !begins_character(text[begin])) {
        --begin;
    }
    std::size_t end = std::min(begin + kShown, text.size());
    while (end < text.size() && !begins_character(text[end])) {
        ++end;
    }
    std::string line = begin > 0 ? "  …" : "  ";
    std::string caret(begin > 0 ? 3 : 2, ' ');
    for (std::size_t i = begin; i < end; ++i) {
        line += is_control(text[i]) ? ' ' : text[i];
        caret += i < at && begins_character(text[i]) ? " " : "";
    }
    return line + (end < text.size() ? "…" : "") + "\n" + caret + "^";
}

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<NodeExpression> parse_all() {
        Result<NodeExpression> parsed = expression();
        if (!parsed) {
            return parsed;
        }
        skip_space();
        if (at_ < text_.size()) {
            return expected("&&, || or the end" + hint());
        }
        return parsed;
    }

  private:
    struct Word {
        std::string text = {};
        std::size_t at = 0;
        bool is_quoted = false;
    };

    void skip_space() {
        while (at_ < text_.size() && is_space(text_[at_])) {
            ++at_;
        }
    }

    bool take(std::string_view token) {
        skip_space();
        if (!text_.substr(at_).starts_with(token)) {
            return false;
        }
        at_ += token.size();
        return true;
    }

    [[nodiscard]] tl::unexpected<Error> wrong(std::size_t at, const std::string& what) const {
        const auto column = std::ranges::count_if(text_.substr(0, at), begins_character) + 1;
        return fail(
            ErrorCode::kInvalid,
            "column " + std::to_string(column) + ": " + what + "\n" + with_caret(text_, at));
    }

    /// At the next thing that is there.
    [[nodiscard]] tl::unexpected<Error> expected(const std::string& what) {
        skip_space();
        return wrong(at_, "expected " + what);
    }

    /// For words of other languages.
    [[nodiscard]] std::string hint() {
        skip_space();

        struct Other {
            std::string_view theirs;
            std::string_view ours;
        };

        constexpr auto kOthers = std::to_array<Other>({
            {"and", "&&"       },
            {"AND", "&&"       },
            {"&",   "&&"       },
            {"or",  "||"       },
            {"OR",  "||"       },
            {"|",   "||"       },
            {",",   "&&"       },
            {"=",   "=="       },
            {"not", "!(… in …)"},
        });
        const std::string_view rest = text_.substr(at_);
        for (const Other& other : kOthers) {
            if (rest.starts_with(other.theirs)) {
                return "; for '" + std::string(other.theirs) + "' write " + std::string(other.ours);
            }
        }
        return "";
    }

    [[nodiscard]] Result<NodeExpression> expression() { return chain(Kind::kAny, "||"); }

    /// Parts that are joined by `token`. A part of the same kind is taken apart.
    [[nodiscard]] Result<NodeExpression> chain(Kind kind, std::string_view token) {
        NodeExpression whole{.kind = kind};
        do {
            Result<NodeExpression> next = kind == Kind::kAny ? chain(Kind::kAll, "&&") : part();
            if (!next) {
                return next;
            }
            if (next->kind == kind) {
                std::ranges::move(next->parts, std::back_inserter(whole.parts));
            } else {
                whole.parts.push_back(*std::move(next));
            }
        } while (take(token));
        if (whole.parts.size() == 1) {
            NodeExpression only = std::move(whole.parts.front());
            return only;
        }
        return whole;
    }

    [[nodiscard]] Result<NodeExpression> part() {
        skip_space();
        const std::size_t begin = at_;
        const bool is_not = take("!");
        if (!is_not && !take("(")) {
            return term();
        }
        if (++depth_ > kNodeExpressionDepthMax) {
            return wrong(
                begin, "parentheses and ! are nested more than " +
                           std::to_string(kNodeExpressionDepthMax) + " deep; write it flatter");
        }
        Result<NodeExpression> inner = is_not ? part() : expression();
        --depth_;
        if (!inner) {
            return inner;
        }
        if (is_not) {
            NodeExpression negated{.kind = Kind::kNot};
            negated.parts.push_back(*std::move(inner));
            return negated;
        }
        if (!take(")")) {
            return expected("&&, || or )" + hint());
        }
        return inner;
    }

    [[nodiscard]] Result<Word> word(const std::string& what) {
        skip_space();
        Word word{.at = at_};
        if (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
            return quoted_word();
        }
        while (at_ < text_.size() && is_bare(text_[at_])) {
            word.text += text_[at_++];
        }
        if (word.text.empty()) {
            return expected(what);
        }
        return word;
    }

    [[nodiscard]] Result<Word> quoted_word() {
        Word word{.at = at_, .is_quoted = true};
        const char quote = text_[at_++];
        while (at_ < text_.size() && text_[at_] != quote) {
            at_ += text_[at_] == '\\' ? 1U : 0U;
            if (at_ < text_.size()) {
                word.text += text_[at_++];
            }
        }
        if (at_ >= text_.size()) {
            return wrong(word.at, "this quote has no end");
        }
        ++at_;
        return word;
    }

    [[nodiscard]] Result<NodeExpression> term() {
        Result<Word> name =
            word("a label, or one of " + names_of_attributes() + ", such as zone==a");
        if (!name) {
            return tl::unexpected<Error>(std::move(name.error()));
        }
        Result<NodeExpression> made = named(*name);
        if (!made) {
            return made;
        }
        const std::optional<NodeTest> test = take_test();
        if (!test) {
            if (made->attribute != NodeAttribute::kLabel) {
                return expected(
                    "a comparison after " + name->text + ", such as " +
                    std::string(row_of_attribute(made->attribute).example) + hint());
            }
            return made;
        }
        made->test = *test;
        const AttributeRow& row = row_of_attribute(made->attribute);
        if (is_order(*test) && row.values == ValueKind::kText) {
            return wrong(
                name->at, std::string(text_of(*test)) +
                              " compares numbers: gpu.count, gpu.memory and cpu.count; expected "
                              "==, != or in (…) here");
        }
        Result<void> read = *test == NodeTest::kIn ? values(*made) : value(*made);
        return read ? made : tl::unexpected<Error>(std::move(read.error()));
    }

    [[nodiscard]] static std::string names_of_attributes() {
        std::string names;
        for (const AttributeRow& row : kAttributes) {
            names += (names.empty() ? "" : ", ") + std::string(row.name);
        }
        return names;
    }

    [[nodiscard]] Result<NodeExpression> named(const Word& name) const {
        NodeExpression term;
        const auto* const row = std::ranges::find(kAttributes, name.text, &AttributeRow::name);
        if (!name.is_quoted && row != kAttributes.end()) {
            term.attribute = row->attribute;
            return term;
        }
        if (!name.is_quoted && is_reserved(name.text)) {
            std::vector<std::string> names;
            names.reserve(kAttributes.size());
            for (const AttributeRow& each : kAttributes) {
                names.emplace_back(each.name);
            }
            const std::string near = nearest(name.text, names);
            return wrong(
                name.at, "there is no " + name.text +
                             (near.empty() ? "; there are " + names_of_attributes()
                                           : "; did you mean " + near + "?") +
                             " (a label of that name stands in quotes)");
        }
        if (const std::string fault = fault_of_label_key(name.text); !fault.empty()) {
            return wrong(name.at, fault);
        }
        term.label = name.text;
        return term;
    }

    [[nodiscard]] std::optional<NodeTest> take_test() {
        for (const TestRow& row : kTests) {
            if (take(row.text)) {
                return row.test;
            }
        }
        const std::size_t before = at_;
        if (take("in") && (at_ == text_.size() || !is_bare(text_[at_]))) {
            return NodeTest::kIn;
        }
        at_ = before;
        return std::nullopt;
    }

    [[nodiscard]] Result<void> values(NodeExpression& term) {
        if (!take("(")) {
            return expected("( after in, such as " + name_text(term) + " in (a, b)");
        }
        do {
            if (Result<void> read = value(term); !read) {
                return read;
            }
        } while (take(","));
        if (!take(")")) {
            return expected(", or )");
        }
        return {};
    }

    [[nodiscard]] Result<void> value(NodeExpression& term) {
        const AttributeRow& row = row_of_attribute(term.attribute);
        const std::string example = row.attribute == NodeAttribute::kLabel
                                        ? name_text(term) + "==a"
                                        : std::string(row.example);
        Result<Word> read = word("a value, such as " + example);
        if (!read) {
            return tl::unexpected<Error>(std::move(read.error()));
        }
        if (row.values != ValueKind::kText) {
            const Result<std::int64_t> number = number_of(row.values, read->text);
            if (!number) {
                return wrong(
                    read->at, std::string(row.name) + ": " + number.error().message +
                                  "; expected " + std::string(row.example));
            }
            term.numbers.push_back(*number);
            return {};
        }
        const std::string fault = row.attribute == NodeAttribute::kGpuModel
                                      ? fault_of_gpu_model(read->text)
                                      : fault_of_label_value(read->text);
        if (!fault.empty()) {
            return wrong(read->at, fault);
        }
        term.texts.push_back(std::move(read->text));
        return {};
    }

    [[nodiscard]] static Result<std::int64_t> number_of(ValueKind kind, std::string_view text) {
        switch (kind) {
            case ValueKind::kSize:  return parse_size_mib(text);
            case ValueKind::kMilli: return parse_milli(text);
            case ValueKind::kCount:
            case ValueKind::kText:  break;
        }
        return parse_integer(text);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace

Result<NodeExpression> parse_node_expression(std::string_view text) {
    const auto too_long = [](std::size_t bytes) {
        return fail(
            ErrorCode::kInvalid, "has " + std::to_string(bytes) + " bytes; up to " +
                                     std::to_string(kNodeExpressionBytesMax) +
                                     " are accepted: give the nodes a label that says the same");
    };
    if (text.size() > kNodeExpressionBytesMax) {
        return too_long(text.size());
    }
    Result<NodeExpression> parsed = Parser(text).parse_all();
    if (parsed) {
        const std::size_t bytes = to_string(*parsed).size();
        if (bytes > kNodeExpressionBytesMax) {
            return too_long(bytes);
        }
    }
    return parsed;
}

std::string fault_of_node_expression(std::string_view text) {
    const Result<NodeExpression> parsed = parse_node_expression(text);
    return parsed ? "" : parsed.error().message;
}

}  // namespace reeve::model
