// Variable envelope return paths: a bounce address that names the recipient. Source: VERP_README.
#pragma once

#include <string>
#include <string_view>

namespace facteur::mail {

// "owner-list@a.example" for "joe@b.example" with "+=": "owner-list+joe=b.example@a.example".
std::string verp_address(std::string_view sender, std::string_view recipient, std::string_view delimiters);

} // namespace facteur::mail
