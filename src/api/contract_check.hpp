#pragma once

#include <string>
#include <string_view>

// For tests: holds answers to api/openapi.yaml.
namespace reeve::api {

/// One answer to an operation of the contract.
struct AnswerSeen {
    std::string_view method = {};   // "GET".
    std::string_view pattern = {};  // "/api/v1/jobs/{id}".
    int status = 0;
    std::string_view content_type = {};
    std::string_view body = {};
    bool is_choice = false;  // Its request named `fields`: the items of the list have those alone.
};

/// What of `answer` is not as the contract says; "" if all is.
[[nodiscard]] std::string fault_of_answer(const AnswerSeen& answer);

}  // namespace reeve::api
